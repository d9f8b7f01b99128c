"""What every component promises: options that can be checked before any work, and a line about itself."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cxrkit import options
from cxrkit.registry import summary
from cxrkit.testing.check import need


@dataclass(frozen=True)
class Signature:
    """A factory and how it is called.

    Attributes:
        factory: the plugin's function.
        arguments: names of what it is given by position.
    """

    factory: Callable[..., Any]
    arguments: tuple[str, ...]


def is_called_as_documented(signature: Signature) -> None:
    """Takes its arguments by position, and typed options by keyword alone."""
    wrong = options.fault(signature.factory, signature.arguments)
    need(wrong is None, f"it {wrong}")


def defaults_are_allowed(signature: Signature) -> None:
    """The types of its options can be read, and allow their defaults."""
    problems = options.faults_of_defaults(signature.factory)
    need(not problems, "; ".join(problems))


def says_what_it_is(signature: Signature) -> None:
    """A docstring says in its first line what it is."""
    need(summary(signature.factory).strip(), "there is no docstring, which plugins list would show")


PROMISES = (is_called_as_documented, defaults_are_allowed, says_what_it_is)
