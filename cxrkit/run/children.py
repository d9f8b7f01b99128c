"""Runs a piece of work that needs torch in a process of its own, so that a crash or a hang stays inside it."""

import contextlib
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from pydantic import ValidationError

from cxrkit import guard, locking
from cxrkit.errors import CxrkitError, InputError, RunError, SurroundingsError
from cxrkit.files import writing
from cxrkit.plans import STOP, TRAINING, Calling, Event, Failed, Finished, Notice, Stage, Stopped, event_adapter
from cxrkit.run.stopping import stopping

_SECONDS_PER_HOUR = 3600.0
_GRACE = 30.0  # seconds that the child is given to end after it has said that its work is over
_LOOKS = 0.2  # seconds between two looks at the clock and at whether to stop
_FROM_OUTSIDE = {-getattr(signal, name) for name in ("SIGKILL", "SIGTERM") if hasattr(signal, name)}


def carry_out(
    work: Literal["train", "explain", "robustness", "tta", "checkpoint"],
    plan: Path,
    log: Path,
    hear: Callable[[Event], None],
    *,
    time_limit: float | None = None,
) -> None:
    """Carry out a written plan in a child process and hear its events until it has ended.

    Args:
        work: what the plan is of.
        plan: the plan's file.
        log: takes everything that the child prints, appended.
        hear: is called with each event.
        time_limit: hours after which the child is ended.

    Raises:
        InputError: the child found the user's input wrong.
        SurroundingsError: a disk, images or a process were not as they should be, or somebody else ended the child.
        RunError: it failed otherwise, crashed or ran past the limit.
        KeyboardInterrupt: the user wants to stop; a training has saved its state before, and the text says which.
    """
    with writing(log):
        log.parent.mkdir(parents=True, exist_ok=True)
        output = log.open("ab")
    with output, stopping() if work == "train" else nullcontext(threading.Event()) as stop:
        process = _start(work, plan, output)
        try:
            heard = _listen(process, hear, time_limit, stop)
        finally:
            _end(process)
    if heard.stopped or stop.is_set():
        raise KeyboardInterrupt(heard.stopped or "")
    if heard.failure is not None:
        raise heard.failure
    if process.returncode != 0 and not heard.finished:
        told = f"the process ended {_manner(process.returncode)}{heard.within}, see {log}"
        # Out of the system's memory, or by hand: what the child was ended with here, at its time limit, is told above.
        raise (SurroundingsError if process.returncode in _FROM_OUTSIDE else RunError)(told)


def _start(work: str, plan: Path, log: IO[bytes]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [
            *guard.python_module("cxrkit.training.child"),
            *(work, str(plan), "--watch-parent", f"--plugin-seconds={guard.call_seconds()}"),
        ],
        stdin=subprocess.PIPE,  # ends with this process, however that dies, and the child with it
        stdout=subprocess.PIPE,
        stderr=log,
        pass_fds=locking.descriptors(),  # so that nobody else comes in while it lives, even if this process does not
        start_new_session=os.name != "nt",  # so that everything it starts can be ended with it
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # Windows: Ctrl-C is this process's alone
    )


@dataclass
class _Heard:
    """What a child has told.

    Attributes:
        stage: that it is in.
        calling: whose code runs in it, where that is a plugin's.
        failure: its first; what follows follows from it.
        stopped: how much it has kept of its work when it was asked to stop, in words.
        finished: whether all is done.
    """

    stage: str = ""
    calling: str | None = None
    failure: CxrkitError | None = None
    stopped: str | None = None
    finished: bool = False

    @property
    def within(self) -> str:
        """Say, after what happened, in whose code it did."""
        return f" while {self.calling} was at work" if self.calling else ""

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to come."""
        return self.finished or self.failure is not None or self.stopped is not None

    def take(self, event: Event) -> None:
        """Hear an event."""
        if isinstance(event, Stage):
            self.stage = event.name
        elif isinstance(event, Calling):
            self.calling = event.who
        elif isinstance(event, Failed) and self.failure is None:
            self.failure = _failure(event)
        elif isinstance(event, Stopped):
            self.stopped = event.message
        elif isinstance(event, Finished):
            self.finished = True


def _failure(event: Failed) -> CxrkitError:
    if event.input_error:
        return InputError(event.message)
    return (SurroundingsError if event.surroundings else RunError)(event.message)


def _listen(
    process: "subprocess.Popen[bytes]", hear: Callable[[Event], None], time_limit: float | None, stop: threading.Event
) -> _Heard:
    """Pass on the events until the child ends.

    Raises:
        KeyboardInterrupt: the child is to be stopped and has nothing to save.
    """
    deadline = time.monotonic() + time_limit * _SECONDS_PER_HOUR if time_limit else None
    heard, asked, ends = _Heard(), False, None
    for event in _events(process):
        if deadline is not None and time.monotonic() >= deadline:
            limit = f"ran past its time limit of {time_limit:g} hours and was ended{heard.within}, raise time_limit"
            heard.failure = RunError(limit)
            return heard
        if heard.is_over and ends is None:
            ends = time.monotonic() + _GRACE
        if ends is not None and time.monotonic() >= ends:  # a plugin's thread or process keeps it
            return heard
        if event is not None:
            heard.take(event)
            hear(event)
        if stop.is_set() and heard.stage != TRAINING:
            raise KeyboardInterrupt
        if stop.is_set() and not asked:
            asked = True
            _ask_to_stop(process, hear)
    process.wait()
    if process.returncode == 0 and not heard.finished and heard.failure is None:
        suspect = "" if heard.calling else ", a plugin may have called sys.exit()"
        heard.failure = RunError(f"the process ended before its work was done{heard.within}{suspect}")
    return heard


def _ask_to_stop(process: "subprocess.Popen[bytes]", hear: Callable[[Event], None]) -> None:
    hear(Notice(message="stopping as soon as the step under way is done and saved; Ctrl-C again stops at once"))
    assert process.stdin is not None  # noqa: S101 - Popen was asked for a pipe
    with contextlib.suppress(OSError):  # it has just ended by itself
        process.stdin.write(STOP)
        process.stdin.flush()


def _events(process: "subprocess.Popen[bytes]") -> Iterator[Event | None]:
    """Yield the child's events until it ends, and None from time to time while there is none."""
    lines: queue.Queue[bytes | None] = queue.Queue()
    threading.Thread(target=_read, args=(process, lines), daemon=True).start()
    while True:
        try:
            line = lines.get(timeout=_LOOKS)
        except queue.Empty:
            if process.poll() is not None:  # what it has started may live on and keep its output open
                return
            yield None
            continue
        if line is None:
            return
        with contextlib.suppress(ValidationError):  # a plugin's own writing to descriptor 1
            yield event_adapter.validate_json(line)


def _read(process: "subprocess.Popen[bytes]", lines: "queue.Queue[bytes | None]") -> None:
    assert process.stdout is not None  # noqa: S101 - Popen was asked for a pipe
    with process.stdout as told:  # closed here, as closing waits for who reads: for ever, where a stranger holds it
        for line in told:
            lines.put(line)
    lines.put(None)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End the child and everything that it started."""
    if os.name == "nt":
        process.kill()
    else:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdin is not None:
        with contextlib.suppress(OSError):  # what could not be written any more
            process.stdin.close()


def _manner(status: int) -> str:
    if status == -signal.SIGTERM:
        return "because it was told to stop (SIGTERM)"
    if os.name != "nt" and status == -signal.SIGKILL:
        return "because it was killed (often for want of memory: lower batch_size or [run] workers)"
    if status < 0:
        return f"by signal {-status} ({signal.Signals(-status).name})"
    return f"with status {status}"
