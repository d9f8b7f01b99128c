"""The built-in ways to treat class imbalance: in the loss, or in what an epoch visits."""

from collections.abc import Callable, Mapping
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from cxrkit import hookimpl
from cxrkit.api import FloatArray, Imbalance, ImbalanceStrategy, IntArray
from cxrkit.errors import InputError


@hookimpl
def cxrkit_register_imbalance_strategies() -> Mapping[str, ImbalanceStrategy]:
    """Offer the strategies of the course, and none."""
    return {
        "none": no_treatment,
        "class-weights": class_weights,
        "upsample": upsample,
        "downsample": downsample,
        "balanced-sampler": balanced_sampler,
    }


def no_treatment(labels: IntArray, num_classes: int) -> Imbalance:  # noqa: ARG001  every strategy is called alike
    """Every image once an epoch, every class at equal weight."""
    return Imbalance()


def class_weights(
    labels: IntArray,
    num_classes: int,
    *,
    scheme: Literal["inverse-frequency", "effective-number"] = "inverse-frequency",
    beta: Annotated[float, Field(ge=0, lt=1)] = 0.999,
) -> Imbalance:
    """Rare classes weigh more in the cross-entropy; every image once an epoch.

    Args:
        labels: int64[n], the class of each training image.
        num_classes: K.
        scheme: ``inverse-frequency`` gives a class of n_c images the weight n / (K n_c); ``effective-number`` gives it
            (1 - beta) / (1 - beta ** n_c), scaled to a sum of K (Cui et al., 2019, "Class-Balanced Loss Based on
            Effective Number of Samples").
        beta: of ``effective-number``, in 0 … 1: 0 is no weighting, near 1 is inverse frequency.

    Raises:
        InputError: a class has no training image.
    """
    counts = _counts(labels, num_classes)
    if scheme == "inverse-frequency":
        return Imbalance(class_weights=counts.sum() / (num_classes * counts))
    weights = (1 - beta) / (1 - beta**counts)
    return Imbalance(class_weights=weights * num_classes / weights.sum())


def upsample(labels: IntArray, num_classes: int) -> Imbalance:
    """Images of the rarer classes are repeated until every class is as large as the largest.

    Every image comes floor(largest / n_c) times; which ones come once more is drawn anew in each epoch.

    Raises:
        InputError: a class has no training image.
    """
    largest = int(_counts(labels, num_classes).max())

    def of_class(members: IntArray, rng: np.random.Generator) -> IntArray:
        repeats, rest = divmod(largest, len(members))
        return np.concatenate([np.tile(members, repeats), rng.choice(members, rest, replace=False)])

    return Imbalance(epoch_indices=_class_by_class(labels, num_classes, of_class))


def downsample(labels: IntArray, num_classes: int) -> Imbalance:
    """Every class gives as many images as the smallest has, drawn anew without replacement in each epoch.

    Raises:
        InputError: a class has no training image.
    """
    smallest = int(_counts(labels, num_classes).min())

    def of_class(members: IntArray, rng: np.random.Generator) -> IntArray:
        return rng.choice(members, smallest, replace=False)

    return Imbalance(epoch_indices=_class_by_class(labels, num_classes, of_class))


def balanced_sampler(labels: IntArray, num_classes: int) -> Imbalance:
    """As many draws as there are images, with replacement: first a class, all equally likely, then one of its images.

    Raises:
        InputError: a class has no training image.
    """
    probabilities = (1 / (num_classes * _counts(labels, num_classes)))[labels]

    def epoch_indices(_epoch: int, rng: np.random.Generator) -> IntArray:
        return rng.choice(len(labels), len(labels), p=probabilities).astype(np.int64)

    return Imbalance(epoch_indices=epoch_indices)


def _counts(labels: IntArray, num_classes: int) -> FloatArray:
    """Count the training images of each class, float64[num_classes], all above 0."""
    counts = np.bincount(labels, minlength=num_classes)
    if not counts.all():
        missing = ", ".join(str(number) for number in np.flatnonzero(counts == 0))
        raise InputError(
            f"imbalance: no training image of class number {missing} (from 0), every class needs one at least"
        )
    return counts.astype(np.float64)


def _class_by_class(
    labels: IntArray, num_classes: int, of_class: Callable[[IntArray, np.random.Generator], IntArray]
) -> Callable[[int, np.random.Generator], IntArray]:
    members = [np.flatnonzero(labels == number).astype(np.int64) for number in range(num_classes)]

    def epoch_indices(_epoch: int, rng: np.random.Generator) -> IntArray:
        return np.concatenate([of_class(images, rng) for images in members])

    return epoch_indices
