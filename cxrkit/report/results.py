"""Reads finished run directories for the report; nothing here evaluates anything."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from cxrkit.api import Predictions
from cxrkit.errors import InputError
from cxrkit.evaluation import predictions
from cxrkit.records import (
    CamIndex,
    Comparison,
    ComparisonRecord,
    Confusion,
    Metrics,
    ModelInfo,
    Record,
    RunInfo,
    TaskInfo,
    Timing,
)
from cxrkit.rundir import RunDirectory, SeedDirectory, TaskDirectory

TEST = "test"
NOT_TOLD_APART = "every image is a patient of its own"


@dataclass(frozen=True)
class SeedResult:
    """One training as it was recorded; what was not recorded is empty."""

    seed: int
    history: tuple[dict[str, float], ...]
    timing: Timing | None
    model: ModelInfo | None

    @property
    def selected_row(self) -> dict[str, float] | None:
        """The epoch whose weights were chosen."""
        if self.model is None or self.model.selected_epoch is None:
            return None
        return next((row for row in self.history if row.get("epoch") == self.model.selected_epoch), None)


@dataclass(frozen=True)
class TaskResult:
    """A finished task.

    Attributes:
        name: as the report calls it; with its run's name where two runs have a task of this name.
        number: fixes its colour.
        source: number of its run.
    """

    name: str
    number: int
    source: int
    directory: TaskDirectory
    info: TaskInfo
    metrics: Metrics
    seeds: tuple[SeedResult, ...]
    cam: CamIndex | None

    def figure(self, metric: str, set_name: str = TEST, class_name: str | None = None) -> Record | None:
        """Find a figure of all images of a set at its own prevalence, without recalibration."""
        for record in self.metrics.records:
            found = (record.metric, record.set, record.class_name) == (metric, set_name, class_name)
            special = record.condition or record.subgroup or record.calibrated or record.prevalence is not None
            if found and not special:
                return record
        return None

    def at_prevalence(self, metric: str, set_name: str = TEST) -> Record | None:
        """Find a predictive value at the stated prevalence."""
        for record in self.metrics.records:
            if record.metric == metric and record.set == set_name and record.prevalence is not None:
                return record
        return None

    def confusion(self, set_name: str = TEST) -> Confusion | None:
        """Find the confusion matrix of a set."""
        return next((one for one in self.metrics.confusion if one.set == set_name and one.condition is None), None)

    def predictions(self, set_name: str = TEST) -> Predictions:
        """Read the task's predictions of a set."""
        return predictions.read(
            self.directory.predictions(set_name),
            task=self.name,
            set_name=set_name,
            class_names=self.metrics.class_names,
            positive=self.metrics.positive,
        )

    def curve(self, set_name: str, kind: str) -> dict[str, list[float]] | None:
        """Read a curve's columns (``roc``, ``pr``, ``calibration``); None where there is none."""
        path = self.directory.curves / f"{set_name}_{kind}.csv"
        if not path.is_file():
            return None
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return {name: [_number(row[name]) for row in rows] for name in (rows[0] if rows else {})}


@dataclass(frozen=True)
class Unfinished:
    """A task that gave no result, and why."""

    name: str
    state: str
    reason: str


@dataclass(frozen=True)
class Source:
    """A run directory with what it says about itself."""

    run: RunDirectory
    info: RunInfo
    comparison: Comparison | None

    @property
    def shares_patients(self) -> bool:
        """Whether a patient may be in several splits, as far as the data's description tells."""
        configuration = self.info.configuration.get("data") or {}
        rule = (self.info.data.patient_rule if self.info.data else None) or NOT_TOLD_APART
        return bool(configuration.get("allow_shared_patients")) or rule == NOT_TOLD_APART


@dataclass(frozen=True)
class Results:
    """Everything that a report is made from."""

    sources: tuple[Source, ...]
    tasks: tuple[TaskResult, ...]
    unfinished: tuple[Unfinished, ...]

    @property
    def positive(self) -> str:
        """The class whose detection is evaluated."""
        return self.tasks[0].metrics.positive

    @property
    def negatives(self) -> tuple[str, ...]:
        """The other classes."""
        return tuple(name for name in self.tasks[0].metrics.class_names if name != self.positive)

    @cached_property
    def sets(self) -> tuple[str, ...]:
        """The sets that figures are reported on: test first, then external ones."""
        found = {record.set for task in self.tasks for record in task.metrics.records}
        return tuple(sorted(found - {"val"}, key=lambda name: (name != TEST, name)))

    @cached_property
    def comparisons(self) -> tuple[ComparisonRecord, ...]:
        """Every compared pair, with tasks named as the report names them."""
        return tuple(self._renamed())

    @property
    def primary(self) -> str:
        """The figure whose comparison was fixed beforehand."""
        found = [source.comparison.primary for source in self.sources if source.comparison]
        return found[0] if found else "roc_auc"

    @property
    def level(self) -> float:
        """Level of the intervals."""
        return next((record.level for task in self.tasks for record in task.metrics.records), 0.95)

    def task(self, name: str) -> TaskResult:
        """Find a finished task by the name that the report gives it."""
        return next(task for task in self.tasks if task.name == name)

    def compared(self, metric: str, set_name: str = TEST) -> list[ComparisonRecord]:
        """Find the pairs that were compared by a figure."""
        return [record for record in self.comparisons if (record.metric, record.set) == (metric, set_name)]

    def is_better(self, task: TaskResult, metric: str, set_name: str = TEST) -> bool:
        """Say whether a task is better than another and worse than none, by intervals that exclude 0."""
        involved = [one for one in self.compared(metric, set_name) if task.name in {one.task, one.reference}]
        winners = [winner for one in involved if (winner := better(one))]
        return bool(winners) and all(winner == task.name for winner in winners)

    def _renamed(self) -> Iterator[ComparisonRecord]:
        for number, source in enumerate(self.sources):
            names = {task.info.task: task.name for task in self.tasks if task.source == number}
            for record in source.comparison.records if source.comparison else []:
                if record.task in names and record.reference in names:
                    better = names[record.better] if record.better else None
                    update = {"task": names[record.task], "reference": names[record.reference], "better": better}
                    yield record.model_copy(update=update)


def better(record: ComparisonRecord) -> str | None:
    """Name the better task of a pair: its interval excludes 0 and, in the primary family, Holm's correction agrees."""
    corrected = record.p_adjusted is None or record.p_adjusted < 1 - record.level
    return record.better if corrected else None


def read(runs: Sequence[RunDirectory]) -> Results:
    """Read finished runs.

    Raises:
        InputError: a file is missing or not of its form, no task has finished, or the runs detect different classes.
    """
    sources = tuple(Source(run, RunInfo.read(run.info), _comparison(run)) for run in runs)
    tasks: list[TaskResult] = []
    unfinished: list[Unfinished] = []
    names = [name for source in sources for name in source.info.tasks]
    labels = _labels(sources)
    for number, source in enumerate(sources):
        for name, state in source.info.tasks.items():
            shown = name if names.count(name) == 1 else f"{labels[number]}/{name}"
            info = _task_info(source.run.task(name))
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


def _comparison(run: RunDirectory) -> Comparison | None:
    return Comparison.read(run.comparison) if run.comparison.is_file() else None


def _task_info(directory: TaskDirectory) -> TaskInfo | None:
    return TaskInfo.read(directory.info) if directory.info.is_file() else None


def _task(name: str, number: int, source: int, directory: TaskDirectory, info: TaskInfo) -> TaskResult:
    cam = directory.cam / "index.json"
    return TaskResult(
        name=name,
        number=number,
        source=source,
        directory=directory,
        info=info,
        metrics=Metrics.read(directory.metrics),
        seeds=tuple(_seed(seed, directory.seed(seed)) for seed in info.seeds),
        cam=CamIndex.read(cam) if cam.is_file() else None,
    )


def _seed(seed: int, directory: SeedDirectory) -> SeedResult:
    return SeedResult(
        seed=seed,
        history=_history(directory),
        timing=Timing.read(directory.timing) if directory.timing.is_file() else None,
        model=ModelInfo.read(directory.model_info) if directory.model_info.is_file() else None,
    )


def _history(directory: SeedDirectory) -> tuple[dict[str, float], ...]:
    if not directory.history.is_file():
        return ()
    with directory.history.open(encoding="utf-8", newline="") as file:
        return tuple({name: _number(value) for name, value in row.items()} for row in csv.DictReader(file))


def _number(text: str) -> float:
    try:
        return float(text)
    except (TypeError, ValueError):
        return float("nan")
