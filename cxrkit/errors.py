"""The expected failures, each told in one sentence: where, what was found, what is allowed."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

_OUT_OF_MEMORY = (
    "can't allocate memory",  # torch on the CPU
    "not enough memory",  # torch on the CPU of Windows
    "out of memory",  # CUDA, MPS, and the system's own words
    "alloc_failed",  # cuBLAS and cuDNN
)


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


class SurroundingsError(RunError):
    """A disk, a mount, images or processes were not as they should be; when they are, the same work may succeed."""


class StopTraining(BaseException):
    """The user asked a training to stop, and it does; what is saved is gone on with by the same command.

    No :class:`Exception`, so that nobody takes it for a failure. A trainer lets it pass.
    """


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error says that memory, of the machine or of the device (CUDA, MPS), ran out.

    torch has a class of its own for CUDA alone, and a plain ``RuntimeError`` with a text for the rest.
    """
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    if not isinstance(error, RuntimeError):
        return False
    text = str(error).lower()
    return any(sign in text for sign in _OUT_OF_MEMORY)


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
