"""A task's figures on every set: what the reporters say, operating points, patients, goals, changes, seeds."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass

from cxrkit.api import EvaluationSettings, Predictions, ReportSection, Threshold, Unit
from cxrkit.config.schema import EvaluationTable
from cxrkit.errors import RunError
from cxrkit.evaluation import acceptance, changes, curves, operating, predictions, seeds
from cxrkit.evaluation.asking import Reporters, as_records
from cxrkit.evaluation.finished import FinishedTask
from cxrkit.evaluation.importing import limits
from cxrkit.evaluation.settling import Settled, as_patients, counts_patients, record
from cxrkit.evaluation.subgroups import Subgroups
from cxrkit.metrics import confusion_matrix, decide
from cxrkit.records import (
    ChangeRecord,
    Confusion,
    FigureRecord,
    Metrics,
    OperatingPoint,
    SectionRecord,
    SeedSpread,
    Zone,
    ZoneResult,
)

MAIN_SET = "test"


@dataclass(frozen=True)
class Plan:
    """What is the same for every task of an evaluation.

    Attributes:
        table: ``[evaluation]``.
        reporters: metric reporters.
        subgroups: of the manifest.
        restricted: conditions that get the main figures alone.
        seed: of the bootstrap.
    """

    table: EvaluationTable
    reporters: Reporters
    subgroups: Subgroups
    restricted: frozenset[str]
    seed: int


def evaluate_task(task: FinishedTask, settled: Settled, plan: Plan) -> dict[str, Predictions]:
    """Write ``metrics.json`` and ``curves/`` of a task.

    Args:
        task: with its predictions.
        settled: what was fixed on validation.
        plan: of the evaluation.

    Returns:
        Set → predictions, of the sets that tasks are compared on.

    Raises:
        RunError: a metric reporter failed, and nobody is to be warned or no figure is left.
    """
    info = task.info
    metrics = Metrics(task=info.task, class_names=info.class_names, positive=info.positive or "")
    known = len(plan.reporters.missing)
    sets: dict[str, Predictions] = {}
    conditions: dict[str, Predictions] = {}
    for set_name, condition in task.sets():
        found = task.read(set_name, condition)
        if condition in plan.restricted and condition is not None:
            _add_condition(metrics, found, settled.threshold, plan)
            conditions |= {condition: found} if set_name == MAIN_SET else {}
            continue
        _add_set(metrics, found, settled, plan)
        _write_curves(task, found, settled, plan)
        if condition is None and set_name != "val":
            sets[set_name] = found
    missing = plan.reporters.missing[known:]
    if missing and not any(record.set in sets for record in metrics.records):
        raise RunError(f'task "{info.task}": has no figure left, {missing[-1]}')
    metrics.limits += missing
    metrics.acceptance += acceptance.judge(metrics.records, plan.table.acceptance, list(sets))
    metrics.changes += _changes(sets, conditions, settled.threshold.value, plan)
    metrics.seeds += _spread(task, settled, sets)
    if sets and info.kind == "predictions":
        metrics.limits += limits(next(iter(sets.values())), validated=("val", None) in task.sets())
    metrics.write(task.directory.metrics)
    return sets


# ── One set ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _add_set(metrics: Metrics, found: Predictions, settled: Settled, plan: Plan) -> None:
    metrics.confusion.append(_confusion(found, settled.threshold))
    _ask_all(metrics, found, _settings(found, settled, settled.threshold, plan), plan)
    level = plan.table.level
    for point in settled.points:
        figures = as_records(operating.at(found, point, level), found, level)
        metrics.operating_points.append(OperatingPoint(set=found.set, threshold=record(point), figures=figures))
    if settled.zone is not None:
        lower, upper = settled.zone
        metrics.zones.append(
            ZoneResult(
                set=found.set,
                zone=Zone(lower=record(lower), upper=record(upper)),
                figures=as_records(operating.in_zone(found, lower, upper, level), found, level),
            )
        )
    if found.set != "val" and found.condition is None and counts_patients(found):
        for unit, threshold in settled.of_patients.items():
            patients = as_patients(found, unit)
            _ask_all(metrics, patients, _settings(patients, settled, threshold, plan, unit), plan)


def _settings(
    found: Predictions, settled: Settled, threshold: Threshold, plan: Plan, unit: Unit = "image"
) -> EvaluationSettings:
    temperature = settled.temperature
    of_images = unit == "image"  # what was fitted on images does not fit a patient's largest probability
    return EvaluationSettings(
        threshold=threshold,
        level=plan.table.level,
        resamples=plan.table.resamples,
        seed=plan.seed,
        prevalence=plan.table.prevalence,
        subgroups=plan.subgroups.of(found) if of_images else {},
        temperature=temperature.value if temperature is not None and of_images else None,
        prior=settled.prior if of_images else None,
        unit=unit,
    )


def _ask_all(metrics: Metrics, found: Predictions, settings: EvaluationSettings, plan: Plan) -> None:
    for records, added in plan.reporters.ask(found, settings):
        metrics.records += records
        if settings.unit == "image":
            metrics.sections += [_as_section(section, found.set) for section in added]


def _add_condition(metrics: Metrics, found: Predictions, threshold: Threshold, plan: Plan) -> None:
    level = plan.table.level
    metrics.confusion.append(_confusion(found, threshold))
    figures = [*operating.ranking(found, level), *operating.at(found, threshold, level)]
    metrics.records += as_records(figures, found, level)


def _confusion(found: Predictions, threshold: Threshold) -> Confusion:
    called = decide(found.probabilities, found.positive_index, threshold.value)
    matrix = confusion_matrix(found.labels, called, len(found.class_names))
    return Confusion(
        set=found.set,
        condition=found.condition,
        matrix=matrix[:, :-1].tolist(),
        no_result=int(matrix[:, -1].sum()),
    )


def _write_curves(task: FinishedTask, found: Predictions, settled: Settled, plan: Plan) -> None:
    table = plan.table
    curves.write(
        task.directory.curves,
        found,
        settled.threshold,
        table.level,
        prevalence=table.prevalence,
        resamples=table.resamples,
        seed=plan.seed,
        operating_points=settled.points,
        temperature=None if settled.temperature is None else settled.temperature.value,
        prior=settled.prior,
    )


# ── Across sets and seeds ─────────────────────────────────────────────────────────────────────────────────────────────


def _changes(
    sets: Mapping[str, Predictions], conditions: Mapping[str, Predictions], threshold: float, plan: Plan
) -> list[ChangeRecord]:
    """Set corrupted images and external sets against the test set, everything fixed before."""
    if MAIN_SET not in sets:
        return []
    test, table = sets[MAIN_SET], plan.table
    found = changes.of_conditions(test, conditions, threshold, table.level, resamples=table.resamples, seed=plan.seed)
    for name, external in sets.items():
        if name != MAIN_SET:
            found += changes.between_sets(
                test, external, threshold, table.level, resamples=table.resamples, seed=plan.seed
            )
    return found


def _spread(task: FinishedTask, settled: Settled, sets: Mapping[str, Predictions]) -> list[SeedSpread]:
    """Set the seeds of a task side by side, each at its own threshold; one seed has no spread."""
    if len(task.info.seeds) < 2:  # noqa: PLR2004  # one has nothing beside it
        return []
    at = {seed: settled.of_seeds.get(seed, settled).threshold.value for seed in task.info.seeds}
    found: list[SeedSpread] = []
    for name in sets:
        members = {
            seed: predictions.read(
                path,
                task=task.info.task,
                set_name=name,
                class_names=task.info.class_names,
                positive=task.info.positive,
            )
            for seed in task.info.seeds
            if (path := task.directory.seed(seed).predictions(name)).is_file()
        }
        found += seeds.spread(members, at, set_name=name)
    return found


# ── Records ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _as_section(section: ReportSection, set_name: str) -> SectionRecord:
    return SectionRecord(
        set=set_name,
        title=section.title,
        paragraphs=list(section.paragraphs),
        columns=list(section.columns),
        rows=[list(row) for row in section.rows],
        figures=[
            FigureRecord(image=b64encode(figure.image), caption=figure.caption, alt=figure.alt)
            for figure in section.figures
        ],
    )
