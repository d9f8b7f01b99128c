"""The chapter on how good the models are on a set: figures, differences, classes, confusion, subgroups."""

from collections.abc import Iterator

from cxrkit.records import Confusion
from cxrkit.report import wording
from cxrkit.report.chapters import goals, repeats, subgroups
from cxrkit.report.chapters.differences import differences
from cxrkit.report.content import Block, Bullets, Cell, Column, Heading, Matrices, Matrix, Section, Table, Text
from cxrkit.report.phrases import anchor, population, set_title, thresholds_short
from cxrkit.report.results import Results, TaskResult
from cxrkit.report.tables import figure_cell, figures_tables, model_cell

ORDER = (
    "roc_auc",
    "roc_auc_macro",
    "average_precision",
    "average_precision_macro",
    "sensitivity",
    "specificity",
    "ppv",
    "npv",
    "accuracy",
    "balanced_accuracy",
    "f1",
    "f1_macro",
    "mcc",
    "brier",
)
PER_CLASS = ("precision", "recall", "f1", "support")
ONE_AGAINST_REST = ("specificity", "roc_auc", "average_precision")
MACRO = {"f1": "f1_macro", "roc_auc": "roc_auc_macro", "average_precision": "average_precision_macro"}


def section(results: Results, set_name: str) -> Section:
    """Show the figures of one set: the models side by side, their differences, classes and confusion matrices."""
    return Section(
        anchor(results, "results", set_name),
        f"Results on the {set_title(set_name)}",
        tuple(_results(results, set_name)),
    )


def _results(results: Results, set_name: str) -> Iterator[Block]:
    yield Text(f"{population(results, set_name)}. Each model decides at its own threshold.")
    others = _of_plugins(results)
    caption = f"Figures on the {set_title(set_name)}, with {wording.level(results.level)} intervals"
    yield from figures_tables(results, set_name, (*ORDER, *others), caption)
    yield from _limits(results, set_name)
    yield from goals.blocks(results, set_name)
    yield from differences(results, set_name)
    yield from repeats.without_result(results, set_name)
    yield Heading("Class by class")
    yield _classes(results, set_name)
    matrices = _matrices(results, set_name)
    if matrices.matrices:
        yield Heading("Confusion matrices")
        yield matrices
    yield from repeats.by_patient(results, set_name)
    yield from repeats.over_seeds(results, set_name)
    yield from subgroups.blocks(results, set_name)


def _of_plugins(results: Results) -> list[str]:
    """Name the figures that are no chapter's own: those that metric reporters of plugins have added."""
    known = {
        record.metric
        for task in results.tasks
        for record in task.metrics.records
        if record.class_name is None and record.subgroup is None and record.condition is None
    }
    own = {*ORDER, *PER_CLASS, "prevalence"} | wording.LABELS.keys()
    return sorted(
        metric
        for metric in known - own
        if not wording.is_variant(metric) and not metric.endswith((wording.PER_THOUSAND, subgroups.HETEROGENEITY))
    )


def _limits(results: Results, set_name: str) -> Iterator[Block]:
    """Say what the predictions of a model cannot tell, on the first set alone."""
    if set_name == results.sets[0]:
        several = len(results.tasks) > 1
        told = [f"{f'{task.name}: ' if several else ''}{one}" for task in results.tasks for one in task.metrics.limits]
        if told:
            yield Bullets(tuple(told), "What these predictions cannot tell")


def _classes(results: Results, set_name: str) -> Table:
    rest = [
        metric
        for metric in ONE_AGAINST_REST
        if any(task.figure(metric, set_name, name) for task in results.tasks for name in task.metrics.class_names)
    ]
    metrics = (*PER_CLASS, *rest)
    columns = (
        Column("Model", numeric=False),
        Column("Class", numeric=False),
        *(Column(wording.label(metric)) for metric in metrics),
    )
    rows = tuple(row for task in results.tasks for row in _class_rows(task, set_name, metrics))
    notes = ["Precision: how often the call of this class is right. Recall: how much of it is found. Support: n."]
    if rest:
        notes.append("Specificity, AUC and average precision: each class against all others together.")
    notes += [told] if (told := thresholds_short(results)) else []
    caption = f"Each class on the {set_title(set_name)}"
    return Table(caption, columns, rows, tuple(notes), small=bool(rest), sortable=True)


def _class_rows(task: TaskResult, set_name: str, metrics: tuple[str, ...]) -> Iterator[tuple[Cell, ...]]:
    for name in task.metrics.class_names:
        yield (model_cell(task), Cell(name), *(_class_cell(task, metric, set_name, name) for metric in metrics))
    macro = {metric: task.figure(MACRO[metric], set_name) for metric in metrics if metric in MACRO}
    if any(macro.values()):
        cells = [figure_cell(macro[metric]) if metric in macro else Cell("") for metric in metrics]
        yield (model_cell(task), Cell("mean of the classes"), *cells)


def _class_cell(task: TaskResult, metric: str, set_name: str, class_name: str) -> Cell:
    record = task.figure(metric, set_name, class_name)
    if record is None or metric != "support":
        return figure_cell(record)
    return Cell(wording.number(record.value, metric))


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
