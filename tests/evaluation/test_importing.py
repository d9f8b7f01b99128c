from types import SimpleNamespace

import pandas as pd
import pytest

from cxrkit.config.schema import TaskTable
from cxrkit.errors import InputError
from cxrkit.evaluation import predictions
from cxrkit.evaluation.importing import read_task, write_task
from cxrkit.files import sha256
from cxrkit.records import RunInfo, TaskInfo, ThresholdRecord
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
