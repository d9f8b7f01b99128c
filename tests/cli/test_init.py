import pytest
from click.testing import CliRunner

from cxrkit import config
from cxrkit.cli import cli


@pytest.fixture
def init(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(cli, ["init", *arguments])


def test_init_writes_a_file_that_loads_and_says_what_comes_next(init, tmp_path):
    result = init()
    assert result.exit_code == 0
    assert "cxrkit run tasks.toml --dry-run" in result.output
    assert config.load(tmp_path / "tasks.toml").task


def test_init_overwrites_nothing(init, tmp_path):
    (tmp_path / "tasks.toml").write_text("mine", encoding="utf-8")
    result = init()
    assert result.exit_code == 2
    assert "Error: tasks.toml: exists already, give another name or remove it" in result.stderr
    assert (tmp_path / "tasks.toml").read_text(encoding="utf-8") == "mine"


def test_init_of_predictions_takes_several_files(init, tmp_path):
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("image,label,p_PNEUMONIA\n", encoding="utf-8")
    assert init("sub/compare.toml", "--predictions", "a.csv", "--predictions", "b.csv").exit_code == 0
    configuration = config.load(tmp_path / "sub" / "compare.toml")
    assert [task.predictions for task in configuration.task] == [{"test": "../a.csv"}, {"test": "../b.csv"}]


def test_init_tells_every_missing_file_and_writes_nothing(init, tmp_path):
    result = init("--predictions", "a.csv", "--predictions", "b.csv")
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        "Error: a.csv: no such file, --predictions needs one that exists",
        "Error: b.csv: no such file, --predictions needs one that exists",
    ]
    assert not (tmp_path / "tasks.toml").exists()
