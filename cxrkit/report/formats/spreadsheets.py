"""The tables of a report as CSV for programs: RFC 4180, UTF-8, value and interval in columns of their own."""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO

from cxrkit.report import wording
from cxrkit.report.content import FEW_MARK, Cell, Column, Matrix, Report, Table
from cxrkit.report.formats.numbering import NumberedTable, matrix_table, tables_of

INDEX = "index.csv"
FORMULAS = "=+@\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}\N{FULLWIDTH HYPHEN-MINUS}\N{FULLWIDTH COMMERCIAL AT}-"
"""What a text must not begin with: a spreadsheet would take it for a formula and carry it out."""

_BEGINS = rf"(^(?={{0}}[\t\r\n])|(?:^|[;\t\r\n]\"*)(?={{0}}[{FORMULAS}]))"
_CARRIED_OUT, _MADE_TEXT = re.compile(_BEGINS.format("")), re.compile(_BEGINS.format("'") + "'")
"""Where one may begin: also behind what a spreadsheet of another language takes for the end of a cell."""

MARKS = {"▲": "better", "▼": "worse", "✗": "wrong", FEW_MARK: "few patients"}
PARTS = ("value", "unit", "low", "high", "difference", "difference low", "difference high", "mark", "note")
"""What a column of figures is taken apart into; of these the file has what any of its cells has."""

_NUMBER = rf"[+{wording.MINUS}-]?\d[\d,]*(?:\.\d+)?"
_VALUE = re.compile(rf"({_NUMBER})\s?(%|pp)?")
_BOUNDS = re.compile(rf"({_NUMBER})%? to ({_NUMBER})%?")
_DIFFERENCE = re.compile(rf"({_NUMBER})\s?(?:%|pp)?(?: \(({_NUMBER}) to ({_NUMBER})\))?")
_MARKED = re.compile(rf"(?<=\S)\s?([{''.join(MARKS)}])")


def render(report: Report) -> dict[str, str]:
    """Write every table of a report.

    Returns:
        File name → its text; ``index.csv`` says which file is which.
    """
    tables = tables_of(report)
    return {INDEX: _text(_index(tables))} | {f"{one.name}.csv": _text(_lines(one.content)) for one in tables}


def _index(tables: Sequence[NumberedTable]) -> Iterator[Sequence[str]]:
    yield ("file", "chapter", "table", "notes")
    for one in tables:
        table = matrix_table(one.content) if isinstance(one.content, Matrix) else one.content
        yield tuple(map(harmless, (f"{one.name}.csv", one.chapter, table.caption, " ".join(table.notes))))


def _lines(content: Table | Matrix) -> Iterator[Sequence[str]]:
    table = _by_pairs(content) if isinstance(content, Matrix) else content
    columns: list[tuple[str, Sequence[str]]] = []
    for place, head in enumerate(table.columns):
        title = head.title or f"column {place + 1}"
        columns += _apart(title, [row[place] for row in table.rows], numeric=head.numeric)
    yield [harmless(title) for title, _ in columns]
    yield from ([cells[row] for _, cells in columns] for row in range(len(table.rows)))


def _by_pairs(matrix: Matrix) -> Table:
    """Lay a confusion matrix out by pairs of true and called class."""
    columns = (
        *(Column(title, numeric=False) for title in ("shows", "called")),
        *(Column(title) for title in ("images", "share of the row")),
    )
    rows = tuple(
        (Cell(true), Cell(called), Cell(str(count)), Cell("" if share is None else f"{100 * share:.1f}%"))
        for true, counts, shares in zip(matrix.class_names, matrix.counts, matrix.shares, strict=True)
        for called, count, share in zip(matrix.class_names, counts, shares, strict=True)
    )
    return Table(matrix.caption, columns, rows)


def _apart(title: str, cells: Sequence[Cell], *, numeric: bool) -> Iterator[tuple[str, Sequence[str]]]:
    """Take a column apart into title and cells of each part; a unit that all figures share stands in the title."""
    parts = [_figure(cell) if numeric else _words(cell) for cell in cells]
    units = {part["unit"] for part in parts if "unit" in part}
    shared = units.pop() if len(units) == 1 else None
    found = {name for part in parts for name, text in part.items() if text} | {"value"}
    if shared is not None:
        found.discard("unit")
        title = f"{title} ({shared})" if shared else title
    for name in PARTS:
        if name in found:
            yield title if name == "value" else f"{title} {name}", [part.get(name, "") for part in parts]


def _words(cell: Cell) -> dict[str, str]:
    return {"value": harmless(cell.text), "mark": _marks(cell, ()), "note": harmless(cell.detail or "")}


def _figure(cell: Cell) -> dict[str, str]:
    """Take a cell apart; what is no number stays as it is written."""
    lines = (cell.text, cell.detail or "")
    signs = [sign for line in lines for sign in _MARKED.findall(line)]
    value, detail = (_MARKED.sub("", line) for line in lines)
    marked = {"mark": _marks(cell, signs)}
    if value in {wording.NONE, ""}:
        return {"value": "", "note": harmless(detail), **marked}
    match = _VALUE.fullmatch(value)
    if match is None:
        return {"value": harmless(value), "note": harmless(detail), **marked}
    return {"value": _number(match[1]), "unit": match[2] or "", **_detail(detail), **marked}


def _marks(cell: Cell, signs: Iterable[str]) -> str:
    known = [MARKS[sign] for sign in signs] + [MARKS["▲"]] * cell.mark + [MARKS[FEW_MARK]] * cell.few
    return ", ".join(dict.fromkeys(known))


def _detail(detail: str) -> dict[str, str]:
    """Take a cell's second line apart: an interval, a difference with or without its interval, or words."""
    if bounds := _BOUNDS.fullmatch(detail):
        return {"low": _number(bounds[1]), "high": _number(bounds[2])}
    if change := _DIFFERENCE.fullmatch(detail):
        texts = zip(("difference", "difference low", "difference high"), change.groups(), strict=True)
        return {name: _number(text) for name, text in texts if text}
    return {"note": harmless(detail)}


def _number(text: str) -> str:
    return text.replace(wording.MINUS, "-").replace(",", "").removeprefix("+")


def harmless(text: str) -> str:
    """Set an apostrophe before what a spreadsheet would carry out of a text."""
    return _CARRIED_OUT.sub(r"\1'", text)


def as_it_was(text: str) -> str:
    """Take away what :func:`harmless` has set before a text."""
    bare = _MADE_TEXT.sub(r"\1", text)
    return bare if harmless(bare) == text else text


def _text(rows: Iterable[Sequence[str]]) -> str:
    file = StringIO(newline="")
    csv.writer(file).writerows(rows)
    return file.getvalue()
