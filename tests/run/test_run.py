"""``cxrkit run`` as a user runs it: the real command, real child processes, a small real network."""

import csv
import json
import shutil
import subprocess
import sys
import time

import pytest

from cxrkit.records import CamIndex, Comparison, Metrics, ModelInfo, RunInfo, TaskInfo, Timing
from cxrkit.rundir import RunDirectory


def weights(study):
    """When each model was written, in nanoseconds."""
    return {path: path.stat().st_mtime_ns for path in study.run.glob("tasks/*/seeds/*/model.safetensors")}


def test_every_file_of_the_contract_is_there_and_reads_as_what_it_is(finished):
    run = RunDirectory.open(finished.run)
    info = RunInfo.read(run.info)
    assert info.tasks == {"plain": "finished", "upsampled": "finished"}
    assert (info.class_names, info.positive) == (["NORMAL", "PNEUMONIA"], "PNEUMONIA")
    assert run.manifest.is_file()
    assert (run.report / "comparison_report.txt").is_file()
    pairs = {(record.task, record.reference) for record in Comparison.read(run.comparison).records}
    assert pairs == {("upsampled", "plain")}
    for name in info.tasks:
        task, seed = run.task(name), run.task(name).seed(0)
        assert TaskInfo.read(task.info).threshold.set == "val"
        assert Metrics.read(task.metrics).records
        assert ModelInfo.read(seed.model_info).threshold == TaskInfo.read(task.info).threshold
        assert Timing.read(seed.timing).images_per_second > 0
        assert {path.name for path in task.curves.iterdir()} >= {"test_roc.csv", "test_pr.csv", "test_calibration.csv"}
        assert not seed.last.exists()
        for entry in CamIndex.read(task.cam / "index.json").entries:
            assert (task.cam / entry.overlay).is_file()
            assert (task.cam / entry.raw).is_file()


def test_predictions_cover_the_manifest_and_hold_logits_and_probabilities(finished):
    with (finished.run / "manifest.csv").open(encoding="utf-8") as file:
        test_images = {row["image"] for row in csv.DictReader(file) if row["split"] == "test" and not row["excluded"]}
    with (finished.run / "tasks/plain/predictions/test.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["image"] for row in rows} == test_images
    columns = "image patient label status logit_NORMAL logit_PNEUMONIA p_NORMAL p_PNEUMONIA"
    assert list(rows[0]) == columns.split()
    assert all(float(row["p_NORMAL"]) + float(row["p_PNEUMONIA"]) == pytest.approx(1) for row in rows)


def test_the_report_names_no_absolute_path_and_the_thumbnails_are_those_shown(finished):
    html = (finished.run / "report" / "report.html").read_text(encoding="utf-8")
    assert str(finished.folder) not in html
    explained = {entry["image"] for entry in finished.json("tasks/plain/cam/index.json")["entries"]}
    samples = {entry["image"] for entry in finished.json("samples.json")["images"]}
    assert len(explained) <= 6
    assert len(list((finished.run / "images").glob("*.jpg"))) == len(explained | samples)


def test_the_same_command_again_trains_nothing_and_gives_the_same_report(finished):
    before, report = weights(finished), (finished.run / "report" / "report.html").stat().st_mtime_ns
    result = finished.cxrkit_run("--json")
    assert json.loads(result.stdout)["tasks"] == {"plain": "finished", "upsampled": "finished"}
    assert weights(finished) == before
    assert (finished.run / "report" / "report.html").stat().st_mtime_ns == report


def test_a_changed_evaluation_is_made_again_without_training(finished):
    before = weights(finished)
    result = finished.cxrkit_run("--set", "evaluation.level=0.9", "--quiet")
    assert result.returncode == 0, result.stderr
    assert {record["level"] for record in finished.json("tasks/plain/metrics.json")["records"]} == {0.9}
    assert weights(finished) == before
    assert finished.cxrkit_run("--quiet").returncode == 0


def test_a_finished_task_whose_training_changed_is_refused_with_the_keys_named(finished):
    before = weights(finished)
    result = finished.cxrkit_run("--set", "task.plain.epochs=3", "--set", "data.image_size=40")
    assert result.returncode == 2
    assert 'task "plain": was trained with another epochs, image_size' in result.stderr
    assert 'task "upsampled": was trained with another image_size' in result.stderr
    assert "--fresh" in result.stderr
    assert weights(finished) == before


@pytest.mark.slow
def test_fresh_moves_the_old_folder_aside_and_trains_again(finished, tmp_path):
    shutil.copytree(finished.folder, tmp_path / "copy")
    copy = type(finished)(tmp_path / "copy")
    old = (copy.run / "tasks/plain/predictions/test.csv").read_bytes()
    result = copy.cxrkit_run("--fresh", "--task", "plain")
    assert result.returncode == 0, result.stderr
    (moved,) = copy.run.glob("old/*/plain")
    assert (moved / "predictions" / "test.csv").read_bytes() == old
    assert not list(copy.run.glob("old/*/upsampled"))
    # The same seed on the same machine: the same bytes.
    assert (copy.run / "tasks/plain/predictions/test.csv").read_bytes() == old
    assert (copy.run / "tasks/plain/cam/index.json").is_file()


def test_a_dry_run_tells_the_plan_and_writes_nothing(study):
    result = study.cxrkit_run("--dry-run", "--task", "upsampled")
    assert result.returncode == 0, result.stderr
    assert "upsample" in result.stdout
    assert "prevalence of PNEUMONIA" in result.stdout
    assert "plain" not in result.stdout.split("Work that is left")[1].split("Evaluation")[0]
    assert not study.run.exists()


@pytest.mark.slow
def test_a_failed_task_is_told_and_the_others_go_on(study):
    study.write((study.folder / "tasks.toml").read_text().replace('name = "plain"', DIVERGING))
    result = study.cxrkit_run("--set", 'report.formats=["txt"]', "--set", "explain.most=0")
    assert result.returncode == 1
    assert 'task "plain" failed' in result.stderr
    assert study.json("tasks/plain/task.json")["state"] == "failed"
    assert "epoch 1" in study.json("tasks/plain/task.json")["failure"]
    assert study.json("run.json")["tasks"] == {"plain": "failed", "upsampled": "finished"}
    assert "plain" in (study.run / "report" / "comparison_report.txt").read_text(encoding="utf-8")


DIVERGING = 'name = "plain"\nbatch_size = 8\ntrainer = { use = "fabric", learning_rate = 1e30, optimizer = "sgd" }'


VENDOR = """
[run]
output = "run"
[[task]]
name = "vendor"
predictions = { test = "vendor.csv" }
threshold = { rule = "fixed", value = 0.5 }
[evaluation]
resamples = 100
[report]
formats = ["html"]
"""

REPORTER = """
    import cxrkit
    from cxrkit.api import Figure, MetricReport, ReportSection

    def count(predictions, settings, *, above: float = 0.5):
        n = int((predictions.score >= above).sum())
        figures = (Figure("called_positive", float(n), n=len(predictions.images)),)
        return MetricReport(figures, (ReportSection("Counted by a stranger", (f"{n} images.",)),))

    @cxrkit.hookimpl
    def cxrkit_register_metric_reporters():
        return {"count": count}
"""


def vendor_file(study):
    rows = [f"{number}.png,{'PNEUMONIA' if number % 3 else 'NORMAL'},{0.2 + 0.01 * number}" for number in range(60)]
    (study.folder / "vendor.csv").write_text("image,label,p_PNEUMONIA\n" + "\n".join(rows) + "\n", encoding="utf-8")


def test_a_strangers_reporter_adds_its_figures_and_its_part_of_the_report(study, strangers, install):
    install("stranger-reporter", REPORTER)
    vendor_file(study)
    study.write(VENDOR)
    chosen = 'evaluation.reporters=["classification", { use = "count", above = 0.6 }]'
    result = study.cxrkit_run("--set", chosen, PYTHONPATH=str(strangers))
    assert result.returncode == 0, result.stderr
    (found,) = (r for r in study.json("tasks/vendor/metrics.json")["records"] if r["metric"] == "called_positive")
    assert (found["value"], found["n"], found["set"]) == (20, 60, "test")
    assert "Counted by a stranger" in (study.run / "report" / "report.html").read_text(encoding="utf-8")


RUN_AND_TELL_TORCH = """
import sys
import time
from cxrkit.cli import main
try:
    main()
except SystemExit as end:
    status = end.code
assert not status, status
assert "torch" not in sys.modules
"""


def test_predictions_alone_are_reported_without_torch_and_without_data(study):
    vendor_file(study)
    study.write(VENDOR)
    command = [sys.executable, "-c", RUN_AND_TELL_TORCH, "run", str(study.folder / "tasks.toml")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert study.json("tasks/vendor/task.json")["kind"] == "predictions"


def test_a_wrong_prediction_file_is_told_before_anything_is_trained_or_written(study):
    (study.folder / "vendor.csv").write_text("image,p_PNEUMONIA\nnot_there.png,0.5\n", encoding="utf-8")
    vendor = VENDOR.split("[evaluation]", maxsplit=1)[0].partition("[[task]]")[2]
    study.write((study.folder / "tasks.toml").read_text() + "[[task]]" + vendor)
    result = study.cxrkit_run()
    assert result.returncode == 2
    assert 'task "vendor"' in result.stderr
    assert "not_there.png" in result.stderr
    assert not study.run.exists()


def start(study):
    """Start the command in the background and wait until an epoch of its first task is kept."""
    command = [sys.executable, "-m", "cxrkit", "run", str(study.folder / "tasks.toml"), "--quiet"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seed = study.run / "tasks/plain/seeds/0"
    deadline = time.monotonic() + 120
    while not (seed / "last").is_dir():
        assert process.poll() is None, "it ended before an epoch was kept"
        assert time.monotonic() < deadline, "no epoch was kept"
        time.sleep(0.02)
    return process


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
def test_a_killed_run_leaves_no_process_and_goes_on_to_the_same_bytes(study, tmp_path):
    """Killed without warning, as by a power cut: the same command ends as an undisturbed run does."""
    study.write((study.folder / "tasks.toml").read_text().replace("epochs = 1", "epochs = 3"))
    undisturbed = study.cxrkit_run("--output", str(tmp_path / "undisturbed"))
    assert undisturbed.returncode == 0, undisturbed.stderr
    process = start(study)
    process.kill()
    process.wait()
    plan = str(study.run / "tasks/plain/seeds/0/plan.json")
    deadline = time.monotonic() + 30
    while any(plan in line for line in processes()):
        assert time.monotonic() < deadline, "the training goes on without its parent"
        time.sleep(0.1)
    assert study.json("tasks/plain/task.json")["state"] == "running"
    again = study.cxrkit_run()
    assert again.returncode == 0, again.stderr
    same = ("seeds/0/history.csv", "seeds/0/predictions/test.csv", "predictions/test.csv", "metrics.json")
    for name in [f"tasks/{task}/{part}" for task in ("plain", "upsampled") for part in same]:
        assert (study.run / name).read_bytes() == (tmp_path / "undisturbed" / name).read_bytes(), name


def processes():
    """The command lines of all processes."""
    return subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout.splitlines()
