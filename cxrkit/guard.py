"""Calls of plugins: whatever a stranger's code does, the call ends, is named, and leaves the process as it was."""

import contextlib
import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import fields, is_dataclass, replace
from types import MappingProxyType
from typing import Any, TypeVar

from cxrkit.errors import CxrkitError, RunError, StopTraining
from cxrkit.one_line import encodable
from cxrkit.unchanged import divert_threads, unchanged

LOAD_SECONDS = 120.0
"""In which a plugin must be imported and have said what it offers."""

CALL_SECONDS = 600.0
"""In which any other call must be done; ``[run] plugin_minutes`` sets another limit."""

TELLING_SECONDS = 10.0
"""In which what was raised must have said what it is."""

TOLD_IN_FULL = 400
"""Characters of what an exception says."""

GRACE = 2.0
"""Seconds that threads of plugins are given to end by themselves when the process ends."""

Answer = TypeVar("Answer")


class MisbehaviourError(RunError):
    """What a plugin did wrong; the text names it first.

    Attributes:
        what: the text without the name.
        timed_out: the call is still under way, in a thread that was left behind.
    """

    def __init__(self, who: str, what: str, *, timed_out: bool = False) -> None:
        """Say who did what."""
        super().__init__(f"{who} {what}")
        self.what = what
        self.timed_out = timed_out


class _Watch:
    """Who is being called, told to whoever would have to explain a sudden end of this process."""

    def __init__(self) -> None:
        self.tell: Callable[[str | None], None] = lambda _who: None
        self.seconds = CALL_SECONDS
        self.left_behind = 0


_watch = _Watch()


def tell_calls(tell: Callable[[str | None], None]) -> None:
    """Let ``tell`` hear whom each following call is of, and None when it has ended."""
    _watch.tell = tell


def limit_calls(seconds: float) -> None:
    """Set in which time each following call must be done, where its caller says nothing else."""
    _watch.seconds = seconds


def call(
    who: str, function: Callable[..., Answer], *arguments: Any, seconds: float | None = None, **named: Any
) -> Answer:
    """Call a function of a plugin in a thread of its own, so that it can be given up.

    What it prints goes to standard error; the working folder, the standard streams, the filters of warnings and the
    state of Python's, NumPy's and torch's generators are afterwards what they were before.

    Args:
        who: names the plugin, its distribution and the hook, for messages.
        function: of the plugin.
        arguments: for it.
        seconds: after which the call is given up, see :func:`limit_calls`; its thread is left behind.
        named: for it.

    Raises:
        MisbehaviourError: it raised something, ``SystemExit`` and the like included, or was not done in time.
        CxrkitError: raised by the plugin, as it is.
    """
    worker = _worker()
    try:
        with _named(who), unchanged():
            if worker.is_current:  # a plugin that asks for another
                return function(*arguments, **named)
            answer: Answer = worker.do(who, lambda: function(*arguments, **named), seconds or _watch.seconds)
            return answer
    finally:
        _divert_what_goes_on(worker)


def here(who: str, function: Callable[..., Answer], *arguments: Any, **named: Any) -> Answer:
    """Call a function of a plugin in this thread, without a limit; see :func:`call`."""
    try:
        with _named(who), unchanged():
            return function(*arguments, **named)
    except BaseException as error:
        raised = tellable(error)
        if isinstance(raised, CxrkitError | StopTraining):
            raise
        raise misbehaviour(who, raised) from raised


def call_seconds() -> float:
    """Give the time in which a call must be done."""
    return _watch.seconds


def options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Copy the options of a component, lists in them included, for a plugin to do with as it likes."""
    return deepcopy(dict(given))


def read_only(value: Any) -> Any:
    """Give arrays, and the dataclasses and mappings that hold some, as what cannot be written to.

    The arrays share their memory with those given, which stay as they are.
    """
    if hasattr(value, "setflags"):
        view = value.view()
        view.setflags(write=False)
        return view
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{one.name: read_only(getattr(value, one.name)) for one in fields(value) if one.init})
    if isinstance(value, Mapping):
        return MappingProxyType({name: read_only(one) for name, one in value.items()})
    return value


def misbehaviour(who: str, error: BaseException) -> MisbehaviourError:
    """Say in a sentence what a plugin raised, once that is :func:`tellable`."""
    if isinstance(error, SystemExit):
        what = f"called sys.exit({'' if error.code is None else repr(error.code)})"
    else:
        what = f"failed ({in_short(error)})"
    return MisbehaviourError(who, what)


def in_short(error: BaseException) -> str:
    """Name an error in a line, by its class and what it says."""
    plain = tellable(error)
    text = encodable(" ".join(f"{type(plain).__name__}: {plain}".split()).removesuffix(":"))
    return text if len(text) <= TOLD_IN_FULL else f"{text[:TOLD_IN_FULL]}…"


def tellable(error: BaseException) -> BaseException:
    """Give what anyone can tell of: the error itself, or a plain one in its place.

    What an error says is a stranger's code as well: it may raise anything, never end, or give what no file can hold. So
    it is asked in the thread of the plugins, where what is raised is never the user's Ctrl-C, and for a limited time.
    """
    worker = _worker()
    if worker.is_current:
        return _tellable(error)
    try:
        with unchanged():
            plain, failed = worker.outcome(lambda: _tellable(error), TELLING_SECONDS)
    except queue.Empty:
        return _stand_in(error, "")
    finally:
        _divert_what_goes_on(worker)
    return _stand_in(error, "") if failed else plain


def _tellable(error: BaseException) -> BaseException:
    said = ""
    with contextlib.suppress(BaseException):  # a stranger's code may raise anything
        said = str.__str__(str(error))  # a plain text, whatever class of text was given
        if _is_plain(error):
            return error
    return _stand_in(error, said)


def _is_plain(error: BaseException) -> bool:
    """Tell whether class, text and traceback (with those of its causes) of an error are ordinary ones."""
    texts = [str(error), type(error).__name__, *([repr(error.code)] if isinstance(error, SystemExit) else [])]
    if any(type(text) is not str for text in texts):
        return False
    whole = "".join(traceback.format_exception(error))
    return isinstance(error, CxrkitError | StopTraining) or encodable(whole) == whole


def _stand_in(error: BaseException, said: str) -> BaseException:
    """Make an error of the same name that says a text and has no causes, for whoever prints or keeps it."""
    plain: BaseException
    if isinstance(error, SystemExit):
        plain = SystemExit(encodable(said))
    else:
        name = str.__str__(type.__dict__["__name__"].__get__(type(error)))  # as Python has it
        plain = type(encodable(name), (Exception,), {"__module__": "builtins"})(encodable(said))
    return plain.with_traceback(error.__traceback__)


def log(error: BaseException) -> None:
    """Print the traceback of what a plugin raised, as far as standard error is still there."""
    with contextlib.suppress(OSError, ValueError):
        traceback.print_exception(error)


def python_module(name: str) -> list[str]:
    """Give the command of another Python that runs a module, and never a file of its name in the working folder."""
    return [sys.executable, "-P", "-m", name]


def leave(status: int) -> None:
    """End the process now, where threads or processes that plugins left behind would keep it from ending."""
    if not _watch.left_behind and _have_ended(_others()):
        return
    if "multiprocessing" in sys.modules:
        for process in sys.modules["multiprocessing"].active_children():
            process.terminate()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)


def _others() -> list[threading.Thread]:
    main = threading.main_thread()
    return [one for one in threading.enumerate() if one is not main and not one.daemon]


def _have_ended(threads: list[threading.Thread]) -> bool:
    deadline = time.monotonic() + GRACE
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return not any(thread.is_alive() for thread in threads)


# ── The thread ────────────────────────────────────────────────────────────────────────────────────────────────────────


class _Worker:
    """A thread that calls one function after another: what a library keeps for each thread is there the next time."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self.usable = True
        self._tasks: queue.SimpleQueue[tuple[Callable[[], Any], queue.SimpleQueue[Any]]] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="cxrkit plugins", daemon=True)
        self._thread.start()

    @property
    def is_current(self) -> bool:
        return threading.current_thread() is self._thread

    def do(self, who: str, function: Callable[[], Any], seconds: float) -> Any:
        try:
            value, error = self.outcome(function, seconds)
        except queue.Empty:
            raise MisbehaviourError(who, _too_long(seconds), timed_out=True) from None
        if isinstance(error, CxrkitError):
            raise error
        if error is not None:
            raise misbehaviour(who, error) from error
        return value

    def outcome(self, function: Callable[[], Any], seconds: float) -> tuple[Any, BaseException | None]:
        """Give what a function returns, and what it raises as far as that can be told of.

        Raises:
            queue.Empty: it is given up.
        """
        answer: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()
        self._tasks.put((function, answer))
        self.usable = False
        try:
            found = answer.get(timeout=seconds)
            self.usable = True
        finally:
            _watch.left_behind += not self.usable  # also where the user interrupts the wait
        return found

    def _work(self) -> None:
        while True:
            function, answer = self._tasks.get()
            try:
                answer.put((function(), None))
            except BaseException as error:  # noqa: BLE001 - a stranger's code may raise anything
                answer.put((None, _tellable(error)))
            del function, answer  # with what they hold, which may be large


_workers: list[_Worker] = []


def _worker() -> _Worker:
    """Give the thread of this process; a new one where the last one was left behind or is a forked parent's."""
    if _workers and _workers[-1].process == os.getpid() and (_workers[-1].usable or _workers[-1].is_current):
        return _workers[-1]
    _workers[:] = [_Worker()]
    return _workers[-1]


def _divert_what_goes_on(worker: _Worker) -> None:
    """Divert what a thread that was left behind prints from now on."""
    if not worker.usable and not worker.is_current:
        divert_threads()


def _too_long(seconds: float) -> str:
    took = f"{seconds / 60:g} minutes" if seconds >= 60 else f"{seconds:g} seconds"  # noqa: PLR2004 - of a minute
    return f"was not done after {took} and was given up ([run] plugin_minutes sets the limit)"


@contextlib.contextmanager
def _named(who: str) -> Iterator[None]:
    _watch.tell(who)
    try:
        yield
    finally:
        _watch.tell(None)
