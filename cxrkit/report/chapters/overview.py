"""The models side by side as a laboratory report has them: classes, losses, time, and the improvement."""

from collections.abc import Callable, Iterator
from math import isfinite
from typing import NamedTuple

from cxrkit.records import ComparisonRecord, Record
from cxrkit.report import wording
from cxrkit.report.content import Cell, Column, Section, Table
from cxrkit.report.phrases import lacking, set_title, thresholds_short
from cxrkit.report.results import TEST, Results, TaskResult, better, turned
from cxrkit.report.tables import SIDE_BY_SIDE

Row = tuple[Cell, ...]


def section(results: Results) -> Section | None:
    """Set the models side by side; None where there is but one."""
    if len(results.tasks) < 2 or not results.sets:  # noqa: PLR2004 - one model has no improvement
        return None
    tables = tuple(_table(results, group) for group in _groups(results))
    return Section("overview", "Side by side", tables)


def _groups(results: Results) -> Iterator[list[TaskResult]]:
    """Give the reference with as many others as fit beside it."""
    reference = _reference(results)
    others = [task for task in results.tasks if task is not reference]
    for start in range(0, len(others), SIDE_BY_SIDE - 1):
        yield [reference, *others[start : start + SIDE_BY_SIDE - 1]]


def _reference(results: Results) -> TaskResult:
    named = [source.comparison.reference for source in results.sources if source.comparison]
    return next((task for task in results.tasks if task.info.task in named), results.tasks[0])


def _table(results: Results, tasks: list[TaskResult]) -> Table:
    reference = tasks[0]
    pair = len(tasks) == 2  # noqa: PLR2004 - a pair has room for a column of its own
    columns = [Column("", numeric=False), *(Column(task.name, task.number) for task in tasks)]
    if pair:
        columns.append(Column("Improvement"))
    improvement = (
        f"Improvement: minus {reference.name}; pp: percentage points. Below it the interval of the difference, where "
        "it was tested; ▲ better, ▼ worse by an interval that excludes 0. A difference without interval is described, "
        "not tested. Losses and best epoch: means over seeds where there are several."
    )
    notes = (improvement, *([told] if (told := thresholds_short(results)) else []))
    rows = tuple(_rows(results, tasks, pair=pair))
    title = f"Each model on the {set_title(results.shown_set)}, and the improvement over {reference.name}"
    return Table(title, tuple(columns), rows, notes)


def _rows(results: Results, tasks: list[TaskResult], *, pair: bool) -> Iterator[Row]:
    for title, metric, class_name in _figures(results):
        records = [task.figure(metric, results.shown_set, class_name) for task in tasks]
        if any(records):
            yield _figure_row(results, tasks, (title, metric, class_name), records, pair=pair)
    for row in _OF_TRAINING:
        values = [_mean(task, row.read) for task in tasks]
        if any(value is not None for value in values):
            cells = [Cell(row.write(value) if value is not None else wording.NONE) for value in values]
            yield (Cell(row.title), *cells, *([_change(row, values)] if pair else []))


def _figures(results: Results) -> Iterator[tuple[str, str, str | None]]:
    yield "Test accuracy" if results.shown_set == TEST else "Accuracy", "accuracy", None
    yield "AUC", "roc_auc", None
    for name in results.tasks[0].metrics.class_names:
        yield from ((f"{name} {wording.inside(metric)}", metric, name) for metric in ("precision", "recall", "f1"))
        yield f"{name} support", "support", name


def _figure_row(
    results: Results,
    tasks: list[TaskResult],
    figure: tuple[str, str, str | None],
    records: list[Record | None],
    *,
    pair: bool,
) -> Row:
    title, metric, class_name = figure
    cells = [
        Cell(wording.number(record.value, metric), _bounds(record, metric))
        if record
        else Cell(wording.NONE, lacking(task, metric))
        for task, record in zip(tasks, records, strict=True)
    ]
    if metric == "support":
        return (Cell(title), *cells, *([Cell("")] if pair else []))
    improvements = [
        _improvement(records[0], record, _tested(results, task, tasks[0], metric, class_name))
        for task, record in zip(tasks[1:], records[1:], strict=True)
    ]
    if pair:
        return (Cell(title), *cells, improvements[0])
    told = [
        Cell(cell.text, f"{change.text}{f' ({change.detail})' if change.detail else ''}", mark=change.mark)
        for cell, change in zip(cells[1:], improvements, strict=True)
    ]
    return (Cell(title), cells[0], *told)


def _bounds(record: Record, metric: str) -> str | None:
    return wording.interval(record) if metric != "support" else None


def _tested(
    results: Results, task: TaskResult, reference: TaskResult, metric: str, class_name: str | None
) -> ComparisonRecord | None:
    """Find the tested difference; of two classes, the positive one's recall is sensitivity, the other's specificity."""
    if class_name is not None:
        if metric != "recall" or len(task.metrics.class_names) != 2:  # noqa: PLR2004 - true of two classes alone
            return None
        metric = "sensitivity" if class_name == task.metrics.positive else "specificity"
    pair = {task.name, reference.name}
    found = next(
        (one for one in results.compared(metric, results.shown_set) if {one.task, one.reference} == pair), None
    )
    return turned(found) if found and found.task == reference.name else found


def _improvement(before: Record | None, after: Record | None, tested: ComparisonRecord | None) -> Cell:
    if tested is not None and tested.difference is not None:
        text = wording.signed(tested.difference, tested.metric)
        winner = better(tested)
        if winner == tested.reference:
            text += " ▼"
        return Cell(text, wording.signed_bounds(tested), mark=winner == tested.task)
    if before is None or after is None or before.value is None or after.value is None:
        return Cell(wording.NONE)
    return Cell(wording.signed(after.value - before.value, after.metric))


def _mean(task: TaskResult, read: Callable[[TaskResult, int], float | None]) -> float | None:
    values = [value for place in range(len(task.seeds)) if (value := read(task, place)) is not None and isfinite(value)]
    return sum(values) / len(values) if values else None


def _of_epoch(column: str) -> Callable[[TaskResult, int], float | None]:
    def read(task: TaskResult, place: int) -> float | None:
        row = task.seeds[place].selected_row
        return row.get(column) if row else None

    return read


def _seconds(task: TaskResult, place: int) -> float | None:
    timing = task.seeds[place].timing
    return timing.seconds if timing else None


def _epoch(task: TaskResult, place: int) -> float | None:
    model = task.seeds[place].model
    return float(model.selected_epoch) if model and model.selected_epoch is not None else None


def _loss_change(before: float, after: float) -> str:
    return f"{after - before:+.4f}"


def _time_change(before: float, after: float) -> str:
    return f"{100 * (after - before) / before:+.0f}%" if before else ""


class _OfTraining(NamedTuple):
    """A row on how a model was trained: how to read its value, to write it, and to write a change of it."""

    title: str
    read: Callable[[TaskResult, int], float | None]
    write: Callable[[float], str]
    change: Callable[[float, float], str] | None


_OF_TRAINING = (
    _OfTraining("Best validation epoch", _epoch, "{:.4g}".format, None),
    _OfTraining(
        "Validation AUC at that epoch",
        _of_epoch("val_roc_auc"),
        "{:.3f}".format,
        lambda before, after: wording.signed(after - before, "roc_auc"),
    ),
    _OfTraining(
        "Validation accuracy at that epoch",
        _of_epoch("val_accuracy"),
        "{:.1%}".format,
        lambda before, after: wording.signed(after - before, "accuracy"),
    ),
    _OfTraining("Training loss at that epoch", _of_epoch("train_loss"), "{:.4f}".format, _loss_change),
    _OfTraining("Validation loss at that epoch", _of_epoch("val_loss"), "{:.4f}".format, _loss_change),
    _OfTraining("Training time", _seconds, wording.duration, _time_change),
)


def _change(row: _OfTraining, values: list[float | None]) -> Cell:
    before, after = values
    if row.change is None or before is None or after is None:
        return Cell("")
    return Cell(row.change(before, after).replace("-", wording.MINUS))
