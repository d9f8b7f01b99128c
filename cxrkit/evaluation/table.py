"""CSV files as they come from spreadsheets and vendors, read with every bad cell named by row and column."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cxrkit import bounded
from cxrkit.errors import InputError, nearest

MOST_BYTES = 300 * bounded.MEGABYTE  # of a CSV file; a million images have about 100
MOST_CELLS = 20_000_000  # each takes 60 bytes of memory; a row counts as one more
MOST_COLUMNS = 5_000
MOST_TOLD = 20  # problems of one file that are told one by one


@dataclass
class Sheet:
    """A CSV file's columns as text, under cxrkit's names, and the problems found so far.

    Attributes:
        path: the file, for messages.
        columns: name → cells of all rows.
        given: cxrkit's name → the file's own, where the user mapped it.
        rows: how many rows there are below the header.
    """

    path: Path
    columns: dict[str, list[str]]
    given: Mapping[str, str]
    rows: int
    problems: list[str] = field(default_factory=list)

    def shown(self, name: str) -> str:
        """Return the name that the column has in the file."""
        return self.given.get(name, name)

    def complain(self, row: int, name: str, sentence: str) -> None:
        """Note what is wrong with a cell; ``row`` counts from 0 below the header."""
        self.problems.append(f"{self.path}: row {row + 2}, column {self.shown(name)}: {sentence}")

    def missing(self, name: str, beside: str = "") -> None:
        """Note that a column is not there, and what to say beside it."""
        found = f'column "{self.shown(name)}" is missing{f", {beside}" if beside else ""}'
        self.problems.append(f"{self.path}: {found}, {_nearest(self.shown(name), self.columns)}")

    def stop_if_wrong(self) -> None:
        """Raise what was noted.

        Raises:
            InputError: with one sentence for each problem, the first ones told singly.
        """
        if not self.problems:
            return
        more = len(self.problems) - MOST_TOLD
        rest = [f"{self.path}: {more} more problems like these"] if more > 0 else []
        raise InputError(*self.problems[:MOST_TOLD], *rest)


def read_sheet(path: Path, given: Mapping[str, str]) -> Sheet:
    """Read a comma-separated UTF-8 file, with or without a byte order mark.

    Args:
        path: the file.
        given: cxrkit's column name → the file's own; a column may have two of cxrkit's names.

    Raises:
        InputError: it is missing, empty, no UTF-8, not separated by commas, ragged, or has a column twice.
    """
    header, body = _rows(path)
    width = len(header)
    ragged = [row for row, cells in enumerate(body) if len(cells) != width]
    if ragged:
        found = f"row {ragged[0] + 2} has {len(body[ragged[0]])} cells, the header has {width}"
        raise InputError(f"{path}: {found}{f' (so have {len(ragged) - 1} more rows)' if len(ragged) > 1 else ''}")
    columns = list(zip(*body, strict=True)) if body else [()] * width
    named = {name: list(map(str.strip, cells)) for name, cells in zip(header, columns, strict=True)}
    return Sheet(path, _renamed(path, named, given), given, len(body))


def _rows(path: Path) -> tuple[list[str], list[list[str]]]:
    content = bounded.content(path, MOST_BYTES, "there is no such file, give the path of a CSV file")
    if b"\0" in content:
        row = content[: content.index(b"\0")].count(b"\n") + 1
        raise InputError(f"{path}: row {row} holds a NUL, which is no text, save it as CSV UTF-8")
    try:
        text = io.StringIO(content.decode("utf-8-sig"), newline="")
        rows = list(_within_bounds(path, csv.reader(text, strict=True)))
    except UnicodeDecodeError:
        raise InputError(f"{path}: is no UTF-8 text, save it as CSV UTF-8") from None
    except csv.Error as error:
        raise InputError(f"{path}: is no readable CSV ({error}), save it as CSV with commas") from None
    while rows and not any(cell.strip() for cell in rows[-1]):  # spreadsheets leave empty rows at the end
        rows.pop()
    if not rows:
        raise InputError(f"{path}: is empty, a header and a row for each image are needed")
    header = [cell.strip() for cell in rows[0]]
    _check_header(path, header)
    return header, rows[1:]


def _within_bounds(path: Path, rows: Iterable[list[str]]) -> Iterator[list[str]]:
    """Stop at more cells than memory should be taken for: even an empty one takes far more than its comma."""
    cells = 0
    for row in rows:
        cells += len(row) + 1
        if cells > MOST_CELLS:
            raise InputError(f"{path}: holds more than {MOST_CELLS:,} cells, divide it into several files")
        yield row


def records(path: Path) -> list[dict[str, str]]:
    """Read a CSV file of a run directory, a row for each line below the header; a cell that is lacking is empty.

    Raises:
        InputError: it is missing, no UTF-8, or no CSV.
    """
    header, body = _rows(path)
    return [dict(zip(header, [*cells, *[""] * (len(header) - len(cells))], strict=False)) for cells in body]


def _check_header(path: Path, header: Sequence[str]) -> None:
    for separator, name in ((";", "semicolons"), ("\t", "tabs")):
        if len(header) == 1 and separator in header[0]:
            raise InputError(f"{path}: is separated by {name}, save it as CSV with commas and decimal points")
    if len(header) > MOST_COLUMNS:
        raise InputError(f"{path}: has {len(header):,} columns, allowed are {MOST_COLUMNS:,}")
    doubled = sorted(name for name, times in Counter(header).items() if times > 1)
    if doubled:
        raise InputError(f"{path}: the header has column {_listed(doubled)} twice, each may be there once")


def _renamed(path: Path, named: dict[str, list[str]], given: Mapping[str, str]) -> dict[str, list[str]]:
    missing = [theirs for theirs in given.values() if theirs not in named]
    if missing:
        raise InputError(*(f'{path}: column "{name}" is missing, {_nearest(name, named)}' for name in missing))
    renamed: dict[str, list[str]] = {}
    for name, cells in named.items():  # in the file's order, which is that of the classes
        ours = [our for our, theirs in given.items() if theirs == name]
        renamed |= dict.fromkeys(ours or ([name] if name not in given else []), cells)
    return renamed


def _nearest(name: str, columns: Iterable[str]) -> str:
    return nearest(name, columns).replace("allowed are", "there are", 1)  # a file's columns are found, not allowed


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
