"""Rules on the history of a training and on its validation images: each says what may be, and the key to change."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite
from statistics import fmean, median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cxrkit.api import IntArray, Predictions
from cxrkit.records import TaskInfo
from cxrkit.rundir import TaskDirectory

History = Sequence[dict[str, float]]
BoolArray = NDArray[np.bool_]

RISE = 0.10  # overfitting: share by which the validation loss ends above its lowest
LATE = 3  # epochs at the end of a training that are looked at
GAIN = 0.02  # still improving: share by which the last of these lower the validation loss
SPENT = 0.1  # share of its highest that a learning rate is down to when a schedule has run out
SPIKE = 1.5  # times the epochs around: a spike of the validation loss
AROUND = 2  # epochs on either side
JUMP = 0.05  # share of the first epoch's training loss: a rise that is none of chance
OFTEN = 0.25  # share of the epochs
TWICE = 2  # spikes or jumps that are more than a mishap
FLAT = 0.05  # too low a rate: share by which the training loss falls at most
FEWEST_EPOCHS = 5  # that this is told of
UNSEEN = 0.2  # recall below which a class is hardly seen
ALWAYS, NOT_NEARLY_ALWAYS = 0.95, 0.85  # share of images that a class is called for, and that it has
FEWEST_OF_CLASS = 5  # validation images that a recall is told of
FEW = 30  # validation images of a class, below which a choice by them may be chance


@dataclass(frozen=True)
class Trained:
    """A trained task.

    Attributes:
        name: as it is to be called.
        directory: of the task.
        info: its ``task.json``.
    """

    name: str
    directory: TaskDirectory
    info: TaskInfo

    def key(self, name: str) -> str:
        """Name an option of the trainer as ``tasks.toml`` does; in words where the trainer has none of this name."""
        known = name in self.info.options.get("trainer", {})
        return f"trainer.{name}" if known else f"the {name.replace('_', ' ')}"

    def option(self, component: str, name: str) -> Any:
        """Look up an option of the model, the imbalance strategy or the trainer; None where it has none."""
        return self.info.options.get(component, {}).get(name)


# ── The history ───────────────────────────────────────────────────────────────────────────────────────────────────────


def of_history(rows: History, task: Trained) -> Iterator[tuple[str, str]]:
    """Apply the rules on losses by epoch.

    Args:
        rows: of ``history.csv``; a rule whose columns are missing is silent.
        task: for the names of keys.

    Yields:
        The rule's name and its sentence.
    """
    trained, validated = _column(rows, "train_loss"), _column(rows, "val_loss")
    found = {
        "overfitting": _overfitting(trained, validated, task),
        "still improving": _still_improving(validated, _column(rows, "learning_rate")),
        "rate too high": _too_high(trained, validated, task),
        "rate too low": _too_low(trained, task),
    }
    if found["rate too high"]:
        found["rate too low"] = None
    yield from ((rule, sentence) for rule, sentence in found.items() if sentence)


def _column(rows: History, name: str) -> list[float]:
    return [row[name] for row in rows] if rows and all(name in row for row in rows) else []


def _overfitting(trained: list[float], validated: list[float], task: Trained) -> str | None:
    if not (trained and validated and all(map(isfinite, validated))):
        return None
    lowest = int(np.argmin(validated))
    if len(validated) - 1 - lowest < LATE or trained[-1] >= trained[lowest]:
        return None
    end = fmean(validated[-LATE:])
    if end < (1 + RISE) * validated[lowest]:
        return None
    return (
        f"the validation loss rose from {validated[lowest]:.3f} after epoch {lowest + 1} to {end:.3f} in the last "
        f"{LATE} epochs while the training loss went on falling, the model may be overfitting: fewer epochs, "
        f"{task.key('early_stopping')}, {task.key('weight_decay')} or more of [augmentation] may help"
    )


def _still_improving(validated: list[float], rates: list[float]) -> str | None:
    if len(validated) <= LATE or not all(map(isfinite, validated)):
        return None
    if rates and rates[-1] <= SPENT * max(rates) * (1 + 1e-9):
        return None  # a schedule has run out, and its falling rate is what lowered the loss
    before = min(validated[:-LATE])
    if validated[-1] >= min(validated[:-1]) or validated[-1] > (1 - GAIN) * before:
        return None
    return (
        f"the validation loss was lowest in the last epoch ({before:.3f} until epoch {len(validated) - LATE}, then "
        f"{validated[-1]:.3f}), training may have ended too early: more epochs than {len(validated)} may help"
    )


def _too_high(trained: list[float], validated: list[float], task: Trained) -> str | None:
    seen = _lost(trained, validated) or _spikes(validated) or _jumps(trained) or _risen(trained)
    if seen is None:
        return None
    rate = task.option("trainer", "learning_rate")
    now = f" ({rate:g} now)" if isinstance(rate, float | int) else ""
    scheduler = f" or setting {task.key('scheduler')}" if task.option("trainer", "scheduler") in (None, "none") else ""
    return f"{seen}, the learning rate may be too high: lowering {task.key('learning_rate')}{now}{scheduler} may help"


def _lost(trained: list[float], validated: list[float]) -> str | None:
    lost = [epoch for epoch, pair in _by_epoch(trained, validated) if not all(map(isfinite, pair))]
    return f"the loss is no number in {_epochs(lost)}" if lost else None


def _by_epoch(*columns: list[float]) -> list[tuple[int, tuple[float, ...]]]:
    return list(enumerate(zip(*(column for column in columns if column), strict=True), start=1))


def _spikes(validated: list[float]) -> str | None:
    spikes = [
        place + 1
        for place in range(1, len(validated) - 1)
        if validated[place] > SPIKE * median(_neighbours(validated, place))
    ]
    if len(spikes) < TWICE:
        return None
    return f"the validation loss spiked in {_epochs(spikes)} (over {SPIKE:g} times that of the epochs around)"


def _neighbours(values: list[float], place: int) -> list[float]:
    return values[max(0, place - AROUND) : place] + values[place + 1 : place + 1 + AROUND]


def _jumps(trained: list[float]) -> str | None:
    steps = list(pairwise(trained))
    jumps = [place for place, (before, after) in enumerate(steps, start=2) if after - before > JUMP * trained[0]]
    if len(jumps) < max(TWICE, OFTEN * len(steps)):
        return None
    return f"the training loss rose again in {_epochs(jumps)}"


def _risen(trained: list[float]) -> str | None:
    if len(trained) < LATE or trained[-1] <= (1 + JUMP) * trained[0]:
        return None
    return f"the training loss ended higher than it began ({trained[0]:.3f}, then {trained[-1]:.3f})"


def _too_low(trained: list[float], task: Trained) -> str | None:
    if len(trained) < FEWEST_EPOCHS or not all(map(isfinite, trained)) or min(trained) < (1 - FLAT) * trained[0]:
        return None
    frozen = task.option("model", "freeze") not in (None, "none")
    return (
        f"the training loss hardly fell in {len(trained)} epochs ({trained[0]:.3f}, at best {min(trained):.3f}), the "
        f"learning rate may be too low: raising {task.key('learning_rate')}"
        f"{' or freezing fewer layers (model.freeze)' if frozen else ''} may help"
    )


def _epochs(numbers: list[int]) -> str:
    *first, last = map(str, numbers)
    return f"epochs {', '.join(first)} and {last}" if first else f"epoch {last}"


# ── Validation ────────────────────────────────────────────────────────────────────────────────────────────────────────


def of_validation(found: Predictions, task: Trained) -> Iterator[tuple[str, str]]:
    """Apply the rules on the validation images, each called what is most probable.

    Args:
        found: predictions of the validation images.
        task: for its imbalance strategy.

    Yields:
        The rule's name and its sentence.
    """
    called = found.probabilities[found.status == "ok"].argmax(axis=1)
    labels = found.labels[found.status == "ok"]
    if not len(labels):
        return
    sentence = _imbalance(called, labels, found.class_names, task)
    if sentence:
        yield "imbalance", sentence
    counts = np.bincount(found.labels, minlength=len(found.class_names))
    rarest = int(counts.argmin())
    if counts[rarest] < FEW:
        yield "few images", _few_images(int(counts.sum()), int(counts[rarest]), found.class_names[rarest])


def _few_images(images: int, rarest: int, name: str) -> str:
    return (
        f"validation has {images} images, {rarest} of {name}, and one image is {100 / max(rarest, 1):.0f}% of these; "
        "the epoch and the threshold that were chosen by them may be chance: a larger share of the training images in "
        "data.validation may help"
    )


def _imbalance(called: IntArray, labels: IntArray, class_names: Sequence[str], task: Trained) -> str | None:
    told = (_badly_called(called == number, labels == number, name) for number, name in enumerate(class_names))
    seen = next((sentence for sentence in told if sentence), None)
    if seen is None:
        return None
    treated = task.info.imbalance not in (None, "none")
    remedy = f'another imbalance than "{task.info.imbalance}"' if treated else 'imbalance = "class-weights"'
    return f"{seen}, class imbalance may be in the way: {remedy} may help"


def _badly_called(called: BoolArray, truth: BoolArray, name: str) -> str | None:
    """Say of a class that it is hardly called where it is there, or nearly always where it is not."""
    called_it = f"were called {name} by the most probable class"
    if truth.sum() >= FEWEST_OF_CLASS and called[truth].mean() < UNSEEN:
        return f"{called[truth].sum()} of {truth.sum()} validation images of {name} {called_it}"
    if (~truth).sum() >= FEWEST_OF_CLASS and called.mean() >= ALWAYS and truth.mean() <= NOT_NEARLY_ALWAYS:
        return f"{called.sum()} of {len(called)} validation images {called_it} and {truth.sum()} show it"
    return None
