"""Blocks of a report as Markdown: everything but the pictures, every name shown as it is."""

import re
from collections.abc import Iterable, Iterator, Sequence

from cxrkit.one_line import one_line
from cxrkit.report.content import (
    Block,
    Bullets,
    Cell,
    Flow,
    Heading,
    Matrices,
    Pictures,
    Plots,
    Table,
    Terms,
    Text,
    Tiles,
)
from cxrkit.report.formats.numbering import matrix_table

MARKUP = re.compile(r"[\\`*_\[\]<>|~&$@]|(?<=www)\.|:(?=//)|^[#+=-]")
"""What may be markup: emphasis, code, links (also bare ones), HTML, tables, formulas, the beginnings of lists."""

NUMBERED = re.compile(r"^(\d+)([.)])(?=\s|$)")
"""What begins a numbered list."""


def escaped(text: str) -> str:
    """Write a text in one line so that Markdown shows it as it is."""
    return NUMBERED.sub(r"\1\\\2", MARKUP.sub(r"\\\g<0>", " ".join(one_line(text).split())))


def lines(blocks: Iterable[Block]) -> Iterator[str]:
    """Write blocks one after the other, an empty line after each; galleries are left out, as pictures are."""
    for block in blocks:
        written = list(_block(block))
        if written:
            yield from (*written, "")


def _block(block: Block) -> Iterator[str]:  # noqa: C901 - one for each kind
    match block:
        case Text(text=text):
            yield escaped(text)
        case Heading(title=title):
            yield f"### {escaped(title)}"
        case Bullets():
            yield from _bullets(block)
        case Terms(entries=entries):
            yield from (f"- **{escaped(term)}**: {escaped(explanation)}" for term, explanation in entries)
        case Table():
            yield from _table(block)
        case Matrices():
            yield from _matrices(block)
        case Plots(plots=plots):
            yield from (f"- Figure: {escaped(f'{plot.caption} {plot.alt}')}" for plot in plots)
        case Pictures(pictures=pictures):
            yield from (f"- Figure: {escaped(f'{one.caption} {one.alt}')}" for one in pictures)
        case Tiles(caption=caption, alt=alt):
            yield f"- Figure: {escaped(f'{caption} {alt}')}"
        case Flow():
            yield from _flow(block)


def _bullets(block: Bullets) -> Iterator[str]:
    if block.title:
        yield from (f"**{escaped(block.title)}**", "")
    yield from (f"- {escaped(item)}" for item in block.items)


def _matrices(block: Matrices) -> Iterator[str]:
    yield escaped(block.reading)
    for matrix in block.matrices:
        yield from ("", *_table(matrix_table(matrix)))


def _flow(flow: Flow) -> Iterator[str]:
    yield f"- {escaped(f'{flow.found.title}: {flow.found.count}')}"
    for box in (*([flow.excluded] if flow.excluded else []), *flow.splits):
        details = f" ({'; '.join(box.lines)})" if box.lines else ""
        yield f"  - {escaped(f'{box.title}: {box.count}{details}')}"


def _table(table: Table) -> Iterator[str]:
    yield from (f"**{escaped(table.caption)}**", "")
    yield _row([escaped(column.title) for column in table.columns])
    yield _row(["---:" if column.numeric else "---" for column in table.columns])
    yield from (_row([_cell(cell) for cell in row]) for row in table.rows)
    for note in table.notes:
        yield from ("", escaped(note))


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(cell: Cell) -> str:
    """Write a cell in one line; Markdown's tables have no second."""
    return escaped(f"{cell.marked_text} {cell.bracketed_detail or ''}")
