"""Dates of images, and what period each belongs to."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

from cxrkit.evaluation.table import Sheet

Dates: TypeAlias = Sequence[datetime]
Span: TypeAlias = Literal["day", "week", "month"]


def read_dates(sheet: Sheet, column: str) -> list[datetime]:
    """Read a column of dates or times in ISO 8601 (``2026-03-31``, ``20260331``, ``2026-03-31T08:30``).

    An offset from UTC is left out: a day is what the clock on the wall said.

    Raises:
        InputError: the column is missing, or a cell is no date; with its row.
    """
    if column not in sheet.columns:
        sheet.missing(column)
        sheet.stop_if_wrong()
    found = [_read(cell) for cell in sheet.columns[column]]
    for row, (cell, date) in enumerate(zip(sheet.columns[column], found, strict=True)):
        if date is None:
            told = f'"{cell}" is no date' if cell else "is empty"
            sheet.complain(row, column, f"{told}, ISO 8601 is needed, as in 2026-03-31 or 2026-03-31T08:30")
    sheet.stop_if_wrong()
    return [date for date in found if date is not None]


def _read(cell: str) -> datetime | None:
    try:
        return datetime.fromisoformat(cell).replace(tzinfo=None)
    except ValueError:
        return None


def period_of(date: datetime, span: Span) -> str:
    """Name the period of a date: ``2026-03-31``, the Monday of its week as ``week of 2026-03-30``, ``2026-03``."""
    if span == "day":
        return date.date().isoformat()
    if span == "week":
        return f"week of {(date - timedelta(days=date.weekday())).date().isoformat()}"
    return f"{date:%Y-%m}"


def shown(date: datetime) -> str:
    """Write a date, with the time where there is one."""
    return date.date().isoformat() if date == datetime(date.year, date.month, date.day) else date.isoformat()  # noqa: DTZ001 - as the file has it
