"""The figures of subgroups of a set, such as bacterial and viral pneumonia."""

from collections.abc import Iterator

from cxrkit.records import Record
from cxrkit.report import wording
from cxrkit.report.content import Block, Cell, Column, Heading, Plot, Plots, Table
from cxrkit.report.drawn import forest
from cxrkit.report.phrases import FEW, anchor, set_title, thresholds_short
from cxrkit.report.results import Results, TaskResult
from cxrkit.report.tables import figure_cell, model_cell

# PPV, NPV and accuracy say nothing of a subgroup that has one class alone.
METRICS = ("roc_auc", "roc_auc_against_all", "sensitivity", "specificity")
HETEROGENEITY = "_heterogeneity"
SMALL_P = 0.05
MOST_ROWS = 30  # of a forest plot, so that it fits a page
Found = dict[tuple[str, int, str], Record]


def blocks(results: Results, set_name: str) -> Iterator[Block]:
    """Show the subgroups of a set in a table and a forest plot; nothing where there are none."""
    found = _found(results, set_name)
    if not found:
        return
    yield Heading("Subgroups")
    yield _table(results, set_name, found)
    tests = tuple(_tests(results, set_name))
    if tests:
        yield _test_table(set_name, tests)
    metrics = [metric for metric in METRICS if any(metric == known for _, _, known in found)]
    rows = list(_forest_rows(results, set_name, found, metrics))
    for start in range(0, len(rows), MOST_ROWS):
        name = f"{anchor(results, 'subgroups', set_name)}-{start // MOST_ROWS}"
        yield Plots((_forest(results, set_name, rows[start : start + MOST_ROWS], metrics, name),))


def differing(results: Results, set_name: str) -> Iterator[str]:
    """Say where the subgroups of a column differ by more than chance, for the first page."""
    found: dict[str, list[str]] = {}
    for task, record in _tests(results, set_name):
        if record.p_value is not None and record.p_value < SMALL_P:
            what = f"{_tested(record)} of {task.name} (p\N{NO-BREAK SPACE}{_equals(record.p_value)})"
            found.setdefault(str(record.subgroup), []).append(what)
    for column, figures in found.items():
        told = wording.listed(figures)
        yield f"Figures differ between the groups of {column} (exploratory tests of heterogeneity): {told}."


def _equals(p_value: float) -> str:
    text = wording.p_value(p_value)
    return text if text.startswith("<") else f"=\N{NO-BREAK SPACE}{text}"


def _found(results: Results, set_name: str) -> Found:
    return {
        (record.subgroup, task.number, record.metric): record
        for task in results.tasks
        for record in task.metrics.records
        if record.subgroup and "=" in record.subgroup and record.set == set_name and _is_plain(record)
    }


def _is_plain(record: Record) -> bool:
    special = record.condition or record.class_name or record.calibrated or record.prevalence is not None
    return not special and record.unit == "image"


def _table(results: Results, set_name: str, found: Found) -> Table:
    metrics = [metric for metric in METRICS if any(metric == known for _, _, known in found)]
    columns = (
        Column("Subgroup", numeric=False),
        Column("Model", numeric=False),
        Column("n"),
        *(Column(wording.label(metric)) for metric in metrics),
    )
    rows = [_row(group, task, metrics, found) for group in _groups(found) for task in results.tasks]
    notes = [f"Exploratory. n: images of the subgroup, and below it its patients. PPV and NPV are left out: {WHY_NOT}."]
    if _one_sided(results, found):
        notes.append(
            f"A group whose images all show {results.positive} has a sensitivity and no specificity, one where none "
            "does the reverse; its AUC is against all images of the other kind, since it has none of its own."
        )
    notes += [told] if (told := thresholds_short(results)) else []
    caption = f"Subgroups of the {set_title(set_name)}"
    return Table(caption, columns, tuple(rows), tuple(notes), small=True, sortable=True)


WHY_NOT = "they follow from the mix of diseased and not diseased in a group"


def _one_sided(results: Results, found: Found) -> bool:
    """Say whether a group holds diseased images alone, as that of a pathogen does."""
    return any(
        (group, task.number, "roc_auc_against_all") in found and _value(found, group, task, "specificity") is None
        for group in _groups(found)
        for task in results.tasks
    )


def _value(found: Found, group: str, task: TaskResult, metric: str) -> float | None:
    record = found.get((group, task.number, metric))
    return record.value if record else None


def _row(group: str, task: TaskResult, metrics: list[str], found: Found) -> tuple[Cell, ...]:
    records = [found.get((group, task.number, metric)) for metric in metrics]
    whole = found.get((group, task.number, "accuracy"))
    size = Cell(wording.NONE)
    if whole:
        patients = wording.counted(whole.n_patients, "patient")
        size = Cell(wording.count(whole.n), patients, few=whole.n_patients < FEW)
    return (Cell(_title(group)), model_cell(task), size, *map(figure_cell, records))


def _groups(found: Found) -> list[str]:
    return list(dict.fromkeys(group for group, _, _ in found))


def _title(group: str) -> str:
    return group.replace("=", ": ", 1)


# ── Heterogeneity ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _tests(results: Results, set_name: str) -> Iterator[tuple[TaskResult, Record]]:
    for task in results.tasks:
        for record in task.metrics.records:
            tested = record.metric.endswith(HETEROGENEITY) and record.value is not None
            if tested and record.set == set_name and _is_plain(record):
                yield task, record


def _tested(record: Record) -> str:
    return wording.inside(record.metric.removesuffix(HETEROGENEITY))


def _test_table(set_name: str, tests: tuple[tuple[TaskResult, Record], ...]) -> Table:
    titles = ("Groups of", "Model", "Figure", "Wald statistic", "p")
    columns = tuple(Column(title, numeric=place > 2) for place, title in enumerate(titles))  # noqa: PLR2004
    rows = tuple(
        (
            Cell(record.subgroup or ""),
            model_cell(task),
            Cell(wording.label(record.metric.removesuffix(HETEROGENEITY))),
            Cell(wording.NOT_ESTIMABLE if record.value is None else f"{record.value:.2f}"),
            Cell(wording.p_value(record.p_value)),
        )
        for task, record in tests
    )
    note = (
        "Does the figure differ between the groups by more than chance? A small p says that it differs somewhere; a "
        "large one does not show that the groups are alike. Exploratory, not corrected for the number of tests."
    )
    caption = f"Heterogeneity between subgroups of the {set_title(set_name)}"
    return Table(caption, columns, rows, (note,), small=True, sortable=True)


# ── Forest plot ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _forest_rows(results: Results, set_name: str, found: Found, metrics: list[str]) -> Iterator[forest.ForestRow]:
    for task in results.tasks:
        whole = {metric: record for metric in metrics if (record := _of_all(task, metric, set_name))}
        yield forest.ForestRow(
            task.name, task.number, whole, "All images" + _counted(task.figure("accuracy", set_name))
        )
    for group in _groups(found):
        counted = next(
            (found[key] for task in results.tasks if (key := (group, task.number, "accuracy")) in found), None
        )
        for task in results.tasks:
            of_group = {metric: record for metric in metrics if (record := found.get((group, task.number, metric)))}
            if of_group:
                yield forest.ForestRow(task.name, task.number, of_group, _title(group) + _counted(counted))


def _of_all(task: TaskResult, metric: str, set_name: str) -> Record | None:
    """Find a figure of all images, among which none are left that a group could be set against."""
    return task.figure("roc_auc" if metric == "roc_auc_against_all" else metric, set_name)


def _counted(record: Record | None) -> str:
    if record is None:
        return ""
    return f", n = {wording.counted(record.n, 'image')} of {wording.counted(record.n_patients, 'patient')}"


def _forest(results: Results, set_name: str, rows: list[forest.ForestRow], metrics: list[str], name: str) -> Plot:
    return Plot(
        name,
        forest.forest(rows, metrics),
        f"Subgroups of the {set_title(set_name)}, with {wording.level(results.level)} intervals. Hollow: fewer than "
        f"{FEW} patients.",
        "Each line is the range in which the figure may well lie. Lines that overlap widely show no difference.",
        _spoken(rows),
        wide=True,
    )


def _spoken(rows: list[forest.ForestRow]) -> str:
    """Tell the lowest sensitivity, then those of every group."""
    known = [(row, record) for row in rows if (record := row.figures.get("sensitivity")) and record.value is not None]
    if not known:
        return "Forest plot of the subgroups' figures; none of these groups has a sensitivity."
    row, record = min(known, key=lambda pair: pair[1].value or 0)
    least = f"The lowest is that of {row.label} in {row.group}: {wording.with_interval(record)}"
    groups: dict[str, list[str]] = {}
    for row, record in known:
        groups.setdefault(row.group or "", []).append(f"{row.label} {wording.number(record.value, 'sensitivity')}")
    told = "; ".join(f"{group}: {', '.join(figures)}" for group, figures in groups.items())
    return f"Sensitivity in subgroups. {least}. {told}."
