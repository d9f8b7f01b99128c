"""The chapters on how good the models are: figures, differences, classes, curves, subgroups."""

from collections.abc import Iterator

from cxrkit.records import ComparisonRecord, Confusion, Record, SectionRecord
from cxrkit.report import figures, palette, wording
from cxrkit.report.content import (
    Block,
    Cell,
    Column,
    Heading,
    Matrices,
    Matrix,
    Plot,
    Plots,
    Section,
    Table,
    Text,
)
from cxrkit.report.phrases import headline, set_title, tested_on, verdict
from cxrkit.report.results import TEST, Results, TaskResult, better
from cxrkit.report.summary import FEW, SPELLED_OUT
from cxrkit.report.tables import by_method, figures_tables, model_cell

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
OF_SUBGROUPS = (
    "roc_auc",
    "roc_auc_against_all",
    "sensitivity",
    "specificity",
)  # what a subgroup of one class leaves meaningful
PER_CLASS = ("precision", "recall", "f1", "support")


def section(results: Results, set_name: str) -> Section:
    """Show the figures of one set: the models side by side, their differences, classes and confusion matrices."""
    name = "results" if set_name == TEST else f"results-{results.sets.index(set_name)}"
    return Section(name, f"Results on the {set_title(set_name)}", tuple(_results(results, set_name)))


def curves_section(results: Results, set_name: str) -> Section | None:
    """Show the curves of one set; None where there are none."""
    name = "curves" if set_name == TEST else f"curves-{results.sets.index(set_name)}"
    blocks = tuple(_curves(results, set_name, name))
    return Section(name, f"Curves on the {set_title(set_name)}", blocks) if blocks else None


def added_sections(results: Results) -> list[Section]:
    """Show what metric reporters of plugins added, models of one title together."""
    titles = list(dict.fromkeys(one.title for task in results.tasks for one in task.metrics.sections))
    return [Section(f"added-{place}", title, tuple(_added(results, title))) for place, title in enumerate(titles)]


def _results(results: Results, set_name: str) -> Iterator[Block]:
    yield Text(f"{tested_on(results, set_name).removesuffix('.')}. Each model decides at its own threshold.")
    known = {record.metric for task in results.tasks for record in task.metrics.records if record.class_name is None}
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
    yield from _subgroups(results, set_name)


def differences(results: Results, set_name: str) -> Iterator[Block]:
    """Show the paired differences on a set: the primary figure first, all else as exploratory."""
    compared = [record for record in results.comparisons if record.set == set_name]
    refused = [sentence for source in results.sources if source.comparison for sentence in source.comparison.refused]
    if len(results.tasks) < 2:  # noqa: PLR2004 - a difference needs two
        return
    yield Heading("Differences")
    if len(results.sources) > 1:
        yield Text("Models of different runs stand side by side; paired tests were made within each run alone.")
    yield from (Text(sentence) for sentence in refused)
    primary = [record for record in compared if not record.exploratory]
    if len(primary) <= SPELLED_OUT:
        yield from (Text(verdict(record)) for record in primary)
    if len({(record.task, record.reference) for record in compared}) == 1:
        yield _difference_table(compared)
    elif compared:
        if primary:
            yield _difference_table(primary)
        yield _exploratory_table([record for record in compared if record.exploratory])


def _difference_table(compared: list[ComparisonRecord]) -> Table:
    pairs = {(record.task, record.reference) for record in compared}
    ordered = sorted(compared, key=lambda record: record.exploratory)
    titles = ("Figure", "Difference", "p", "p (Holm)", "Better")
    columns = tuple(Column(title, numeric=title not in {"Figure", "Better"}) for title in titles)
    rows = tuple(_difference_row(record) for record in ordered)
    caption = "Differences on the same images, paired"
    if len(pairs) == 1:
        caption += f": {ordered[0].task} minus {ordered[0].reference}"
    else:
        columns = (Column("Models", numeric=False), *columns)
        rows = tuple((Cell(_pair(record)), *row) for record, row in zip(ordered, rows, strict=True))
    return Table(caption, columns, rows, tuple(_test_notes(ordered)))


def _exploratory_table(compared: list[ComparisonRecord]) -> Table:
    """Set the exploratory differences of many pairs out: a row for each pair, a column for each figure."""
    metrics = list(dict.fromkeys(record.metric for record in compared))
    found = {(_pair(record), record.metric): record for record in compared}
    pairs = dict.fromkeys(pair for pair, _ in found)
    rows = tuple((Cell(pair), *(_exploratory_cell(found.get((pair, metric))) for metric in metrics)) for pair in pairs)
    columns = (Column("Models", numeric=False), *(Column(wording.label(metric)) for metric in metrics))
    notes = ("▲ the first of the two is better, ▼ the second, by an interval that excludes 0.", *_test_notes(compared))
    return Table("Exploratory differences, paired", columns, rows, notes, small=True)


def _exploratory_cell(record: ComparisonRecord | None) -> Cell:
    if record is None:
        return Cell(wording.NONE)
    winner = better(record)
    text = wording.signed(record.difference, record.metric) + (" ▼" if winner == record.reference else "")
    return Cell(text, wording.signed_bounds(record), mark=winner == record.task)


def _pair(record: ComparisonRecord) -> str:
    return f"{record.task} − {record.reference}"


def _difference_row(record: ComparisonRecord) -> tuple[Cell, ...]:
    return (
        Cell(wording.label(record.metric), "exploratory" if record.exploratory else "primary"),
        Cell(wording.signed(record.difference, record.metric), wording.signed_bounds(record)),
        Cell(wording.p_value(record.p_value)),
        Cell(wording.p_value(record.p_adjusted)),
        Cell(better(record) or "not shown", mark=better(record) is not None),
    )


def _test_notes(records: list[ComparisonRecord]) -> Iterator[str]:
    yield (
        "A model is called better only where the interval of the difference excludes 0 and, for the primary figure, "
        "Holm's correction agrees; “not shown” does not mean equal. pp: percentage points."
    )
    if any(record.exploratory for record in records):
        yield "Exploratory differences were not corrected for their number: they suggest, they do not prove."
    methods = by_method([(record.metric, record.method) for record in records])
    if methods:
        yield f"Intervals by {methods}."
    tests = by_method([(record.metric, record.test) for record in records])
    if tests:
        yield f"Tests by {tests}."


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
    lacking = f", {wording.count(confusion.no_result)} without a result" if confusion.no_result else ""
    total = sum(sum(row) for row in confusion.matrix)
    return Matrix(
        task=task.name,
        model=task.number,
        class_names=tuple(task.metrics.class_names),
        counts=tuple(tuple(row) for row in confusion.matrix),
        shares=shares,
        caption=f"n = {wording.counted(total, 'image')}{lacking}",
    )


def _curves(results: Results, set_name: str, name: str) -> Iterator[Block]:
    drawn = (
        _roc(results, set_name, f"{name}-roc"),
        _precision_recall(results, set_name, f"{name}-pr"),
        _calibration(results, set_name, f"{name}-calibration"),
        _scores(results, set_name, f"{name}-scores"),
    )
    plots = tuple(plot for plot in drawn if plot is not None)
    if plots:
        yield Plots(plots)


def _roc(results: Results, set_name: str, name: str) -> Plot | None:
    svg = figures.roc(results.tasks, set_name, name)
    return (
        svg
        and Plot(
            name,
            svg,
            f"ROC curves on the {set_title(set_name)}, {_n(results, set_name)}. Points: each model at its threshold.",
            "Each point of a curve is a possible threshold. The further up and to the left, the better; the dotted "
            "diagonal is guessing. The AUC is the share of pairs, one image with and one without the finding, that the "
            "model ranks rightly.",
            "ROC curves. " + _spoken(results, set_name, ("roc_auc", "sensitivity", "specificity")),
        )
        or None
    )


def _precision_recall(results: Results, set_name: str, name: str) -> Plot | None:
    svg = figures.precision_recall(results.tasks, set_name, name)
    return (
        svg
        and Plot(
            name,
            svg,
            f"Precision–recall curves on the {set_title(set_name)}, {_n(results, set_name)}. Dotted: the share of "
            f"{results.positive}.",
            "How often a positive call is right (upwards) while more and more of the diseased are found (to the right). "
            "It depends on how frequent the disease is in this set.",
            "Precision–recall curves. " + _spoken(results, set_name, ("average_precision", "ppv", "sensitivity")),
        )
        or None
    )


def _calibration(results: Results, set_name: str, name: str) -> Plot | None:
    svg = figures.calibration(results.tasks, set_name, name)
    return (
        svg
        and Plot(
            name,
            svg,
            f"Reliability on the {set_title(set_name)}, {_n(results, set_name)}. Bars: {wording.level(results.level)} "
            "intervals of the bins.",
            "Where the model says 80%, do 80% have the disease? On the diagonal the probabilities can be taken at their "
            "word; below it the model is too sure, above it too careful. The Brier score is the mean squared error of "
            "the probabilities: less is better.",
            "Reliability diagram. " + _spoken(results, set_name, ("brier",)),
            wide=len(results.tasks) > figures.OVERLAID,
        )
        or None
    )


def _scores(results: Results, set_name: str, name: str) -> Plot | None:
    tasks = [task for task in results.tasks if task.directory.predictions(set_name).is_file()]
    if not tasks:
        return None
    return Plot(
        name,
        figures.scores(tasks, set_name, name),
        f"Probabilities that each model gives on the {set_title(set_name)}, {_n(results, set_name)}. Filled: images with "
        f"{results.positive}; outlined: without. Dashed: the threshold.",
        "The less the two overlap, the better the model tells them apart. Filled left of the line: missed. Outlined "
        "right of it: false alarms.",
        "Histograms of probabilities. " + _spoken(results, set_name, ("sensitivity", "specificity")),
        wide=True,
    )


def _n(results: Results, set_name: str) -> str:
    found = next((record for task in results.tasks if (record := headline(task, "roc_auc", set_name))), None)
    return f"n = {wording.counted(found.n, 'image')}" if found else "n unknown"


def _spoken(results: Results, set_name: str, metrics: tuple[str, ...]) -> str:
    return " ".join(_spoken_task(task, set_name, metrics) for task in results.tasks)


def _spoken_task(task: TaskResult, set_name: str, metrics: tuple[str, ...]) -> str:
    told = [
        f"{wording.inside(metric)} {wording.number(record.value, metric)}"
        for metric in metrics
        if (record := headline(task, metric, set_name))
    ]
    return f"{task.name}: {', '.join(told)}." if told else ""


def _subgroups(results: Results, set_name: str) -> Iterator[Block]:
    records = [
        (task, record)
        for task in results.tasks
        for record in task.metrics.records
        if record.subgroup and record.set == set_name and record.condition is None and record.class_name is None
    ]
    if not records:
        return
    yield Heading("Subgroups")
    metrics = [metric for metric in OF_SUBGROUPS if any(record.metric == metric for _, record in records)]
    groups = list(dict.fromkeys(record.subgroup for _, record in records if record.subgroup))
    found = {(task.number, record.subgroup, record.metric): record for task, record in records}
    rows = []
    for group in groups:
        for task in results.tasks:
            cells = [found.get((task.number, group, metric)) for metric in metrics]
            whole = found.get((task.number, group, "accuracy")) or min(
                (one for one in cells if one), key=lambda one: one.n, default=None
            )
            if whole is not None:
                few = "few patients" if whole.n_patients < FEW else None
                rows.append(
                    (
                        Cell(group.replace("=", ": ")),
                        model_cell(task),
                        Cell(wording.count(whole.n), few),
                        *map(_figure_cell, cells),
                    )
                )
    columns = (
        Column("Subgroup", numeric=False),
        Column("Model", numeric=False),
        Column("n"),
        *(Column(wording.label(metric)) for metric in metrics),
    )
    note = f"Exploratory. Figures of fewer than {FEW} patients are very uncertain. n: images of the subgroup."
    yield Table(f"Subgroups of the {set_title(set_name)}", columns, tuple(rows), (note,), small=True)
    yield from _subgroup_forest(results, set_name, groups, found)


def _figure_cell(record: Record | None) -> Cell:
    return Cell(wording.number(record.value, record.metric), wording.interval(record)) if record else Cell(wording.NONE)


def _subgroup_forest(results, set_name, groups, found) -> Iterator[Block]:  # type: ignore[no-untyped-def]
    rows = [
        figures.ForestRow(
            f"{group.replace('=', ': ')} · {task.name}", task.number, record.value, record.low, record.high
        )
        for group in groups
        for task in results.tasks
        if (record := found.get((task.number, group, "sensitivity"))) and record.value is not None
    ]
    if rows:
        name = f"subgroups-{results.sets.index(set_name)}"
        spoken = "; ".join(f"{row.label} {wording.number(row.value, 'sensitivity')}" for row in rows)
        yield Plots(
            (
                Plot(
                    name,
                    figures.forest(rows, "Sensitivity, %", name),
                    f"Sensitivity in subgroups, with {wording.level(results.level)} intervals.",
                    "Each line is the range in which the figure may well lie. Lines that overlap widely show no difference.",
                    f"Sensitivity in subgroups: {spoken}.",
                    wide=True,
                ),
            )
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


__all__ = ["added_sections", "curves_section", "palette", "section"]
