"""What is known of a saved model's file from what lies around it."""

from pathlib import Path

import pytest

from cxrkit.errors import InputError
from cxrkit.records import ModelInfo, Preprocessing, RunInfo, TaskInfo, ThresholdRecord
from cxrkit.run import saved
from cxrkit.rundir import RunDirectory

CHOSEN = ThresholdRecord(value=0.4, rule="youden", set="val", n=40)


def model_info(**changes):
    values = {
        "task": "plain",
        "seed": 0,
        "model": "resnet18",
        "distribution": "cxrkit",
        "class_names": ["NORMAL", "PNEUMONIA"],
        "positive": "PNEUMONIA",
        "preprocessing": Preprocessing(image_size=32, resize=36, mean=[0.5] * 3, std=[0.2] * 3),
        "parameters": 1,
        "trainable": 1,
        "threshold": CHOSEN,
    }
    return ModelInfo(**(values | changes))


def trained(root: Path, seeds=(0,), name="plain", **changes) -> list[Path]:
    """Leave what a run leaves of a task, without its weights' content."""
    run = RunDirectory(root)
    environment = {"cxrkit": "1", "python": "3", "platform": "any", "processor": "any", "cpu_count": 2}
    RunInfo(configuration={}, environment=environment, class_names=[], positive="", started="2026-01-01").write(
        run.info
    )
    info = TaskInfo(task=name, kind="trained", state="finished", seeds=list(seeds), patient_thresholds={"u": CHOSEN})
    info.model_copy(update=changes).write(run.task(name).info)
    for seed in seeds:
        model_info(task=name, seed=seed).write(run.task(name).seed(seed).model_info)
        run.task(name).seed(seed).model.write_bytes(b"")
    return [run.task(name).seed(seed).model for seed in seeds]


def named(*paths):
    return saved.named([saved.read(path, None) for path in paths])


def test_a_model_is_called_as_its_task_and_a_file_as_itself(tmp_path):
    foreign = tmp_path / "a b.pth"
    foreign.write_bytes(b"")
    assert named(*trained(tmp_path / "run"), foreign) == ["plain", "a-b"]


def test_models_of_one_name_are_told_apart_by_seed_run_and_number(tmp_path):
    one, two = trained(tmp_path / "one", seeds=(0, 1))
    assert named(one, two) == ["plain-seed-0", "plain-seed-1"]
    other = trained(tmp_path / "other")[0]
    assert named(one, other) == ["one-plain-seed-0", "other-plain-seed-0"]
    again = trained(tmp_path / "deeper" / "other")[0]
    assert named(other, again) == ["other-plain-seed-0-1", "other-plain-seed-0-2"]


def test_thresholds_of_patients_hold_for_the_training_that_they_were_chosen_on(tmp_path):
    alone = saved.read(trained(tmp_path / "alone")[0], None)
    one_of_two = saved.read(trained(tmp_path / "two", seeds=(0, 1), represent="ensemble")[1], None)
    chosen = saved.read(trained(tmp_path / "chosen", seeds=(0, 1), represent="seed 1")[1], None)
    assert saved.patient_thresholds(alone, CHOSEN, ["u"]) == {"u": CHOSEN}
    assert saved.patient_thresholds(one_of_two, CHOSEN, ["u"]) == {}
    assert saved.patient_thresholds(chosen, CHOSEN, ["u"]) == {"u": CHOSEN}


def test_a_fixed_threshold_is_the_patients_as_well(tmp_path):
    path = tmp_path / "model.pth"
    path.write_bytes(b"")
    model = saved.read(path, None)
    fixed = saved.threshold(model, None)
    assert (fixed.value, fixed.rule) == (0.5, "fixed")
    assert saved.threshold(model, 0.2).value == 0.2
    assert saved.patient_thresholds(model, fixed, ["u"]) == {"u": fixed}


def test_what_is_said_elsewhere_holds_where_nothing_lies_beside(tmp_path):
    path, info = tmp_path / "model.pth", tmp_path / "info.json"
    path.write_bytes(b"")
    model_info(threshold=CHOSEN).write(info)
    found = saved.read(path, info)
    assert found.info == model_info()
    assert found.origin is None
    assert saved.threshold(found, 0.2) == CHOSEN
    info.write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match=r"info.json: task: Field required"):
        saved.read(path, info)


def test_class_shares_that_training_did_not_change_need_no_correction(tmp_path):
    path = trained(tmp_path / "run")[0]
    same = model_info(class_shares=[0.3, 0.7], seen_shares=[0.3, 0.7])
    changed = model_info(class_shares=[0.3, 0.7], seen_shares=[0.5, 0.5])
    unknown = model_info(class_shares=[0.3, 0.7])
    found = [saved.prior(saved.SavedModel(path, info, None)) for info in (same, changed, unknown, None)]
    assert [None if one is None else one.seen for one in found] == [None, [0.5, 0.5], None, None]
