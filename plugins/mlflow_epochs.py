"""Sends each finished epoch to MLflow, where ``run.trackers`` names it (the extra mlflow)."""

from collections.abc import Mapping

from cxrkit import hookimpl
from cxrkit.api import TrainingContext

from .mlflow_store import NAME, Store

_given_up: list[str] = []  # an unreachable server is waited for once, and not in every epoch


@hookimpl
def cxrkit_epoch_finished(context: TrainingContext, row: Mapping[str, float]) -> None:
    """Tell the epoch's figures as those of the task's seed: ``seed_0/val_roc_auc``."""
    if NAME not in context.trackers or _given_up:
        return
    seed, task = context.directory.name, context.directory.parents[1]
    figures = {f"seed_{seed}/{name}": value for name, value in row.items() if name != "epoch"}
    try:
        store = Store.of(task.parents[1])
        store.tell(store.task(task.name), figures, step=int(row["epoch"]))
    except Exception:
        _given_up.append(task.name)
        raise
