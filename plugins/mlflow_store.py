"""What goes to MLflow: a run for each study, with its report, and one for each task below it.

The store is the one that MLflow itself is told of (``MLFLOW_TRACKING_URI``), and its experiment is that of
``MLFLOW_EXPERIMENT_NAME``, else one named like the run directory.
"""

import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from math import isfinite
from pathlib import Path
from typing import Any

from cxrkit.errors import InputError

NAME = "mlflow"
_KEPT = "mlflow.json"
_LONGEST_VALUE = 500  # characters of a parameter, as older servers have it
_PER_CALL = 100  # parameters of one call


@dataclass(frozen=True)
class Store:
    """MLflow, and the run directory that it hears of.

    Attributes:
        client: of MLflow.
        directory: the run directory.
    """

    client: Any
    directory: Path

    @classmethod
    def of(cls, directory: Path) -> "Store":
        """Open the store that MLflow is told of.

        Raises:
            InputError: MLflow is not installed.
        """
        try:
            library = import_module("mlflow")
        except ImportError:
            raise InputError('tracker mlflow: needs mlflow, pip install "cxrkit[mlflow]"') from None
        return cls(library.MlflowClient(), directory)

    def study(self) -> str:
        """Find the MLflow run of the study, or begin one."""
        return self._known(self.directory) or self._begun(self.directory, self.directory.name, {})

    def task(self, name: str) -> str:
        """Find the MLflow run of a task, or begin one with the task's keys as its parameters."""
        folder = self.directory / "tasks" / name
        found = self._known(folder)
        if found is None:
            found = self._begun(folder, name, {"mlflow.parentRunId": self.study()})
            self._tell_parameters(found, name)
        return found

    def tell(self, run: str, figures: Mapping[str, float], step: int = 0) -> None:
        """Tell figures of a step; those that are not finite are left out."""
        entity, now = import_module("mlflow.entities"), int(time.time() * 1000)
        numbers = {name: float(value) for name, value in figures.items() if isfinite(value)}
        metrics = [entity.Metric(name, value, now, step) for name, value in numbers.items()]
        if metrics:
            self.client.log_batch(run, metrics=metrics)

    def _known(self, folder: Path) -> str | None:
        """Read which run was begun for a folder; None where the store does not know it (any more)."""
        kept = folder / _KEPT
        if not kept.is_file():
            return None
        run = str(json.loads(kept.read_text(encoding="utf-8"))["run_id"])
        try:
            self.client.get_run(run)
        except import_module("mlflow.exceptions").MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None
        return run

    def _begun(self, folder: Path, name: str, tags: Mapping[str, str]) -> str:
        run = self.client.create_run(self._experiment(), run_name=name, tags=dict(tags))
        (folder / _KEPT).write_text(json.dumps({"run_id": run.info.run_id}) + "\n", encoding="utf-8")
        return str(run.info.run_id)

    def _experiment(self) -> str:
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or self.directory.name
        found = self.client.get_experiment_by_name(name)
        return str(found.experiment_id if found is not None else self.client.create_experiment(name))

    def _tell_parameters(self, run: str, task: str) -> None:
        entity = import_module("mlflow.entities")
        told = [entity.Param(name, text[:_LONGEST_VALUE]) for name, text in parameters(self.directory, task)]
        for start in range(0, len(told), _PER_CALL):
            self.client.log_batch(run, params=told[start : start + _PER_CALL])


def parameters(directory: Path, task: str) -> Iterator[tuple[str, str]]:
    """List the keys of a task, and what all tasks share, as ``run.json`` has them: ``trainer.learning_rate``."""
    configuration = json.loads((directory / "run.json").read_text(encoding="utf-8"))["configuration"]
    own = next((one for one in configuration.get("task", ()) if one["name"] == task), None)
    ensemble = next((one for one in configuration.get("ensemble", ()) if one["name"] == task), None)
    yield from _flat("", own or ensemble or {})
    shared = {name: configuration.get(name) for name in ("data", "augmentation")} if own else {}
    for name, table in shared.items():
        yield from _flat(f"{name}.", table or {})
    yield "run.seed", str(configuration["run"]["seed"])


def _flat(before: str, table: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(f"{before}{key}.", value)
        elif value is not None:
            yield before + key, value if isinstance(value, str) else json.dumps(value)
