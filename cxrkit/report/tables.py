"""Tables of figures: models side by side, each figure with its interval."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from cxrkit.records import Estimate, Record, ThresholdRecord
from cxrkit.report import wording
from cxrkit.report.content import FEW_MARK, Cell, Column, Table
from cxrkit.report.phrases import (
    FEW,
    LACKING_NOTES,
    headline,
    is_few,
    lacking,
    represented,
    thresholds,
    with_thresholds,
)
from cxrkit.report.results import Results, TaskResult

SIDE_BY_SIDE = 4  # models that fit beside each other as columns of a page
FIGURES_ABREAST = 7
EFFECT = re.compile(r", design effect ([\d.]+)")  # in an interval's method; twice where two sets are compared

MARKED = (
    "▲ better than at least one other model and worse than none, each time by an interval of the difference that "
    "excludes 0 (and, for the primary figure, after Holm's correction); where nothing is marked, no difference was "
    "shown or none was tested. Each model decides at its own threshold: sensitivity can be bought with specificity."
)


FREE_OF_THRESHOLD = frozenset({"roc_auc", "roc_auc_macro", "average_precision", "average_precision_macro", "brier"})


def figure_cell(record: Record | None, why: str | None = None, *, mark: bool = False) -> Cell:
    """Show a figure with its interval, flagged where it rests on few patients.

    Args:
        record: None where there is no such figure.
        why: in two words, where there is none.
        mark: better than another by an interval that excludes 0.
    """
    if record is None:
        return Cell(wording.NONE, why)
    few = is_few(record) and record.metric != "support"
    return Cell(wording.number(record.value, record.metric), wording.interval(record), mark=mark, few=few)


def estimate_cell(estimate: Estimate | None, metric: str) -> Cell:
    """Show an estimate with its interval as the figure ``metric`` is written."""
    if estimate is None:
        return Cell(wording.NONE)
    bounds = wording.bounds(estimate.low, estimate.high, metric)
    return Cell(wording.number(estimate.value, metric), bounds, few=estimate.n_patients < FEW)


def threshold_cell(threshold: ThresholdRecord) -> Cell:
    """Show a threshold with its own interval."""
    return Cell(wording.threshold(threshold.value), wording.threshold_bounds(threshold))


def explained(table: Table) -> Table:
    """Add to a table what its flags mean, and why cells are empty."""
    cells = [cell for row in table.rows for cell in row]
    few = f"{FEW_MARK} rests on fewer than {FEW} patients of a class: very uncertain."
    why = [note for detail, note in LACKING_NOTES.items() if any(cell.detail == detail for cell in cells)]
    notes = (*table.notes, *why, *([few] if any(cell.few for cell in cells) else []))
    return replace(table, notes=notes)


def groups(tasks: Sequence[TaskResult], most: int = SIDE_BY_SIDE) -> Iterator[Sequence[TaskResult]]:
    """Divide models evenly over as few tables as they need as columns."""
    number = -(-len(tasks) // most)
    size = -(-len(tasks) // number) if number else 1
    for start in range(0, len(tasks), size):
        yield tasks[start : start + size]


def figures_tables(
    results: Results, set_name: str, metrics: Sequence[str], caption: str, *, in_short: bool = False
) -> list[Table]:
    """Set the models side by side, or one below the other where there are many.

    Args:
        results: of the runs.
        set_name: the set that the figures are of.
        metrics: in the order to show; those that no task has are left out.
        caption: of the table.
        in_short: with the thresholds as the last of the figures, and without how intervals and thresholds were made.
    """
    known = [metric for metric in metrics if any(headline(task, metric, set_name) for task in results.tasks)]
    notes = _notes(results, set_name, known, in_short=in_short)
    if not known:
        return []
    if len(results.tasks) <= SIDE_BY_SIDE:
        columns = (Column("", numeric=False), *(Column(task.name, task.number) for task in results.tasks))
        rows = tuple(
            (Cell(_row_name(results, metric)), *(_cell(results, task, metric, set_name) for task in results.tasks))
            for metric in known
        )
        decided = _threshold_row(results) if in_short else ()
        return [Table(caption, columns, (*rows, *decided), notes)]
    parts = list(_parts(known))
    captions = [caption, *[f"{caption}, continued"] * (len(parts) - 1)]
    *first, last = [_by_model(results, set_name, part, text) for part, text in zip(parts, captions, strict=True)]
    if in_short:
        last = _with_thresholds(results, last)
    return [*first, replace(last, notes=notes)]


def _parts(metrics: Sequence[str]) -> Iterator[Sequence[str]]:
    """Divide the figures evenly over as few tables as they need."""
    number = -(-len(metrics) // FIGURES_ABREAST)
    size = -(-len(metrics) // number)
    for start in range(0, len(metrics), size):
        yield metrics[start : start + size]


def _threshold_row(results: Results) -> tuple[tuple[Cell, ...], ...]:
    """Make the row of the thresholds; none where no model has one to tell of."""
    if not with_thresholds(results):
        return ()
    return ((Cell("Threshold"), *(_threshold_of(task) for task in results.tasks)),)


def _with_thresholds(results: Results, table: Table) -> Table:
    if not with_thresholds(results):
        return table
    rows = tuple((*row, _threshold_of(task)) for row, task in zip(table.rows, results.tasks, strict=True))
    return replace(table, columns=(*table.columns, Column("Threshold")), rows=rows)


def _threshold_of(task: TaskResult) -> Cell:
    threshold = task.info.threshold
    if threshold is None or task.info.scale == "decision":
        return Cell(wording.NONE)
    return threshold_cell(threshold)


def model_cell(task: TaskResult) -> Cell:
    """Name a model, with its colour."""
    return Cell(task.name, model=task.number)


def _by_model(results: Results, set_name: str, metrics: Sequence[str], caption: str) -> Table:
    columns = (Column("Model", numeric=False), *(Column(_row_name(results, metric)) for metric in metrics))
    rows = tuple(
        (model_cell(task), *(_cell(results, task, metric, set_name) for metric in metrics)) for task in results.tasks
    )
    return Table(caption, columns, rows, small=True, sortable=True)


def _row_name(results: Results, metric: str) -> str:
    name = wording.label(metric)
    return f"{name} ({results.positive})" if metric in {"f1", "precision", "recall"} else name


def _cell(results: Results, task: TaskResult, metric: str, set_name: str) -> Cell:
    record = headline(task, metric, set_name)
    return figure_cell(record, lacking(task, metric), mark=results.is_better(task, metric, set_name))


def _notes(results: Results, set_name: str, metrics: Sequence[str], *, in_short: bool) -> tuple[str, ...]:
    notes = []
    if len(results.tasks) > 1:
        notes.append(MARKED)
    if not in_short:
        notes += _methods(results, set_name, metrics)
    of_thresholds = thresholds(results) if not in_short and set(metrics) - FREE_OF_THRESHOLD else None
    known = (of_thresholds, represented(results))
    return (*notes, *(note for note in known if note))


def _methods(results: Results, set_name: str, metrics: Sequence[str]) -> list[str]:
    """Say how the intervals were made, figures of one method together."""
    records = [record for metric in metrics for task in results.tasks if (record := headline(task, metric, set_name))]
    told = by_method([(record.metric, record.method) for record in records])
    return [f"{wording.level(results.level)} intervals by {told}."] if told else []


def by_method(pairs: Sequence[tuple[str, str | None]]) -> str:
    """List which figures each method was used for; what a design effect was is told as its range."""
    metrics: dict[str, dict[str, None]] = {}
    effects: dict[str, list[str]] = {}
    for metric, method in pairs:
        if method:
            family = EFFECT.sub("", method)
            name = wording.label(metric.removesuffix("_independent"))  # the method says so
            metrics.setdefault(family, {})[name] = None
            effects.setdefault(family, []).extend(EFFECT.findall(method))
    return "; ".join(
        f"{family}{_effect_range(effects[family])} for {wording.listed([*names])}" for family, names in metrics.items()
    )


def _effect_range(effects: list[str]) -> str:
    if not effects:
        return ""
    low, high = min(effects, key=float), max(effects, key=float)
    return f" (design effect {low})" if low == high else f" (design effects {low} to {high})"
