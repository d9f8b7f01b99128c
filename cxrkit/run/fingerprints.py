"""What a stage depends on, so that only the stage whose input changed runs again."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from cxrkit.config.schema import Configuration
from cxrkit.data.manifest import Manifest
from cxrkit.files import digest, sha256
from cxrkit.plans import ExplainPlan, RobustnessPlan, TrainingPlan, ViewsPlan
from cxrkit.records import RunInfo, TaskInfo
from cxrkit.registry import Registered
from cxrkit.report.formats import templates
from cxrkit.report.house import House
from cxrkit.rundir import RunDirectory

_EVALUATED = {
    "task",
    "kind",
    "class_names",
    "positive",
    "seeds",
    "represent",
    "members",
    "ensemble",
    "tta",
    "scale",
    "sets",
}  # of task.json; the rest is what the evaluation writes, or tells of the training


def keep(run: RunDirectory, **found: str | None) -> None:
    """Note in ``run.json`` what a stage was made of; None while it is being made, so that an interruption is seen."""
    RunInfo.read(run.info).model_copy(update=found).write(run.info)


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
        "positive class": plan.positive,
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


def of_audit(manifest: Manifest, *, where: str, positive: str, level: float) -> str:
    """Describe all that the audit of the images depends on."""
    return _digest(
        version=version("cxrkit"),
        manifest=manifest.digest(),
        told=[where, positive, level, list(manifest.notes), manifest.patient_rule],
    )


def of_plan(plan: ExplainPlan | RobustnessPlan, images: str, files: Iterable[Path]) -> str:
    """Describe all that activation maps, or predictions of corrupted images, depend on.

    Args:
        plan: of either.
        images: digest of their set, of which the plan has the names alone.
        files: weights and whatever else is read; those that are there.
    """
    return _digest(
        version=version("cxrkit"),
        plan=plan.model_dump(mode="json", exclude={"run_directory", "roots", "devices"}),
        images=images,
        files=_hashes(files),
    )


def of_views(plan: ViewsPlan, images: Mapping[str, str], weights: Mapping[int, Path]) -> dict[str, str]:
    """Describe all that predictions in several views depend on, each file by itself.

    Args:
        plan: which views.
        images: set → its digest.
        weights: seed → the file of its weights.

    Returns:
        Seed and set, with a space between → digest.
    """
    common = plan.model_dump(mode="json", include={"views", "augmentation", "seed"}) | {"version": version("cxrkit")}
    return {
        f"{seed} {name}": _digest(**common, images=images[name], weights=weight)
        for seed, weight in [(seed, sha256(path)) for seed, path in weights.items()]
        for name in plan.sets
    }


def of_evaluation(
    configuration: Configuration, tasks: Iterable[TaskInfo], files: Iterable[Path], reporters: Iterable[Registered]
) -> str:
    """Describe all that the figures depend on.

    Args:
        configuration: of the run.
        tasks: that are evaluated.
        files: their predictions, and what the run says of its images: the manifest, the conditions.
        reporters: metric reporters.
    """
    return _digest(
        version=version("cxrkit"),
        seed=configuration.run.seed,
        evaluation=_dump(configuration.evaluation),
        thresholds={name: _dump(threshold) for name, threshold in configuration.thresholds.items()},
        tasks=[task.model_dump(mode="json", include=_EVALUATED) for task in tasks],
        files=_hashes(files),
        reporters=[f"{one.name} {one.distribution} {one.version}" for one in reporters],
    )


def of_report(
    configuration: Configuration, info: RunInfo, tasks: Mapping[str, str], files: Iterable[Path], house: House
) -> str:
    """Describe all that the reports depend on.

    Args:
        configuration: of the run.
        info: the images in numbers, and what the earlier stages were made of.
        tasks: task, ``[[tta]]`` or ensemble → its state, or why it failed.
        files: what is shown as it is: the trainings' timings, the images drawn.
        house: what the report has of its author's own.
    """
    return _digest(
        version=version("cxrkit"),
        configuration=configuration.model_dump(mode="json", exclude={"search"}),
        data=None if info.data is None else _dump(info.data),
        stages=[info.audit_fingerprint, info.evaluation_fingerprint, info.explain_fingerprint],
        tasks=dict(tasks),
        files=_hashes(files),
        templates=_templates(house.templates),
        names=house.names.digest,
        logo=None if house.logo is None else hashlib.sha256(house.logo.content).hexdigest(),
        sections=[f"{one.name} {one.distribution} {one.version}" for one, _ in house.sections],
    )


def differing(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """Name the keys whose values differ."""
    return [key for key in new if old.get(key) != new[key]] + [key for key in old if key not in new]


def _templates(folder: Path | None) -> list[tuple[str, str]]:
    return [] if folder is None else [(name, sha256(path)) for name, path in templates.files(folder).items()]


def _by_content(options: Mapping[str, Any]) -> dict[str, Any]:
    """Put the hash of a file that an option names (weights) in the place of its path."""
    return {
        name: sha256(Path(value)) if isinstance(value, str) and Path(value).is_file() else value
        for name, value in options.items()
    }


def _dump(table: BaseModel) -> Any:
    return table.model_dump(mode="json")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _hashes(files: Iterable[Path]) -> list[tuple[str, str]]:
    """Hash the files that are there, without their folders: a run directory may be moved."""
    return [(path.name, sha256(path)) for path in files if path.is_file()]


def _digest(**values: Any) -> str:
    return digest(json.dumps(values, sort_keys=True, default=str))
