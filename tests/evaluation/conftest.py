from collections.abc import Callable

import numpy as np
import pytest

from cxrkit.api import Predictions
from cxrkit.config.schema import TaskTable, ThresholdTable
from cxrkit.evaluation import importing, predictions
from cxrkit.records import Environment
from cxrkit.rundir import RunDirectory


@pytest.fixture
def make() -> Callable[..., Predictions]:
    """Make predictions of two classes out of scores and truth."""

    def made(truth, score, *, patients=None, task="a", set_name="test", status=None) -> Predictions:
        truth, score = np.asarray(truth, dtype=bool), np.array(score, dtype=float)
        status = np.array(status if status is not None else ["ok"] * len(truth), dtype=np.str_)
        score[status != "ok"] = np.nan
        images = np.array([f"{set_name}/{row:05d}.png" for row in range(len(truth))], dtype=np.str_)
        return Predictions(
            task=task,
            set=set_name,
            condition=None,
            class_names=("NORMAL", "PNEUMONIA"),
            positive="PNEUMONIA",
            images=images,
            patients=images if patients is None else np.array([f"p{one}" for one in patients], dtype=np.str_),
            labels=truth.astype(np.int64),
            status=status,
            probabilities=np.stack([1 - score, score], axis=1),
        )

    return made


@pytest.fixture
def simulate(make) -> Callable[..., Predictions]:
    """Make predictions of images that share patients, the same images for every seed."""

    def simulated(seed=0, *, n=240, task="a", set_name="test", effect=1.2) -> Predictions:
        rng = np.random.default_rng(99)
        patients, truth = rng.integers(0, n * 2 // 3, n), rng.random(n) < 0.5
        noise = np.random.default_rng([seed, len(set_name)]).normal(size=n)
        return make(
            truth, 1 / (1 + np.exp(-noise - effect * (truth - 0.5))), patients=patients, task=task, set_name=set_name
        )

    return simulated


@pytest.fixture
def run_of(tmp_path) -> Callable[..., RunDirectory]:
    """Make a run directory out of predictions."""

    def made(*found: Predictions) -> RunDirectory:
        files: dict = {}
        for one in found:
            path = tmp_path / "given" / f"{one.task}_{one.set}.csv"
            predictions.write(path, one)
            files.setdefault(one.task, {})[one.set] = path
        run = RunDirectory(tmp_path / "run")
        environment = Environment(cxrkit="0", python="3.11", platform="any", processor="any", cpu_count=2)
        tables = [
            TaskTable(name=task, predictions={name: str(path) for name, path in sets.items()})
            for task, sets in files.items()
        ]
        read = importing.read_tasks(tables, found[0].positive)
        importing.write_run(run, tables, read, environment=environment, started="2024-01-01T00:00:00+00:00")
        return run

    return made


@pytest.fixture
def fixed() -> ThresholdTable:
    return ThresholdTable(rule="fixed", value=0.5)
