from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from cxrkit.config.schema import TaskTable
from cxrkit.errors import InputError
from cxrkit.evaluation import predictions
from cxrkit.evaluation.finished import finished_tasks
from cxrkit.evaluation.importing import limits, read_task, write_task
from cxrkit.files import sha256
from cxrkit.records import RunInfo, TaskInfo, TemperatureRecord, ThresholdRecord
from cxrkit.rundir import RunDirectory

VENDOR = "sop_uid,score\na.png,0.8\nb.png,0.3\n"


def vendor(tmp_path, text=VENDOR):
    (tmp_path / "vendor.csv").write_text(text, encoding="utf-8")
    return TaskTable(
        name="vendor",
        predictions={"test": str(tmp_path / "vendor.csv")},
        columns={"image": "sop_uid", "p_PNEUMONIA": "score"},
    )


def manifest(*rows):
    frame = pd.DataFrame(rows, columns=["image", "label", "patient", "split"])
    return SimpleNamespace(of=lambda split: frame[frame["split"] == split])


IMAGES = manifest(("a.png", "PNEUMONIA", "1", "test"), ("b.png", "NORMAL", "2", "test"))


def imported(run, table, class_names, positive):
    return write_task(run, table, read_task(table, IMAGES, class_names, positive))


def test_a_vendors_file_becomes_a_task_with_labels_of_the_manifest(tmp_path):
    run = RunDirectory(tmp_path / "run")
    info = imported(run, vendor(tmp_path), ["NORMAL", "PNEUMONIA"], "PNEUMONIA")
    assert info == TaskInfo.read(run.task("vendor").info)
    assert (info.kind, info.state, info.sets) == ("predictions", "finished", ["test"])
    assert info.sources == {"test": sha256(tmp_path / "vendor.csv")}
    found = predictions.read(run.task("vendor").predictions("test"), task="vendor", set_name="test")
    assert found.labels.tolist() == [1, 0]


def test_the_same_file_again_keeps_the_threshold_and_another_one_does_not(tmp_path):
    run = RunDirectory(tmp_path / "run")
    info = imported(run, vendor(tmp_path), None, "PNEUMONIA")
    threshold = ThresholdRecord(value=0.5, rule="fixed")
    info.model_copy(update={"threshold": threshold}).write(run.task("vendor").info)
    assert imported(run, vendor(tmp_path), None, "PNEUMONIA").threshold == threshold
    changed = vendor(tmp_path, VENDOR.replace("0.8", "0.7"))
    assert imported(run, changed, None, "PNEUMONIA").threshold is None


def test_a_wrong_file_leaves_nothing_behind(tmp_path):
    run = RunDirectory(tmp_path / "run")
    with pytest.raises(InputError, match=r'task "vendor": .*row 2, column score: 8.0 is no probability'):
        imported(run, vendor(tmp_path, VENDOR.replace("0.8", "8")), None, None)
    assert not run.root.exists()


def test_files_alone_make_a_run_directory(run_of, simulate):
    run = run_of(simulate(), simulate(1, task="b"), simulate(set_name="val"))
    info = RunInfo.read(run.info)
    assert (info.class_names, info.positive) == (["NORMAL", "PNEUMONIA"], "PNEUMONIA")
    assert info.tasks == {"a": "finished", "b": "finished"}
    assert TaskInfo.read(run.task("a").info).sets == ["test", "val"]


def test_all_files_must_have_the_first_ones_classes(run_of, simulate):
    other = predictions.replace(simulate(1, task="b"), class_names=("HEALTHY", "PNEUMONIA"))
    with pytest.raises(InputError, match=r'task "b": .*unknown label "HEALTHY"'):
        run_of(simulate(), other)


def table(tmp_path, *, sets=("test",), labels=None, text="image,label,score\na,0,3.5\nb,1,-2\n", **more):
    for name in sets:
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
    if labels is not None:
        (tmp_path / "truth.csv").write_text(labels, encoding="utf-8")
    return TaskTable(
        name="vendor",
        predictions={name: str(tmp_path / f"{name}.csv") for name in sets},
        labels=None if labels is None else {"test": str(tmp_path / "truth.csv")},
        **more,
    )


@pytest.mark.parametrize(("scale", "cells"), [("score", ("3.5", "-2")), ("decision", ("1", "0"))])
def test_the_scale_stands_in_task_json_and_comes_back_from_the_run_directory(tmp_path, scale, cells):
    run = RunDirectory(tmp_path / "run")
    given = table(tmp_path, text=f"image,label,{scale}\na,0,{cells[0]}\nb,1,{cells[1]}\n")
    found = read_task(given, None, None, "TB")
    assert write_task(run, given, found).scale == scale
    (task,) = finished_tasks(run, ["vendor"])
    back = task.read("test")
    assert (back.scale, back.class_names) == (scale, ("no TB", "TB"))
    np.testing.assert_array_equal(back.probabilities, found["test"].probabilities)


def test_sets_of_different_scales_are_refused(tmp_path):
    given = table(tmp_path, sets=("test", "val"))
    (tmp_path / "val.csv").write_text("image,label,p_TB\na,0,0.5\n", encoding="utf-8")
    with pytest.raises(
        InputError, match='task "vendor": predictions: gives a score for test and a probability for val'
    ):
        read_task(given, None, None, "TB")


def test_labels_come_from_a_second_file_and_its_hash_is_kept(tmp_path):
    text = "uid,study,score\na,S1,3.5\nb,S1,-2\n"
    given = table(
        tmp_path,
        text=text,
        labels="sid,truth\nS1,TB\nS2,HEALTHY\n",
        columns={"image": "uid"},
        label_columns={"study": "sid", "label": "truth"},
        join="study",
    )
    found = read_task(given, None, None, "TB")
    assert found["test"].images.tolist() == ["a", "b", "S2"]
    assert found["test"].class_names == ("HEALTHY", "TB")
    info = write_task(RunDirectory(tmp_path / "run"), given, found)
    assert info.sources == {
        "test": sha256(tmp_path / "test.csv"),
        "test labels": sha256(tmp_path / "truth.csv"),
    }


def test_labels_of_images_that_have_some_already_are_refused(tmp_path):
    given = table(tmp_path, text="image,score\na.png,1\nb.png,2\n", labels="image,label\na.png,1\nb.png,0\n")
    with pytest.raises(InputError, match=r'task "vendor": labels.test: the images of \[data\] have labels already'):
        read_task(given, IMAGES, None, "PNEUMONIA")
    assert read_task(given, manifest(), None, "PNEUMONIA")["test"].labels.tolist() == [1, 0]


def test_the_same_files_again_keep_everything_that_was_settled(tmp_path):
    run = RunDirectory(tmp_path / "run")
    given = vendor(tmp_path)
    info = imported(run, given, None, "PNEUMONIA")
    temperature = TemperatureRecord(value=1.5, set="val", n=20, n_patients=20)
    threshold = ThresholdRecord(value=0.5, rule="fixed")
    settled = {"threshold": threshold, "temperature": temperature, "patient_thresholds": {"patient-max": threshold}}
    info.model_copy(update=settled).write(run.task("vendor").info)
    again = imported(run, given, None, "PNEUMONIA")
    assert {name: getattr(again, name) for name in settled} == settled


def test_what_predictions_cannot_tell_is_said(make, simulate):
    assert limits(simulate()) == []
    told = limits(make([1, 1], [0.2, 0.9], status=["ok", "timeout"]), validated=False)
    assert len(told) == 4
    for sentence, part in zip(
        told, ("no predictions on validation", "every image counts", "No image shows NORMAL", "1 of 2"), strict=True
    ):
        assert part in sentence
    score, decision = (predictions.replace(simulate(), scale=scale) for scale in ("score", "decision"))
    (of_score,) = limits(score)
    assert "calibration" in of_score
    assert "AUC" not in of_score
    (of_decision,) = limits(decision, validated=False)
    assert "AUC" in of_decision
