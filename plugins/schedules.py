"""Learning rates over a training, for the built-in trainer."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR, ReduceLROnPlateau

Scheduler = Literal["none", "cosine", "step", "plateau", "one-cycle"]

STEPS_DOWN = 3  # "step" divides the training into as many parts
FALL = 0.1  # of "step" and "plateau"
PATIENCE = 3  # epochs, of "plateau"
RISING_SHARE = 0.3  # of "one-cycle" without warm-up epochs


@dataclass
class Schedules:
    """What sets the learning rate.

    Attributes:
        by_step: follows the optimiser's steps, for so many of them.
        by_epoch: follows the figure that epochs are selected by, or None.
    """

    by_step: LRScheduler
    steps: int
    by_epoch: ReduceLROnPlateau | None = None

    def step_finished(self) -> None:
        """Set the rate for the next step."""
        if self.by_step.last_epoch < self.steps:
            self.by_step.step()

    def epoch_finished(self, figure: float) -> None:
        """Hear the figure that epochs are selected by."""
        if self.by_epoch is not None:
            self.by_epoch.step(figure)

    def state(self) -> list[dict[str, Any]]:
        """Return what going on needs."""
        return [scheduler.state_dict() for scheduler in (self.by_step, self.by_epoch) if scheduler is not None]

    def resume(self, state: list[dict[str, Any]]) -> None:
        """Go on from a state."""
        for scheduler, own in zip((self.by_step, self.by_epoch), state, strict=False):
            if scheduler is not None:
                scheduler.load_state_dict(own)


def schedules(
    optimizer: Optimizer, name: Scheduler, epochs: int, steps_per_epoch: int, warmup_epochs: float, *, falling: bool
) -> Schedules:
    """Prepare a schedule by name.

    Args:
        optimizer: with the highest rate.
        name: as the trainer's options describe it.
        epochs: of the training.
        steps_per_epoch: optimiser steps.
        warmup_epochs: of linear rise at the beginning.
        falling: whether the figure of ``plateau`` is better where it is lower.
    """
    total, warm = epochs * steps_per_epoch, round(warmup_epochs * steps_per_epoch)
    if name == "one-cycle":
        rates = [group["lr"] for group in optimizer.param_groups]
        rising = min(warm / total, 1.0) if warm else RISING_SHARE
        return Schedules(OneCycleLR(optimizer, rates, total_steps=total + 1, pct_start=rising), total)
    if name == "plateau":
        plateau = ReduceLROnPlateau(optimizer, "min" if falling else "max", factor=FALL, patience=PATIENCE)
        return Schedules(LambdaLR(optimizer, _risen(warm)), warm, plateau)
    factor = {"none": _level, "cosine": _cosine, "step": _stairs}[name]
    risen = _risen(warm)
    return Schedules(LambdaLR(optimizer, lambda step: risen(step) * factor(_progress(step, warm, total))), total)


def _risen(warm: int) -> Callable[[int], float]:
    return lambda step: min(1.0, (step + 1) / (warm + 1))


def _progress(step: int, warm: int, total: int) -> float:
    """Say which share of the steps after the warm-up is done."""
    return min(max(0, step - warm) / max(1, total - warm), 1.0)


def _level(_progress: float) -> float:
    return 1.0


def _cosine(progress: float) -> float:
    return (1 + math.cos(math.pi * progress)) / 2


def _stairs(progress: float) -> float:
    return float(FALL ** min(int(progress * STEPS_DOWN), STEPS_DOWN - 1))
