"""What Ctrl-C does, SIGTERM, which a cluster sends before it takes a machine back, and SIGHUP, as a terminal closes."""

import os
import signal
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from types import FrameType

from cxrkit.run.streams import to_nowhere

_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)
)  # SIGBREAK is Windows' own, which has no SIGHUP
_HANG_UP = getattr(signal, "SIGHUP", None)


@contextmanager
def stopping() -> Iterator[Event]:
    """Give an event that the first Ctrl-C, SIGTERM or SIGHUP sets; the second does what it always does."""
    stop = Event()

    def hear() -> None:
        stop.set()
        put_back()

    with _handling(hear) as put_back:
        yield stop


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM and SIGHUP do what Ctrl-C does, so that whatever is being done is left in order."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    with _handling(interrupt):
        yield


def be_deaf() -> None:
    """Ignore further signals until the end of :func:`terminable`: what is being left is left in order already."""
    if threading.current_thread() is threading.main_thread():
        for number in _SIGNALS:
            if signal.getsignal(number) is not _again:
                signal.signal(number, signal.SIG_IGN)


@contextmanager
def _handling(handler: Callable[[], None]) -> Iterator[Callable[[], None]]:
    """Hand the signals to a handler, but those that are ignored (a shell's background job's); give what undoes it."""
    before = {}
    if threading.current_thread() is threading.main_thread():  # no other may
        before = {number: signal.getsignal(number) for number in _SIGNALS}
    heard = {number: old for number, old in before.items() if old not in (signal.SIG_IGN, None)}

    def hear(number: int, _frame: FrameType | None) -> None:
        if number == _HANG_UP:
            _do_without_terminal(number)
        handler()

    def put_back() -> None:
        for number, old in heard.items():
            if signal.getsignal(number) is not _again:
                signal.signal(number, old)

    for number in heard:
        signal.signal(number, hear)
    try:
        yield put_back
    finally:
        put_back()


def _do_without_terminal(hang_up: int) -> None:
    """Heed no second SIGHUP, as the shell sends one beside the kernel's, and print to nowhere if the terminal is gone.

    Whatever is printed to a terminal that is gone fails. It is no terminal any more, but still a character device.
    """
    signal.signal(hang_up, _again)
    to_nowhere(*filter(_is_gone, (1, 2)))


def _again(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: what a first SIGHUP asks for is being done."""


def _is_gone(descriptor: int) -> bool:
    try:
        return stat.S_ISCHR(os.fstat(descriptor).st_mode) and not os.isatty(descriptor)
    except OSError:  # the command was begun without it
        return False
