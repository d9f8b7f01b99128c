"""``cxrkit run --verify RUN``: a run that is trained again gives the same bytes, and what does not is told."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

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
def test_everything_that_a_run_made_is_compared_and_what_had_failed_is_not_tried_again(make_study, tmp_path):
    study = make_study(tmp_path)
    text = (tmp_path / "tasks.toml").read_text(encoding="utf-8")
    text = text.replace('"upsampled"\nimbalance = "upsample"', '"late"\ntime_limit = 1e-9')
    text = text.replace("[evaluation]", '[[tta]]\nname = "views"\ntask = "plain"\nviews = 2\n[evaluation]')
    study.write(text.replace('"GradCAM"', '"none"'))
    assert "ran past its time limit" in study.cxrkit_run("--quiet").stderr
    tasks = study.run / "tasks"
    path = tasks / "views" / "predictions" / "test.csv"
    content = path.read_bytes()
    path.write_bytes(content[:-2] + bytes([content[-2] ^ 1]) + content[-1:])
    (tasks / "plain" / "seeds" / "0" / "model.safetensors").unlink()
    (tmp_path / "data").rename(tmp_path / "moved")
    before = {path: path.read_bytes() for path in study.run.rglob("*") if path.is_file()}
    result = verify(study.run, "--json", "--set", 'data.root="moved"')
    assert result.exit_code == 1, result.output
    told = json.loads(result.stdout)
    assert told["failures"] == {}
    assert {file["file"]: file["verdict"] for file in told["files"] if file["verdict"] != "same"} == {
        "tasks/views/predictions/test.csv": "differs",
        "tasks/plain/seeds/0/model.safetensors": "gone",
    }
    assert {path: path.read_bytes() for path in study.run.rglob("*") if path.is_file()} == before


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
        (["run", "--set", "data.root='x'", "--dry-run"], "--verify: got --dry-run beside it"),
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


def test_a_run_is_never_compared_with_itself(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text("{}", encoding="utf-8")
    for output in (tmp_path / "run", tmp_path / "run" / "again"):
        result = verify(tmp_path / "run", "--output", output)
        assert result.exit_code == 2
        assert "which is only read, choose another folder" in result.stderr
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["run.json"]


def test_a_run_that_trained_nothing_is_told_as_such(tmp_path):
    lines = [f"{n}.png,{('WELL', 'ILL')[n % 2]},{n / 40:.3f}" for n in range(40)]
    (tmp_path / "theirs.csv").write_text("image,label,p_ILL\n" + "\n".join(lines) + "\n", encoding="utf-8")
    (tmp_path / "tasks.toml").write_text(
        '[run]\noutput = "run"\n[[task]]\nname = "theirs"\npredictions = { test = "theirs.csv" }\n'
        'threshold = { rule = "fixed", value = 0.5 }\n[data]\npositive = "ILL"\n[evaluation]\nresamples = 100\n'
        '[report]\nformats = ["txt"]\n',
        encoding="utf-8",
    )
    assert CliRunner().invoke(cli, ["run", str(tmp_path / "tasks.toml")]).exit_code == 0
    result = verify(tmp_path / "run")
    assert result.exit_code == 2
    assert "no trained task has finished, there is nothing to verify" in result.stderr
    assert 'unknown task "other"' in verify(tmp_path / "run", "--task", "other").stderr
    info = json.loads((tmp_path / "run" / "run.json").read_bytes())
    info["configuration"]["task"] = []
    (tmp_path / "run" / "run.json").write_text(json.dumps(info), encoding="utf-8")
    result = verify(tmp_path / "run")
    assert result.exit_code == 2
    assert "run.json: configuration: task: " in result.stderr


@pytest.mark.slow
def test_an_interrupted_verification_promises_only_what_it_keeps(finished, tmp_path):
    command = [sys.executable, "-m", "cxrkit", "run", "--verify", str(finished.run)]
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    while not list(tmp_path.glob("cxrkit-verify-*/run/tasks/*/seeds/0/plan.json")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate()
    assert process.returncode == 130
    assert "the same command begins again, with --output it would go on." in said
    assert "kept" not in said
    assert not list(tmp_path.glob("cxrkit-verify-*"))


def test_without_a_file_the_command_says_what_to_give():
    result = CliRunner().invoke(cli, ["run"])
    assert result.exit_code == 2
    assert "TASKS.toml: missing" in result.stderr
