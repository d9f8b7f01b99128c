"""Tables are sorted by their heads: figures by size, what is missing last, and back as they were."""

import re

import pytest

from cxrkit.report.content import Cell, Column, Report, Section, Table, TitleBlock
from cxrkit.report.formats import html

MINUS, NONE = "\N{MINUS SIGN}", "\N{EN DASH}"
FIGURES = ("12.0%", f"{MINUS}0.5", NONE, "1,200", f"{MINUS}12", "2", "", "< 0.001", "1e-5")
RISING = [f"{MINUS}12", f"{MINUS}0.5", "1e-5", "< 0.001", "2", "12.0%", "1,200", NONE, ""]
FALLING = ["1,200", "12.0%", "2", "< 0.001", "1e-5", f"{MINUS}0.5", f"{MINUS}12", NONE, ""]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A page of two tables: one that may be sorted, one that may not."""
    columns = (Column("Model", numeric=False), Column("Figure"))
    rows = tuple(
        (
            Cell(f"m{number}", model=number),
            Cell(text, detail="99 to 100" if text else None, mark=number == 3, few=number == 4),
        )
        for number, text in enumerate(FIGURES)
    )
    tables = (Table("Free", columns, rows, sortable=True), Table("Bound", columns, rows))
    head = TitleBlock("Sorting", (), None, "", "", "", "", (), "")
    path = tmp_path_factory.mktemp("sorting") / "page.html"
    report = Report(head, (Section("all", "All", tables),), tuple(f"m{number}" for number in range(len(rows))))
    path.write_text(html.render(report), encoding="utf-8")
    return path


def column(table, number: int) -> list[str]:
    """The cells of a column without their second lines and marks."""
    cells = table.locator(f"tbody tr > :nth-child({number})").all_inner_texts()
    return [re.sub(r"[●†▲]", "", text.split("\n")[0]).strip() for text in cells]


def test_figures_are_sorted_by_size_with_what_is_missing_last_and_back(show, made):
    table = show(made).get_by_role("table", name="Free")
    head = table.get_by_role("columnheader", name="Figure")
    button = head.get_by_role("button")
    for direction, expected in (("ascending", RISING), ("descending", FALLING), ("none", list(FIGURES))):
        button.press("Enter")
        assert head.get_attribute("aria-sort") == direction
        assert column(table, 2) == expected


def test_a_row_stays_together_and_another_column_takes_over(show, made):
    table = show(made).get_by_role("table", name="Free")
    table.get_by_role("button", name="Figure").click()
    assert column(table, 1) == [f"m{FIGURES.index(text)}" for text in RISING]
    table.get_by_role("button", name="Model").click()
    assert table.get_by_role("columnheader", name="Figure").get_attribute("aria-sort") == "none"
    assert column(table, 2) == list(FIGURES)


def test_a_table_whose_rows_belong_together_has_no_buttons(show, made):
    page = show(made)
    assert page.get_by_role("table", name="Free").get_by_role("button").count() == 2
    assert page.get_by_role("table", name="Bound").get_by_role("button").count() == 0
