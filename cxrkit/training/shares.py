"""Class shares: of the training images, and of what the loss saw after an imbalance strategy."""

import numpy as np

from cxrkit.api import FloatArray, Imbalance, IntArray
from cxrkit.training import order

MOST_EPOCHS = 5  # whose visits are counted; a strategy that draws anew each time varies little around their mean


def of_images(labels: IntArray, num_classes: int) -> list[float]:
    """Compute the class shares of the training images, in the order of the classes.

    Args:
        labels: int64[n].
        num_classes: K.
    """
    counts = np.bincount(labels, minlength=num_classes)
    shares: list[float] = (counts / counts.sum()).tolist()
    return shares


def of_loss(imbalance: Imbalance, labels: IntArray, num_classes: int, *, seed: int, epochs: int) -> list[float] | None:
    """Compute the class shares that the loss saw: of the images that epochs visited, times the classes' weights.

    Args:
        imbalance: what the strategy planned.
        labels: int64[n], of the training images.
        num_classes: K.
        seed: of the training.
        epochs: of the training; the first few are counted. Draws from no generator of the training's own.

    Returns:
        K shares that sum to 1; None where a loss of the strategy's own hides them.
    """
    if imbalance.loss is not None:
        return None
    seen = _visits(imbalance, labels, num_classes, seed, epochs)
    if imbalance.class_weights is not None:
        seen = seen * np.asarray(imbalance.class_weights, dtype=np.float64)
    shares: list[float] = (seen / seen.sum()).tolist()
    return shares


def _visits(imbalance: Imbalance, labels: IntArray, num_classes: int, seed: int, epochs: int) -> FloatArray:
    """Count the visits of each class, float64[num_classes]."""
    if imbalance.epoch_indices is None:
        return np.bincount(labels, minlength=num_classes).astype(np.float64)
    counted = range(1, min(epochs, MOST_EPOCHS) + 1)
    visited = np.concatenate([order.epoch_order(imbalance, len(labels), seed, epoch) for epoch in counted])
    return np.bincount(labels[visited], minlength=num_classes).astype(np.float64)
