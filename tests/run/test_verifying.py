"""``cxrkit run --verify RUN``: a run that is trained again gives the same bytes, and what does not is told."""

import json
import shutil

import pytest
from click.testing import CliRunner

from cxrkit.cli import cli


def verify(*arguments):
    return CliRunner().invoke(cli, ["run", "--verify", *map(str, arguments)])


@pytest.fixture
def changed(finished, tmp_path):
    """A copy of a finished study, in which a task's probabilities were changed by hand."""
    shutil.copytree(finished.folder, tmp_path / "study")
    run = tmp_path / "study" / "run"
    path = run / "tasks" / "plain" / "seeds" / "0" / "history.csv"
    head, row = path.read_text(encoding="utf-8").splitlines()
    epoch, loss, rest = row.split(",", 2)
    path.write_text(f"{head}\n{epoch},{float(loss) + 0.25},{rest}\n", encoding="utf-8")
    return run


@pytest.mark.slow
def test_a_run_gives_the_same_bytes_again_and_stays_as_it_is(finished):
    before = {path: path.read_bytes() for path in finished.run.rglob("*") if path.is_file()}
    result = verify(finished.run, "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["same"]
    assert {"tasks/plain/metrics.json", "tasks/upsampled/seeds/0/history.csv",
            "tasks/upsampled/seeds/0/model.safetensors"} < {file["file"] for file in told["files"]}  # fmt: skip
    assert {path: path.read_bytes() for path in finished.run.rglob("*") if path.is_file()} == before


@pytest.mark.slow
def test_what_differs_is_told_with_how_much(changed):
    result = verify(changed, "--task", "plain")
    assert result.exit_code == 1
    assert "tasks/plain/seeds/0/history.csv: differs by 0.25 at most" in result.stdout
    assert "upsampled" not in result.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "nowhere"),
        (["run", "tasks.toml"], "--verify: got TASKS.toml beside it"),
        (["run", "--set", "data.image_size=64", "--fresh"], "--verify: got --set and --fresh beside it"),
    ],
)
def test_what_cannot_be_verified_is_status_2(arguments, said):
    result = verify(*arguments)
    assert result.exit_code == 2
    assert said in result.stderr


@pytest.mark.slow
def test_other_images_are_no_verification(changed):
    next((changed.parent / "data" / "test").rglob("*.jpeg")).unlink()
    result = verify(changed)
    assert result.exit_code == 2
    assert "these are not the images of the run" in result.stderr


def test_without_a_file_the_command_says_what_to_give():
    result = CliRunner().invoke(cli, ["run"])
    assert result.exit_code == 2
    assert "TASKS.toml: missing" in result.stderr
