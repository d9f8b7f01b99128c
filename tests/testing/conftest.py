import tomllib

import pytest

from cxrkit import scaffold


@pytest.fixture
def begin(strangers):
    """Begin a plugin where it is imported from, with the metadata that pip would make of it."""

    def begun(kind, name):
        folder = strangers / name
        scaffold.begin(kind, name, folder)
        project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
        for module in project["tool"]["setuptools"]["py-modules"]:
            (folder / f"{module}.py").rename(strangers / f"{module}.py")
        info = strangers / f"{name.replace('-', '_')}-0.1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1.0\n", encoding="utf-8")
        groups = project["project"]["entry-points"].items()
        lines = [
            line
            for group, points in groups
            for line in (f"[{group}]", *(f"{key} = {value}" for key, value in points.items()))
        ]
        (info / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return folder

    return begun
