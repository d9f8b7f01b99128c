"""What saving the state of a training costs: ResNet-18 with AdamW and a moving average, through the built-in trainer.

    python tests/benchmarks/checkpoint_cost.py --size 64 --steps 10 --rounds 12

Rounds of so many optimiser steps are made by turns with and without a saved state at their end, in one process, and the
medians compared. What saving takes of a training at the default pace (every 5 minutes and after each epoch, but never
more than a hundredth of the time) follows from the difference.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from cxrkit_plugins.models import resnet18
from cxrkit_plugins.trainers import fit
from lightning_fabric import Fabric

from cxrkit.api import Imbalance
from cxrkit.training.context import Context, ValidationImages
from cxrkit.training.pace import LARGEST_SHARE, Pace

BATCH = 32


class Memory:
    """Stands where images are loaded, which is no part of what is measured."""

    def __init__(self, size: int) -> None:
        self.grey = torch.randint(0, 256, (BATCH, size, size), dtype=torch.uint8)

    def batches(self, visits):
        for batch in visits:
            yield self.grey[: len(batch)]


class ByTurns(Pace):
    """Asks for a state at the end of every other round, and notes how long each round took."""

    def __init__(self, steps: int, rounds: int) -> None:
        super().__init__()
        self.length, self.left = steps, rounds
        self.seconds: dict[bool, list[float]] = {False: [], True: []}
        self.began, self.saves = time.perf_counter(), False

    def is_due_after_step(self, step: int) -> bool:
        if step % self.length == 1:
            self.note()
        return step % self.length == 0 and self.saves

    def is_due_after_epoch(self) -> bool:
        return False

    def note(self) -> None:
        """End a round as the next one's first step ends, so that the state of the round before is in it."""
        now = time.perf_counter()
        self.seconds[self.saves].append(now - self.began)
        self.began, self.saves = now, not self.saves


def measured(size: int, steps: int, rounds: int, folder: Path) -> dict[bool, list[float]]:
    """Train one epoch of so many rounds and return the seconds of those without and with a saved state."""
    images = BATCH * steps * rounds
    labels = np.arange(images) % 2
    pace = ByTurns(steps, rounds)
    context = Context(
        fabric=Fabric(accelerator="auto", devices=1),
        model=resnet18(2),
        class_names=("NORMAL", "PNEUMONIA"),
        imbalance=Imbalance(),
        epochs=1,
        batch_size=BATCH,
        seed=0,
        directory=folder,
        loader=Memory(size),
        labels=labels,
        validation=ValidationImages(np.zeros((4, size, size), np.uint8), np.array([0, 1, 0, 1]), 1),
        tell=lambda _event: None,
        notify=lambda _context, _row: None,
        pace=pace,
    )
    fit(context, optimizer="adamw", ema=0.99)
    return {saves: seconds[1:] for saves, seconds in pace.seconds.items()}  # the first of each warms up


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=12)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        seconds = measured(asked.size, asked.steps, asked.rounds, Path(folder))
    without, with_state = (statistics.median(seconds[saves]) for saves in (False, True))
    cost = max(0.0, with_state - without)
    pause = max(60 * Pace().minutes, cost / LARGEST_SHARE)
    print(f"{asked.steps} steps of {BATCH} images of {asked.size} px: {without:.2f} s, with a state {with_state:.2f} s")
    print(f"ratio {with_state / without:.3f}; one state costs {cost:.2f} s")
    print(f"at the default pace, one in {pause:.0f} s: {cost / pause:.2%} of the time")


if __name__ == "__main__":
    main()
