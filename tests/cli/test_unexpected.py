"""What nobody foresaw in a run: a file in the run directory that holds all of it, and one sentence."""

import json

import pytest

from cxrkit.cli import cli
from cxrkit.run import execute, study

TASKS = """
[run]
output = "run"
[data]
positive = "B"
[[task]]
name = "theirs"
predictions = { test = "test.csv" }
threshold = { rule = "fixed", value = 0.5 }
[report]
formats = ["txt"]
"""
ROWS = "image,label,p_A,p_B\n" + "".join(
    f"{number}.png,{'AB'[number % 2]},{0.9 - number / 25:.2f},{0.1 + number / 25:.2f}\n" for number in range(20)
)


@pytest.fixture
def tasks(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "test.csv").write_text(ROWS)
    (tmp_path / "tasks.toml").write_text(TASKS)
    return tmp_path


def status(*arguments):
    with pytest.raises(SystemExit) as ended:
        cli(list(arguments))
    return ended.value.code


def test_a_fault_in_a_run_is_kept_in_its_directory_with_the_configuration(tasks, monkeypatch, capsys):
    monkeypatch.setattr(execute, "finish", lambda *_: {}["reports"])

    assert status("run", "tasks.toml") == 1

    [kept] = (tasks / "run").glob("cxrkit-error-*.txt")
    told = capsys.readouterr().err.splitlines()[-1]
    assert told.startswith("Error: unexpected KeyError: 'reports', a fault of cxrkit or of a plugin; ")
    assert str(kept) in told
    configuration = json.loads(kept.read_text().partition("configuration: ")[2])
    assert configuration["task"][0]["name"] == "theirs"
    monkeypatch.undo()
    monkeypatch.chdir(tasks)
    assert status("run", "tasks.toml") == 0
    assert (tasks / "run/report/comparison_report.txt").is_file()


def test_a_fault_before_anything_is_written_is_kept_where_the_command_was_given(tasks, monkeypatch, capsys):
    monkeypatch.setattr(study, "check_house", lambda *_: 1 / 0)
    assert status("run", "tasks.toml") == 1
    assert not (tasks / "run").exists()
    [kept] = tasks.glob("cxrkit-error-*.txt")
    assert f"; {kept.name} holds what a report of it needs" in capsys.readouterr().err


@pytest.mark.parametrize("command", [("data", "chek"), ("plugins", "lst")])
def test_a_subcommand_that_is_none_is_told_with_what_is_allowed(command, capsys):
    assert status(*command) == 2
    assert f'Error: no command "{command[1]}", ' in capsys.readouterr().err


def test_what_a_killed_process_has_left_half_written_goes_and_a_folder_of_that_name_stays(tasks):
    (tasks / "run/.data.0123.partial").mkdir(parents=True)
    (tasks / "run/.run.json.0123.partial").touch()
    assert status("run", "tasks.toml") == 0
    assert [path.name for path in (tasks / "run").glob("*.partial")] == [".data.0123.partial"]
