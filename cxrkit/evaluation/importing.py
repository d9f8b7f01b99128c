"""Tasks made of prediction files, whoever made these."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cxrkit.api import Predictions
from cxrkit.config.schema import TaskTable
from cxrkit.errors import InputError
from cxrkit.evaluation import predictions
from cxrkit.evaluation.labels import LabelFile
from cxrkit.files import sha256
from cxrkit.records import Environment, RunInfo, TaskInfo
from cxrkit.rundir import RunDirectory

if TYPE_CHECKING:
    from pandas import DataFrame

    from cxrkit.data.manifest import Manifest

Classes = tuple[Sequence[str] | None, str | None]
"""The classes in their order and the positive one; None where the files tell."""


# ── Reading ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def read_task(
    table: TaskTable, manifest: "Manifest | None", class_names: Sequence[str] | None, positive: str | None
) -> dict[str, Predictions]:
    """Read and check the prediction files of one configured task, set by set.

    Args:
        table: a task with ``predictions``; paths as they can be opened.
        manifest: gives labels and patients and says which images must be there; a set that it lacks has labels in the
            prediction file or in a file of their own.
        class_names: the run's classes in their order; None where only the files can tell.
        positive: the run's positive class, or None.

    Raises:
        InputError: what is wrong with the files, all sets' problems together.
    """
    found: dict[str, Predictions] = {}
    problems: list[str] = []
    for name, path in _files(table).items():
        names, chosen = _decided(found.values(), (class_names, positive))
        try:
            found[name] = predictions.read(
                path,
                task=table.name,
                set_name=name,
                columns=table.columns,
                class_names=names,
                positive=chosen,
                labels=_labels(table, name, manifest),
            )
        except InputError as error:
            problems += [f'task "{table.name}": {problem}' for problem in error.problems]
    problems += _different_scales(table.name, found)
    if problems:
        raise InputError(*problems)
    return found


def read_tasks(tables: Iterable[TaskTable], positive: str | None) -> dict[str, dict[str, Predictions]]:
    """Read the prediction files of several tasks, none of whose images are known otherwise.

    Args:
        tables: tasks with ``predictions``; paths as they can be opened.
        positive: the positive class, or None where the files tell.

    Returns:
        Task → set → predictions; the first file decides the classes.

    Raises:
        InputError: what is wrong with the files, all tasks' problems together.
    """
    found: dict[str, dict[str, Predictions]] = {}
    problems: list[str] = []
    for table in tables:
        names, chosen = _decided((one for sets in found.values() for one in sets.values()), (None, positive))
        try:
            found[table.name] = read_task(table, None, names, chosen)
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(*problems)
    return found


def _files(table: TaskTable) -> dict[str, Path]:
    return {name: Path(path) for name, path in (table.predictions or {}).items()}


def _label_files(table: TaskTable) -> dict[str, Path]:
    return {name: Path(path) for name, path in (table.labels or {}).items()}


def _labels(table: TaskTable, set_name: str, manifest: "Manifest | None") -> "DataFrame | LabelFile | None":
    frame = None if manifest is None else manifest.of(set_name)
    file = _label_files(table).get(set_name)
    if frame is None or not len(frame):
        return None if file is None else LabelFile(file, table.label_columns, table.join)
    if file is not None:
        raise InputError(f"labels.{set_name}: the images of [data] have labels already, leave it out")
    return frame


def _decided(found: Iterable[Predictions], otherwise: Classes) -> Classes:
    first = next(iter(found), None)
    return otherwise if first is None else (first.class_names, first.positive)


def _different_scales(task: str, found: Mapping[str, Predictions]) -> list[str]:
    scales = {name: one.scale for name, one in found.items()}
    if len(set(scales.values())) <= 1:
        return []
    given = " and ".join(f"a {scale} for {name}" for name, scale in scales.items())
    return [f'task "{task}": predictions: gives {given}, the same is needed for every set']


# ── Writing ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def write_task(run: RunDirectory, table: TaskTable, found: Mapping[str, Predictions]) -> TaskInfo:
    """Write what :func:`read_task` found into the run directory; return what ``task.json`` now says."""
    directory = run.task(table.name)
    for set_name, one in found.items():
        predictions.write(directory.predictions(set_name), one)
    one = next(iter(found.values()))
    labels = {f"{set_name} labels": sha256(path) for set_name, path in _label_files(table).items()}
    info = TaskInfo(
        task=table.name,
        kind="predictions",
        state="finished",
        class_names=list(one.class_names),
        positive=one.positive,
        scale=one.scale,
        sets=list(found),
        sources={set_name: sha256(path) for set_name, path in _files(table).items()} | labels,
    )
    before = TaskInfo.read(directory.info) if directory.info.is_file() else None
    if before is not None and (before.sources, before.scale) == (info.sources, info.scale):
        # The same files again: what was evaluated stays evaluated.
        settled = ("threshold", "patient_thresholds", "zone", "temperature", "prior")
        info = info.model_copy(update={name: getattr(before, name) for name in settled})
    info.write(directory.info)
    return info


def write_run(
    run: RunDirectory,
    tables: Iterable[TaskTable],
    found: Mapping[str, Mapping[str, Predictions]],
    *,
    environment: Environment,
    started: str,
    configuration: Mapping[str, Any] | None = None,
) -> None:
    """Make a run directory of what :func:`read_tasks` found.

    Args:
        run: where to.
        tables: the tasks, as they were read.
        found: task → set → predictions.
        environment: for ``run.json``.
        started: ISO date and time, for ``run.json``.
        configuration: what ``run.json`` shall say was asked for.
    """
    for table in tables:
        write_task(run, table, found[table.name])
    one = next(one for sets in found.values() for one in sets.values())
    RunInfo(
        configuration=dict(configuration or {}),
        environment=environment,
        class_names=list(one.class_names),
        positive=one.positive,
        tasks=dict.fromkeys(found, "finished"),
        started=started,
    ).write(run.info)


# ── What they cannot tell ─────────────────────────────────────────────────────────────────────────────────────────────


def limits(found: Predictions, *, validated: bool = True) -> list[str]:
    """Say in sentences what predictions cannot tell.

    Args:
        found: on a test set.
        validated: whether there are predictions on a validation set.
    """
    lacks = {
        "probability": "",
        "score": "The model gives a score that ranks and is no probability: calibration, Brier score, net benefit and "
        "predicted risks cannot be told.",
        "decision": "The model gives bare decisions: AUC, curves, other thresholds, calibration and net benefit over "
        "thresholds cannot be told.",
    }[found.scale]
    fixed = (
        "There are no predictions on validation images: the threshold was fixed beforehand, and nothing was fitted or "
        "chosen on data of this model."
    )
    told = [lacks] if lacks else []
    told += [fixed] if not validated and found.scale != "decision" else []
    return told + _limits_of_images(found)


def _limits_of_images(found: Predictions) -> list[str]:
    told = []
    if np.array_equal(found.patients, found.images):
        told.append(
            "Nothing tells patients apart: every image counts as a patient of its own, and the intervals assume that "
            "images are independent."
        )
    absent = [name for index, name in enumerate(found.class_names) if not np.any(found.labels == index)]
    told += [f"No image shows {name}: what rests on such images cannot be told." for name in absent]
    lacking = int(np.count_nonzero(found.status != predictions.OK))
    if lacking:
        told.append(f"{lacking} of {len(found.images)} images have no result: they count as wrong.")
    return told
