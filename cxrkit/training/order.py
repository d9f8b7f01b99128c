"""Which training images an epoch visits, in which order, in which batch and on which device."""

from collections import Counter
from typing import NamedTuple

import numpy as np

from cxrkit.api import Imbalance, IntArray
from cxrkit.errors import RunError


class Visit(NamedTuple):
    """One visit of an image.

    Attributes:
        epoch: from 1.
        image: index of the training image.
        occurrence: how often it was visited before in this epoch; each visit is augmented in its own way.
    """

    epoch: int
    image: int
    occurrence: int


def epoch_order(imbalance: Imbalance, size: int, seed: int, epoch: int) -> IntArray:
    """List the images of an epoch in the order of their visits, the same in every process.

    Args:
        imbalance: says what an epoch visits.
        size: number of training images.
        seed: of the training.
        epoch: from 1.

    Returns:
        int64[m], shuffled.

    Raises:
        RunError: the strategy's ``epoch_indices`` gave something else than indices of training images.
    """
    rng = np.random.default_rng([seed, epoch])
    if imbalance.epoch_indices is None:
        return rng.permutation(size)
    where = f"imbalance: epoch_indices of epoch {epoch}"
    return rng.permutation(checked(imbalance.epoch_indices(epoch, rng), size, where))


def checked(indices: IntArray, size: int, where: str) -> IntArray:
    """Take what a strategy's ``epoch_indices`` gave.

    Raises:
        RunError: it is something else than indices of ``size`` training images; ``where`` begins the sentence.
    """
    found = np.asarray(indices)
    if found.ndim != 1 or not np.issubdtype(found.dtype, np.integer) or not found.size:
        raise RunError(f"{where}: got {found.dtype}{list(found.shape)}, must be integers [m] with m above 0")
    if found.min() < 0 or found.max() >= size:
        raise RunError(f"{where}: got {found.min()} … {found.max()}, must lie in 0 … {size - 1}")
    return found.astype(np.int64)


def check_plan(planned: Imbalance, num_classes: int, where: str) -> None:
    """Check what a strategy planned, before a trainer meets it.

    Raises:
        RunError: class weights are not positive and finite, one for each class, or what is to be called cannot be.
    """
    for name in ("loss", "epoch_indices"):
        given = getattr(planned, name)
        if given is not None and not callable(given):
            raise RunError(f"{where}: its {name} is {type(given).__name__}, must be a function or None")
    if planned.class_weights is None:
        return
    try:
        weights = np.asarray(planned.class_weights, dtype=np.float64)
    except (TypeError, ValueError):
        raise RunError(f"{where}: its class_weights are {planned.class_weights!r}, must be numbers") from None
    if weights.shape != (num_classes,) or not (np.isfinite(weights) & (weights > 0)).all():
        raise RunError(f"{where}: its class_weights are {weights.tolist()}, must be {num_classes} numbers above 0")


def batch_count(size: int, batch_size: int, devices: int) -> int:
    """Count an epoch's optimiser steps, few enough that every device has an image in each."""
    return max(1, min(-(-size // batch_size), size // devices))


def batches(order: IntArray, batch_size: int, devices: int) -> list[IntArray]:
    """Divide an epoch into global batches that differ by one image at most: no step rests on a few leftovers."""
    return np.array_split(order, batch_count(len(order), batch_size, devices))


def shard(global_batches: list[IntArray], epoch: int, rank: int, devices: int) -> list[list[Visit]]:
    """Take one device's part of every global batch; the parts of a batch differ by one image at most."""
    visited: Counter[int] = Counter()
    own = []
    for batch in global_batches:
        visits = []
        for image in batch.tolist():
            visits.append(Visit(epoch, image, visited[image]))
            visited[image] += 1
        own.append(visits[rank::devices])
    return own
