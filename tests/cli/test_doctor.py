import json

import pytest
from click.testing import CliRunner

from cxrkit import doctor
from cxrkit.cli import cli
from cxrkit.doctor import Check


@pytest.fixture
def examined(monkeypatch):
    """Let the examination find these checks."""
    return lambda *checks: monkeypatch.setattr(doctor, "examine", lambda _folder: iter(checks))


def test_a_problem_makes_the_status_1_and_shows_its_remedy(examined):
    examined(Check("disk", "ok", "9 GiB"), Check("torch", "problem", "no torch", "pip install torch"))
    result = CliRunner().invoke(cli, ["doctor"])
    assert result.exit_code == 1
    lines = result.output.splitlines()
    assert lines[1:] == [
        "ok       disk             9 GiB",
        "problem  torch            no torch",
        "                          → pip install torch",
        "1 problem",
    ]


def test_a_warning_leaves_the_status_0(examined):
    examined(Check("PDF", "warning", "no Pango", "install it"), Check("fonts", "warning", "none", "install some"))
    result = CliRunner().invoke(cli, ["doctor"])
    assert result.exit_code == 0
    assert result.output.endswith("2 warnings\n")


def test_json_holds_checks_and_environment(examined):
    examined(Check("torch", "problem", "no torch", "pip install torch"))
    result = CliRunner().invoke(cli, ["doctor", "--json"])
    document = json.loads(result.stdout)
    assert result.exit_code == 1
    assert document["checks"] == [
        {"name": "torch", "state": "problem", "found": "no torch", "remedy": "pip install torch"}
    ]
    assert document["environment"]["python"]


@pytest.mark.slow
def test_this_environment_is_examined_from_end_to_end():
    result = CliRunner().invoke(cli, ["doctor", "--json"])
    names = [check["name"] for check in json.loads(result.stdout)["checks"]]
    assert {"Python", "packages", "processor", "memory", "disk", "torch", "devices", "bf16", "plugins"} <= {*names}
    assert {"PDF", "fonts"} & {*names}
