"""Tasks made of prediction files, whoever made these."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cxrkit.api import Predictions
from cxrkit.config.schema import TaskTable
from cxrkit.errors import InputError
from cxrkit.evaluation import predictions
from cxrkit.files import sha256
from cxrkit.records import Environment, RunInfo, TaskInfo
from cxrkit.rundir import RunDirectory

if TYPE_CHECKING:
    from pandas import DataFrame

    from cxrkit.data.manifest import Manifest


def read_task(
    table: TaskTable, manifest: "Manifest | None", class_names: Sequence[str] | None, positive: str | None
) -> dict[str, Predictions]:
    """Read and check the prediction files of one configured task, set by set.

    Args:
        table: a task with ``predictions`` (paths as they can be opened) and ``columns``.
        manifest: gives labels and patients and says which images must be there; without it the files must have labels.
        class_names: the run's classes in their order; None where only the files can tell.
        positive: the run's positive class, or None.

    Raises:
        InputError: what is wrong with the files, all sets' problems together.
    """
    labels = {name: frame for name in table.predictions or {} if (frame := _labels(manifest, name)) is not None}
    return _read_sets(table.name, _files(table), table.columns, (class_names, positive), labels)


def write_task(run: RunDirectory, table: TaskTable, found: Mapping[str, Predictions]) -> TaskInfo:
    """Write what :func:`read_task` found into the run directory; return what ``task.json`` now says."""
    return _write_task(run, table.name, _files(table), found)


def _files(table: TaskTable) -> dict[str, Path]:
    return {name: Path(path) for name, path in (table.predictions or {}).items()}


def from_files(
    files: Mapping[str, Mapping[str, Path]],
    run: RunDirectory,
    *,
    environment: Environment,
    started: str,
    columns: Mapping[str, str] | None = None,
    positive: str | None = None,
    configuration: Mapping[str, Any] | None = None,
) -> None:
    """Make a run directory out of prediction files alone.

    Args:
        files: task → set → CSV file with labels of its own.
        run: where to; nothing is written where a file is wrong.
        environment: for ``run.json``.
        started: ISO date and time, for ``run.json``.
        columns: cxrkit's column → the files' own.
        positive: the positive class, or None where the files tell.
        configuration: what ``run.json`` shall say was asked for.

    Raises:
        InputError: what is wrong with the files; the first one decides the classes.
    """
    found: dict[str, dict[str, Predictions]] = {}
    problems: list[str] = []
    for task in files:
        try:
            classes = _decided((one for sets in found.values() for one in sets.values()), (None, positive))
            found[task] = _read_sets(task, files[task], columns or {}, classes, {})
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(*problems)
    one = next(one for sets in found.values() for one in sets.values())
    for task, sets in found.items():
        _write_task(run, task, files[task], sets)
    RunInfo(
        configuration=dict(configuration or {}),
        environment=environment,
        class_names=list(one.class_names),
        positive=one.positive,
        tasks=dict.fromkeys(found, "finished"),
        started=started,
    ).write(run.info)


def _labels(manifest: "Manifest | None", set_name: str) -> "DataFrame | None":
    if manifest is None:
        return None
    frame = manifest.of(set_name)
    return frame if len(frame) else None


def _read_sets(
    task: str,
    files: Mapping[str, Path],
    columns: Mapping[str, str],
    classes: tuple[Sequence[str] | None, str | None],
    labels: "Mapping[str, DataFrame]",
) -> dict[str, Predictions]:
    """Read a task's files; the first one decides the classes and their order where nothing else does."""
    found: dict[str, Predictions] = {}
    problems: list[str] = []
    for name, path in files.items():
        class_names, positive = _decided(found.values(), classes)
        try:
            found[name] = predictions.read(
                path,
                task=task,
                set_name=name,
                columns=columns,
                class_names=class_names,
                positive=positive,
                labels=labels.get(name),
            )
        except InputError as error:
            problems += [f'task "{task}": {problem}' for problem in error.problems]
    if problems:
        raise InputError(*problems)
    return found


def _decided(
    found: Iterable[Predictions], otherwise: tuple[Sequence[str] | None, str | None]
) -> tuple[Sequence[str] | None, str | None]:
    first = next(iter(found), None)
    return otherwise if first is None else (first.class_names, first.positive)


def _write_task(run: RunDirectory, name: str, files: Mapping[str, Path], found: Mapping[str, Predictions]) -> TaskInfo:
    directory = run.task(name)
    for set_name, one in found.items():
        predictions.write(directory.predictions(set_name), one)
    one = next(iter(found.values()))
    info = TaskInfo(
        task=name,
        kind="predictions",
        state="finished",
        class_names=list(one.class_names),
        positive=one.positive,
        sets=list(found),
        sources={set_name: sha256(path) for set_name, path in files.items()},
    )
    before = TaskInfo.read(directory.info) if directory.info.is_file() else None
    if before is not None and before.sources == info.sources:
        info.threshold = before.threshold  # the same files again: what was evaluated stays evaluated
    info.write(directory.info)
    return info
