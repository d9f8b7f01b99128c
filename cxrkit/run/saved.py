"""Saved models as the user gave them: what their files say, where they come from, and what was fixed with them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cxrkit.api import Predictions
from cxrkit.errors import InputError
from cxrkit.evaluation import predictions
from cxrkit.evaluation.settling import SAME_SHARES
from cxrkit.records import ModelInfo, PriorRecord, TaskInfo, TemperatureRecord, ThresholdRecord
from cxrkit.rundir import RunDirectory

CONVENTIONAL = 0.5
MODEL_FILE = "model.safetensors"


@dataclass(frozen=True)
class Origin:
    """The training that a model comes from, where its run directory is still around it.

    Attributes:
        run: the run directory.
        task: what its ``task.json`` says.
        seed: of the training.
    """

    run: RunDirectory
    task: TaskInfo
    seed: int

    def predictions(self, set_name: str, info: ModelInfo) -> Predictions | None:
        """Read this training's own predictions of a set, if they are there."""
        path = self.run.task(self.task.task).seed(self.seed).predictions(set_name)
        if not path.is_file():
            return None
        return predictions.read(
            path, task=info.task, set_name=set_name, class_names=info.class_names, positive=info.positive
        )

    @property
    def stands_alone(self) -> bool:
        """Whether what was fixed for the task was fixed on this training's predictions, not on several seeds'."""
        return self.task.seeds == [self.seed] or self.task.represent == f"seed {self.seed}"


@dataclass(frozen=True)
class SavedModel:
    """A model's file with what is beside it.

    Attributes:
        weights: the file.
        info: its ``model.json``; None where there is none.
        origin: None where it does not lie in a run directory.
    """

    weights: Path
    info: ModelInfo | None
    origin: Origin | None


def read(weights: Path, otherwise: Path | None) -> SavedModel:
    """Read what is known of a model's file.

    Args:
        weights: the file; ``model.safetensors`` of a run has its ``model.json`` beside it.
        otherwise: the ``model.json`` of a file that has none beside it.

    Raises:
        InputError: there is no such file, or what is beside it is not of its form.
    """
    if weights.is_dir():
        inside = [path for place in ("", "seeds/*/", "tasks/*/seeds/*/") for path in weights.glob(place + MODEL_FILE)]
        hint = f"such as {min(inside)}" if inside else "of weights"
        raise InputError(f"{weights}: is a folder, give a file {hint}")
    if not weights.is_file():
        raise InputError(f"{weights}: no such file, allowed are .safetensors, or .pth with a state dict")
    beside = weights.with_suffix(".json")
    if beside == weights:
        raise InputError(f"{weights}: is no file of weights, allowed are .safetensors, or .pth with a state dict")
    path = beside if beside.is_file() else otherwise
    info = None if path is None else ModelInfo.read(path)
    return SavedModel(weights, info, _origin(weights.resolve()) if path == beside else None)


def _origin(weights: Path) -> Origin | None:
    """Find the run directory around ``tasks/<task>/seeds/<n>/model.safetensors``."""
    seed, task = weights.parent, weights.parent.parent.parent
    there = (weights.name, seed.parent.name, task.parent.name) == (MODEL_FILE, "seeds", "tasks")
    if not there or not seed.name.isdigit():
        return None
    run = RunDirectory(task.parent.parent)
    if not (run.info.is_file() and run.task(task.name).info.is_file()):
        return None
    return Origin(run, TaskInfo.read(run.task(task.name).info), int(seed.name))


def named(models: Sequence[SavedModel]) -> list[str]:
    """Name each model: its task, or its file; with the seed and then the run where two are called the same."""
    names = [usable(_name(model)) for model in models]
    for longer in (_with_seed, _with_run, _with_number):
        counted = Counter(name.lower() for name in names)
        names = [
            usable(longer(name, model, place)) if counted[name.lower()] > 1 else name
            for place, (name, model) in enumerate(zip(names, models, strict=True), start=1)
        ]
    return names


def _name(model: SavedModel) -> str:
    own = model.info is not None and (model.origin is not None or model.weights.name == MODEL_FILE)
    return model.info.task if model.info is not None and own else model.weights.stem


def _with_seed(name: str, model: SavedModel, _place: int) -> str:
    return f"{name}-seed-{model.origin.seed}" if model.origin else f"{model.weights.resolve().parent.name}-{name}"


def _with_run(name: str, model: SavedModel, _place: int) -> str:
    return f"{model.origin.run.root.name}-{name}" if model.origin else name


def _with_number(name: str, _model: SavedModel, place: int) -> str:
    return f"{name[:60]}-{place}"


def usable(name: str) -> str:
    """Make a name that can be a folder's: what is not allowed becomes a hyphen."""
    plain = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "_.-") else "-" for letter in name)
    plain = plain.lstrip("-_.")[:64].rstrip("-_.")
    return plain or "unnamed"


# ── What was fixed ────────────────────────────────────────────────────────────────────────────────────────────────────


def threshold(model: SavedModel, otherwise: float | None) -> ThresholdRecord:
    """Take the threshold that was fixed with a model, else the one that is given, else the conventional 0.5."""
    if model.info is not None and model.info.threshold is not None:
        return model.info.threshold
    return ThresholdRecord(value=CONVENTIONAL if otherwise is None else otherwise, rule="fixed")


def temperature(model: SavedModel) -> TemperatureRecord | None:
    """Take the temperature that was fixed with a model, with what it was fitted on as far as that is still known."""
    if model.info is None or model.info.temperature is None:
        return None
    recorded = model.origin.task.temperature if model.origin else None
    if recorded is not None and recorded.value == model.info.temperature:
        return recorded
    found = model.origin.predictions("val", model.info) if model.origin else None
    counts = (None, None) if found is None else (len(found.images), len(np.unique(found.patients)))
    return TemperatureRecord(value=model.info.temperature, set="val", n=counts[0], n_patients=counts[1])


def patient_thresholds(model: SavedModel, chosen: ThresholdRecord, units: Sequence[str]) -> dict[str, ThresholdRecord]:
    """Take the thresholds of the patients' probabilities: those of this very training, or the fixed one of images."""
    if model.origin is not None and model.origin.stands_alone:
        return model.origin.task.patient_thresholds
    return dict.fromkeys(units, chosen) if chosen.rule == "fixed" else {}


def prior(model: SavedModel) -> PriorRecord | None:
    """Say by how much the training changed the class shares; None where it did not, or where that is not known."""
    info = model.info
    if info is None or info.seen_shares is None or np.allclose(info.seen_shares, info.class_shares, atol=SAME_SHARES):
        return None
    return PriorRecord(seen=info.seen_shares, natural=info.class_shares)
