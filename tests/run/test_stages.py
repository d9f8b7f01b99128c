"""What comes after the training, by the real command: conditions, views, ensembles, figures, maps; once and anew."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from cxrkit.evaluation import predictions
from cxrkit.records import (
    CamChecks,
    Comparison,
    DataAudit,
    Explanations,
    Metrics,
    ModelInfo,
    Robustness,
    RunInfo,
    TaskInfo,
)
from cxrkit.rundir import RunDirectory

TASKS = """
[run]
output = "run"
device = "cpu"
workers = 0
[data]
root = "data"
dataset = "phantom"
image_size = 32
groups = "kermany"
validation = { from = "train", fraction = 0.3 }
[defaults]
model = "resnet18"
epochs = 1
[[task]]
name = "plain"
[[task]]
name = "twice"
imbalance = "upsample"
seeds = [0, 1]
[[tta]]
name = "views"
task = "twice"
views = 3
[[ensemble]]
name = "both"
members = ["plain", "twice"]
[threshold]
rule = "youden"
refer = { sensitivity = 0.9, specificity = 0.9 }
[evaluation]
reference = "plain"
resamples = 100
prevalence = 0.1
subgroups = ["pathogen"]
acceptance = { roc_auc = 0.9, ppv = 0.5 }
non_inferiority = { roc_auc = 0.1 }
[explain]
most = 4
correct = 1
sample = 4
[report]
formats = ["txt"]
"""
ROBUSTNESS = """
[robustness]
corruptions = ["blur", "noise"]
severities = [3]
most = 20
"""
CONDITIONS = {"blur-3", "noise-3", "borders", "corners"}
ALL_FINISHED = {"plain": "finished", "twice": "finished", "views": "finished", "both": "finished"}
FOLDERS = ("tasks/plain", "tasks/plain/seeds/0", "tasks/twice", "tasks/twice/seeds/0", "tasks/twice/seeds/1")


@pytest.fixture(scope="module")
def done(tmp_path_factory, make_study):
    """A study of every stage that has been run once."""
    study = make_study(tmp_path_factory.mktemp("done"), TASKS + ROBUSTNESS)
    result = study.cxrkit_run()
    assert result.returncode == 0, result.stderr
    return study


@pytest.fixture
def copy(done, tmp_path):
    """The same, to be changed."""
    shutil.copytree(done.folder, tmp_path / "copy")
    return type(done)(tmp_path / "copy")


def conditions(study, folder):
    """What a folder of predictions holds beside those of the sets as they are."""
    return {path.stem.partition("@")[2] for path in (study.run / folder / "predictions").glob("test@*.csv")}


def stamps(study, pattern="**/*"):
    """When each file was written, in nanoseconds."""
    return {path: path.stat().st_mtime_ns for path in study.run.glob(pattern) if path.is_file()}


def contents(study, pattern="**/*"):
    return {path.relative_to(study.run): path.read_bytes() for path in study.run.glob(pattern) if path.is_file()}


def test_every_condition_is_predicted_by_each_seed_each_task_and_the_ensemble(done):
    for folder in (*FOLDERS, "tasks/both"):
        assert conditions(done, folder) == CONDITIONS, folder
    found = Robustness.read(done.run / "robustness.json")
    assert {condition.name for condition in found.conditions} == CONDITIONS
    assert found.n == len((done.run / "tasks/both/predictions/test@blur-3.csv").read_text().splitlines()) - 1 <= 20


def test_the_run_directory_tells_all_that_was_asked_for(done):
    run = RunDirectory.open(done.run)
    assert RunInfo.read(run.info).tasks == ALL_FINISHED
    assert DataAudit.read(run.audit).baselines
    assert {(one.task, one.reference) for one in Explanations.read(run.explanations).agreement} == {("twice", "plain")}
    for name in ("plain", "twice"):
        checks = CamChecks.read(run.task(name).cam / "checks.json")
        assert checks.n == 4
        assert checks.energy_in_mask is not None
    judged = [one for one in Comparison.read(run.comparison).records if one.margin is not None]
    assert {(one.task, one.metric, one.margin) for one in judged} == {
        ("twice", "roc_auc", 0.1),
        ("views", "roc_auc", 0.1),
        ("both", "roc_auc", 0.1),
    }
    assert all(one.non_inferior == (one.low > -0.1) for one in judged)


def test_test_time_augmentation_is_a_model_of_its_own_beside_its_plain_task(done):
    run = RunDirectory.open(done.run)
    info, plain = TaskInfo.read(run.task("views").info), TaskInfo.read(run.task("twice").info)
    assert (info.kind, info.members, info.seeds, info.tta.views) == ("tta", ["twice"], [0, 1], 3)
    assert info.threshold.set == info.temperature.set == "val"
    assert info.threshold.value != plain.threshold.value
    assert info.prior == plain.prior is not None
    found = [read_logits(run, "views", name) for name in ("seeds/0/", "seeds/1/", "")]
    assert found[2] == pytest.approx((found[0] + found[1]) / 2)
    assert 0 < np.abs(found[2] - read_logits(run, "twice", "")).max() < 1
    metrics = Metrics.read(run.task("views").metrics)
    assert {zone.set for zone in metrics.zones} == {"val", "test"}
    assert {one.metric for one in metrics.seeds} >= {"roc_auc", "sensitivity"}
    assert {record.condition for record in metrics.records} == {None}
    pairs = {(one.task, one.reference) for one in Comparison.read(run.comparison).records}
    assert {("views", "plain"), ("views", "twice")} <= pairs
    text = (run.report / "comparison_report.txt").read_text(encoding="utf-8")
    assert "views is twice with test-time augmentation" in " ".join(text.split())
    assert "What test-time augmentation cost" in text


def read_logits(run, task, folder):
    path = run.task(task).root / f"{folder}predictions/test.csv"
    return predictions.read(path, task=task, set_name="test", positive="PNEUMONIA").logits


@pytest.mark.parametrize("name", ["plain", "twice", "both"])
def test_the_figures_of_each_task_and_the_ensemble_are_complete(done, name):
    directory = RunDirectory.open(done.run).task(name)
    found = Metrics.read(directory.metrics)
    assert {one.threshold.target for one in found.operating_points if one.set == "test"} == {0.9, 0.95, 0.99}
    assert {zone.set for zone in found.zones} == {"val", "test"}
    assert {(one.metric, one.prevalence) for one in found.acceptance} == {("roc_auc", None), ("ppv", 0.1)}
    assert {change.condition for change in found.changes} == CONDITIONS
    assert {record.condition for record in found.records} == {None, *CONDITIONS}
    assert any((record.subgroup or "").startswith("pathogen=") for record in found.records)
    assert any(record.unit == "patient-max" for record in found.records)
    zone = TaskInfo.read(directory.info).zone
    assert zone is not None
    assert zone.lower.value <= zone.upper.value


def test_the_spread_is_that_of_the_seeds_each_at_its_own_threshold(done):
    run = RunDirectory.open(done.run)
    spread = {one.metric: one for one in Metrics.read(run.task("twice").metrics).seeds if one.set == "test"}
    values = spread["roc_auc"].values
    assert set(values) == {"0", "1"}
    assert spread["roc_auc"].mean == pytest.approx(sum(values.values()) / 2)
    assert spread["roc_auc"].sd == pytest.approx(abs(values["0"] - values["1"]) / 2**0.5)
    own = [ModelInfo.read(run.task("twice").seed(seed).model_info).threshold.value for seed in (0, 1)]
    assert TaskInfo.read(run.task("twice").info).threshold.value not in own
    assert Metrics.read(run.task("plain").metrics).seeds == Metrics.read(run.task("both").metrics).seeds == []


def test_the_same_command_again_does_nothing_and_leaves_the_same_bytes(done):
    written, before, run = stamps(done), contents(done), done.json("run.json")
    result = done.cxrkit_run("--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["tasks"] == ALL_FINISHED
    same = {"environment": None}  # tells of the machine and the revision that ran last
    assert done.json("run.json") | same == run | same
    assert {path.name for path, content in contents(done).items() if before[path] != content} <= {"run.json"}
    assert {path.name for path, when in stamps(done).items() if written[path] != when} == {"run.json"}


def test_a_dry_run_tells_of_ensembles_and_of_corrupted_images_that_are_left(done):
    told = json.loads(done.cxrkit_run("--dry-run", "--json").stdout)
    assert told["ensembles"] == [{"name": "both", "members": ["plain", "twice"], "method": "logit-mean"}]
    assert told["tta"] == [{"name": "views", "task": "twice", "views": 3, "images_predicted": 0}]
    assert told["robustness"]["images_predicted"] == 0
    result = done.cxrkit_run("--dry-run", "--set", "robustness.severities=[1, 3]")
    images = done.json("robustness.json")["n"]
    assert "Ensemble both: logit-mean of plain, twice" in result.stdout
    assert f"{images * 6 * 3} images predicted" in " ".join(result.stdout.split())


@pytest.mark.slow
def test_another_robustness_replaces_the_conditions_and_none_removes_them(copy):
    changed = ["robustness.corruptions=['gamma']", "robustness.shortcuts=false", "robustness.tasks=['plain']"]
    result = copy.cxrkit_run("--quiet", *(part for key in changed for part in ("--set", key)))
    assert result.returncode == 0, result.stderr
    assert {folder: conditions(copy, folder) for folder in (*FOLDERS, "tasks/both")} == {
        folder: {"gamma-3"} if folder.startswith("tasks/plain") else set() for folder in (*FOLDERS, "tasks/both")
    }
    assert {one["condition"] for one in copy.json("tasks/plain/metrics.json")["changes"]} == {"gamma-3"}
    assert copy.json("tasks/both/metrics.json")["changes"] == []
    copy.write(TASKS)
    assert copy.cxrkit_run("--quiet", "--set", 'explain.method="none"').returncode == 0
    assert not list(copy.run.rglob("*@*.csv"))
    assert not (copy.run / "robustness.json").exists()
    assert copy.json("tasks/plain/metrics.json")["changes"] == []
    assert not [*copy.run.glob("tasks/*/cam"), *copy.run.glob("explanations.json")]


@pytest.mark.slow
def test_another_choice_of_what_represents_a_task_reaches_conditions_and_ensemble(copy):
    seeds, both = stamps(copy, "tasks/*/seeds/*/predictions/*"), contents(copy, "tasks/both/predictions/*")
    result = copy.cxrkit_run("--quiet", "--set", "task.twice.represent=1", "--set", 'explain.method="none"')
    assert result.returncode == 0, result.stderr
    for stem in ("val", "test", *(f"test@{name}" for name in CONDITIONS)):
        path = f"predictions/{stem}.csv"
        assert (copy.run / "tasks/twice" / path).read_bytes() == (copy.run / "tasks/twice/seeds/1" / path).read_bytes()
    assert stamps(copy, "tasks/*/seeds/*/predictions/*") == seeds
    after = contents(copy, "tasks/both/predictions/*")
    assert after.keys() == both.keys()
    assert not any(after[path] == both[path] for path in both)


@pytest.mark.slow
def test_a_run_that_was_interrupted_in_later_stages_ends_as_an_undisturbed_one(copy):
    """As each stage leaves the directory half way: what it was made of is not noted, some files are not there."""
    before = contents(copy)
    info = copy.run / "run.json"
    none = dict.fromkeys(("robustness_fingerprint", "evaluation_fingerprint", "explain_fingerprint"))
    info.write_text(json.dumps(copy.json("run.json") | none))
    views = done_of(copy, "views").model_copy(update={"state": "running"})
    views.write(copy.run / "tasks/views/task.json")
    for lost in ("test.csv", "seeds/0/predictions/test.csv", "seeds/1/predictions/val.csv"):
        (copy.run / "tasks/views" / lost).unlink(missing_ok=True)
    for lost in ("robustness.json", "explanations.json", "comparison.json", "tasks/twice/cam/index.json"):
        (copy.run / lost).unlink()
    for left in ("tasks/plain/seeds/0", "tasks/plain"):
        shutil.copy(copy.run / left / "predictions/test.csv", copy.run / left / "predictions/test@jpeg-5.csv")
    (copy.run / "tasks/twice/predictions/test@blur-3.csv").unlink()
    (copy.run / "tasks/both/metrics.json").write_text("{}")
    result = copy.cxrkit_run("--quiet")
    assert result.returncode == 0, result.stderr
    after = contents(copy)
    assert after.keys() == before.keys()
    own = {"run.json", "explain.json", "robustness-plan.json", "plan.json"}  # these three name their folder
    own |= {"timing.json", "log.txt", "comparison_report.txt", "files.json"}  # the views took other time
    assert [path for path in before if path.name not in own and after[path] != before[path]] == []


def done_of(study, task):
    return TaskInfo.read(study.run / "tasks" / task / "task.json")


@pytest.mark.faults
def test_views_that_were_killed_go_on_and_end_as_undisturbed_ones(copy):
    text = (TASKS + ROBUSTNESS).replace("views = 3", "views = 64")
    copy.write(text.replace("[explain]", '[explain]\nmethod = "none"'))
    command = [sys.executable, "-m", "cxrkit", "run", str(copy.folder / "tasks.toml")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr:
            if line.startswith("views: predicting test"):
                process.kill()
    assert done_of(copy, "views").state == "running"
    there = stamps(copy, "tasks/views/seeds/*/predictions/val.csv")
    assert len(there) == 2
    assert not list(copy.run.glob("tasks/views/seeds/*/predictions/test.csv"))
    assert copy.cxrkit_run("--quiet").returncode == 0
    assert stamps(copy, "tasks/views/seeds/*/predictions/val.csv") == there
    gone_on = contents(copy, "tasks/views/**/predictions/*")
    shutil.rmtree(copy.run / "tasks/views")
    assert copy.cxrkit_run("--quiet").returncode == 0
    assert contents(copy, "tasks/views/**/predictions/*") == gone_on
    assert len(gone_on) == 6


def trained_stamps(study, task):
    """When each file was written that a training leaves; later stages write others beside them."""
    names = {"history.csv", "model.safetensors", "val.csv", "test.csv"}
    found = {path: stamp for path, stamp in stamps(study, f"tasks/{task}/seeds/**/*").items() if path.name in names}
    assert {path.name for path in found} == names
    return found


@pytest.mark.slow
def test_only_the_views_that_changed_are_predicted_again_and_stale_ones_are_removed(copy):
    quiet = ("--quiet", "--set", 'explain.method="none"')
    trained, before = trained_stamps(copy, "twice"), contents(copy, "tasks/views/seeds/*/predictions/*")
    copy.write((TASKS + ROBUSTNESS).replace("views = 3", "views = 4"))
    assert copy.cxrkit_run(*quiet).returncode == 0
    after = contents(copy, "tasks/views/seeds/*/predictions/*")
    assert after.keys() == before.keys()
    assert not any(after[path] == before[path] for path in after)
    of_first = stamps(copy, "tasks/views/seeds/0/predictions/*")
    text = (TASKS + ROBUSTNESS).replace("seeds = [0, 1]", "seeds = [0]")
    copy.write(text.replace("views = 3", "views = 4"))
    assert copy.cxrkit_run(*quiet).returncode == 0
    assert not (copy.run / "tasks/views/seeds/1").exists()
    assert stamps(copy, "tasks/views/seeds/0/predictions/*") == of_first
    assert trained_stamps(copy, "twice") == trained
    folder = copy.run / "tasks/views"
    assert (folder / "predictions/test.csv").read_bytes() == (folder / "seeds/0/predictions/test.csv").read_bytes()


@pytest.mark.slow
def test_views_that_cannot_be_predicted_fail_their_model_and_its_ensemble_alone(copy):
    weights = copy.run / "tasks/twice/seeds/1/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-8])
    copy.write((TASKS + ROBUSTNESS).replace('["plain", "twice"]', '["plain", "views"]'))
    result = copy.cxrkit_run("--set", 'explain.method="none"', "--set", "robustness.tasks=['plain']")
    assert result.returncode == 1
    assert 'tta "views" failed:' in result.stderr
    assert "model.safetensors" in result.stderr
    assert 'ensemble "both" failed: its member "views" failed' in result.stderr
    assert copy.json("run.json")["tasks"] == ALL_FINISHED | {"views": "failed", "both": "failed"}
    assert (copy.run / "report/comparison_report.txt").is_file()


@pytest.mark.slow
def test_a_failed_member_fails_the_ensemble_alone(copy):
    diverging = 'task.plain.trainer={use="fabric",learning_rate=1e30,optimizer="sgd"}'
    result = copy.cxrkit_run("--fresh", "--task", "plain", "--set", diverging, "--set", "task.plain.batch_size=8")
    assert result.returncode == 1
    assert 'ensemble "both" failed: its member "plain" failed' in result.stderr
    assert copy.json("run.json")["tasks"] == ALL_FINISHED | {"plain": "failed", "both": "failed"}
    assert conditions(copy, "tasks/twice") == CONDITIONS
    assert copy.json("comparison.json")["refused"] == [
        'Nothing is compared with the reference "plain", it has no predictions.'
    ]
    assert "both" in (copy.run / "report" / "comparison_report.txt").read_text(encoding="utf-8")


@pytest.mark.slow
def test_an_ensemble_waits_for_members_that_were_not_asked_for(done, tmp_path):
    elsewhere = type(done)(tmp_path)
    none = ("--set", 'explain.method="none"', "--set", "robustness.tasks=['twice']")
    result = done.cxrkit_run("--output", str(elsewhere.run), "--task", "plain", *none, "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["tasks"] == {"plain": "finished", "views": "pending", "both": "pending"}
    assert elsewhere.json("run.json")["tasks"] == dict.fromkeys(ALL_FINISHED, "pending") | {"plain": "finished"}
    assert not (elsewhere.run / "robustness.json").exists()


SENTENCES = {
    "evaluation.acceptance={roc_auk=0.9}": "roc_auk",
    'robustness.tasks=["twise"]': 'no task with a model is named "twise", did you mean "twice"?',
    "robustness.severities=[6]": "must be at most 5, got 6",
    'robustness.corruptions=["blurr"]': "blurr",
    "threshold.refer.sensitivity=1.5": "must be less than 1, got 1.5",
}


def test_wrong_input_is_told_at_once_and_nothing_is_written(study):
    text = TASKS.replace('members = ["plain", "twice"]', 'members = ["plain", "twise"]')
    study.write(text.replace('reference = "plain"\n', "") + ROBUSTNESS)
    result = study.cxrkit_run(*(part for key in SENTENCES for part in ("--set", key)))
    assert result.returncode == 2, result.stderr
    expected = [*SENTENCES.values(), 'unknown task "twise", did you mean "twice"?', "needs evaluation.reference"]
    assert [sentence for sentence in expected if sentence not in result.stderr] == []
    assert len(result.stderr.splitlines()) == len(expected)
    assert not study.run.exists()


def test_a_name_under_which_a_task_left_its_models_is_not_taken_by_views(study):
    weights = study.run / "tasks/views/seeds/0/model.safetensors"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"of a task that was called so")
    study.write(TASKS)
    result = study.cxrkit_run_here()
    assert result.returncode == 2
    assert 'tta "views": ' in result.stderr
    assert "holds trained models, choose another name or move it away" in result.stderr
    assert [path for path in study.run.rglob("*") if path.is_file()] == [weights]


VENDOR = """
[run]
output = "run"
[[task]]
name = "vendor"
predictions = { test = "vendor.csv" }
threshold = { rule = "fixed", value = 0.5, refer = { sensitivity = 0.9, specificity = 0.9 } }
"""


def test_an_uncertain_zone_without_validation_is_refused(study):
    study.write(VENDOR)
    result = study.cxrkit_run()
    assert result.returncode == 2
    assert "refer: is chosen on validation, so it needs predictions for val" in result.stderr
    assert not study.run.exists()
