"""The paired differences between models: the primary figure first, all else as exploratory."""

from collections.abc import Iterator

from cxrkit.records import ComparisonRecord
from cxrkit.report import wording
from cxrkit.report.content import Block, Cell, Column, Heading, Table, Text
from cxrkit.report.phrases import SPELLED_OUT, verdict
from cxrkit.report.results import Results, better
from cxrkit.report.tables import by_method

ABREAST = 6  # figures beside each other
OTHERWISE = "Exploratory differences, on complete cases or assuming independent images"


def differences(results: Results, set_name: str) -> Iterator[Block]:
    """Show the paired differences on a set: the primary figure first, all else as exploratory."""
    compared = [record for record in results.comparisons if record.set == set_name]
    if len(results.tasks) < 2:  # noqa: PLR2004 - a difference needs two
        return
    yield Heading("Differences")
    if len(results.sources) > 1:
        yield Text("Models of different runs stand side by side; paired tests were made within each run alone.")
    yield from (Text(sentence) for sentence in results.refused)
    primary = [record for record in compared if not record.exploratory]
    if len(primary) <= SPELLED_OUT:
        yield from (Text(verdict(record)) for record in primary)
    if len({(record.task, record.reference) for record in compared}) == 1:
        yield _difference_table(compared)
    elif compared:
        if primary:
            yield _difference_table(primary)
        yield from _exploratory_tables([record for record in compared if record.exploratory])
    yield from _non_inferiority(compared)


def _non_inferiority(compared: list[ComparisonRecord]) -> Iterator[Table]:
    """Show whether a task falls behind the reference by less than what was allowed beforehand."""
    found = [(record, record.margin) for record in compared if record.margin is not None]
    if not found:
        return
    titles = ("Model", "Not worse than", "Figure", "Margin", "Difference", "Verdict")
    columns = tuple(Column(title, numeric=title in {"Margin", "Difference"}) for title in titles)
    rows = tuple(
        (
            Cell(record.task),
            Cell(record.reference),
            Cell(wording.label(record.metric)),
            Cell(wording.signed(margin, record.metric).removeprefix("+")),
            Cell(wording.signed(record.difference, record.metric), wording.signed_bounds(record)),
            Cell(_of_non_inferiority(record)),
        )
        for record, margin in found
    )
    note = (
        "Non-inferior: the whole interval of the difference lies on the better side of minus the margin, which was "
        "stated beforehand. Not shown: the interval reaches beyond it; this does not show that the model is worse."
    )
    yield Table("Non-inferiority to the reference", columns, rows, (note,), sortable=True)


def _of_non_inferiority(record: ComparisonRecord) -> str:
    if record.non_inferior is None:
        return wording.NOT_ESTIMABLE
    return "✓ non-inferior" if record.non_inferior else "not shown"


def _difference_table(compared: list[ComparisonRecord]) -> Table:
    pairs = {(record.task, record.reference) for record in compared}
    ordered = sorted(compared, key=lambda record: (record.exploratory, wording.is_variant(record.metric)))
    titles = ("Figure", "Difference", "p", "p (Holm)", "Better")
    columns = tuple(Column(title, numeric=title not in {"Figure", "Better"}) for title in titles)
    rows = tuple(_difference_row(record) for record in ordered)
    caption = "Differences on the same images, paired"
    if len(pairs) == 1:
        caption += f": {ordered[0].task} minus {ordered[0].reference}"
    else:
        columns = (Column("Models", numeric=False), *columns)
        rows = tuple((Cell(_pair(record)), *row) for record, row in zip(ordered, rows, strict=True))
    return Table(caption, columns, rows, tuple(_test_notes(ordered)), sortable=True)


def _exploratory_tables(compared: list[ComparisonRecord]) -> Iterator[Table]:
    """Set the exploratory differences of many pairs out; figures taken in another way in a table of their own."""
    metrics = dict.fromkeys(record.metric for record in compared)
    for variant, caption in ((False, "Exploratory differences, paired"), (True, f"{OTHERWISE}, paired")):
        chosen = [metric for metric in metrics if wording.is_variant(metric) == variant]
        for start in range(0, len(chosen), ABREAST):
            part = chosen[start : start + ABREAST]
            title = caption + (", continued" if start else "")
            yield _exploratory_table([record for record in compared if record.metric in part], part, title)


def _exploratory_table(compared: list[ComparisonRecord], metrics: list[str], caption: str) -> Table:
    """Set a row for each pair, a column for each figure."""
    found = {(_pair(record), record.metric): record for record in compared}
    pairs = dict.fromkeys(pair for pair, _ in found)
    rows = tuple((Cell(pair), *(_exploratory_cell(found.get((pair, metric))) for metric in metrics)) for pair in pairs)
    columns = (Column("Models", numeric=False), *(Column(wording.label(metric)) for metric in metrics))
    notes = ("▲ the first of the two is better, ▼ the second, by an interval that excludes 0.", *_test_notes(compared))
    return Table(caption, columns, rows, notes, small=True, sortable=True)


def _exploratory_cell(record: ComparisonRecord | None) -> Cell:
    if record is None:
        return Cell(wording.NONE)
    winner = better(record)
    text = wording.signed(record.difference, record.metric) + (" ▼" if winner == record.reference else "")
    return Cell(text, wording.signed_bounds(record), mark=winner == record.task)


def _pair(record: ComparisonRecord) -> str:
    return f"{record.task} \N{MINUS SIGN} {record.reference}"


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
    if any(record.metric.endswith("_independent") for record in records):
        yield (
            "“Assuming independent images” takes several images of a patient for several patients: it stands here for "
            "comparison with other work, and is too sure of itself."
        )
    methods = by_method([(record.metric, record.method) for record in records])
    if methods:
        yield f"Intervals by {methods}."
    tests = by_method([(record.metric, record.test) for record in records])
    if tests:
        yield f"Tests by {tests}."
