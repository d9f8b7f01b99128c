"""Predicts the same images under every condition, by every trained model."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from lightning_fabric import Fabric
from PIL import Image
from torch import nn

from cxrkit.data.corruptions import corrupt, moves
from cxrkit.data.images import UnreadableImage, read_grey
from cxrkit.data.manifest import Manifest
from cxrkit.discovery import load
from cxrkit.evaluation.predictions import write
from cxrkit.plans import Event, RobustnessPlan, Stage, Step
from cxrkit.records import Condition, ModelInfo
from cxrkit.registry import Registry
from cxrkit.rundir import RunDirectory
from cxrkit.training import predict, trained
from cxrkit.training.devices import launch, usable_cores
from cxrkit.training.images import Grey, central_view
from cxrkit.training.loading import cache_bytes
from cxrkit.training.predict import EvaluationSet, Results
from cxrkit.training.trained import Trained

Loaded = Grey | str
"""uint8[conditions, image_size, image_size], or why the image cannot be read."""


def predict_corrupted(plan: RobustnessPlan, tell: Callable[[Event], None]) -> None:
    """Write ``seeds/<n>/predictions/<set>@<condition>.csv`` of every model and condition of a plan.

    An image is decoded once and resized as for any evaluation; a condition that moves it comes before the central
    crop, every other one after it, so that all conditions are made of the pixels that the network gets. Computed in
    fp32. An image that cannot be read has its reason as status.

    Args:
        plan: which images, models and conditions.
        tell: is called with each event.

    Raises:
        CxrkitError: a model cannot be built again, or the device is not here.
    """
    run = RunDirectory(Path(plan.run_directory))
    fabric = launch(plan.devices)
    models = load("cxrkit.train").models
    saved = [trained.read(run, each) for each in plan.models]
    total = len(saved) * len(plan.images) * len(plan.conditions)
    tell(Stage(name="predicting corrupted images", total=total))
    done = 0
    for group in trained.groups(saved, cache_bytes()):
        for number in _predict_group(plan, group, models, fabric):
            done += number
            tell(Step(step=done, steps=total))


def _predict_group(plan: RobustnessPlan, group: Sequence[Trained], models: Registry, fabric: Fabric) -> Iterator[int]:
    """Predict by models that get the same images; yield the number of predictions after each batch."""
    networks = [trained.network(each, models, fabric) for each in group]
    results: list[list[list[Results]]] = [[[] for _ in plan.conditions] for _ in group]
    images = _images(plan, group[0].info)
    for batch in _batches(images, plan.conditions, group[0].info.preprocessing.image_size):
        for network, each, of_model in zip(networks, group, results, strict=True):
            for number, of_condition in enumerate(of_model):
                of_condition.append(_result(fabric, network, batch, number, each.info))
                yield len(batch)
    for each, of_model in zip(group, results, strict=True):
        _write(plan, each, images, of_model)


def _images(plan: RobustnessPlan, info: ModelInfo) -> EvaluationSet:
    roots = {name: Path(root) for name, root in plan.roots.items()}
    frame = Manifest.read(RunDirectory(Path(plan.run_directory)).manifest, roots).of(plan.set)
    chosen = frame[frame["image"].isin(plan.images)]
    return EvaluationSet.of(chosen, plan.set, roots[plan.set], info.class_names)


def _batches(images: EvaluationSet, conditions: Sequence[Condition], image_size: int) -> Iterator[list[Loaded]]:
    """Yield batches of images under every condition; threads prepare one while the networks have another."""
    prepare = partial(_under_every, conditions=conditions, image_size=image_size)
    with ThreadPoolExecutor(usable_cores()) as pool:
        waiting: list[Future[Loaded]] = []
        for start in range(0, len(images.paths), predict.BATCH):
            rows = slice(start, start + predict.BATCH)
            files = zip(images.paths[rows], images.hashes[rows], images.images[rows], strict=True)
            coming = [pool.submit(prepare, *one) for one in files]
            if waiting:
                yield [future.result() for future in waiting]
            waiting = coming
        yield [future.result() for future in waiting]


def _under_every(path: Path, sha256: str, image: str, *, conditions: Sequence[Condition], image_size: int) -> Loaded:
    try:
        grey = read_grey(path, sha256)
    except UnreadableImage as error:
        return error.reason
    resize, crop = central_view(image_size)
    resized = resize(Image.fromarray(grey))
    whole, seen = np.asarray(resized), np.asarray(crop(resized))
    return np.stack(
        [
            np.asarray(crop(Image.fromarray(corrupt(whole, condition, image))))
            if moves(condition)
            else corrupt(seen, condition, image)
            for condition in conditions
        ]
    )


def _result(fabric: Fabric, network: nn.Module, batch: Sequence[Loaded], condition: int, info: ModelInfo) -> Results:
    """Compute what a network says of a batch under a condition, given by its number."""
    status = [each if isinstance(each, str) else "ok" for each in batch]
    readable = [each[condition] for each in batch if not isinstance(each, str)]
    found = np.full((len(batch), len(info.class_names)), np.nan)
    if readable:
        found[np.equal(status, "ok")] = predict.logits(fabric, network, iter([np.stack(readable)]), found.shape[1])
    return Results(found, status)


def _write(plan: RobustnessPlan, each: Trained, images: EvaluationSet, results: Sequence[Sequence[Results]]) -> None:
    class_names, positive = tuple(each.info.class_names), each.info.positive
    for condition, of_condition in zip(plan.conditions, results, strict=True):
        found = predict.predictions(images, of_condition, each.chosen.task, class_names, positive)
        write(each.folder.predictions(plan.set, condition.name), replace(found, condition=condition.name))
