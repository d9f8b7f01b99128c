"""A promise of a hook, and what came of looking whether a plugin keeps it."""

import inspect
import unittest
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from cxrkit import guard
from cxrkit.errors import CxrkitError
from cxrkit.guard import MisbehaviourError

State = Literal["kept", "broken", "unchecked"]
Subject = TypeVar("Subject")


class BrokenPromiseError(AssertionError):
    """A promise that a plugin does not keep: what was found, what is needed."""


class UncheckedError(unittest.SkipTest):
    """Why a promise could not be looked at; pytest counts it as skipped."""


@dataclass(frozen=True)
class Outcome:
    """What came of a check.

    Attributes:
        state: ``kept``, ``broken`` or ``unchecked``.
        found: what is wrong, or why it was not checked; nothing where the promise is kept.
    """

    state: State
    found: str = ""


@dataclass(frozen=True)
class Check:
    """A promise of a hook, to be looked at in one component of a plugin. Called, it raises where it is broken.

    Attributes:
        distribution, version: of the plugin.
        entry_point: of the plugin.
        kind: ``plugin``, ``event``, or what the component is: ``model``, ``imbalance strategy``, ….
        component: its name; of a plugin that of its entry point, of an event that of its hook.
        promise: in a sentence.
        look: raises where it is not kept.
    """

    distribution: str
    version: str
    entry_point: str
    kind: str
    component: str
    promise: str
    look: Callable[[], None]

    def __call__(self) -> None:
        """Look.

        Raises:
            BrokenPromiseError: the promise is not kept; its text says what was found and what is needed.
            UncheckedError: it could not be looked at.
        """
        outcome = self.outcome()
        if outcome.state == "broken":
            raise BrokenPromiseError(f"{self}: {outcome.found}")
        if outcome.state == "unchecked":
            raise UncheckedError(f"{self}: {outcome.found}")

    def __str__(self) -> str:
        return f"{self.kind} {self.component}: {self.promise.removesuffix('.')}"

    def outcome(self) -> Outcome:
        """Look, and tell in one line what came of it; whatever a stranger's code raises breaks the promise."""
        try:
            guard.call(str(self), self.look)
        except CxrkitError as error:
            raised = error.__cause__ if isinstance(error, MisbehaviourError) else error
            if isinstance(raised, UncheckedError):
                return Outcome("unchecked", _line(str(raised)))
            return Outcome("broken", _line(_found(error, raised)))
        return Outcome("kept")


def _found(error: CxrkitError, raised: BaseException | None) -> str:
    """Say what a check came upon: what it says itself, what was raised, or that it was given up."""
    if raised is None and isinstance(error, MisbehaviourError):
        return error.what
    if raised is None or isinstance(raised, BrokenPromiseError | CxrkitError):
        return str(raised or error)
    return f"raises {type(raised).__name__}: {raised}"


def _line(text: str) -> str:
    return " ".join(text.split())


def need(condition: Any, found: str) -> None:
    """Call a promise broken where a condition does not hold.

    Raises:
        BrokenPromiseError: with ``found`` as its text.
    """
    if not condition:
        raise BrokenPromiseError(found)


def sentence(look: Callable[..., None]) -> str:
    """Take the promise that a function looks at: the first line of its docstring."""
    return inspect.cleandoc(look.__doc__ or "").partition("\n")[0]
