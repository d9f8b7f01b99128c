"""Runs a piece of work that needs torch in a process of its own, so that a crash or a hang stays inside it."""

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Literal

from pydantic import ValidationError

from cxrkit.errors import CxrkitError, InputError, RunError
from cxrkit.plans import Event, Failed, Finished, event_adapter

_SECONDS_PER_HOUR = 3600.0


def carry_out(
    work: Literal["train", "explain", "robustness", "checkpoint"],
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
        RunError: it failed, crashed or ran past the limit.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = _start(work, plan, output)
        try:
            failure = _listen(process, hear, time_limit)
        finally:
            _end(process)
    if failure is not None:
        raise failure
    if process.returncode != 0:
        raise RunError(f"the process ended {_manner(process.returncode)}, see {log}")


def _start(work: str, plan: Path, log: IO[bytes]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "cxrkit.training.child", work, str(plan), "--watch-parent"],
        stdin=subprocess.PIPE,  # ends with this process, however that dies, and the child with it
        stdout=subprocess.PIPE,
        stderr=log,
        start_new_session=os.name != "nt",  # so that everything it starts can be ended with it
    )


def _listen(
    process: "subprocess.Popen[bytes]", hear: Callable[[Event], None], time_limit: float | None
) -> CxrkitError | None:
    """Pass on the events until the child ends; return why it failed, if it did."""
    deadline = time.monotonic() + time_limit * _SECONDS_PER_HOUR if time_limit else None
    failure: CxrkitError | None = None
    finished = False
    for event in _events(process, deadline):
        if event is None:
            return RunError(f"ran past its time limit of {time_limit:g} hours and was ended, raise time_limit")
        if isinstance(event, Failed) and failure is None:  # what follows the first failure follows from it
            failure = (InputError if event.input_error else RunError)(event.message)
        finished = finished or isinstance(event, Finished)
        hear(event)
    process.wait()
    if process.returncode == 0 and not finished and failure is None:
        return RunError("the process ended before its work was done, a plugin may have called sys.exit()")
    return failure


def _events(process: "subprocess.Popen[bytes]", deadline: float | None) -> Iterator[Event | None]:
    """Yield the child's events, and None once if the deadline passes."""
    lines: queue.Queue[bytes | None] = queue.Queue()
    threading.Thread(target=_read, args=(process, lines), daemon=True).start()
    while True:
        try:
            line = lines.get(timeout=None if deadline is None else max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            yield None
            return
        if line is None:
            return
        with contextlib.suppress(ValidationError):  # a plugin's own writing to descriptor 1
            yield event_adapter.validate_json(line)


def _read(process: "subprocess.Popen[bytes]", lines: "queue.Queue[bytes | None]") -> None:
    assert process.stdout is not None  # noqa: S101 - Popen was asked for a pipe
    for line in process.stdout:
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
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def _manner(status: int) -> str:
    if status == -signal.SIGTERM:
        return "because it was told to stop (SIGTERM)"
    if os.name != "nt" and status == -signal.SIGKILL:
        return "because it was killed (often for want of memory: lower batch_size or [run] workers)"
    if status < 0:
        return f"by signal {-status} ({signal.Signals(-status).name})"
    return f"with status {status}"
