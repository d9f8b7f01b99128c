"""The expected failures, each told in one sentence: where, what was found, what is allowed."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


class CxrkitError(Exception):
    """A failure that the user can act on; its text is a whole sentence and is shown without a traceback."""

    exit_status = 1


class InputError(CxrkitError):
    """What the user gave is wrong: a file, a key, a value, an option. Exit status 2."""

    exit_status = 2

    def __init__(self, *problems: str) -> None:
        """Take one sentence for each problem found, so that all are told at once."""
        super().__init__("\n".join(problems))
        self.problems: Sequence[str] = problems


class RunError(CxrkitError):
    """The input was right and the work failed all the same. Exit status 1."""


def nearest(name: str, allowed: Iterable[str]) -> str:
    """Say what is allowed in place of ``name``: its nearest match, else everything.

    Returns:
        ``did you mean "resnet18"?`` or ``allowed are a, b, c``.
    """
    names = sorted(allowed)
    matches = get_close_matches(name, names, n=1)
    if matches:
        return f'did you mean "{matches[0]}"?'
    return f"allowed are {', '.join(names)}" if names else "none is available"
