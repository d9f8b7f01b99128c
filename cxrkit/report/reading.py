"""Reads finished run directories into what the report is made from; what an older or partial run lacks is left out."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from cxrkit.errors import InputError
from cxrkit.evaluation import hints
from cxrkit.records import (
    CamChecks,
    CamIndex,
    Comparison,
    DataAudit,
    Document,
    Explanations,
    Metrics,
    ModelInfo,
    Robustness,
    RunInfo,
    TaskInfo,
    Timing,
)
from cxrkit.report.results import Results, SeedResult, Source, TaskResult, Unfinished
from cxrkit.rundir import RunDirectory, SeedDirectory, TaskDirectory

Kind = TypeVar("Kind", bound=Document)
FOLDERS = re.compile(r"(?<![\w.:/\\])(?:[A-Za-z]:[\\/]|/)(?:[^\s/\\:\"']+[\\/])+(?=[^\s/\\])")
"""The folders of an absolute path, of any system."""


def read(runs: Sequence[RunDirectory]) -> Results:
    """Read finished runs.

    Raises:
        InputError: a file is missing or not of its form, no task has finished, or the runs detect different classes.
    """
    sources = tuple(_source(name, run) for name, run in zip(_names(runs), runs, strict=True))
    tasks: list[TaskResult] = []
    unfinished: list[Unfinished] = []
    names = [name for source in sources for name in source.info.tasks]
    for number, source in enumerate(sources):
        for name, state in source.info.tasks.items():
            shown = name if names.count(name) == 1 else f"{source.name}/{name}"
            info = _if_there(TaskInfo, source.run.task(name).info)
            if info is None or info.state != "finished":
                reason = (info.failure if info else None) or f"the task is {state}"
                unfinished.append(Unfinished(shown, info.state if info else state, without_folders(reason)))
            else:
                tasks.append(_task(shown, len(tasks), number, source.run.task(name), info))
    _check(runs, tasks)
    return Results(sources, tuple(tasks), tuple(unfinished))


def _names(runs: Sequence[RunDirectory]) -> list[str]:
    """Name the runs after their folders, or number them where these are alike."""
    names = [run.root.resolve().name for run in runs]
    return names if len(set(names)) == len(names) else [f"run {place}" for place in range(1, len(names) + 1)]


def _check(runs: Sequence[RunDirectory], tasks: Sequence[TaskResult]) -> None:
    if not tasks:
        raise InputError(f"{runs[0].root}: has no finished task, a report needs one")
    first = tasks[0]
    for task in tasks[1:]:
        if (task.metrics.class_names, task.metrics.positive) != (first.metrics.class_names, first.metrics.positive):
            raise InputError(
                f"tasks {first.name} and {task.name}: their classes are {first.metrics.class_names} "
                f"and {task.metrics.class_names}, one report needs the same classes"
            )


def without_folders(text: str) -> str:
    """Leave of each absolute path in a text the file's name: where it lies on this machine is no reader's business."""
    return FOLDERS.sub("", text)


def _without_folders(value: Any) -> Any:
    """Do the same with every text among options."""
    if isinstance(value, str):
        return without_folders(value)
    if isinstance(value, dict):
        return {key: _without_folders(one) for key, one in value.items()}
    return [_without_folders(one) for one in value] if isinstance(value, list) else value


def _source(name: str, run: RunDirectory) -> Source:
    return Source(
        name=name,
        run=run,
        info=RunInfo.read(run.info),
        comparison=_if_there(Comparison, run.comparison),
        audit=_if_there(DataAudit, run.audit),
        robustness=_if_there(Robustness, run.robustness),
        explanations=_if_there(Explanations, run.explanations),
    )


def _if_there(kind: type[Kind], path: Path) -> Kind | None:
    return kind.read(path) if path.is_file() else None


def _task(name: str, number: int, source: int, directory: TaskDirectory, info: TaskInfo) -> TaskResult:
    return TaskResult(
        name=name,
        number=number,
        source=source,
        directory=directory,
        info=info.model_copy(update={"options": _without_folders(info.options)}),
        metrics=Metrics.read(directory.metrics),
        seeds=tuple(_seed(seed, directory.seed(seed)) for seed in info.seeds),
        cam=_if_there(CamIndex, directory.cam / "index.json"),
        checks=_if_there(CamChecks, directory.cam / "checks.json"),
    )


def _seed(seed: int, directory: SeedDirectory) -> SeedResult:
    return SeedResult(
        seed=seed,
        history=hints.history(directory),
        timing=_if_there(Timing, directory.timing),
        model=_if_there(ModelInfo, directory.model_info),
    )
