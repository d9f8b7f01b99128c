"""When the state of a training is saved: often enough to lose little, seldom enough to cost little."""

import time
from dataclasses import dataclass, field

LARGEST_SHARE = 0.01  # of the time, that saving may take


@dataclass
class Pace:
    """Says when a state is due.

    Attributes:
        minutes: within an epoch, from one state to the next; more where saving is slow.
        steps: optimiser steps in place of minutes, whatever they cost.
    """

    minutes: float = 5.0
    steps: int | None = None
    _cost: float = 0.0  # seconds that saving took last time
    _saved: float = field(default_factory=time.perf_counter)

    def is_due_after_step(self, step: int) -> bool:
        """Say whether the state is due after a step (from 1) within an epoch."""
        if self.steps is not None:
            return step % self.steps == 0
        return self._since() >= 60 * self.minutes and self._is_cheap()

    def is_due_after_epoch(self) -> bool:
        """Say whether the state is due after an epoch: always, unless saving would take too much of the time."""
        return self.steps is not None or self._is_cheap()

    def saved(self, began: float) -> None:
        """Hear that a state has been saved, and when (``time.perf_counter``) that began."""
        self._saved = time.perf_counter()
        self._cost = self._saved - began

    def _is_cheap(self) -> bool:
        return self._cost <= LARGEST_SHARE * self._since()

    def _since(self) -> float:
        return time.perf_counter() - self._saved
