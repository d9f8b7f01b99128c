"""The evaluation stage: from the predictions of a run directory to its thresholds, figures, curves and comparison."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, NamedTuple

import numpy as np

from cxrkit.api import EvaluationSettings, Figure, MetricReport, Predictions, Threshold
from cxrkit.config.schema import EvaluationTable, ThresholdTable
from cxrkit.errors import CxrkitError, InputError, RunError
from cxrkit.evaluation import curves, predictions, thresholds
from cxrkit.evaluation.compare import Compared, compare
from cxrkit.evaluation.finished import FinishedTask, finished_tasks
from cxrkit.evaluation.subgroups import Subgroups, read_subgroups
from cxrkit.metrics import confusion_matrix, decide
from cxrkit.records import Confusion, Metrics, ModelInfo, Record, SectionRecord, ThresholdRecord
from cxrkit.registry import Registered
from cxrkit.rundir import RunDirectory

ChosenReporter = tuple[Registered, Mapping[str, Any]]
"""A metric reporter and its options."""


class Plan(NamedTuple):
    """What is the same for every task of an evaluation."""

    table: EvaluationTable
    reporters: Sequence[ChosenReporter]
    subgroups: Subgroups
    seed: int


def evaluate(
    run: RunDirectory,
    table: EvaluationTable,
    task_thresholds: Mapping[str, ThresholdTable],
    reporters: Sequence[ChosenReporter],
    *,
    seed: int = 0,
) -> None:
    """Evaluate every finished task of a run directory and compare them; the same input gives the same bytes.

    Writes each task's threshold into ``task.json`` and ``seeds/*/model.json``, then ``metrics.json``, ``curves/`` and
    ``comparison.json``. Reads nothing but the run directory.

    Args:
        run: with predictions of each finished task.
        table: ``[evaluation]``.
        task_thresholds: task → how its threshold is chosen; says which tasks are evaluated.
        reporters: metric reporters with their options.
        seed: of the bootstrap.

    Raises:
        InputError: a threshold cannot be chosen, a subgroup column does not exist, predictions are wrong; all at once.
        RunError: a metric reporter failed.
    """
    tasks = finished_tasks(run, list(task_thresholds))
    plan = Plan(table, reporters, read_subgroups(run, table.subgroups), seed)
    tasks = _with_thresholds(tasks, task_thresholds)
    compared = [_evaluate_task(task, plan) for task in tasks]
    compare(compared, table, seed=seed).write(run.comparison)


def _with_thresholds(tasks: Sequence[FinishedTask], tables: Mapping[str, ThresholdTable]) -> list[FinishedTask]:
    """Choose every task's threshold before any is written."""
    chosen: list[tuple[FinishedTask, Threshold]] = []
    problems: list[str] = []
    for task in tasks:
        try:
            chosen.append((task, thresholds.choose(_validation(task), tables[task.info.task])))
        except InputError as error:
            problems += [f'task "{task.info.task}": {problem}' for problem in error.problems]
    if problems:
        raise InputError(*problems)
    return [_write_threshold(task, threshold, tables[task.info.task]) for task, threshold in chosen]


def _validation(task: FinishedTask) -> Predictions | None:
    return task.read("val") if ("val", None) in task.sets() else None


def _write_threshold(task: FinishedTask, threshold: Threshold, table: ThresholdTable) -> FinishedTask:
    info = task.info.model_copy(update={"threshold": _record(threshold)})
    info.write(task.directory.info)
    for number in info.seeds:
        seed = task.directory.seed(number)
        if not seed.model_info.is_file():
            continue
        # A single training's probabilities differ from the ensemble's, and so does its threshold.
        own = _seed_threshold(task, number, table) or threshold
        model = ModelInfo.read(seed.model_info)
        model.model_copy(update={"threshold": _record(own)}).write(seed.model_info)
    return replace(task, info=info)


def _seed_threshold(task: FinishedTask, number: int, table: ThresholdTable) -> Threshold | None:
    path = task.directory.seed(number).predictions("val")
    if not path.is_file():
        return None
    own = predictions.read(
        path, task=task.info.task, set_name="val", class_names=task.info.class_names, positive=task.info.positive
    )
    return thresholds.choose(own, table)


def _record(threshold: Threshold) -> ThresholdRecord:
    return ThresholdRecord(**asdict(threshold))


def _evaluate_task(task: FinishedTask, plan: Plan) -> Compared:
    """Write a task's metrics and curves; return what the comparison needs."""
    assert task.info.threshold is not None  # noqa: S101 - _with_thresholds has written it
    threshold = Threshold(**task.info.threshold.model_dump())
    metrics = Metrics(
        task=task.info.task, class_names=task.info.class_names, positive=task.info.positive or "", confusion=[]
    )
    sets: dict[str, Predictions] = {}
    for set_name, condition in task.sets():
        found = task.read(set_name, condition)
        _add_set(metrics, found, threshold, plan)
        curves.write(task.directory.curves, found, threshold, plan.table.level)
        if condition is None and set_name != "val":
            sets[set_name] = found
    metrics.write(task.directory.metrics)
    return Compared(task.info.task, threshold.value, sets)


def _add_set(metrics: Metrics, found: Predictions, threshold: Threshold, plan: Plan) -> None:
    settings = EvaluationSettings(
        threshold=threshold,
        level=plan.table.level,
        resamples=plan.table.resamples,
        seed=plan.seed,
        prevalence=plan.table.prevalence,
        subgroups=plan.subgroups.of(found),
    )
    metrics.confusion.append(_confusion(found, threshold))
    for reporter, options in plan.reporters:
        report = _ask(reporter, options, found, settings)
        metrics.records += [_as_record(figure, found, plan.table.level) for figure in report.figures]
        metrics.sections += [
            SectionRecord(
                set=found.set,
                title=section.title,
                paragraphs=list(section.paragraphs),
                columns=list(section.columns),
                rows=[list(row) for row in section.rows],
            )
            for section in report.sections
        ]


def _ask(
    reporter: Registered, options: Mapping[str, Any], found: Predictions, settings: EvaluationSettings
) -> MetricReport:
    where = f'metric reporter "{reporter.name}" of {reporter.distribution} on task "{found.task}", set "{found.set}"'
    try:
        report = reporter.factory(found, settings, **options)
    except CxrkitError:
        raise
    except Exception as error:
        raise RunError(f"{where}: {type(error).__name__}: {error}") from error
    if not isinstance(report, MetricReport):
        raise RunError(f"{where}: returned {type(report).__name__}, a MetricReport is needed")
    return report


def _confusion(found: Predictions, threshold: Threshold) -> Confusion:
    called = decide(found.probabilities, found.positive_index, threshold.value)
    matrix = confusion_matrix(found.labels, called, len(found.class_names))
    return Confusion(
        set=found.set,
        condition=found.condition,
        matrix=matrix[:, :-1].tolist(),
        no_result=int(matrix[:, -1].sum()),
    )


def _as_record(figure: Figure, found: Predictions, level: float) -> Record:
    values = {name: _plain(value) for name, value in asdict(figure).items()}
    return Record(**values, set=found.set, condition=found.condition, level=level)


def _plain(value: Any) -> Any:
    """Turn numpy's scalars into Python's, and what is not finite into None: a record never says NaN."""
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not np.isfinite(value) else value
