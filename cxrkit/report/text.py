"""The report as text of a fixed width: everything but the pictures."""

from collections.abc import Iterable, Iterator, Sequence
from textwrap import wrap

from cxrkit.report.content import (
    Block,
    Bullets,
    Cell,
    Column,
    Flow,
    Heading,
    Matrices,
    Matrix,
    Plots,
    Report,
    Section,
    Table,
    Terms,
    Text,
)

WIDTH = 100
GAP = 2
NARROWEST = 7  # columns of text that a cell needs at least
LONG_WORD = 18  # a longer one, such as a file name, is broken
MOST_LEADING = 3  # columns that are repeated with each part of a table that is too wide


def render(report: Report) -> str:
    """Write the report in lines of at most 100 characters."""
    text = "\n".join(line.rstrip() for line in _lines(report)) + "\n"
    return text.replace("\N{NO-BREAK SPACE}", " ")


def _lines(report: Report) -> Iterator[str]:
    head = report.head
    yield from wrap(head.title.upper(), WIDTH)
    about = [", ".join(head.authors), head.institution or "", f"{head.date}, {head.made_with}"]
    for line in about:
        yield from wrap(line, WIDTH)
    for section in report.sections:
        yield from _section(section)


def _section(section: Section) -> Iterator[str]:
    yield ""
    yield ""
    yield section.title.upper()
    yield "=" * WIDTH
    for block in section.blocks:
        lines = list(_block(block))
        if lines:
            yield ""
            yield from lines


def _block(block: Block) -> Iterator[str]:
    """Write a block; of a figure what is seen, and no pictures, since their cases stand in tables too."""
    match block:
        case Text(text=text):
            yield from wrap(text, WIDTH)
        case Heading(title=title):
            yield from (title, "-" * min(len(title), WIDTH))
        case Bullets():
            yield from _bullets(block)
        case Terms(entries=entries):
            yield from _hanging(f"{term}: {explanation}" for term, explanation in entries)
        case Table():
            yield from _table(block)
        case Matrices():
            yield from _matrices(block)
        case Plots(plots=plots):
            yield from _hanging(f"Figure: {plot.caption} {plot.alt}" for plot in plots)
        case Flow():
            yield from _flow(block)


def _hanging(paragraphs: Iterable[str]) -> Iterator[str]:
    for paragraph in paragraphs:
        yield from wrap(paragraph, WIDTH, subsequent_indent="    ")


def _bullets(block: Bullets) -> Iterator[str]:
    if block.title:
        yield block.title.upper()
    for item in block.items:
        yield from wrap(item, WIDTH, initial_indent="- ", subsequent_indent="  ")


def _matrices(block: Matrices) -> Iterator[str]:
    yield from wrap(block.reading, WIDTH)
    for matrix in block.matrices:
        yield ""
        yield from _table(_as_table(matrix))


def _flow(flow: Flow) -> Iterator[str]:
    yield f"{flow.found.title}: {flow.found.count}"
    if flow.excluded is not None:
        yield from wrap(
            f"{flow.excluded.title}: {flow.excluded.count} ({'; '.join(flow.excluded.lines)})",
            WIDTH,
            initial_indent="  ",
            subsequent_indent="    ",
        )
    for split in flow.splits:
        yield from wrap(
            f"{split.title}: {split.count} ({'; '.join(split.lines)})",
            WIDTH,
            initial_indent="  ",
            subsequent_indent="    ",
        )


def _as_table(matrix: Matrix) -> Table:
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


def _table(table: Table) -> Iterator[str]:
    yield from wrap(table.caption, WIDTH)
    for columns in _parts(table):
        yield from _part(table, columns)
    for note in table.notes:
        yield from wrap(note, WIDTH, initial_indent="  ", subsequent_indent="  ")


def _parts(table: Table) -> Iterator[list[int]]:
    """Divide a table that is too wide for its words; each part begins with the columns that name the row."""
    lead = _leading(table)
    needed = [_longest_word(table, place) + GAP for place in range(len(table.columns))]
    room = WIDTH + GAP - sum(needed[:lead])
    part: list[int] = []
    for place in range(lead, len(table.columns)):
        if part and sum(needed[one] for one in (*part, place)) > room:
            yield [*range(lead), *part]
            part = []
        part.append(place)
    yield [*range(lead), *part]


def _leading(table: Table) -> int:
    """Count the columns of text before the first number; 1 where there is none, or numbers begin at once."""
    numeric = [place for place, column in enumerate(table.columns) if column.numeric]
    return max(1, min(numeric[0], MOST_LEADING)) if numeric else 1


def _longest_word(table: Table, place: int) -> int:
    texts = [table.columns[place].title, *(line for row in table.rows for line in _cell_lines(row[place]))]
    longest = max((len(word) for text in texts for word in text.split()), default=0)
    return min(max(longest, NARROWEST), LONG_WORD)


def _part(table: Table, columns: Sequence[int]) -> Iterator[str]:
    heads = [[table.columns[place].title] for place in columns]
    rows = [[_cell_lines(row[place]) for place in columns] for row in table.rows]
    widths = _widths([heads, *rows])
    numeric = [table.columns[place].numeric for place in columns]
    yield "-" * min(sum(widths) + GAP * (len(widths) - 1), WIDTH)
    if any(head[0] for head in heads):
        yield from _row(heads, widths, numeric)
        yield "-" * min(sum(widths) + GAP * (len(widths) - 1), WIDTH)
    for row in rows:
        yield from _row(row, widths, numeric)
    yield "-" * min(sum(widths) + GAP * (len(widths) - 1), WIDTH)


def _cell_lines(cell: Cell) -> list[str]:
    text = cell.marked_text
    return [text, f"({cell.detail})"] if cell.detail else [text]


def _widths(rows: Sequence[Sequence[Sequence[str]]]) -> list[int]:
    """Give each column what its widest text takes; where that is too much, the widest give way, words last."""
    columns = [[line for row in rows for line in row[place]] for place in range(len(rows[0]))]
    widths = [max(map(len, lines)) for lines in columns]
    words = [max((len(word) for line in lines for word in line.split()), default=1) for lines in columns]
    spare = WIDTH - GAP * (len(widths) - 1)
    while sum(widths) > spare:
        loose = [place for place, width in enumerate(widths) if width > words[place]] or list(range(len(widths)))
        widths[max(loose, key=lambda place: widths[place])] -= 1
    return [max(width, 1) for width in widths]


def _row(cells: Sequence[Sequence[str]], widths: Sequence[int], numeric: Sequence[bool]) -> Iterator[str]:
    broken = [
        [piece for line in cell for piece in (wrap(line, width) or [""])]
        for cell, width in zip(cells, widths, strict=True)
    ]
    for number in range(max(len(pieces) for pieces in broken)):
        parts = [pieces[number] if number < len(pieces) else "" for pieces in broken]
        yield (" " * GAP).join(
            part.rjust(width) if right else part.ljust(width)
            for part, width, right in zip(parts, widths, numeric, strict=True)
        )
