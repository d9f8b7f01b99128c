"""What Ctrl-C does, and SIGTERM, which a cluster sends before it takes a machine back."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from types import FrameType

_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)
)  # SIGBREAK is Windows' own


@contextmanager
def stopping() -> Iterator[Event]:
    """Give an event that the first Ctrl-C or SIGTERM sets; the second does what it always does."""
    stop = Event()

    def hear(_number: int, _frame: FrameType | None) -> None:
        stop.set()
        put_back()

    with _handling(hear) as put_back:
        yield stop


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM do what Ctrl-C does, so that whatever is being done is left in order."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    with _handling(interrupt):
        yield


def be_deaf() -> None:
    """Ignore further signals until the end of :func:`terminable`: what is being left is left in order already."""
    if threading.current_thread() is threading.main_thread():
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)


@contextmanager
def _handling(handler: Callable[[int, FrameType | None], None]) -> Iterator[Callable[[], None]]:
    """Hand the signals to a handler, but those that are ignored (a shell's background job's); give what undoes it."""
    before = {}
    if threading.current_thread() is threading.main_thread():  # no other may
        before = {number: signal.getsignal(number) for number in _SIGNALS}
    heard = {number: old for number, old in before.items() if old not in (signal.SIG_IGN, None)}

    def put_back() -> None:
        for number, old in heard.items():
            signal.signal(number, old)

    for number in heard:
        signal.signal(number, handler)
    try:
        yield put_back
    finally:
        put_back()
