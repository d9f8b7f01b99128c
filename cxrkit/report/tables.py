"""Tables of figures: models side by side, each figure with its interval."""

from collections.abc import Sequence

from cxrkit.report import wording
from cxrkit.report.content import Cell, Column, Table
from cxrkit.report.phrases import headline
from cxrkit.report.results import Results, TaskResult

SIDE_BY_SIDE = 4  # models that fit beside each other as columns of a page
FIGURES_ABREAST = 5

MARKED = (
    "▲ better than at least one other model and worse than none, each time by an interval of the difference that "
    "excludes 0; where nothing is marked, no difference was shown or none was tested."
)


def figures_tables(
    results: Results, set_name: str, metrics: Sequence[str], caption: str, *, methods: bool = True
) -> list[Table]:
    """Set the models side by side, or one below the other where there are many.

    Args:
        results: of the runs.
        set_name: the set that the figures are of.
        metrics: in the order to show; those that no task has are left out.
        caption: of the table.
        methods: tell below how the intervals were made.
    """
    known = [metric for metric in metrics if any(headline(task, metric, set_name) for task in results.tasks)]
    notes = _notes(results, set_name, known, methods=methods)
    if not known:
        return []
    if len(results.tasks) <= SIDE_BY_SIDE:
        columns = (Column("", numeric=False), *(Column(task.name, task.number) for task in results.tasks))
        rows = tuple(
            (Cell(_row_name(results, metric)), *(_cell(results, task, metric, set_name) for task in results.tasks))
            for metric in known
        )
        return [Table(caption, columns, rows, notes)]
    parts = [known[start : start + FIGURES_ABREAST] for start in range(0, len(known), FIGURES_ABREAST)]
    return [
        _by_model(results, set_name, part, caption if place == 0 else f"{caption}, continued", notes if place == len(parts) - 1 else ())
        for place, part in enumerate(parts)
    ]


def model_cell(task: TaskResult) -> Cell:
    """Name a model, with its colour."""
    return Cell(task.name, model=task.number)


def _by_model(
    results: Results, set_name: str, metrics: Sequence[str], caption: str, notes: tuple[str, ...]
) -> Table:
    columns = (Column("Model", numeric=False), *(Column(_row_name(results, metric)) for metric in metrics))
    rows = tuple(
        (model_cell(task), *(_cell(results, task, metric, set_name) for metric in metrics)) for task in results.tasks
    )
    return Table(caption, columns, rows, notes, small=True)


def _row_name(results: Results, metric: str) -> str:
    name = wording.label(metric)
    return f"{name} ({results.positive})" if metric in {"f1", "precision", "recall"} else name


def _cell(results: Results, task: TaskResult, metric: str, set_name: str) -> Cell:
    record = headline(task, metric, set_name)
    if record is None:
        return Cell(wording.NONE)
    better = results.is_better(task, metric, set_name)
    return Cell(wording.number(record.value, metric), wording.interval(record), mark=better)


def _notes(results: Results, set_name: str, metrics: Sequence[str], *, methods: bool) -> tuple[str, ...]:
    notes = []
    if len(results.tasks) > 1:
        notes.append(MARKED)
    if methods:
        notes += _methods(results, set_name, metrics)
    return tuple(notes)


def _methods(results: Results, set_name: str, metrics: Sequence[str]) -> list[str]:
    """Say how the intervals were made, figures of one method together."""
    by_method: dict[str, list[str]] = {}
    for metric in metrics:
        records = [record for task in results.tasks if (record := headline(task, metric, set_name))]
        method = wording.listed(sorted({record.method for record in records if record.method}))
        if method:
            by_method.setdefault(method, []).append(wording.label(metric))
    level = wording.level(results.level)
    told = [f"{method}: {wording.listed(names)}" for method, names in by_method.items()]
    return [f"{level} intervals by {'; '.join(told)}."] if told else []
