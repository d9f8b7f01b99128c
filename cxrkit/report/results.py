"""What a report is made from: finished runs as their files tell them; nothing here evaluates anything."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from cxrkit import rundir
from cxrkit.api import Calibrated, Predictions, Unit
from cxrkit.evaluation import predictions
from cxrkit.evaluation.table import records
from cxrkit.records import (
    AugmentationPreviews,
    CamChecks,
    CamIndex,
    ChangeRecord,
    Comparison,
    ComparisonRecord,
    Confusion,
    DataAudit,
    Explanations,
    Metrics,
    ModelInfo,
    OperatingPoint,
    Record,
    Robustness,
    RunInfo,
    SampleImages,
    SeedSpread,
    TaskInfo,
    Timing,
    ZoneResult,
)
from cxrkit.report.naming import AS_THEY_ARE, Names
from cxrkit.rundir import RunDirectory, TaskDirectory

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
        names: what images and patients are called.
        timing: of test-time augmentation; those of trainings stand with the seeds.
    """

    name: str
    number: int
    source: int
    directory: TaskDirectory
    info: TaskInfo
    metrics: Metrics
    seeds: tuple[SeedResult, ...]
    cam: CamIndex | None
    checks: CamChecks | None = None
    names: Names = AS_THEY_ARE
    timing: Timing | None = None

    @cached_property
    def _read(self) -> dict[str, Predictions]:
        return {}

    @cached_property
    def _figures(self) -> dict[tuple[object, ...], Record]:
        """The figures of all images as they were taken; those of subgroups and changed images are asked for apart."""
        found: dict[tuple[object, ...], Record] = {}
        for record in self.metrics.records:
            if record.condition is None and record.subgroup is None:
                stated = record.prevalence is not None
                key = (record.metric, record.set, record.class_name, record.calibrated, record.unit, stated)
                found.setdefault(key, record)
        return found

    def figure(
        self,
        metric: str,
        set_name: str = TEST,
        class_name: str | None = None,
        *,
        calibrated: Calibrated | None = None,
        unit: Unit = "image",
    ) -> Record | None:
        """Find a figure of all images of a set at its own prevalence; by default by image, without recalibration."""
        return self._figures.get((metric, set_name, class_name, calibrated, unit, False))

    def at_prevalence(
        self, metric: str, set_name: str = TEST, *, calibrated: Calibrated | None = None
    ) -> Record | None:
        """Find a figure at the stated prevalence."""
        return self._figures.get((metric, set_name, None, calibrated, "image", True))

    def operating_points(self, set_name: str = TEST) -> list[OperatingPoint]:
        """Find what thresholds chosen on validation turn into on a set."""
        return [one for one in self.metrics.operating_points if one.set == set_name and _unchanged(one.figures)]

    def zone(self, set_name: str = TEST) -> ZoneResult | None:
        """Find what the uncertain zone turns into on a set."""
        return next((one for one in self.metrics.zones if one.set == set_name and _unchanged(one.figures)), None)

    def spread(self, set_name: str = TEST) -> dict[str, SeedSpread]:
        """Find the figures over seeds: metric → spread."""
        return {one.metric: one for one in self.metrics.seeds if one.set == set_name}

    def changes(self, *, of_conditions: bool) -> list[ChangeRecord]:
        """Find the changes under corruptions, or those to external sets."""
        return [one for one in self.metrics.changes if (one.condition is not None) == of_conditions]

    def confusion(self, set_name: str = TEST) -> Confusion | None:
        """Find the confusion matrix of a set."""
        return next((one for one in self.metrics.confusion if one.set == set_name and one.condition is None), None)

    def predictions(self, set_name: str = TEST) -> Predictions:
        """Read the task's predictions of a set; several chapters ask for them, and a large file takes its time."""
        if set_name not in self._read:
            found = predictions.read(
                self.directory.predictions(set_name),
                task=self.name,
                set_name=set_name,
                class_names=self.metrics.class_names,
                positive=self.metrics.positive,
            )
            self._read[set_name] = self.names.predictions(found)
        return self._read[set_name]

    def curve(self, set_name: str, kind: str) -> dict[str, list[float]] | None:
        """Read a curve's columns (``roc``, ``pr``, ``calibration``, …); None where there is none."""
        path = self.directory.curves / rundir.part(f"{set_name}_{kind}.csv", self.directory.metrics)
        if not path.is_file():
            return None
        rows = records(path)
        return {name: [as_number(row[name]) for row in rows] for name in (rows[0] if rows else {})}


@dataclass(frozen=True)
class Unfinished:
    """A task that gave no result, and why."""

    name: str
    state: str
    reason: str


@dataclass(frozen=True)
class Source:
    """A run directory with what it says about itself; ``name`` tells it from the report's other runs."""

    name: str
    run: RunDirectory
    info: RunInfo
    comparison: Comparison | None
    audit: DataAudit | None = None
    robustness: Robustness | None = None
    explanations: Explanations | None = None
    samples: SampleImages | None = None
    previews: AugmentationPreviews | None = None
    names: Names = AS_THEY_ARE

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

    @property
    def names(self) -> Names:
        """What images and patients are called."""
        return self.sources[0].names

    @cached_property
    def sets(self) -> tuple[str, ...]:
        """The sets that figures are reported on: those whose images are at hand first, and of these test."""
        found = {record.set for task in self.tasks for record in task.metrics.records} - {"val"}
        data = self.sources[0].info.data
        at_hand = found if data is None else found & set(data.counts)
        return tuple(sorted(found, key=lambda name: (name not in at_hand, name != TEST, name)))

    @property
    def shown_set(self) -> str:
        """The set that the first page tells of and whose images are shown one by one, test as a rule."""
        return self.sets[0] if self.sets else TEST

    @cached_property
    def comparisons(self) -> tuple[ComparisonRecord, ...]:
        """Every compared pair, with tasks named as the report names them."""
        return tuple(self._renamed())

    @property
    def refused(self) -> list[str]:
        """A sentence for each comparison that could not be made."""
        told = [sentence for source in self.sources if source.comparison for sentence in source.comparison.refused]
        return [sentence[:1].upper() + sentence[1:] for sentence in told]

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


def turned(record: ComparisonRecord) -> ComparisonRecord:
    """Tell the same difference the other way round."""
    flipped = {"task": record.reference, "reference": record.task}
    bounds = {"difference": record.difference, "low": record.high, "high": record.low}
    return record.model_copy(update=flipped | {key: None if one is None else -one for key, one in bounds.items()})


def as_number(text: str) -> float:
    """Read a number; what is none is NaN."""
    try:
        return float(text)
    except (TypeError, ValueError):
        return float("nan")


def _unchanged(figures: list[Record]) -> bool:
    return all(figure.condition is None for figure in figures)
