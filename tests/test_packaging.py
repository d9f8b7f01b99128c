"""What is built from the source is whole: the wheel is made from the sdist, so what one lacks, the other lacks too."""

import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from configparser import ConfigParser
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
IN_WHEEL = {"cxrkit": "cxrkit", "plugins": "cxrkit_plugins", "templates": "cxrkit_templates"}
CARRIED = {".py", ".j2", ".css", ".js", ".typed"}
LEFT_BEHIND = (".*", "*.egg-info", "__pycache__", "build", "dist", "runs", "cxrkit-demo")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Build sdist and wheel from a copy of the source, so that the checkout stays as it is."""
    folder = tmp_path_factory.mktemp("packaging")
    shutil.copytree(ROOT, folder / "source", ignore=shutil.ignore_patterns(*LEFT_BEHIND))
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder / "dist", folder / "source"]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return folder / "dist"


@pytest.fixture(scope="module")
def wheel(built):
    (found,) = built.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def in_wheel(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def in_sdist(built):
    (found,) = built.glob("*.tar.gz")
    with tarfile.open(found) as archive:
        return {name.partition("/")[2] for name in archive.getnames()}


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def sources(folder, suffixes=CARRIED):
    found = (path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*") if path.suffix in suffixes)
    return {name for name in found if "__pycache__" not in name and ".egg-info" not in name}


@pytest.mark.parametrize(("folder", "package"), IN_WHEEL.items())
def test_the_wheel_carries_every_module_and_template(in_wheel, folder, package):
    expected = {name.replace(folder, package, 1) for name in sources(folder)}
    assert expected <= set(in_wheel)


def test_the_wheel_is_marked_as_typed(in_wheel):
    assert {"cxrkit/py.typed", "cxrkit_plugins/py.typed"} <= set(in_wheel)


def test_the_wheel_carries_nothing_else(in_wheel):
    tops = {name.partition("/")[0] for name in in_wheel}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(IN_WHEEL.values())


def test_the_sdist_carries_tests_and_examples_and_how_to_run_them(in_sdist):
    expected = {"tox.ini", "pyproject.toml", "LICENSE", "README.md", "CHANGELOG.md"}
    for folder in ("tests", "examples", "docs"):
        expected |= sources(folder, {".py", ".toml", ".md", ".csv"})
    assert expected <= in_sdist


def test_the_metadata_say_version_licence_and_python(in_wheel, project):
    (text,) = (content.decode() for name, content in in_wheel.items() if name.endswith(".dist-info/METADATA"))
    metadata = Parser().parsestr(text)
    assert metadata["Version"] == project["version"]
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Requires-Python"] == ">=3.11"


def test_the_entry_points_are_those_of_the_project(in_wheel, project):
    (text,) = (content.decode() for name, content in in_wheel.items() if name.endswith("entry_points.txt"))
    found = ConfigParser()
    found.read_string(text)
    expected = {**project["entry-points"], "console_scripts": project["scripts"]}
    assert {section: dict(found[section]) for section in found.sections()} == expected


def test_the_wheel_alone_works_from_any_folder(wheel, tmp_path):
    """Installed without its dependencies, which are there already, into a folder that comes first on the path."""
    target = tmp_path / "installed"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", target, wheel]
    subprocess.run(command, check=True)
    code = (
        "import cxrkit, cxrkit_templates, cxrkit_plugins; from cxrkit import discovery;"
        "print(*(m.__file__ for m in (cxrkit, cxrkit_templates, cxrkit_plugins)), sep='\\n');"
        "discovery.load('cxrkit', strict=True)"
    )
    environment = {**os.environ, "PYTHONPATH": str(target)}
    empty = tmp_path / "empty"
    empty.mkdir()
    shown = subprocess.run(
        [sys.executable, "-c", code], cwd=empty, env=environment, capture_output=True, text=True, check=True
    ).stdout
    assert all(Path(line).is_relative_to(target) for line in shown.splitlines())
