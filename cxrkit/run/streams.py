"""Standard error where nobody reads it any more: a terminal that was closed, a pipe whose reader ended, a full disk."""

import os
from typing import Any, TextIO, cast


def lasting(stream: TextIO | None) -> TextIO | None:
    """Let whatever a stream cannot take go nowhere: progress that nobody sees is no reason to end a training.

    None is what Python has for a standard stream that a command was begun without.
    """
    return None if stream is None else cast("TextIO", _Lasting(stream))


class _Lasting:
    """A stream that is silent from its first error on, and as the one that it stands for in all else."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError:
            to_nowhere(self._stream.fileno())
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError:
            to_nowhere(self._stream.fileno())


def to_nowhere(*descriptors: int) -> None:
    """Let what is written to file descriptors be forgotten, also what was kept for them until now."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in descriptors:
        os.dup2(nowhere, descriptor)
    os.close(nowhere)
