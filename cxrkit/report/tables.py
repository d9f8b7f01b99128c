"""Tables of figures: models side by side, each figure with its interval."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from cxrkit.report import wording
from cxrkit.report.content import Cell, Column, Table
from cxrkit.report.phrases import headline
from cxrkit.report.results import Results, TaskResult

SIDE_BY_SIDE = 4  # models that fit beside each other as columns of a page
FIGURES_ABREAST = 7

MARKED = (
    "▲ better than at least one other model and worse than none, each time by an interval of the difference that "
    "excludes 0 (and, for the primary figure, after Holm's correction); where nothing is marked, no difference was "
    "shown or none was tested."
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
    parts = list(_parts(known))
    captions = [caption, *[f"{caption}, continued"] * (len(parts) - 1)]
    *first, last = [_by_model(results, set_name, part, text) for part, text in zip(parts, captions, strict=True)]
    return [*first, replace(last, notes=notes)]


def _parts(metrics: Sequence[str]) -> Iterator[Sequence[str]]:
    """Divide the figures evenly over as few tables as they need."""
    number = -(-len(metrics) // FIGURES_ABREAST)
    size = -(-len(metrics) // number)
    for start in range(0, len(metrics), size):
        yield metrics[start : start + size]


def model_cell(task: TaskResult) -> Cell:
    """Name a model, with its colour."""
    return Cell(task.name, model=task.number)


def _by_model(results: Results, set_name: str, metrics: Sequence[str], caption: str) -> Table:
    columns = (Column("Model", numeric=False), *(Column(_row_name(results, metric)) for metric in metrics))
    rows = tuple(
        (model_cell(task), *(_cell(results, task, metric, set_name) for metric in metrics)) for task in results.tasks
    )
    return Table(caption, columns, rows, small=True)


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
    records = [record for metric in metrics for task in results.tasks if (record := headline(task, metric, set_name))]
    told = by_method([(record.metric, record.method) for record in records])
    return [f"{wording.level(results.level)} intervals by {told}."] if told else []


def by_method(pairs: Sequence[tuple[str, str | None]]) -> str:
    """List which figures each method was used for; what a design effect was is told as its range."""
    metrics: dict[str, dict[str, None]] = {}
    effects: dict[str, list[str]] = {}
    for metric, method in pairs:
        if method:
            family, _, effect = method.partition(", design effect ")
            metrics.setdefault(family, {})[wording.label(metric)] = None
            effects.setdefault(family, []).extend([effect] if effect else [])
    return "; ".join(
        f"{family}{_effect_range(effects[family])} for {wording.listed([*names])}" for family, names in metrics.items()
    )


def _effect_range(effects: list[str]) -> str:
    if not effects:
        return ""
    low, high = min(effects, key=float), max(effects, key=float)
    return f" (design effect {low})" if low == high else f" (design effects {low} to {high})"
