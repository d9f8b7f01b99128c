"""Real trainings of a tiny network on the phantom, for the checks of trainers and of the epoch event."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import safetensors.torch
import torch
from torch import nn

from cxrkit.api import Imbalance
from cxrkit.config.schema import AugmentationTable
from cxrkit.plans import DevicePlan
from cxrkit.rundir import SeedDirectory
from cxrkit.testing import phantoms
from cxrkit.training import devices
from cxrkit.training.augmentation import Augmentation
from cxrkit.training.context import Context, ValidationImages
from cxrkit.training.loading import TrainImages, TrainLoader, views

CLASS_NAMES = ("NORMAL", "PNEUMONIA")
EPOCHS = 2
SIDE = 32  # pixels
BATCH_SIZE = 8
CACHE_BYTES = 1 << 24


class StoppedError(BaseException):
    """What a training is interrupted with; no ``except Exception`` of a trainer's stops it."""


@dataclass
class Watched(Context):
    """A real context that can be interrupted and remembers what it was told.

    Attributes:
        stop_after: the epoch after whose state is saved the training is interrupted, or None.
        told: rows of the epochs, as the trainer gave them.
        saved: epochs whose state was saved.
    """

    stop_after: int | None = None
    told: list[dict[str, float]] = field(default_factory=list)
    saved: list[int] = field(default_factory=list)

    def epoch_finished(self, row: Mapping[str, float]) -> None:
        """Remember the row."""
        self.told.append(dict(row))
        super().epoch_finished(row)

    def save(self, state_of_trainer: Mapping[str, Any]) -> None:
        """Save, and end the training where it is to be interrupted."""
        super().save(state_of_trainer)
        self.saved.append(self._epoch)
        if self._epoch == self.stop_after:
            raise StoppedError


@dataclass(frozen=True)
class Trained:
    """What a training left.

    Attributes:
        before, after: weights.
        history: bytes of ``history.csv``; none where no epoch was told.
        told: rows of the epochs, as the trainer gave them.
        saved: epochs whose state was saved.
        selected_epoch: as the trainer said.
    """

    before: dict[str, torch.Tensor]
    after: dict[str, torch.Tensor]
    history: bytes
    told: list[dict[str, float]]
    saved: list[int]
    selected_epoch: int | None

    @property
    def content(self) -> tuple[bytes, bytes]:
        """Weights and history as bytes."""
        return safetensors.torch.save(self.after), self.history


def train(
    fit: Callable[[Context], None], *, imbalance: Imbalance | None = None, interrupted_after: int | None = None
) -> Trained:
    """Train the tiny network in a folder of its own.

    Args:
        fit: the trainer, with its options.
        imbalance: what the strategy planned; nothing by default.
        interrupted_after: an epoch after which the training is interrupted, and goes on in a context of its own.
    """
    with TemporaryDirectory(prefix="cxrkit-") as directory, undisturbed():
        if interrupted_after is not None:
            with suppress(StoppedError):
                fit(context(Path(directory), imbalance, stop_after=interrupted_after))
        last = context(Path(directory), imbalance)
        before = _weights(last.model)
        fit(last)
        history = SeedDirectory(Path(directory)).history
        content = history.read_bytes() if history.is_file() else b""
        return Trained(before, _weights(last.model), content, last.told, last.saved, last.selected_epoch)


def context(directory: Path, imbalance: Imbalance | None = None, *, stop_after: int | None = None) -> Watched:
    """Make a context as a training has it: one process on the CPU, in fp32."""
    images = _images("train")
    fabric = devices.launch(DevicePlan(device="cpu", precision="fp32", threads=1))
    torch.manual_seed(0)
    return Watched(
        fabric=fabric,
        model=network(),
        class_names=CLASS_NAMES,
        imbalance=imbalance or Imbalance(),
        epochs=EPOCHS,
        batch_size=BATCH_SIZE,
        seed=0,
        directory=directory,
        loader=TrainLoader(_training_images(images), 0, pin=False),
        labels=_labels(images),
        validation=_validation(),
        tell=lambda _event: None,
        notify=lambda _context, _row: None,
        stop_after=stop_after,
    )


def network() -> nn.Module:
    """Build a network with what a training can stumble over: batch norm, whose statistics count, and dropout."""
    return nn.Sequential(
        nn.Conv2d(3, 6, 5, stride=4),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(24, len(CLASS_NAMES)),
    )


def _training_images(images: pd.DataFrame) -> TrainImages:
    augmentation = Augmentation(AugmentationTable(), SIDE)
    paths = [phantoms.folder() / name for name in images["image"]]
    return TrainImages(paths, images["image"].tolist(), augmentation, 0, CACHE_BYTES, 1)


def _images(split: str) -> pd.DataFrame:
    table = pd.read_csv(phantoms.folder() / "phantom.csv", dtype=str)
    return table[table["split"] == split]


def _labels(images: pd.DataFrame) -> Any:
    return np.array([CLASS_NAMES.index(label) for label in images["label"]], dtype=np.int64)


@cache
def _validation() -> ValidationImages:
    images = _images("val")
    found = list(views([phantoms.folder() / name for name in images["image"]], SIDE, 1))
    return ValidationImages(np.stack(found), _labels(images), 1)


def _weights(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in model.state_dict().items()}


@contextmanager
def undisturbed() -> Iterator[None]:
    """Give torch's settings back to the process that the checks run in."""
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    warns = torch.is_deterministic_algorithms_warn_only_enabled()
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(strict, warn_only=warns)
