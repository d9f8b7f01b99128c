"""The generators that a network may draw from while it trains (dropout): Python's, NumPy's and torch's."""

import random
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric


def seed(*numbers: int) -> None:
    """Seed every generator from non-negative numbers."""
    word = int(np.random.SeedSequence(numbers).generate_state(1)[0])
    random.seed(word)
    np.random.seed(word)  # noqa: NPY002 - a plugin's network may draw from it
    torch.manual_seed(word)


def states(fabric: Fabric) -> list[dict[str, Any]]:
    """Return the generators' states in every process of a training, by rank; every process has them all."""
    own = _own(fabric.device)
    if fabric.world_size == 1:
        return [own]
    every: list[dict[str, Any]] = [{}] * fabric.world_size
    torch.distributed.all_gather_object(every, own)
    return every


def resume(fabric: Fabric, kept: list[dict[str, Any]]) -> None:
    """Set the generators of this process to what :func:`states` gave."""
    own = kept[fabric.global_rank]
    random.setstate(own["python"])
    np.random.set_state(own["numpy"])  # noqa: NPY002
    torch.set_rng_state(own["torch"])
    if own["device"] is not None and fabric.device.type == "cuda":
        torch.cuda.set_rng_state(own["device"], fabric.device)
    elif own["device"] is not None and fabric.device.type == "mps":
        torch.mps.set_rng_state(own["device"])


def _own(device: torch.device) -> dict[str, Any]:
    kind, key, *rest = np.random.get_state()  # noqa: NPY002
    return {
        "python": random.getstate(),
        "numpy": (kind, [int(word) for word in key], *rest),
        "torch": torch.get_rng_state(),
        "device": _of_device(device),
    }


def _of_device(device: torch.device) -> torch.Tensor | None:
    if device.type == "cuda":
        return torch.cuda.get_rng_state(device)
    return torch.mps.get_rng_state() if device.type == "mps" else None
