"""Reads finished run directories into what the report is made from; what an older or partial run lacks is left out."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from cxrkit.errors import InputError
from cxrkit.evaluation import hints
from cxrkit.records import (
    AugmentationPreviews,
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
    SampleImages,
    TaskInfo,
    Timing,
)
from cxrkit.report.naming import AS_THEY_ARE, Names
from cxrkit.report.results import Results, SeedResult, Source, TaskResult, Unfinished
from cxrkit.rundir import RunDirectory, SeedDirectory, TaskDirectory

Kind = TypeVar("Kind", bound=Document)


def read(runs: Sequence[RunDirectory], names: Names = AS_THEY_ARE) -> Results:
    """Read finished runs.

    Args:
        runs: evaluated run directories.
        names: what their images and patients are called from here on.

    Raises:
        InputError: a file is missing or not of its form, no task has finished, or the runs detect different classes.
    """
    sources = tuple(_source(name, run, names) for name, run in zip(_names(runs), runs, strict=True))
    tasks: list[TaskResult] = []
    unfinished: list[Unfinished] = []
    every = [name for source in sources for name in source.info.tasks]
    for number, source in enumerate(sources):
        for name, state in source.info.tasks.items():
            shown = name if every.count(name) == 1 else f"{source.name}/{name}"
            info = _if_there(TaskInfo, source.run.task(name).info, names)
            if info is None or info.state != "finished":
                reason = (info.failure if info else None) or f"the task is {state}"
                unfinished.append(Unfinished(shown, info.state if info else state, names.text(reason)))
            else:
                tasks.append(_task(shown, len(tasks), number, source.run.task(name), info, names))
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


def _source(name: str, run: RunDirectory, names: Names) -> Source:
    info = RunInfo.read(run.info)
    return Source(
        name=name,
        run=run,
        info=info.model_copy(update={"data": None if info.data is None else names.document(info.data)}),
        comparison=_if_there(Comparison, run.comparison, names),
        audit=_if_there(DataAudit, run.audit, names),
        robustness=_if_there(Robustness, run.robustness, names),
        explanations=_if_there(Explanations, run.explanations, names),
        samples=_if_there(SampleImages, run.samples, names),
        previews=_if_there(AugmentationPreviews, run.previews, names),
        names=names,
    )


def _if_there(kind: type[Kind], path: Path, names: Names) -> Kind | None:
    return names.document(kind.read(path)) if path.is_file() else None


def _task(name: str, number: int, source: int, directory: TaskDirectory, info: TaskInfo, names: Names) -> TaskResult:
    metrics = Metrics.read(directory.metrics)
    written = {"sections": names.written(metrics.sections), "limits": names.written(metrics.limits)}
    return TaskResult(
        name=name,
        number=number,
        source=source,
        directory=directory,
        info=info,
        metrics=metrics.model_copy(update=written),
        seeds=tuple(_seed(seed, directory.seed(seed), names) for seed in info.seeds),
        cam=_if_there(CamIndex, directory.cam / "index.json", names),
        checks=_if_there(CamChecks, directory.cam / "checks.json", names),
        timing=_if_there(Timing, directory.timing, names),
        names=names,
    )


def _seed(seed: int, directory: SeedDirectory, names: Names) -> SeedResult:
    return SeedResult(
        seed=seed,
        history=hints.history(directory),
        timing=_if_there(Timing, directory.timing, names),
        model=_if_there(ModelInfo, directory.model_info, names),
    )
