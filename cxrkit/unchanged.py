"""What a plugin may change for everybody is put back after its call."""

import contextlib
import ctypes
import io
import os
import random
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def unchanged() -> Iterator[None]:
    """Put back afterwards what a plugin may have changed for everybody."""
    folder, threads = _folder(), set(threading.enumerate())
    generators = list(_generators())
    with _diverted_descriptor(), warnings.catch_warnings():
        streams = sys.stdin, sys.stdout, sys.stderr
        sys.stdout = sys.stderr = _StandIn(sys.stderr)
        try:
            yield
        finally:
            sys.stdin, sys.stdout, sys.stderr = streams
            if set(threading.enumerate()) - threads:
                divert_threads()
    for put_back in generators:
        put_back()
    if folder is not None and _folder() != folder:
        with contextlib.suppress(OSError):
            os.chdir(folder)


def divert_threads() -> None:
    """Divert what a plugin's threads print from now on to standard error: the main thread's alone may be JSON."""
    if sys.stdout is not None and not isinstance(sys.stdout, _OfMainThread):
        sys.stdout = _OfMainThread(sys.stdout)


def _folder() -> Path | None:
    try:
        return Path.cwd()
    except OSError:  # removed by somebody
        return None


def _generators() -> Iterator[Callable[[], Any]]:
    """Note the state of each generator that is loaded."""
    state = random.getstate()
    yield lambda: random.setstate(state)
    numpy: Any = sys.modules.get("numpy")
    torch: Any = sys.modules.get("torch")
    if hasattr(numpy, "random"):
        of_numpy = numpy.random.get_state()
        yield lambda: numpy.random.set_state(of_numpy)
    if hasattr(torch, "get_rng_state"):  # another thread may still be importing it
        of_torch = torch.get_rng_state()
        yield lambda: torch.set_rng_state(of_torch)
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            of_devices = torch.cuda.get_rng_state_all()
            yield lambda: torch.cuda.set_rng_state_all(of_devices)


@contextlib.contextmanager
def _diverted_descriptor() -> Iterator[None]:
    """Divert what libraries write to descriptor 1, which may carry JSON, to standard error."""
    try:
        sys.stdout.flush()
        kept = os.dup(1)
    except (OSError, ValueError, AttributeError):  # there is none
        yield
        return
    try:
        with contextlib.suppress(OSError):
            os.dup2(2, 1)
        yield
    finally:
        _flush()
        os.dup2(kept, 1)
        os.close(kept)


def _flush() -> None:
    """Let go what a library, Python's or C's, has put into a buffer of descriptor 1 while that is diverted."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.__stdout__.flush()  # type: ignore[union-attr]  # there may be none
    if os.name != "nt":  # whose libraries have several C runtimes
        ctypes.CDLL(None).fflush(None)


class _OfMainThread:
    """The standard output, but what another thread than the main one writes goes to standard error."""

    def __init__(self, target: Any) -> None:
        self._target = target

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target, name)

    def write(self, text: str) -> int:
        if threading.current_thread() is threading.main_thread():
            return int(self._target.write(text))
        with contextlib.suppress(OSError, ValueError, AttributeError):
            sys.stderr.write(text)
        return len(text)


class _StandIn(io.TextIOBase):
    """The standard streams while a plugin is called: all goes to standard error, and closing it closes nothing."""

    encoding = "utf-8"

    def __init__(self, target: Any) -> None:
        self._target = target

    @property
    def buffer(self) -> Any:
        """The bytes below, for who writes those."""
        return self._target.buffer

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError, ValueError):
            self._target.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._target.flush()

    def fileno(self) -> int:
        return int(self._target.fileno())

    def isatty(self) -> bool:
        return False

    def close(self) -> None:
        """Stay open: it is not the plugin's."""
