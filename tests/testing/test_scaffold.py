"""What ``cxrkit plugins new`` begins keeps the promises of its hook as it stands."""

import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from cxrkit import scaffold
from cxrkit.cli import cli
from cxrkit.errors import InputError
from cxrkit.testing import checks


@pytest.mark.parametrize("kind", ["model", "imbalance", "reporter", "tracker"])  # the others take longer: below
def test_a_beginning_keeps_every_promise(begin, kind):
    begin(kind, f"cxrkit-begun-{kind}")
    found = {str(check): check.outcome() for check in checks(f"cxrkit-begun-{kind}")}
    assert len(found) >= 3
    assert {promise: outcome.found for promise, outcome in found.items() if outcome.state != "kept"} == {}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("-mine", '"-mine" is no name of a distribution, allowed are ASCII letters'),
        ("mine!", '"mine!" is no name of a distribution'),
        ("../mine", '"../mine" is no name of a distribution'),
        ("3d", '"3d" gives the module "3d", which Python cannot import; try cxrkit-3d'),
        ("class", '"class" gives the module "class", which Python cannot import'),
        ("json", '"json" gives the module "json", which is there already; try cxrkit-json'),
        ("cxrkit", '"cxrkit" gives the module "cxrkit", which is there already'),
    ],
)
def test_a_name_that_cannot_be_imported_is_refused(tmp_path, name, message):
    with pytest.raises(InputError) as refused:
        scaffold.begin("model", name, tmp_path / "new")
    assert message in str(refused.value)
    assert not list(tmp_path.iterdir())


def test_an_existing_folder_is_left_alone(tmp_path):
    (tmp_path / "mine").mkdir()
    result = CliRunner().invoke(cli, ["plugins", "new", "model", "mine", "--output", str(tmp_path / "mine")])
    assert result.exit_code == 2
    assert "mine: exists already, give another folder with --output or remove it" in result.stderr
    assert not list((tmp_path / "mine").iterdir())


def test_the_command_says_what_comes_next(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli, ["plugins", "new", "reporter", "cxrkit-mine"])
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith('Wrote cxrkit-mine. Next: pip install -e "cxrkit-mine[test]"')
    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    files = ("pyproject.toml", "README.md", "cxrkit_mine.py", "tests/test_cxrkit_mine.py")
    assert written == {f"cxrkit-mine/{name}" for name in files}


@pytest.mark.slow
@pytest.mark.parametrize("kind", scaffold.KINDS)
def test_a_beginning_that_pip_installs_passes_its_own_tests(tmp_path, kind):
    folder, site = tmp_path / "begun", tmp_path / "site"
    scaffold.begin(kind, f"cxrkit-begun-{kind}", folder)
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--target", site, folder]
    subprocess.run(pip, check=True, capture_output=True)
    environment = os.environ | {"PYTHONPATH": str(site)}
    tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", folder]
    done = subprocess.run(tests, capture_output=True, text=True, env=environment, cwd=folder, check=False)
    assert done.returncode == 0, done.stdout
    assert "passed" in done.stdout
