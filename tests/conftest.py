import sys
from collections.abc import Callable
from textwrap import dedent

import pytest


@pytest.fixture
def strangers(tmp_path, monkeypatch):
    """A folder of ``sys.path`` for throw-away distributions."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    before = set(sys.modules)
    yield folder
    for name in set(sys.modules) - before:
        if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture
def install(strangers) -> Callable[..., None]:
    """Install a distribution of one module and one entry point, as pip would leave it."""

    def written(distribution, source, *, entry_point="extra", group="cxrkit", version="1.2", module=None) -> None:
        module = module or distribution.replace("-", "_")
        (strangers / f"{module}.py").write_text(dedent(source), encoding="utf-8", newline="\n")
        info = strangers / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        metadata = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\nSummary: Of a stranger\n"
        (info / "METADATA").write_text(metadata, encoding="utf-8", newline="\n")
        text = f"[{group}]\n{entry_point} = {module}\n"
        (info / "entry_points.txt").write_text(text, encoding="utf-8", newline="\n")

    return written
