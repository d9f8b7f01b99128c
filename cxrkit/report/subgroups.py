"""The figures of subgroups of a set, such as bacterial and viral pneumonia."""

from collections.abc import Iterator

from cxrkit.records import Record
from cxrkit.report import figures, wording
from cxrkit.report.content import Block, Cell, Column, Heading, Plot, Plots, Table
from cxrkit.report.phrases import FEW, set_title
from cxrkit.report.results import Results, TaskResult
from cxrkit.report.tables import model_cell

# PPV, NPV and accuracy say nothing of a subgroup that has one class alone.
METRICS = ("roc_auc", "roc_auc_against_all", "sensitivity", "specificity")
Found = dict[tuple[str, int, str], Record]


def blocks(results: Results, set_name: str) -> Iterator[Block]:
    """Show the subgroups of a set in a table and their sensitivities in a figure; nothing where there are none."""
    found = _found(results, set_name)
    if not found:
        return
    yield Heading("Subgroups")
    yield _table(results, set_name, found)
    rows = list(_forest_rows(results, found))
    if rows:
        yield Plots((_forest(results, set_name, rows),))


def _found(results: Results, set_name: str) -> Found:
    return {
        (record.subgroup, task.number, record.metric): record
        for task in results.tasks
        for record in task.metrics.records
        if record.subgroup and record.set == set_name and record.condition is None and record.class_name is None
    }


def _table(results: Results, set_name: str, found: Found) -> Table:
    metrics = [metric for metric in METRICS if any(metric == known for _, _, known in found)]
    columns = (
        Column("Subgroup", numeric=False),
        Column("Model", numeric=False),
        Column("n"),
        *(Column(wording.label(metric)) for metric in metrics),
    )
    rows = [_row(group, task, metrics, found) for group in _groups(found) for task in results.tasks]
    note = f"Exploratory. Figures of fewer than {FEW} patients are very uncertain. n: images of the subgroup."
    return Table(f"Subgroups of the {set_title(set_name)}", columns, tuple(rows), (note,), small=True)


def _row(group: str, task: TaskResult, metrics: list[str], found: Found) -> tuple[Cell, ...]:
    records = [found.get((group, task.number, metric)) for metric in metrics]
    whole = found.get((group, task.number, "accuracy"))
    few = "few patients" if whole and whole.n_patients < FEW else None
    size = Cell(wording.count(whole.n), few) if whole else Cell(wording.NONE)
    return (Cell(_title(group)), model_cell(task), size, *map(_cell, records))


def _cell(record: Record | None) -> Cell:
    return Cell(wording.number(record.value, record.metric), wording.interval(record)) if record else Cell(wording.NONE)


def _groups(found: Found) -> list[str]:
    return list(dict.fromkeys(group for group, _, _ in found))


def _title(group: str) -> str:
    return group.replace("=", ": ", 1)


def _forest_rows(results: Results, found: Found) -> Iterator[figures.ForestRow]:
    for group in _groups(found):
        for task in results.tasks:
            record = found.get((group, task.number, "sensitivity"))
            if record and record.value is not None:
                label = f"{_title(group)} · {task.name}"
                yield figures.ForestRow(label, task.number, record.value, record.low, record.high)


def _forest(results: Results, set_name: str, rows: list[figures.ForestRow]) -> Plot:
    name = f"subgroups-{results.sets.index(set_name)}"
    spoken = "; ".join(f"{row.label} {wording.number(row.value, 'sensitivity')}" for row in rows)
    return Plot(
        name,
        figures.forest(rows, "Sensitivity, %", name),
        f"Sensitivity in subgroups of the {set_title(set_name)}, with {wording.level(results.level)} intervals.",
        "Each line is the range in which the figure may well lie. Lines that overlap widely show no difference.",
        f"Sensitivity in subgroups: {spoken}.",
        wide=True,
    )
