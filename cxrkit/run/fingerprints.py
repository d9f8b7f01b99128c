"""What a stage depends on, so that only the stage whose input changed runs again."""

import json
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from cxrkit.config.schema import Configuration, ReportTable, TaskTable, ThresholdTable
from cxrkit.data.manifest import Manifest
from cxrkit.files import digest, sha256
from cxrkit.plans import ExplainPlan, TrainingPlan


def of_training(plan: TrainingPlan, manifest: Manifest, distributions: Mapping[str, str]) -> dict[str, str]:
    """Describe all that a training depends on, key by key, so that a difference can be named.

    Args:
        plan: of the training.
        manifest: of the run.
        distributions: component (model, imbalance, trainer) → the distribution and version that it comes from.
    """
    values = {
        "training images": manifest.digest("train"),
        "validation images": manifest.digest("val"),
        "classes": plan.class_names,
        "image_size": plan.image_size,
        "model": {"name": plan.model.name, "options": _by_content(plan.model.options)},
        "imbalance": plan.imbalance.model_dump(),
        "trainer": plan.trainer.model_dump(),
        "augmentation": plan.augmentation.model_dump(),
        "epochs": plan.epochs,
        "batch_size": plan.batch_size,
        "precision": plan.devices.precision,
        "devices": plan.devices.devices,
        "seed": plan.seed,
    }
    return {key: _text(value) for key, value in values.items()} | {
        f"{kind} plugin": text for kind, text in distributions.items()
    }


def of_sets(manifest: Manifest, sets: Iterable[str]) -> dict[str, str]:
    """Describe the images that are predicted, set by set."""
    return {name: manifest.digest(name) for name in sets}


def of_evaluation(configuration: Configuration, predictions: Iterable[Path], manifest: Path) -> str:
    """Describe all that the figures depend on."""
    return _digest(
        version=version("cxrkit"),
        evaluation=_dump(configuration.evaluation),
        thresholds=[_dump(_threshold(configuration, task)) for task in configuration.task],
        files=[(path.parent.parent.name, path.name, sha256(path)) for path in predictions],
        manifest=sha256(manifest) if manifest.is_file() else None,
    )


def of_explanation(plan: ExplainPlan, weights: Iterable[Path]) -> str:
    """Describe all that the activation maps depend on."""
    return _digest(
        version=version("cxrkit"),
        plan=plan.model_dump(mode="json", exclude={"run_directory", "roots", "devices"}),
        weights=[sha256(path) for path in weights],
    )


def of_report(table: ReportTable, evaluation: str, explanation: str | None, tasks: Mapping[str, str]) -> str:
    """Describe all that the reports depend on."""
    return _digest(
        version=version("cxrkit"), report=_dump(table), evaluation=evaluation, cam=explanation, tasks=dict(tasks)
    )


def differing(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """Name the keys whose values differ."""
    return [key for key in new if old.get(key) != new[key]] + [key for key in old if key not in new]


def _by_content(options: Mapping[str, Any]) -> dict[str, Any]:
    """Put the hash of a file that an option names (weights) in the place of its path."""
    return {
        name: sha256(Path(value)) if isinstance(value, str) and Path(value).is_file() else value
        for name, value in options.items()
    }


def _threshold(configuration: Configuration, task: TaskTable) -> ThresholdTable:
    return task.threshold or configuration.threshold


def _dump(table: BaseModel) -> Any:
    return table.model_dump(mode="json")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _digest(**values: Any) -> str:
    return digest(json.dumps(values, sort_keys=True, default=str))
