"""Sends the final figures and the reports to MLflow, where ``run.trackers`` names it (the extra mlflow)."""

import json
from pathlib import Path
from typing import Any

from cxrkit import hookimpl
from cxrkit.api import FinishedRun

from .mlflow_store import NAME, Store

_OF_PARTS = ("condition", "class", "subgroup", "prevalence", "calibrated")  # what a task's main figures have none of


@hookimpl
def cxrkit_run_finished(run: FinishedRun) -> None:
    """Tell each task's figures, its threshold and how it ended, and send the reports as artifacts of the study."""
    if NAME not in run.trackers:
        return
    store = Store.of(run.directory)
    for task, state in run.tasks.items():
        known = store.task(task)
        store.tell(known, figures(run.directory / "tasks" / task))
        store.client.set_terminated(known, "FINISHED" if state == "finished" else "FAILED")
    study = store.study()
    for report in run.reports:
        if report.is_dir():
            store.client.log_artifacts(study, str(report), f"report/{report.name}")
        else:
            store.client.log_artifact(study, str(report), "report")
    store.client.set_terminated(study, "FINISHED")


def figures(task: Path) -> dict[str, float]:
    """Take a task's main figures with the bounds of their intervals: ``test/roc_auc``, ``test/roc_auc_low``, ….

    Args:
        task: its folder; one that failed has no figures.
    """
    metrics, info = _read(task / "metrics.json"), _read(task / "task.json")
    found = {"threshold": info["threshold"]["value"]} if info.get("threshold") else {}
    for record in metrics.get("records", ()):
        if record.get("unit") == "image" and not any(record.get(part) is not None for part in _OF_PARTS):
            name = f"{record['set']}/{record['metric']}"
            ends = {name: record["value"], f"{name}_low": record.get("low"), f"{name}_high": record.get("high")}
            found |= {end: value for end, value in ends.items() if value is not None}
    return found


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
