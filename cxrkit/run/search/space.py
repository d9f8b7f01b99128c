"""Which keys a search may vary, and where they stand."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from cxrkit.config.schema import Configuration, TaskTable
from cxrkit.config.search import RangeTable, SearchTable
from cxrkit.errors import InputError, nearest
from cxrkit.run.search import points

AUGMENTATION = "augmentation"  # of the task where it has one of its own, else of the file
OF_TASK = ("model", "imbalance", "trainer", "epochs", "batch_size", "precision", AUGMENTATION)
OF_FILE = ("data.image_size",)
ALLOWED = (*OF_TASK, *OF_FILE)
UNDERLYING = ("data", "run")  # tables with keys that decide which images validation is made on, and on what machine


def key(name: str, task: TaskTable) -> str:
    """Say where a varied key stands, as ``--set`` calls it: in the task, or in the file for all tasks."""
    first = name.partition(".")[0]
    in_task = first in OF_TASK and (first != AUGMENTATION or task.augmentation is not None)
    return f"task.{task.name}.{name}" if in_task else name


def place(name: str, path: Path, over: Sequence[str]) -> str:
    """Say where the user wrote a varied key: on the command line (``over``) or in the file."""
    given = any(text.partition("=")[0].strip() == name for text in over)
    return f"--over {name}" if given else f"{path}: search.space.{name}"


def refuse_keys(table: SearchTable, read: Configuration, path: Path, over: Sequence[str]) -> None:
    """Refuse keys that are none, or that a search must not or need not vary, and a method that does not fit.

    Raises:
        InputError: all problems at once; or Optuna is needed and not installed.
    """
    if not table.space:
        example = "e.g. batch_size = [16, 32] under [search.space], or --over batch_size=[16,32]"
        raise InputError(f"{path}: search.space: is empty, give keys and values, {example}")
    problems = [f"{place(name, path, over)}: {why}" for name in table.space for why in _wrong_key(name, read)]
    if table.method == "grid":
        problems += [
            f"{place(name, path, over)}: a grid needs to know how many values of a range, write points = 5 into it"
            for name, dimension in table.space.items()
            if isinstance(dimension, RangeTable) and dimension.points is None
        ]
    elif table.method == "random" and points.size(table) < points.draws(table):
        problems.append(
            f"{path}: search.trials: got {table.trials}, the space has {points.size(table):.0f} points; "
            'ask for no more, or for method = "grid"'
        )
    if problems:
        raise InputError(*problems)
    if table.method == "optuna":
        points.need_optuna()


def _wrong_key(name: str, read: Configuration) -> Iterator[str]:
    first = name.partition(".")[0]
    if first in OF_TASK or name in OF_FILE:
        return
    if first in UNDERLYING:
        yield f"decides which images are validated on, or on what is computed; allowed are {', '.join(ALLOWED)}"
    elif first == "task":
        yield f'is a key of its task, write "{_without_task(name, read)}"'
    elif first == "seeds":
        yield "is no hyper-parameter, a lucky seed is lucky on these images alone"
    elif first in {*TaskTable.model_fields, *Configuration.model_fields, "defaults"}:
        yield f"changes no training, allowed are {', '.join(ALLOWED)}"
    else:
        yield f"unknown key, {nearest(first, ALLOWED)}"


def _without_task(name: str, read: Configuration) -> str:
    rest = name.removeprefix("task.")
    names = sorted((task.name for task in read.task if rest.startswith(f"{task.name}.")), key=len)
    return rest.removeprefix(f"{names[-1]}.") if names else "batch_size"
