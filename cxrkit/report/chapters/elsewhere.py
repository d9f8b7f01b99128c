"""The chapters on what becomes of a model elsewhere: on worse images, with parts masked, at other places."""

from collections.abc import Iterator, Sequence

from cxrkit.records import ChangeRecord, Condition, Robustness
from cxrkit.report import wording
from cxrkit.report.content import Block, Bullets, Cell, Column, Heading, Plot, Plots, Section, Table, Text
from cxrkit.report.drawn import severity
from cxrkit.report.phrases import thresholds_short
from cxrkit.report.results import Results, Source, TaskResult
from cxrkit.report.tables import by_method, model_cell

METRICS = ("roc_auc", "sensitivity", "specificity")
Found = dict[tuple[str | None, str], ChangeRecord]
"""(condition, metric) → what became of the figure."""


def robustness_section(results: Results) -> Section | None:
    """Show the figures under corruptions and the shortcut check; None where neither was asked for."""
    blocks = tuple(
        block for place, source in enumerate(results.sources) for block in _robustness(results, source, place)
    )
    return Section("robustness", "Robustness", blocks) if blocks else None


def external_section(results: Results) -> Section | None:
    """Set the internal test set and the external sets side by side; None where there is no external one."""
    tasks = [task for task in results.tasks if task.changes(of_conditions=False)]
    return Section("external", "Internal and external", tuple(_external(results, tasks))) if tasks else None


def used_shortcuts(results: Results) -> Iterator[str]:
    """Say which models rank worse without borders or corners, by an interval that excludes 0, for the first page."""
    for place in range(len(results.sources)):
        for task, condition, change in _checks(results, place):
            if change.high is not None and change.high < 0:
                yield _shortcut(task, condition, change)


def _checks(results: Results, source: int) -> Iterator[tuple[TaskResult, Condition, ChangeRecord]]:
    """Give what masking of borders and corners did to each model's AUC."""
    told = results.sources[source].robustness
    for task in _tasks(results, source):
        changes = {one.condition: one for one in task.changes(of_conditions=True) if one.metric == "roc_auc"}
        for condition in told.conditions if told else ():
            if condition.severity is None and condition.name in changes:
                yield task, condition, changes[condition.name]


def _tasks(results: Results, source: int) -> list[TaskResult]:
    return [task for task in results.tasks if task.source == source and task.changes(of_conditions=True)]


# ── Robustness ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _robustness(results: Results, source: Source, place: int) -> Iterator[Block]:
    told, tasks = source.robustness, _tasks(results, place)
    if told is None or not tasks:
        return
    if len(results.sources) > 1:
        yield Heading(f"Models of {source.name}")
    yield Text(
        f"The models saw {wording.counted(told.n, 'image')} of the {told.set} set again, changed; threshold and "
        f"everything else stayed as before. Images: {told.rule.removesuffix('.')}."
    )
    corruptions = _corruptions(told)
    if corruptions:
        yield from _plots(tasks, corruptions, place)
        yield from (_table(task, [one for many in corruptions.values() for one in many]) for task in tasks)
    sentences = [_shortcut(*found) for found in _checks(results, place)]
    if sentences:
        yield Heading("Shortcut check")
        yield Bullets(tuple(sentences))
        yield from (_table(task, [one for one in told.conditions if one.severity is None]) for task in tasks)


def _corruptions(told: Robustness) -> dict[str, list[Condition]]:
    found: dict[str, list[Condition]] = {}
    for condition in told.conditions:
        if condition.severity is not None:
            found.setdefault(_title(condition), []).append(condition)
    return found


def _plots(tasks: Sequence[TaskResult], corruptions: dict[str, list[Condition]], place: int) -> Iterator[Plots]:
    for metric in METRICS:
        changes = {
            (task.number, change.condition): change
            for task in tasks
            for change in task.changes(of_conditions=True)
            if change.metric == metric and change.condition is not None
        }
        if changes:
            name = f"robustness-{place}-{metric}"
            yield Plots((_plot(tasks, corruptions, changes, metric, name),))


def _plot(
    tasks: Sequence[TaskResult],
    corruptions: dict[str, list[Condition]],
    changes: dict[tuple[int, str], ChangeRecord],
    metric: str,
    name: str,
) -> Plot:
    worst = min(changes.values(), key=lambda one: one.difference if one.difference is not None else 0.0)
    spoken = (
        f"The largest fall is {wording.signed(worst.difference, metric)}, under {worst.condition}."
        if worst.difference is not None and worst.difference < 0
        else "It falls under none."
    )
    return Plot(
        name,
        severity.falls(tasks, corruptions, changes, metric),
        f"{wording.label(metric)} as the images get worse. Dotted: on the images as they are; bars: intervals of the "
        "change on the same images.",
        "A line that stays level tells of a model that the disturbance does not touch; severity 1 is slight, 5 severe.",
        f"{wording.label(metric)} by severity of each corruption. {spoken}",
        wide=True,
    )


def _table(task: TaskResult, conditions: Sequence[Condition]) -> Table:
    names = {condition.name for condition in conditions}
    found: Found = {
        (change.condition, change.metric): change
        for change in task.changes(of_conditions=True)
        if change.condition in names
    }
    metrics = [metric for metric in METRICS if any(metric == known for _, known in found)]
    columns = (
        Column("Images", numeric=False),
        *(column for metric in metrics for column in (Column(wording.label(metric)), Column("Change"))),
    )
    before = {metric: next(one.before for (_, known), one in found.items() if known == metric) for metric in metrics}
    first = (
        Cell("as they are"),
        *(cell for metric in metrics for cell in (Cell(wording.number(before[metric], metric)), Cell(""))),
    )
    rows = [first, *(_condition_row(one, metrics, found) for one in conditions)]
    told = by_method([(one.metric, one.method) for one in found.values()])
    notes = (
        "Change: minus the figure on the same images as they are; below it its interval. pp: percentage points.",
        *([f"Intervals by {told}."] if told else []),
    )
    kind = "with parts masked" if all(one.severity is None for one in conditions) else "on worse images"
    return Table(f"{task.name} {kind}", columns, tuple(rows), notes, small=True)


def _condition_row(condition: Condition, metrics: Sequence[str], found: Found) -> tuple[Cell, ...]:
    level = f" {condition.severity}" if condition.severity is not None else ""
    cells = [cell for metric in metrics for cell in _change_cells(found.get((condition.name, metric)), metric)]
    return (Cell(f"{_title(condition)}{level}", condition.setting), *cells)


def _title(condition: Condition) -> str:
    """Name a corruption at the beginning of a line: ``JPEG``, ``Blur``."""
    name = condition.corruption
    return name.upper() if name == "jpeg" else name.replace("_", " ").capitalize()


def _change_cells(change: ChangeRecord | None, metric: str) -> tuple[Cell, Cell]:
    if change is None:
        return Cell(wording.NONE), Cell(wording.NONE)
    text = wording.signed(change.difference, metric)
    return Cell(wording.number(change.after, metric)), Cell(text, wording.signed_bounds(change))


def _shortcut(task: TaskResult, condition: Condition, change: ChangeRecord) -> str:
    bounds = wording.signed_bounds(change)
    interval = f" ({wording.level(change.level)} interval {bounds})" if bounds else ""
    start = (
        f"With {condition.setting.removesuffix('.')}, the AUC of {task.name} changes by "
        f"{wording.signed(change.difference, 'roc_auc')}{interval}"
    )
    if change.low is None or change.high is None:
        return f"{start}."
    if change.high < 0:
        return f"{start}: the model uses what was masked, which should not tell of disease."
    if change.low > 0:
        return f"{start}: it ranks better without what was masked, which distracts it."
    return f"{start}: no use of what was masked was shown."


# ── External sets ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _external(results: Results, tasks: Sequence[TaskResult]) -> Iterator[Block]:
    yield Text(
        "The external images come from elsewhere. Thresholds, temperature and everything else were "
        "fixed before, on validation images of the first place; nothing was adapted."
    )
    sets = dict.fromkeys(change.set for task in tasks for change in task.changes(of_conditions=False))
    yield from (_external_table(results, tasks, name) for name in sets)


def _external_table(results: Results, tasks: Sequence[TaskResult], name: str) -> Table:
    columns = (
        Column("Model", numeric=False),
        Column("Figure", numeric=False),
        Column("Internal test"),
        Column(f"External: {name}"),
        Column("Change"),
        Column("p"),
    )
    chosen = [(task, one) for task in tasks for one in task.changes(of_conditions=False) if one.set == name]
    rows = tuple(
        (
            model_cell(task),
            Cell(wording.label(change.metric)),
            Cell(wording.number(change.before, change.metric)),
            Cell(wording.number(change.after, change.metric)),
            Cell(wording.signed(change.difference, change.metric), wording.signed_bounds(change)),
            Cell(wording.p_value(change.p_value)),
        )
        for task, change in chosen
    )
    told = by_method([(change.metric, change.method) for _, change in chosen])
    notes = (
        "Change: external minus internal, below it its interval, as of different patients. Exploratory.",
        *([f"Intervals by {told}."] if told else []),
        *([text] if (text := thresholds_short(results)) else []),
    )
    return Table(f"From the internal test set to {name}", columns, rows, notes, sortable=True)


def falls(results: Results) -> Iterator[str]:
    """Say which figures are lower on external sets by an interval that excludes 0, for the first page."""
    for task in results.tasks:
        lost: dict[str, list[str]] = {}
        for change in task.changes(of_conditions=False):
            if change.metric in METRICS and change.high is not None and change.high < 0:
                before, after = (wording.number(one, change.metric) for one in (change.before, change.after))
                lost.setdefault(change.set, []).append(f"{wording.inside(change.metric)} ({before} to {after})")
        for name, figures in lost.items():
            yield f"On the external set {name}, {task.name} loses {wording.listed(figures)}."
