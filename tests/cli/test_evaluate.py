"""``cxrkit evaluate`` on models that a small real run has trained, and on files as others leave them."""

import csv
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from click.testing import CliRunner

from cxrkit.cli import cli
from cxrkit.data.phantom import write
from cxrkit.evaluation.predictions import read
from cxrkit.pictures import ALLOWED
from cxrkit.records import CamIndex, Metrics, ModelInfo, RunInfo, TaskInfo
from cxrkit.run import checkpoints
from cxrkit.run.examining import Request
from cxrkit.rundir import RunDirectory

TASKS = """
[run]
output = "run"
device = "cpu"
workers = 0
[data]
root = "hospital_a"
image_size = 32
groups = "kermany"
validation = { from = "train", fraction = 0.3 }
[[task]]
name = "plain"
model = "resnet18"
imbalance = "upsample"
epochs = 1
[threshold]
rule = "youden"
refer = { sensitivity = 0.9, specificity = 0.9 }
[evaluation]
resamples = 100
[explain]
method = "none"
[report]
formats = ["txt"]
"""


@pytest.fixture(scope="session")
def hospitals(tmp_path_factory):
    """Two phantoms, and a run that has trained one small model on the first."""
    folder = tmp_path_factory.mktemp("hospitals")
    write(folder / "hospital_a", images=90, size=64, seed=3)
    write(folder / "hospital_b", images=70, size=64, seed=4)
    (folder / "tasks.toml").write_text(TASKS, encoding="utf-8")
    done = evaluate_in("run", folder / "tasks.toml", "--quiet")
    assert done.exit_code == 0, done.output
    return folder


@pytest.fixture(scope="session")
def model(hospitals):
    return hospitals / "run/tasks/plain/seeds/0/model.safetensors"


def evaluate_in(command, *arguments):
    return CliRunner().invoke(cli, [command, *map(str, arguments)], env={"COLUMNS": "200"})


def evaluate(*arguments):
    return evaluate_in("evaluate", *arguments, "--format", "txt", "--device", "cpu")


def task(output, name):
    directory = RunDirectory(output).task(name)
    return TaskInfo.read(directory.info), Metrics.read(directory.metrics)


def predictions(path, set_name="test"):
    return read(path, task="a", set_name=set_name, class_names=["NORMAL", "PNEUMONIA"], positive="PNEUMONIA")


# ── A model of a run ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="session")
def elsewhere(hospitals, model):
    """The model on the other hospital's images, by the real command."""
    output = hospitals / "elsewhere"
    command = [sys.executable, "-m", "cxrkit", "evaluate", "--model", model, "--data", hospitals / "hospital_b"]
    done = subprocess.run(
        [*command, "--output", output, "--prevalence", "0.1", "--subgroups", "pathogen", "--format", "txt"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(output / "report" / "comparison_report.txt")
    return output


def test_everything_that_was_fixed_with_a_model_stays_fixed(elsewhere, model):
    before = ModelInfo.read(model.with_suffix(".json"))
    trained, _ = task(model.parents[4], "plain")
    info, _ = task(elsewhere, "plain")
    after = ModelInfo.read(RunDirectory(elsewhere).task("plain").seed(0).model_info)
    assert info.kind == "checkpoint"
    assert before.threshold.rule == "youden"
    assert info.threshold == after.threshold == before.threshold
    assert info.zone == after.zone == before.zone is not None
    assert info.temperature == trained.temperature
    assert after.temperature == before.temperature
    assert info.patient_thresholds == trained.patient_thresholds
    assert info.prior == trained.prior is not None


def test_the_change_from_the_internal_test_is_given(elsewhere, model):
    info, metrics = task(elsewhere, "plain")
    assert info.sets == ["test", "hospital_b"]
    internal = predictions(RunDirectory(elsewhere).task("plain").predictions("test"))
    assert np.array_equal(internal.logits, predictions(model.parent / "predictions" / "test.csv").logits)
    changes = {change.metric: change for change in metrics.changes}
    assert {(change.from_set, change.set, change.paired) for change in metrics.changes} == {
        ("test", "hospital_b", False)
    }
    auc = {
        record.set: record.value
        for record in metrics.records
        if record.metric == "roc_auc" and record.subgroup is None and record.unit == "image"
    }
    assert changes["roc_auc"].difference == pytest.approx(auc["hospital_b"] - auc["test"])
    assert "hospital_b" in (elsewhere / "report" / "comparison_report.txt").read_text(encoding="utf-8")


def test_only_the_images_that_are_tested_now_are_in_the_manifest_and_make_subgroups(elsewhere):
    info = RunInfo.read(RunDirectory(elsewhere).info)
    assert list(info.data.counts) == ["hospital_b"]
    text = (elsewhere / "report" / "comparison_report.txt").read_text(encoding="utf-8")
    assert "Every error on the external set hospital_b" in text
    assert text.index("RESULTS ON THE EXTERNAL SET HOSPITAL_B") < text.index("RESULTS ON THE TEST SET")
    assert list((elsewhere / "images").glob("*.jpg"))
    index = CamIndex.read(RunDirectory(elsewhere).task("plain").cam / "index.json")
    assert index.entries
    assert all((elsewhere.parent / "hospital_b" / entry.image).is_file() for entry in index.entries)
    assert info.data.excluded["not of test, which alone is tested on"] > 0
    # Two phantoms number their patients alike, as two parts of one collection would name the same children.
    assert "patients are named as patients of the images that plain was trained or validated on" in info.data.notes[-1]
    _, metrics = task(elsewhere, "plain")
    of_subgroups = {record.set for record in metrics.records if record.subgroup}
    assert of_subgroups == {"hospital_b"}  # also where both hospitals have images of one name


# ── Models as others leave them ───────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="session")
def foreign(hospitals, model):
    """The same weights as others save them: a dropout in the head, names of a data-parallel training, a wrapper."""
    state = safetensors.torch.load_file(model)
    theirs = {f"module.{name.replace('fc.2.', 'fc.3.')}": tensor for name, tensor in state.items()}
    path = hospitals / "theirs.pth"
    torch.save({"state_dict": theirs, "epoch": 7}, path)
    return path


@pytest.mark.slow
def test_a_state_dict_and_a_model_of_a_run_are_compared_on_its_own_test_folder(hospitals, model, foreign, tmp_path):
    """A class-folder split; what is not known of a foreign file is told, and that the images are not new."""
    done = evaluate(
        *("--model", model, "--model", foreign, "--architecture", "resnet18", "--image-size", "32", "--name", "b"),
        *("--data", hospitals / "hospital_a" / "test", "--output", tmp_path / "run", "--json"),
    )
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["tasks"] == {"plain": "finished", "theirs": "finished"}
    tasks = tmp_path / "run/tasks"
    before = predictions(model.parent / "predictions" / "test.csv")
    images = [image.removeprefix("test/") for image in before.images.tolist()]
    for name in ("plain", "theirs"):
        again = predictions(tasks / name / "predictions/test.csv")
        assert again.images.tolist() == images
        assert np.allclose(again.logits, before.logits, atol=1e-4)
        assert task(tmp_path / "run", name)[1].changes == []
    told = " ".join(done.stderr.split())
    assert f"{len(images)} of the {len(images)} images are among those that plain was tested on, so that no" in told
    assert "--name b is not used" in told
    assumed = (
        "theirs.pth came without a model.json; assumed are the outputs in the order of the classes' names (NORMAL, "
        "PNEUMONIA); images of 32 pixels, normalised as ImageNet's; a ReLU between the two layers of its head; "
        "a threshold of 0.5."
    )
    assert assumed in told
    report = (tmp_path / "run/report/comparison_report.txt").read_text(encoding="utf-8")
    assert assumed in " ".join(report.split())
    info, _ = task(tmp_path / "run", "theirs")
    assert (info.threshold.value, info.threshold.rule, info.seeds) == (0.5, "fixed", [])
    # What is kept of it is a model of ours, with everything that was fixed beside it.
    kept = tasks / "theirs/seeds/0/model.safetensors"
    sentences = refused(tmp_path, "--model", kept, "--data", hospitals / "hospital_b", "--threshold", "0.6")
    assert sentences == ["--threshold: is for models without a model.json, and what it says is fixed, leave it out"]
    assert ModelInfo.read(kept.with_suffix(".json")).threshold == info.threshold


def test_of_a_foreign_model_the_options_say_what_a_csv_file_of_images_cannot(hospitals, foreign, tmp_path):
    rows = [("image", "label", "sex")]
    for label in ("NORMAL", "PNEUMONIA"):
        names = sorted((hospitals / "hospital_b" / "test" / label).iterdir())
        rows += [(f"hospital_b/test/{label}/{path.name}", label, "FM"[row % 2]) for row, path in enumerate(names)]
    listing = hospitals / "listing.csv"
    with listing.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    evaluation = checkpoints.prepare(
        Request(
            models=[foreign],
            data=listing,
            output=tmp_path / "out",
            architecture="resnet18",
            classes=("PNEUMONIA", "NORMAL"),
            positive="NORMAL",
            threshold=0.3,
            image_size=32,
            subgroups=("sex",),
            device="cpu",
        )
    )
    info = evaluation.models["theirs"].info
    assert (info.class_names, info.positive, info.threshold.value) == (["PNEUMONIA", "NORMAL"], "NORMAL", 0.3)
    assert info.model_options == {"head": "two-layer", "hidden": 256, "dropout": 0.0}
    study = evaluation.study
    assert (study.class_names, study.positive) == (("PNEUMONIA", "NORMAL"), "NORMAL")
    assert study.manifest.sets == ["test"]
    assert set(study.manifest.of("test")["sex"]) == {"F", "M"}
    assert study.manifest.paths("test")[0].is_file()
    assert "the order of the classes' names" not in evaluation.notices[0]
    assert not (tmp_path / "out").exists()


# ── The same model by cxrkit predict ──────────────────────────────────────────────────────────────────────────────────


def test_predict_gives_the_probabilities_and_decisions_of_the_run(hospitals, model, tmp_path):
    test = hospitals / "hospital_a" / "test"
    done = evaluate_in("predict", "--model", model, test, "--no-cam", "--device", "cpu", "--output", tmp_path / "out")
    assert done.exit_code == 0, done.output
    with (tmp_path / "out/predictions.csv").open(newline="", encoding="utf-8") as file:
        found = {row["image"].removeprefix(f"{hospitals / 'hospital_a'}/"): row for row in csv.DictReader(file)}
    before = predictions(model.parent / "predictions" / "test.csv")
    assert sorted(found) == sorted(before.images.tolist())
    again = [float(found[image]["raw_probability"]) for image in before.images]
    assert np.allclose(again, before.probabilities[:, 1], rtol=0, atol=1e-5)
    value = ModelInfo.read(model.with_suffix(".json")).threshold.value
    called = [found[image]["decision"] for image in before.images]
    assert called == np.where(np.array(again) >= value, "PNEUMONIA", "NORMAL").tolist()


# ── What is refused, before anything is written ───────────────────────────────────────────────────────────────────────


def refused(tmp_path, *arguments):
    """Return what is told, and make sure that nothing was written."""
    output = tmp_path / "out"
    done = evaluate(*arguments, "--output", output)
    assert done.exit_code == 2, done.output
    assert not output.exists()
    return [line.removeprefix("Error: ") for line in done.stderr.splitlines() if line.startswith("Error: ")]


def test_all_that_is_wrong_with_the_request_is_told_at_once(hospitals, model, foreign, tmp_path):
    told = refused(
        tmp_path,
        *(
            "--model",
            foreign,
            "--model",
            tmp_path / "gone.pth",
            "--model",
            model.parents[2],
            "--model",
            model.with_suffix(".json"),
            "--data",
            tmp_path / "gone",
        ),
        *("--classes", "NORMAL", "--name", "test", "--templates", tmp_path / "gone", "--logo", foreign),
    )
    assert told == [
        f"{tmp_path / 'gone.pth'}: no such file, allowed are .safetensors, or .pth with a state dict",
        f"{model.parents[2]}: is a folder, give a file such as {model}",
        f"{model.with_suffix('.json')}: is no file of weights, allowed are .safetensors, or .pth with a state dict",
        f"--architecture: missing, {foreign} has no model.json that tells it, give one such as resnet18",
        "--classes: needs two or more different ones, got NORMAL",
        '--name: must be none of train, val, test, got "test"',
        f"{tmp_path / 'gone'}: no such folder or file, allowed are class folders or a CSV of images",
        f"--templates: {tmp_path / 'gone'} is no folder, one with templates is needed",
        f"--logo: {foreign} is too large, {ALLOWED}",
    ]


def test_options_that_a_model_answers_itself_are_refused(hospitals, model, tmp_path):
    data = ("--model", model, "--data", hospitals / "hospital_b")
    told = refused(tmp_path, *data, "--threshold", "0.5", "--image-size", "64", "--info", model.with_suffix(".json"))
    assert [sentence.partition(":")[0] for sentence in told] == ["--image-size", "--threshold", "--info"]
    assert "what it says is fixed, leave it out" in told[0]


REFUSED = {
    "an unknown architecture": (("--architecture", "resnet81"), 'no model "resnet81", did you mean "resnet18"'),
    "another architecture": (("--architecture", "resnet34"), 'as "resnet34": of another architecture, '),
    "more classes": (("--classes", "NORMAL,PNEUMONIA,TB"), "gives 2 outputs, needed is one for each of the classes"),
    "other classes": (("--classes", "HEALTHY,PNEUMONIA"), 'has the class "NORMAL", which the model lacks, allowed are'),
    "no such positive class": (("--positive", "TB"), '--positive: no class "TB" in the data'),
    "no such split": (("--split", "val"), '--split: .* has no "val", it has no splits, leave --split out'),
    "no such groups": (("--groups", "column"), '--groups: "column": .*; allowed are kermany, image, column=NAME'),
    "no such subgroups": (
        ("--subgroups", "pathogn"),
        '--subgroups: the manifest has no column "pathogn", did you mean',
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_does_not_fit_is_told_in_a_sentence(hospitals, foreign, tmp_path, what):
    options, message = REFUSED[what]
    data = ("--model", foreign, "--data", hospitals / "hospital_b" / "test")
    architecture = () if options[0] == "--architecture" else ("--architecture", "resnet18")
    told = refused(tmp_path, *data, "--image-size", "32", *architecture, *options)
    assert any(re.search(message, sentence) for sentence in told), told


def test_a_folder_without_images_and_one_of_other_classes_are_told(hospitals, model, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "no folder in it, allowed is" in refused(tmp_path, "--model", model, "--data", tmp_path / "empty")[0]
    other = tmp_path / "other"
    shutil.copytree(hospitals / "hospital_b/test/NORMAL", other / "HEALTHY")
    told = refused(tmp_path, "--model", model, "--data", other)
    assert told[0] == f'{other}: has the class "HEALTHY", which the model lacks, allowed are NORMAL, PNEUMONIA'
    assert told[1] == f'{other}: has no image of the class "PNEUMONIA", without it nothing can be evaluated'


def test_preprocessing_that_is_not_ours_is_refused(hospitals, model, tmp_path):
    copy = Path(shutil.copy(model, tmp_path / "model.safetensors"))
    info = json.loads(model.with_suffix(".json").read_text(encoding="utf-8"))
    info["preprocessing"] |= {"mean": [0.5, 0.5, 0.5]}
    copy.with_suffix(".json").write_text(json.dumps(info), encoding="utf-8")
    told = refused(tmp_path, "--model", copy, "--data", hospitals / "hospital_b")
    assert told == [
        f"{copy}: needs images prepared otherwise (mean [0.5, 0.5, 0.5], cxrkit's is [0.485, 0.456, 0.406])"
    ]


def test_a_folder_that_holds_something_is_left_as_it_is(hospitals, model):
    done = evaluate("--model", model, "--data", hospitals / "hospital_b", "--output", hospitals / "run")
    assert done.exit_code == 2
    assert "exists and is not empty, allowed is a new or empty folder" in done.stderr
