"""Test-time augmentation: an image is judged in several views of it, by the mean of what a network says of each."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from cxrkit.api import FloatArray
from cxrkit.data.images import UnreadableImage, read_grey
from cxrkit.data.manifest import Manifest
from cxrkit.discovery import load
from cxrkit.errors import RunError
from cxrkit.evaluation.predictions import OK, write
from cxrkit.files import digest
from cxrkit.plans import Event, Stage, Step, ViewsPlan
from cxrkit.records import ModelInfo, Timing
from cxrkit.rundir import RunDirectory, TaskDirectory
from cxrkit.training import devices, predict, trained
from cxrkit.training.augmentation import Augmentation
from cxrkit.training.images import Grey, view, within
from cxrkit.training.loading import cache_bytes
from cxrkit.training.predict import EvaluationSet, Results
from cxrkit.training.trained import Trained

VIEWS_AT_ONCE = 256  # decoded ahead and judged together: 8 views of 32 images

Tell = Callable[[Event], None]


class Judge(NamedTuple):
    """A trained model with its network on the device."""

    model: Trained
    network: nn.Module


class Batch(NamedTuple):
    """Images in all their views.

    Attributes:
        greys: uint8[n readable, views, image_size, image_size].
        status: ``ok``, or why an image cannot be read.
    """

    greys: Tensor
    status: list[str]


class Views(Dataset[Grey | str]):
    """Images in several views: first what every evaluated network sees, then augmented ones."""

    def __init__(self, plan: ViewsPlan, images: EvaluationSet, image_size: int) -> None:
        """Take the images of a set."""
        self.paths, self.hashes = images.paths, images.hashes
        self.keys = [int(digest(name)[:16], 16) for name in images.images]
        self.image_size, self.seed, self.views = image_size, plan.seed, plan.views
        self.augmentation = Augmentation(plan.augmentation, image_size)

    def __len__(self) -> int:
        """Count the images."""
        return len(self.paths)

    def __getitem__(self, index: int) -> Grey | str:
        """Return uint8[views, image_size, image_size], or why the image cannot be read.

        The random choices depend on the run's seed, the image's name and the number of the view alone.

        Raises:
            ImageChangedError: the file is not what the manifest says.
        """
        try:
            grey = read_grey(self.paths[index], self.hashes[index])
        except UnreadableImage as error:
            return error.reason
        kept = within(grey, self.augmentation.stored_side)  # as large as training has it
        words = [(self.seed, self.keys[index], number) for number in range(1, self.views)]
        return np.stack([view(grey, self.image_size), *(self.augmentation(kept, each) for each in words)])


def predict_views(plan: ViewsPlan, tell: Tell) -> None:
    """Write ``tasks/<name>/seeds/<n>/predictions/<set>.csv`` of every seed and set that is not there yet.

    The logits are the mean of those of the views, each computed in fp32; an image that cannot be read has its reason
    as status. What it took is added up in ``tasks/<name>/timing.json``.

    Args:
        plan: which models, sets and views.
        tell: is called with each event.

    Raises:
        CxrkitError: a model cannot be built again or gives logits that are not finite, or the device is not here.
    """
    tell(Stage(name="loading"))
    fabric = devices.launch(plan.devices)
    registry = load("cxrkit.train").models
    run = RunDirectory(Path(plan.run_directory))
    for group in trained.groups([trained.read(run, each) for each in plan.models], cache_bytes()):
        judges = [Judge(each, trained.network(each, registry, fabric)) for each in group]
        for name in plan.sets:
            lacking = [each for each in judges if not _place(run.task(plan.name), each, name).is_file()]
            if lacking:
                _predict_set(plan, name, lacking, fabric, tell)


def _place(directory: TaskDirectory, judge: Judge, set_name: str) -> Path:
    return directory.seed(judge.model.chosen.seed).predictions(set_name)


def _predict_set(plan: ViewsPlan, name: str, judges: Sequence[Judge], fabric: Fabric, tell: Tell) -> None:
    began, info = time.perf_counter(), judges[0].model.info
    directory = RunDirectory(Path(plan.run_directory)).task(plan.name)
    images = _images(plan, name, info)
    total = len(images.images) * len(judges)
    tell(Stage(name=f"predicting {name} in {plan.views} views", total=total))
    results: list[list[Results]] = [[] for _ in judges]
    done = 0
    for batch in _batches(plan, images, info.preprocessing.image_size):
        for judge, of_judge in zip(judges, results, strict=True):
            of_judge.append(_judged(fabric, judge, batch, plan.views))
            done += len(batch.status)
            tell(Step(step=done, steps=total))
    for judge, of_judge in zip(judges, results, strict=True):
        found = predict.predictions(images, of_judge, plan.name, tuple(info.class_names), info.positive)
        write(_place(directory, judge, name), found)
    _add_timing(directory, plan, total, time.perf_counter() - began)


def _images(plan: ViewsPlan, name: str, info: ModelInfo) -> EvaluationSet:
    roots = {each: Path(root) for each, root in plan.roots.items()}
    frame = Manifest.read(RunDirectory(Path(plan.run_directory)).manifest, roots).of(name)
    return EvaluationSet.of(frame, name, roots[name], info.class_names)


def _batches(plan: ViewsPlan, images: EvaluationSet, image_size: int) -> Iterator[Batch]:
    """Yield the images in order; where there are processes to spare, they decode and augment ahead."""
    yield from DataLoader(
        Views(plan, images, image_size),
        batch_size=max(1, VIEWS_AT_ONCE // plan.views),
        collate_fn=_batch,
        num_workers=devices.worker_count(plan.devices, devices.available_device(plan.devices)),
    )


def _batch(loaded: list[Grey | str]) -> Batch:
    readable = [each for each in loaded if not isinstance(each, str)]
    greys = torch.from_numpy(np.stack(readable)) if readable else torch.empty(0)
    return Batch(greys, [each if isinstance(each, str) else OK for each in loaded])


def _judged(fabric: Fabric, judge: Judge, batch: Batch, views: int) -> Results:
    """Compute the mean logits of a batch over its views."""
    found = np.full((len(batch.status), len(judge.model.info.class_names)), np.nan)
    if len(batch.greys):
        means = _of_views(fabric, judge.network, batch.greys, views, found.shape[1])
        if not np.isfinite(means).all():
            chosen = judge.model.chosen
            raise RunError(f'task "{chosen.task}", seed {chosen.seed}: gives logits that are not finite')
        found[np.equal(batch.status, OK)] = means
    return Results(found, batch.status)


def _of_views(fabric: Fabric, network: nn.Module, greys: Tensor, views: int, num_classes: int) -> FloatArray:
    """Compute float64[n, num_classes], the mean over the views of uint8[n, views, height, width]."""
    by_view = greys.transpose(0, 1).flatten(0, 1).numpy()
    parts = (by_view[start : start + predict.BATCH] for start in range(0, len(by_view), predict.BATCH))
    found = predict.logits(fabric, network, parts, num_classes)
    means: FloatArray = found.reshape(views, len(greys), -1).mean(axis=0)
    return means


def _add_timing(directory: TaskDirectory, plan: ViewsPlan, judged: int, seconds: float) -> None:
    """Add what a set took to what earlier ones did, also those before an interruption."""
    before = Timing.read(directory.timing) if directory.timing.is_file() else Timing(seconds=0)
    whole = before.seconds + seconds
    device = devices.available_device(plan.devices)
    Timing(
        seconds=whole,
        images_per_second=(before.seconds * (before.images_per_second or 0) + judged) / whole,
        peak_memory_bytes=devices.peak_memory_bytes(),
        peak_device_memory_bytes=torch.cuda.max_memory_allocated() if device == "cuda" else None,
        device=device,
        precision="fp32",
    ).write(directory.timing)
