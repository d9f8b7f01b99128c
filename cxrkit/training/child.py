"""The process that needs torch: ``python -m cxrkit.training.child WORK PLAN.json [--watch-parent]``.

WORK is ``train``, ``explain``, ``robustness`` or ``checkpoint``.

With ``--watch-parent`` it ends when its standard input does: when the process that started it is gone. Its standard
output carries events alone, one JSON a line (:data:`cxrkit.plans.Event`); everything else goes to standard error. Exit
status: 0 done, 1 the work failed, 2 the input was wrong.
"""

import os
import sys
import threading
import traceback
from pathlib import Path

from cxrkit.errors import CxrkitError, InputError, is_out_of_memory
from cxrkit.plans import CheckpointPlan, ExplainPlan, Failed, Finished, RobustnessPlan, TrainingPlan
from cxrkit.training.events import Events

INTERRUPTED = 130
WATCH_PARENT = "--watch-parent"


def main(arguments: list[str]) -> int:
    """Carry out a plan and return the exit status."""
    if WATCH_PARENT in arguments:
        threading.Thread(target=_leave_with_parent, daemon=True).start()
    events = Events()
    try:
        _carry_out([argument for argument in arguments if argument != WATCH_PARENT], events)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - whatever happens is told to the parent in one sentence
        events.tell(_failure(error))
        return error.exit_status if isinstance(error, CxrkitError) else 1
    events.tell(Finished())
    return 0


def _leave_with_parent() -> None:
    """End at once when standard input ends; what is on disk is whole at any moment, and is gone on with."""
    while os.read(0, 1024):
        pass
    os._exit(INTERRUPTED)


def _carry_out(arguments: list[str], events: Events) -> None:
    match arguments:
        case ["train", plan]:
            _train(Path(plan), events)
        case ["explain", plan]:
            _explain(Path(plan), events)
        case ["robustness", plan]:
            _corrupt(Path(plan), events)
        case ["checkpoint", plan]:
            _predict(Path(plan), events)
        case _:
            works = "train, explain, robustness and checkpoint"
            raise InputError(f"cxrkit.training.child: got {arguments}, allowed are {works}, each with a PLAN")


def _train(plan: Path, events: Events) -> None:
    read = TrainingPlan.read(plan)
    # cuBLAS reads it once, when CUDA starts; without it its sums differ from run to run.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    from cxrkit.training.train import train

    train(read, events)


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


def _predict(plan: Path, events: Events) -> None:
    read = CheckpointPlan.read(plan)
    events.divert_descriptor()
    from cxrkit.training.checkpoints import predict_checkpoint

    predict_checkpoint(read, events.tell)


def _failure(error: Exception) -> Failed:
    if isinstance(error, CxrkitError):
        return Failed(message=str(error), input_error=isinstance(error, InputError))
    traceback.print_exception(error)
    if is_out_of_memory(error):
        return Failed(message="memory ran out, use a smaller batch_size or image_size")
    return Failed(message=f"unexpected {type(error).__name__}: {error} (the traceback is in the log)")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
