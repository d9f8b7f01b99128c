"""The tables of a report one by one, each with the name of the file that it gets outside of the report."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from cxrkit.report.content import Cell, Column, Matrices, Matrix, Report, Section, Table


@dataclass(frozen=True)
class NumberedTable:
    """A table or confusion matrix of a report.

    Attributes:
        name: ``results-2``: its chapter and its place there; letters, digits and hyphens alone.
        chapter: the chapter's title.
        content: what it shows.
    """

    name: str
    chapter: str
    content: Table | Matrix


def tables_of(report: Report) -> list[NumberedTable]:
    """List every table and confusion matrix in the order of the report."""
    return [
        NumberedTable(f"{_harmless(section.name)}-{number}", section.title, one)
        for section in report.sections
        for number, one in enumerate(_within(section), start=1)
    ]


def matrix_table(matrix: Matrix) -> Table:
    """Show a confusion matrix as a table: counts, and in brackets the share of the row."""
    columns = (Column("shows \\ called", numeric=False), *(Column(name) for name in matrix.class_names))
    rows = tuple(
        (
            Cell(name),
            *(
                Cell(f"{count:,}" + (f" ({100 * share:.1f}%)" if share is not None else ""))
                for count, share in zip(counts, shares, strict=True)
            ),
        )
        for name, counts, shares in zip(matrix.class_names, matrix.counts, matrix.shares, strict=True)
    )
    return Table(f"Confusion matrix of {matrix.task}, {matrix.caption}", columns, rows)


def _within(section: Section) -> Iterator[Table | Matrix]:
    for block in section.blocks:
        if isinstance(block, Table):
            yield block
        elif isinstance(block, Matrices):
            yield from block.matrices


def _harmless(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "section"
