"""What a seed has left is gone on with as what it was trained as, or not at all, whatever came between."""

import csv
import json
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from cxrkit.run import children, tasks
from cxrkit.rundir import RunDirectory

TASKS = """
[run]
output = "run"
device = "cpu"
workers = 0
threads = 1
[data]
root = "data"
dataset = "phantom"
image_size = 32
groups = "kermany"
validation = { from = "train", fraction = 0.3 }
[[task]]
name = "plain"
model = "squeezenet1_1"
epochs = 1
[evaluation]
resamples = 100
[explain]
method = "none"
[report]
formats = ["txt"]
"""
FASTER = "task.plain.trainer.learning_rate=0.01"
ANOTHER = 'task "plain": was trained with another trainer, change it back'


@pytest.fixture
def study(tmp_path, make_study, monkeypatch, training):
    monkeypatch.setattr(children, "carry_out", training())
    return make_study(tmp_path, TASKS)


def run(study, seeds, *sets, fresh=False):
    keys = (f"task.plain.seeds={seeds}", *sets)
    given = study.cxrkit_run_here(*(word for key in keys for word in ("--set", key)), *["--fresh"][: int(fresh)])
    return SimpleNamespace(status=given.returncode or 0, told=given.stderr)


def seed(study, number=0):
    return RunDirectory(study.run).task("plain").seed(number)


def contents(directory):
    return {path: path.read_bytes() for path in directory.root.rglob("*") if path.is_file()}


def column(path, name):
    return [row[name] for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines())]


def images(study, split):
    return sorted(path for path in (study.folder / "data" / split).rglob("*") if path.is_file())


def test_a_model_whose_seed_was_not_asked_for_meanwhile_is_not_taken_for_another_configurations(study):
    assert run(study, [0]).status == 0
    assert run(study, [1], FASTER).status == 0
    before = contents(seed(study))
    refused = run(study, [0, 1], FASTER)
    assert (refused.status, ANOTHER in refused.told) == (2, True)
    assert run(study, [0]).status == 0  # as what it was
    assert contents(seed(study)) == before


def test_a_state_whose_seed_was_not_asked_for_meanwhile_is_not_gone_on_with_otherwise(study, monkeypatch, training):
    longer = "task.plain.epochs=2"
    monkeypatch.setattr(children, "carry_out", training(stops_after=1))
    assert run(study, [0], longer).status == 130
    monkeypatch.setattr(children, "carry_out", training())
    assert run(study, [1], longer).status == 0
    before = contents(seed(study))
    assert [path for path in before if path.parent == seed(study).last]
    refused = run(study, [0], longer, FASTER)
    assert (refused.status, ANOTHER in refused.told) == (2, True)
    assert contents(seed(study)) == before
    assert run(study, [0], longer).status == 0
    assert column(seed(study).history, "epoch") == ["1", "2"]


@pytest.mark.parametrize("loss", ["fingerprint", "record"])
def test_a_model_of_which_nothing_tells_what_it_is_of_is_refused(study, loss):
    assert run(study, [0]).status == 0
    path, before = study.run / "tasks/plain/task.json", contents(seed(study))
    if loss == "record":
        path.unlink()
    else:
        path.write_text(json.dumps(json.loads(path.read_bytes()) | {"training_fingerprints": {}}))
    refused = run(study, [0])
    assert refused.status == 2
    assert f"{path} does not tell with what seed 0 was trained, choose another [run] output, or" in refused.told
    assert contents(seed(study)) == before
    assert run(study, [0], fresh=True).status == 0


def test_a_failed_task_keeps_its_finished_seeds_while_an_image_is_away(study, monkeypatch, training):
    monkeypatch.setattr(children, "carry_out", training(fails=[1]))
    assert run(study, [0, 1]).status == 1
    monkeypatch.setattr(children, "carry_out", training())
    before, image = contents(seed(study)), images(study, "train")[0]
    away = image.rename(study.folder / image.name)
    refused = run(study, [0, 1])
    assert refused.status == 2
    assert "was trained with another training images" in refused.told
    assert "--fresh" in refused.told
    assert contents(seed(study)) == before
    away.rename(image)
    model = seed(study).model.stat().st_mtime_ns
    assert run(study, [0, 1]).status == 0
    assert seed(study).model.stat().st_mtime_ns == model
    assert seed(study, 1).is_trained


def test_a_failed_task_keeps_its_saved_state_when_the_configuration_changes(study, monkeypatch, training):
    monkeypatch.setattr(children, "carry_out", training(stops_after=1))
    assert run(study, [0], "task.plain.epochs=2").status == 130
    monkeypatch.setattr(children, "carry_out", training(fails=[0]))
    assert run(study, [0], "task.plain.epochs=2").status == 1
    before = contents(seed(study))
    refused = run(study, [0], "task.plain.epochs=3")
    assert (refused.status, "was trained with another epochs" in refused.told) == (2, True)
    assert contents(seed(study)) == before


def test_a_failed_task_without_model_or_state_begins_again_with_another_configuration(study, monkeypatch, training):
    monkeypatch.setattr(children, "carry_out", training(fails=[0]))
    assert run(study, [0]).status == 1
    seed(study).log.write_text("of what failed")
    monkeypatch.setattr(children, "carry_out", training())
    assert run(study, [0], FASTER).status == 0
    assert seed(study).is_trained
    assert not seed(study).log.exists()
    assert run(study, [0]).status == 2


def test_a_seed_that_was_not_asked_for_predicts_images_that_have_changed_meanwhile(study):
    assert run(study, [0]).status == 0
    model, image = seed(study).model.stat().st_mtime_ns, images(study, "test")[0]
    image.unlink()
    assert run(study, [1]).status == 0
    assert run(study, [0, 1]).status == 0
    tested = [column(seed(study, number).predictions("test"), "image") for number in (0, 1)]
    assert tested[0] == tested[1]
    assert len(tested[0]) == len(images(study, "test"))
    assert seed(study).model.stat().st_mtime_ns == model


# ── --fresh ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("fresh", "told"),
    [
        (False, "Stopped after epoch 1: the same command goes on from there."),
        (True, "Stopped after epoch 1: the same command without --fresh goes on from there."),
    ],
)
def test_what_goes_on_after_a_stop_is_told(study, monkeypatch, fresh, told, training):
    monkeypatch.setattr(children, "carry_out", training(stops_after=1))
    stopped = run(study, [0], "task.plain.epochs=2", fresh=fresh)
    assert (stopped.status, stopped.told.splitlines()[-1]) == (130, told)
    monkeypatch.setattr(children, "carry_out", training())
    assert run(study, [0], "task.plain.epochs=2").status == 0


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ("refuse_impossible", "the same command goes on"),  # nothing is moved aside yet
        ("carry_out", "the same command without --fresh goes on"),
    ],
)
def test_a_fresh_beginning_is_asked_for_until_it_was_made(study, monkeypatch, where, told):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(tasks, where, stop)
    stopped = run(study, [0], fresh=True)
    assert stopped.status == 130
    assert stopped.told.splitlines()[-1] == f"Interrupted, what is finished is kept: {told} from there."


def test_what_is_moved_aside_within_the_same_second_is_kept_apart(tmp_path, monkeypatch):
    noon = SimpleNamespace(now=lambda: datetime(2026, 1, 1, 12, tzinfo=UTC))
    monkeypatch.setattr(tasks, "datetime", noon)
    run = RunDirectory(tmp_path)
    study = SimpleNamespace(run=run, selected=[SimpleNamespace(name=name) for name in ("a", "b")])
    moved = []
    for number in range(3):
        for task in study.selected[: 2 - number % 2]:
            run.task(task.name).root.mkdir(parents=True)
            run.task(task.name).info.write_text(str(number))
        moved.append(tasks.set_aside(study))
    folders = [{path.parent for path in paths} for paths in moved]
    assert [len(paths) for paths in moved] == [2, 1, 2]
    assert [len(folder) for folder in folders] == [1, 1, 1]
    assert len(set.union(*folders)) == 3
    for number, paths in enumerate(moved):
        assert {path.name for path in paths} <= {"a", "b"}
        assert [(path / "task.json").read_text() for path in paths] == [str(number)] * len(paths)
