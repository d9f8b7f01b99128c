"""Reads finished run directories into what the report is made from; what an older or partial run lacks is left out."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from cxrkit.errors import InputError
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
from cxrkit.report.results import Results, SeedResult, Source, TaskResult, Unfinished, as_number
from cxrkit.rundir import RunDirectory, SeedDirectory, TaskDirectory

Kind = TypeVar("Kind", bound=Document)


def read(runs: Sequence[RunDirectory]) -> Results:
    """Read finished runs.

    Raises:
        InputError: a file is missing or not of its form, no task has finished, or the runs detect different classes.
    """
    sources = tuple(_source(run) for run in runs)
    tasks: list[TaskResult] = []
    unfinished: list[Unfinished] = []
    names = [name for source in sources for name in source.info.tasks]
    labels = _labels(sources)
    for number, source in enumerate(sources):
        for name, state in source.info.tasks.items():
            shown = name if names.count(name) == 1 else f"{labels[number]}/{name}"
            info = _if_there(TaskInfo, source.run.task(name).info)
            if info is None or info.state != "finished":
                reason = (info.failure if info else None) or f"the task is {state}"
                unfinished.append(Unfinished(shown, info.state if info else state, reason))
            else:
                tasks.append(_task(shown, len(tasks), number, source.run.task(name), info))
    _check(runs, tasks)
    return Results(sources, tuple(tasks), tuple(unfinished))


def _labels(sources: Sequence[Source]) -> list[str]:
    """Name the runs after their folders, or number them where these are alike."""
    names = [source.run.root.resolve().name for source in sources]
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


def _source(run: RunDirectory) -> Source:
    return Source(
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
        info=info,
        metrics=Metrics.read(directory.metrics),
        seeds=tuple(_seed(seed, directory.seed(seed)) for seed in info.seeds),
        cam=_if_there(CamIndex, directory.cam / "index.json"),
        checks=_if_there(CamChecks, directory.cam / "checks.json"),
    )


def _seed(seed: int, directory: SeedDirectory) -> SeedResult:
    return SeedResult(
        seed=seed,
        history=_history(directory),
        timing=_if_there(Timing, directory.timing),
        model=_if_there(ModelInfo, directory.model_info),
    )


def _history(directory: SeedDirectory) -> tuple[dict[str, float], ...]:
    if not directory.history.is_file():
        return ()
    with directory.history.open(encoding="utf-8", newline="") as file:
        return tuple({name: as_number(value) for name, value in row.items()} for row in csv.DictReader(file))
