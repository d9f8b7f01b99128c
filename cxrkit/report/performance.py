"""The chapter on how good the models are on a set: figures, differences, classes, confusion, subgroups."""

from collections.abc import Iterator

from cxrkit.records import Confusion, SectionRecord
from cxrkit.report import subgroups, wording
from cxrkit.report.content import Block, Cell, Column, Heading, Matrices, Matrix, Section, Table, Text
from cxrkit.report.differences import differences
from cxrkit.report.phrases import population, set_title
from cxrkit.report.results import TEST, Results, TaskResult
from cxrkit.report.tables import figures_tables, model_cell

ORDER = (
    "roc_auc",
    "average_precision",
    "sensitivity",
    "specificity",
    "ppv",
    "npv",
    "accuracy",
    "balanced_accuracy",
    "f1",
    "mcc",
    "brier",
)
PER_CLASS = ("precision", "recall", "f1", "support")


def section(results: Results, set_name: str) -> Section:
    """Show the figures of one set: the models side by side, their differences, classes and confusion matrices."""
    name = "results" if set_name == TEST else f"results-{results.sets.index(set_name)}"
    return Section(name, f"Results on the {set_title(set_name)}", tuple(_results(results, set_name)))


def added_sections(results: Results) -> list[Section]:
    """Show what metric reporters of plugins added, models of one title together."""
    titles = list(dict.fromkeys(one.title for task in results.tasks for one in task.metrics.sections))
    return [Section(f"added-{place}", title, tuple(_added(results, title))) for place, title in enumerate(titles)]


def _results(results: Results, set_name: str) -> Iterator[Block]:
    yield Text(f"{population(results, set_name).removesuffix('.')}. Each model decides at its own threshold.")
    records = [record for task in results.tasks for record in task.metrics.records]
    known = {record.metric for record in records if record.class_name is None and record.subgroup is None}
    others = sorted(known - set(ORDER) - {"prevalence", *PER_CLASS})
    caption = f"Figures on the {set_title(set_name)}, with {wording.level(results.level)} intervals"
    yield from figures_tables(results, set_name, (*ORDER, *others), caption)
    yield from differences(results, set_name)
    yield Heading("Class by class")
    yield _classes(results, set_name)
    matrices = _matrices(results, set_name)
    if matrices.matrices:
        yield Heading("Confusion matrices")
        yield matrices
    yield from subgroups.blocks(results, set_name)


def _classes(results: Results, set_name: str) -> Table:
    columns = (
        Column("Model", numeric=False),
        Column("Class", numeric=False),
        *(Column(wording.label(metric)) for metric in PER_CLASS),
    )
    rows = tuple(
        (model_cell(task), Cell(name), *(_class_cell(task, metric, set_name, name) for metric in PER_CLASS))
        for task in results.tasks
        for name in task.metrics.class_names
    )
    note = "Precision: how often the call of this class is right. Recall: how much of this class is found. Support: n."
    return Table(f"Each class on the {set_title(set_name)}", columns, rows, (note,))


def _class_cell(task: TaskResult, metric: str, set_name: str, class_name: str) -> Cell:
    record = task.figure(metric, set_name, class_name)
    if record is None:
        return Cell(wording.NONE)
    return Cell(wording.number(record.value, metric), wording.interval(record) if metric != "support" else None)


def _matrices(results: Results, set_name: str) -> Matrices:
    found = [(task, confusion) for task in results.tasks if (confusion := task.confusion(set_name))]
    return Matrices(
        tuple(_matrix(task, confusion) for task, confusion in found),
        "Rows are what the image shows, columns what the model called it: the diagonal is right. The shares are of "
        "the row, so that a rare class is seen as well as a frequent one.",
    )


def _matrix(task: TaskResult, confusion: Confusion) -> Matrix:
    shares = tuple(tuple(number / sum(row) if sum(row) else None for number in row) for row in confusion.matrix)
    lacking = (
        f"; shares of these, {wording.count(confusion.no_result)} more have no result" if confusion.no_result else ""
    )
    total = sum(sum(row) for row in confusion.matrix)
    return Matrix(
        task=task.name,
        model=task.number,
        class_names=tuple(task.metrics.class_names),
        counts=tuple(tuple(row) for row in confusion.matrix),
        shares=shares,
        caption=f"n = {wording.counted(total, 'image')}{lacking}",
    )


def _added(results: Results, title: str) -> Iterator[Block]:
    for task in results.tasks:
        for added in task.metrics.sections:
            if added.title == title:
                several = len({one.set for one in task.metrics.sections}) > 1
                yield Heading(f"{task.name}{f', {added.set}' if several else ''}")
                yield from _added_blocks(added)


def _added_blocks(added: SectionRecord) -> Iterator[Block]:
    yield from (Text(paragraph) for paragraph in added.paragraphs)
    if added.columns:
        columns = tuple(Column(title, numeric=place > 0) for place, title in enumerate(added.columns))
        yield Table(added.title, columns, tuple(tuple(Cell(text) for text in row) for row in added.rows))
