"""The process that needs torch: ``python -P -m cxrkit.training.child WORK PLAN.json [OPTION]...``.

WORK is ``train``, ``explain``, ``robustness``, ``tta`` or ``checkpoint``.

``--plugin-seconds=N`` limits each call of a plugin but a trainer's. With ``--watch-parent`` it ends when its standard
input does: when the process that started it is gone. Its standard output carries events alone, one JSON a line
(:data:`cxrkit.plans.Event`); everything else goes to standard error. Exit status: 0 done, 1 the work failed, 2 the
input was wrong, 130 it was asked to stop.

A training that is told :data:`cxrkit.plans.STOP` on standard input, or gets SIGTERM, SIGINT or SIGHUP, finishes its
step, saves its state and ends; at the second signal it ends at once.
"""

import json
import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

from cxrkit import guard
from cxrkit.errors import CxrkitError, InputError, StopTraining, SurroundingsError
from cxrkit.files import disk_fault
from cxrkit.plans import (
    STOP,
    Calling,
    CheckpointPlan,
    ExplainPlan,
    Failed,
    Finished,
    RobustnessPlan,
    Stopped,
    TrainingPlan,
    ViewsPlan,
)
from cxrkit.training import blame
from cxrkit.training.events import Events

INTERRUPTED = 130
WATCH_PARENT = "--watch-parent"
PLUGIN_SECONDS = "--plugin-seconds="


def main(arguments: list[str]) -> int:
    """Carry out a plan and return the exit status."""
    stop = threading.Event()
    if WATCH_PARENT in arguments:
        threading.Thread(target=_follow_parent, args=(stop,), daemon=True).start()
    events = Events()
    guard.tell_calls(lambda who: events.tell(Calling(who=who)))
    for argument in arguments:
        if argument.startswith(PLUGIN_SECONDS):
            guard.limit_calls(float(argument.removeprefix(PLUGIN_SECONDS)))
    try:
        with blame.told():
            _carry_out([argument for argument in arguments if not argument.startswith("--")], events, stop)
    except StopTraining as stopped:
        events.tell(Stopped(message=str(stopped)))
        return INTERRUPTED
    except BaseException as raised:  # noqa: BLE001 - whatever happens is told to the parent in one sentence
        if _is_users(raised):
            return INTERRUPTED
        error = guard.tellable(raised)
        if stop.is_set():  # then others may have been ended already that it needs
            guard.log(error)
            events.tell(Stopped(message=_told_of_stop(error)))
            return INTERRUPTED
        events.tell(_failure(error, Path(*arguments[1:2])))
        return error.exit_status if isinstance(error, CxrkitError) else 1
    events.tell(Finished())
    return 0


def _follow_parent(stop: threading.Event) -> None:
    """Hear when to stop; end at once when standard input does: what is on disk is whole at any moment."""
    while told := os.read(0, 1024):
        if STOP in told:
            stop.set()
    _leave()


def _heed_signals(stop: threading.Event) -> None:
    """Take the first signal for a wish to stop, and end at once at the second."""

    def hear(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            _leave()
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, hear)
    if os.name != "nt" and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup has it ignored
        signal.signal(signal.SIGHUP, hear)


def _end_at_interrupt() -> None:
    """End at SIGINT as at SIGTERM, without an exception, which may as well be a plugin's."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, lambda _number, _frame: os._exit(INTERRUPTED))


def _is_users(error: BaseException) -> bool:
    """Tell whether an error is the user's wish to stop, before signals are heard in another way."""
    return isinstance(error, KeyboardInterrupt) and signal.getsignal(signal.SIGINT) is signal.default_int_handler


def _leave() -> None:
    """End this process and all that it has started."""
    if os.name != "nt" and os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(INTERRUPTED)


def _carry_out(arguments: list[str], events: Events, stop: threading.Event) -> None:
    if arguments[:1] != ["train"]:  # which has a state to save first
        _end_at_interrupt()
    match arguments:
        case ["train", plan]:
            _train(Path(plan), events, stop)
        case ["explain", plan]:
            _explain(Path(plan), events)
        case ["robustness", plan]:
            _corrupt(Path(plan), events)
        case ["tta", plan]:
            _judge(Path(plan), events)
        case ["checkpoint", plan]:
            _predict(Path(plan), events)
        case _:
            works = "train, explain, robustness, tta and checkpoint"
            raise InputError(f"cxrkit.training.child: got {arguments}, allowed are {works}, each with a PLAN")


def _train(plan: Path, events: Events, stop: threading.Event) -> None:
    read = TrainingPlan.read(plan)
    _heed_signals(stop)
    # cuBLAS reads it once, when CUDA starts; without it its sums differ from run to run.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    from cxrkit.training.train import train

    train(read, events, stop)


def _explain(plan: Path, events: Events) -> None:
    read = ExplainPlan.read(plan)
    events.divert_descriptor()
    from cxrkit.training.explain import explain

    explain(read, events.tell)


def _corrupt(plan: Path, events: Events) -> None:
    read = RobustnessPlan.read(plan)
    events.divert_descriptor()
    from cxrkit.training.robustness import predict_corrupted

    predict_corrupted(read, events.tell)


def _judge(plan: Path, events: Events) -> None:
    read = ViewsPlan.read(plan)
    events.divert_descriptor()
    from cxrkit.training.views import predict_views

    predict_views(read, events.tell)


def _predict(plan: Path, events: Events) -> None:
    read = CheckpointPlan.read(plan)
    events.divert_descriptor()
    from cxrkit.training.checkpoints import predict_checkpoint

    predict_checkpoint(read, events.tell)


def _told_of_stop(error: BaseException) -> str:
    """Say what kept a training that was asked to stop from saving (a full disk), if a user can act on it."""
    from cxrkit import unforeseen

    sentences = unforeseen.expected(error)
    return "Stopped" if sentences is None else f"Stopped, and what came last is not saved ({'; '.join(sentences)})"


def _failure(error: BaseException, plan: Path) -> Failed:
    from cxrkit import unforeseen

    if isinstance(error, guard.MisbehaviourError) and error.__cause__ is not None:
        guard.log(error.__cause__)  # for the plugin's author
    sentences = unforeseen.expected(error)
    if sentences is not None:
        return Failed(
            message="\n".join(sentences),
            input_error=isinstance(error, InputError),
            surroundings=isinstance(error, SurroundingsError) or disk_fault(error) is not None,
        )
    guard.log(error)
    return Failed(message=_kept(error, plan))


def _kept(error: BaseException, plan: Path) -> str:
    """Keep what nobody foresaw in a file of the run directory and tell of it."""
    from cxrkit import unforeseen

    try:
        configuration = json.loads(plan.read_bytes())
        folder = Path(configuration["run_directory"])
    except (OSError, ValueError, KeyError, TypeError):
        configuration, folder = None, plan.parent
    return unforeseen.told(error, [folder], f"cxrkit.training.child {plan.name}", configuration)


if __name__ == "__main__":
    status = main(sys.argv[1:])
    guard.leave(status)
    sys.exit(status)
