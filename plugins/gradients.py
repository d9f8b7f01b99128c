"""The gradients of a batch, computed at once or in parts, on one device or several."""

import gc
from collections.abc import Callable
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor

from cxrkit.api import Batch

Criterion = Callable[[Tensor, Tensor], Tensor]

FEWEST_IMAGES = 2  # that a part of a batch has: batch norm cannot do with one


def add_up(fabric: Fabric, network: Any, criterion: Criterion, batch: Batch, parts: int) -> Tensor:
    """Add a batch's gradients to those of the network's parameters.

    Args:
        fabric: launched.
        network: as ``fabric.setup`` wraps it.
        criterion: mean loss of logits and labels; its ``weight``, if it has one, weighs the classes in the mean.
        batch: this device's.
        parts: in how many it is computed, as far as each has two images; their gradients add up to those of the whole.

    Returns:
        The batch's loss, of which the mean over all devices is the global batch's.
    """
    parts = max(1, min(parts, len(batch.labels) // FEWEST_IMAGES))
    whole = _mass(criterion, batch.labels)
    losses = []
    for part in map(Batch, batch.images.tensor_split(parts), batch.labels.tensor_split(parts)):
        loss = criterion(network(part.images).float(), part.labels)
        if parts > 1:
            loss = loss * (_mass(criterion, part.labels) / whole)
        if fabric.world_size > 1:
            loss = loss * _weight_of_device(fabric, whole)
        fabric.backward(loss)
        losses.append(loss.detach())
    return torch.stack(losses).sum() if parts > 1 else losses[0]


def _mass(criterion: Criterion, labels: Tensor) -> Tensor:
    """Say how much images count in a mean loss: their number, or their classes' weights."""
    weights = getattr(criterion, "weight", None)
    return labels.new_tensor(len(labels), dtype=torch.float32) if weights is None else weights[labels].sum()


def _weight_of_device(fabric: Fabric, mass: Tensor) -> Tensor:
    """Weigh this device's mean loss so that the gradients' mean over devices is that of the whole batch."""
    total = fabric.all_reduce(mass.clone(), reduce_op="sum")
    return mass * fabric.world_size / total  # type: ignore[operator]  # a tensor in, a tensor out


def free_memory(device: torch.device) -> None:
    """Give back what a step that failed has left, so that the next attempt finds it."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
