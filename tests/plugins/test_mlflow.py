"""The tracker for MLflow against a real local store, in processes of their own: what MLflow imports warns."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest
from cxrkit_plugins.mlflow_runs import figures
from cxrkit_plugins.mlflow_store import parameters

from cxrkit.config import load
from cxrkit.config.components import check_components
from cxrkit.discovery import load as load_plugins
from cxrkit.errors import InputError

NEEDS_MLFLOW = pytest.mark.skipif(find_spec("mlflow") is None, reason='needs MLflow: pip install "cxrkit[mlflow]"')

EVENTS = """
import sys
from pathlib import Path
from types import SimpleNamespace
from cxrkit.api import FinishedRun
from cxrkit_plugins.mlflow_epochs import cxrkit_epoch_finished
from cxrkit_plugins.mlflow_runs import cxrkit_run_finished
run = Path(sys.argv[1])
trackers = tuple(sys.argv[2:])
for epoch in (1, 2):
    context = SimpleNamespace(directory=run / "tasks" / "scratch" / "seeds" / "0", trackers=trackers)
    cxrkit_epoch_finished(context, {"epoch": epoch, "val_loss": 1 / epoch, "val_roc_auc": float("nan")})
for again in range(2):
    reports = (run / "report" / "report.html", run / "report" / "cards")
    cxrkit_run_finished(FinishedRun(run, reports, {"scratch": "finished", "vendor": "failed"}, trackers))
assert "torch" not in sys.modules
assert ("mlflow" in sys.modules) == bool(trackers)
"""
READ = """
import json, sys
from mlflow import MlflowClient
client = MlflowClient()
(experiment,) = (e for e in client.search_experiments() if e.name != "Default")
runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
study = runs["pneumonia"].info.run_id
print(json.dumps({
    "experiment": experiment.name,
    "parents": {name: run.data.tags.get("mlflow.parentRunId") == study for name, run in runs.items()},
    "states": {name: run.info.status for name, run in runs.items()},
    "parameters": runs["scratch"].data.params,
    "figures": runs["scratch"].data.metrics,
    "losses": [[m.step, m.value] for m in client.get_metric_history(runs["scratch"].info.run_id, "seed_0/val_loss")],
    "artifacts": sorted(a.path for a in client.list_artifacts(study, "report")),
}))
"""


def record(metric, value, **more):
    return {"metric": metric, "set": "test", "unit": "image", "value": value, "low": 0.1, "high": 0.9} | more


@pytest.fixture
def run(tmp_path):
    """A run directory as the tracker reads it: a trained task, one that failed, a report of a file and a folder."""
    run = tmp_path / "pneumonia"
    task = run / "tasks" / "scratch"
    for folder in (task / "seeds" / "0", run / "tasks" / "vendor", run / "report" / "cards"):
        folder.mkdir(parents=True)
    trainer = {"use": "fabric", "learning_rate": 0.001}
    tasks = [{"name": "scratch", "model": {"use": "resnet18"}, "trainer": trainer, "epochs": 2, "time_limit": None}]
    configuration = {"run": {"seed": 3}, "data": {"root": "data"}, "augmentation": {"rotation": 10.0}, "task": tasks}
    (run / "run.json").write_text(json.dumps({"configuration": configuration}), encoding="utf-8")
    records = [
        record("roc_auc", 0.8),
        record("sensitivity", 0.7, threshold=0.4),
        record("ppv", None, low=None, high=None),
        record("recall", 0.6, **{"class": "NORMAL"}),
        record("roc_auc", 0.5, subgroup="pathogen=virus"),
        record("sensitivity", 0.9, unit="patient-max"),
    ]
    (task / "metrics.json").write_text(json.dumps({"records": records}), encoding="utf-8")
    (task / "task.json").write_text(json.dumps({"threshold": {"value": 0.4}}), encoding="utf-8")
    (run / "report" / "report.html").write_text("<p>report</p>", encoding="utf-8")
    (run / "report" / "cards" / "scratch.md").write_text("# card\n", encoding="utf-8")
    return run


def python(script, *arguments, store):
    environment = os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{store}/mlflow.db"}
    command = [sys.executable, "-c", script, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=store, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_main_figures_are_those_of_all_images_with_their_intervals(run):
    assert figures(run / "tasks" / "scratch") == {
        "threshold": 0.4,
        "test/roc_auc": 0.8,
        "test/roc_auc_low": 0.1,
        "test/roc_auc_high": 0.9,
        "test/sensitivity": 0.7,
        "test/sensitivity_low": 0.1,
        "test/sensitivity_high": 0.9,
    }
    assert figures(run / "tasks" / "vendor") == {}


def test_the_parameters_are_the_keys_of_the_task(run):
    assert dict(parameters(run, "scratch")) == {
        "name": "scratch",
        "model.use": "resnet18",
        "trainer.use": "fabric",
        "trainer.learning_rate": "0.001",
        "epochs": "2",
        "data.root": "data",
        "augmentation.rotation": "10.0",
        "run.seed": "3",
    }
    assert dict(parameters(run, "both")) == {"run.seed": "3"}


def test_nothing_is_sent_where_the_file_does_not_name_mlflow(run, tmp_path):
    python(EVENTS, run, store=tmp_path)
    assert not (tmp_path / "mlflow.db").exists()
    assert not list(run.rglob("mlflow.json"))


@NEEDS_MLFLOW
@pytest.mark.slow
def test_epochs_figures_and_reports_are_in_the_store(run, tmp_path):
    python(EVENTS, run, "mlflow", store=tmp_path)
    found = json.loads(python(READ, store=tmp_path).splitlines()[-1])
    assert found["experiment"] == "pneumonia"
    assert found["parents"] == {"pneumonia": False, "scratch": True, "vendor": True}
    assert found["states"] == {"pneumonia": "FINISHED", "scratch": "FINISHED", "vendor": "FAILED"}
    assert found["parameters"]["trainer.learning_rate"] == "0.001"
    assert found["figures"]["test/roc_auc_low"] == 0.1
    assert found["losses"] == [[1, 1.0], [2, 0.5]]
    assert found["artifacts"] == ["report/cards", "report/report.html"]


@NEEDS_MLFLOW
@pytest.mark.slow
def test_a_whole_study_is_tracked(tmp_path):
    """From the file's key to the store, through the training process."""
    subprocess.run(
        [sys.executable, "-m", "cxrkit", "data", "phantom", tmp_path / "data", "--images", "60", "--size", "64"],
        check=True,
    )
    (tmp_path / "tasks.toml").write_text(TASKS, encoding="utf-8")
    python("from cxrkit.cli import main; main()", "run", tmp_path / "tasks.toml", store=tmp_path)
    found = json.loads(python(READ, store=tmp_path).splitlines()[-1])
    assert [step for step, _ in found["losses"]] == [1, 2]
    assert {"test/roc_auc", "test/sensitivity_low", "threshold"} <= set(found["figures"])
    assert found["parameters"]["model.use"] == "squeezenet1_1"
    assert "report/report.html" in found["artifacts"]


TASKS = """
[run]
output = "pneumonia"
device = "cpu"
trackers = ["mlflow"]
[data]
root = "data"
positive = "PNEUMONIA"
image_size = 32
groups = "kermany"
validation = { from = "train", fraction = 0.3 }
[[task]]
name = "scratch"
model = "squeezenet1_1"
epochs = 2
[evaluation]
resamples = 100
[explain]
method = "none"
[report]
formats = ["html"]
"""


def checked(tmp_path, trackers):
    path = tmp_path / "tasks.toml"
    text = f'[run]\ntrackers = {trackers}\n[data]\npositive = "A"\n[[task]]\nname = "a"\n'
    task = 'predictions = { test = "a.csv" }\nthreshold = { rule = "fixed", value = 0.5 }\n'
    path.write_text(text + task, encoding="utf-8")
    return check_components(load(path), None, load_plugins("cxrkit"))


def test_a_tracker_that_is_not_installed_is_refused_before_any_work(tmp_path):
    with pytest.raises(InputError, match=r'run\.trackers: no tracker "mlfow", did you mean "mlflow"\?'):
        checked(tmp_path, '["mlfow"]')


def test_without_its_library_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr("cxrkit.config.components.find_spec", lambda _name: None)
    with pytest.raises(InputError, match=r'run\.trackers: "mlflow" needs mlflow, pip install "cxrkit\[mlflow\]"'):
        checked(tmp_path, '["mlflow"]')
