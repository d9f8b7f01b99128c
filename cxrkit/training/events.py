"""Tells the parent process what happens, one JSON a line on the standard output that the child was started with."""

import os
import sys
import time

from cxrkit.one_line import encodable
from cxrkit.plans import Event, Failed, Step

SECONDS_BETWEEN_STEPS = 0.5


class Events:
    """The line to the parent. Only rank 0 tells; a failure is told by whoever has it."""

    def __init__(self) -> None:
        """Take standard output for events; what anything else prints goes to standard error from now on."""
        self._output = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
        self._told = -SECONDS_BETWEEN_STEPS
        self.silent = False
        sys.stdout = sys.stderr

    def divert_descriptor(self) -> None:
        """Divert what libraries write to descriptor 1; after the other processes were started, which need it too."""
        os.dup2(2, 1)

    def tell(self, event: Event) -> None:
        """Tell an event; steps only a few times a second."""
        if isinstance(event, Step) and not self._due(event):
            return
        if not self.silent or isinstance(event, Failed):
            self._output.write(_line(event) + "\n")
            self._output.flush()

    def _due(self, step: Step) -> bool:
        now = time.monotonic()
        if now - self._told < SECONDS_BETWEEN_STEPS and step.step < step.steps:
            return False
        self._told = now
        return True


def _line(event: Event) -> str:
    """Write an event as JSON, which has no halves of characters."""
    told = {name: encodable(value) for name, value in event if isinstance(value, str)}
    return event.model_copy(update=told).model_dump_json()
