"""What a tired person does wrong: one sentence with the remedy, the right exit status, nothing half-written."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import save_file

WRONG = {
    "in the file, all told at once": {
        "run.sed=1": 'did you mean "seed"?',
        'task.plain.epochs="many"': 'must be a whole number, got "many"',
        "evaluation.level=95": "must be less than 1, got 95",
        'evaluation.reference="plian"': 'did you mean "plain"?',
        'robustness.tasks=["plian"]': 'no task with a model is named "plian", did you mean "plain"?',
    },
    "in components and their options, all told at once": {
        'task.plain.model="resnet81"': 'did you mean "resnet18"?',
        'task.plain.imbalance="upsampel"': 'did you mean "upsample"?',
        "task.plain.trainer.learn_rate=1": 'did you mean "learning_rate"?',
        "task.upsampled.trainer.learning_rate=-1": "learning_rate",
        'task.upsampled.model={use="resnet18-pretrained",weights="w.pth"}': "w.pth",
    },
    "a missing folder": {'data.root="dta"': "dta"},
    "a patient rule that matches nothing": {'data.groups={regex="^zz(.*)$"}': "zz"},
    "an unknown subgroup": {'evaluation.subgroups=["pathogn"]': 'did you mean "pathogen"?'},
    "a layer that does not exist": {
        'task.plain.model={use="resnet18-pretrained",weights="none",freeze="layr2"}': 'did you mean "layer2"?'
    },
}


@pytest.mark.parametrize("told", WRONG.values(), ids=WRONG)
def test_wrong_input_ends_with_status_2_a_sentence_for_each_and_nothing_written(study, told):
    result = study.cxrkit_run_here(*(argument for key in told for argument in ("--set", key)))
    assert result.returncode == 2, result.stderr
    assert [sentence for sentence in told.values() if sentence not in result.stderr] == []
    assert len(result.stderr.splitlines()) == len(told)
    assert not study.run.exists()


def test_weights_of_another_architecture_are_told_before_anything_is_written(study):
    save_file({"fc.weight": np.zeros((2, 3), dtype="float32")}, study.folder / "other.safetensors")
    weights = 'task.plain.model={use="resnet18-pretrained",weights="other.safetensors"}'
    result = study.cxrkit_run("--set", weights)
    assert result.returncode == 2, result.stderr
    assert "conv1.weight" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not study.run.exists()


def remove_test_split(data):
    shutil.rmtree(data / "test")


def empty_everything(data):
    for path in data.rglob("*.*"):
        path.unlink()


def keep_one_class(data):
    for folder in data.glob("*/NORMAL"):
        shutil.rmtree(folder)


def leave_one_patient(data):
    for folder in (data / "train").iterdir():
        for path in sorted(folder.iterdir())[1:]:
            path.unlink()


def share_a_patient(data):
    source = next((data / "train" / "PNEUMONIA").iterdir())
    image = next((data / "test" / "PNEUMONIA").iterdir())
    shutil.copy(image, source.with_name(image.name))


BROKEN = [
    (remove_test_split, "test"),
    (empty_everything, "image"),
    (keep_one_class, "class"),
    (leave_one_patient, "validation"),
    (share_a_patient, "patient"),
]


@pytest.mark.parametrize(("damage", "told"), BROKEN, ids=[case[0].__name__ for case in BROKEN])
def test_unusable_data_end_with_status_2_a_sentence_and_nothing_written(study, damage, told):
    damage(study.folder / "data")
    result = study.cxrkit_run_here("--set", 'data.dataset="folder"', "--set", "evaluation.subgroups=[]")
    assert result.returncode == 2, result.stderr
    assert told in result.stderr
    assert "Traceback" not in result.stderr
    assert not study.run.exists()


def test_an_unreadable_toml_is_told_with_its_line(study):
    study.write("[run\noutput = 3")
    result = study.cxrkit_run()
    assert result.returncode == 2
    assert "line 1" in result.stderr


def test_a_run_directory_that_cannot_be_written_is_told_without_traceback(study):
    (study.folder / "run").write_text("a file in the way", encoding="utf-8")
    result = study.cxrkit_run()
    assert result.returncode == 1
    assert "cannot be written" in result.stderr
    assert "Traceback" not in result.stderr


LIMITED = """
import resource, sys
from cxrkit.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
main()
"""


@pytest.mark.skipif(os.name == "nt", reason="file size limits are POSIX")
def test_a_disk_without_room_is_told_and_leaves_no_partial_file(study):
    """A limit on the size of files stands in for a full disk: writing fails in the same place."""
    command = [sys.executable, "-c", LIMITED, "run", str(study.folder / "tasks.toml")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "manifest.csv: cannot be written" in result.stderr
    assert not list(study.run.rglob("*"))
