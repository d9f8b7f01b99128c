"""The report as text of a fixed width: everything but the pictures themselves."""

from collections.abc import Iterable, Iterator, Sequence

from cxrkit.report.content import (
    Block,
    Bullets,
    Case,
    Cell,
    Flow,
    FlowBox,
    Gallery,
    Heading,
    Matrices,
    Pictures,
    Plots,
    Report,
    Section,
    Table,
    Terms,
    Text,
    Tiles,
)
from cxrkit.report.formats.numbering import matrix_table
from cxrkit.report.formats.paging import on_paper
from cxrkit.report.formats.wrapping import longest_piece, wrapped
from cxrkit.report.one_line import in_lines

WIDTH = 100
LINES_BEFORE_TITLE = 2  # empty ones, of a chapter
GAP = 2
NARROWEST = 7  # columns of text that a cell needs at least
LONG_WORD = 18  # a longer one, such as a file name, is broken
MOST_LEADING = 3  # columns that are repeated with each part of a table that is too wide


def render(report: Report) -> str:
    """Write the report in lines of at most 100 characters."""
    text = "\n".join(line.rstrip() for line in _lines(in_lines(on_paper(report)))) + "\n"
    return text.replace("\N{NO-BREAK SPACE}", " ")


def _lines(report: Report) -> Iterator[str]:
    head = report.head
    about = [", ".join(head.authors), head.institution or "", f"{head.date}, {head.made_with}"]
    top = [line for text in (head.title.upper(), *about) for line in wrapped(text, WIDTH)]
    chapters = [(section.title, list(_section(section))) for section in report.sections]
    yield from top
    yield from _contents(chapters, begin=len(top) + len(chapters) + 2)
    for _, lines in chapters:
        yield from lines


def _contents(chapters: Sequence[tuple[str, Sequence[str]]], begin: int) -> Iterator[str]:
    """List the chapters with the line of each one's title; ``begin``: lines above the first chapter."""
    yield from ("", "CONTENTS")
    for title, lines in chapters:
        number = f" line {begin + LINES_BEFORE_TITLE + 1}"
        room = WIDTH - len(number) - 1
        shown = title if len(title) <= room else f"{title[: room - 1]}…"
        yield f"{shown} ".ljust(WIDTH - len(number), ".") + number
        begin += len(lines)


def _section(section: Section) -> Iterator[str]:
    yield from [""] * LINES_BEFORE_TITLE
    yield section.title.upper()
    yield "=" * WIDTH
    for block in section.blocks:
        lines = list(_block(block))
        if lines:
            yield ""
            yield from lines


def _block(block: Block) -> Iterator[str]:  # noqa: C901 - one for each kind
    """Write a block; of a figure or picture what is seen."""
    match block:
        case Text(text=text):
            yield from wrapped(text, WIDTH)
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
        case Pictures(pictures=pictures):
            yield from _hanging(f"Figure: {picture.caption} {picture.alt}" for picture in pictures)
        case Tiles(caption=caption, alt=alt):
            yield from _hanging([f"Figure: {caption} {alt}"])
        case Flow():
            yield from _flow(block)
        case Gallery():
            yield from _gallery(block)


def _hanging(paragraphs: Iterable[str]) -> Iterator[str]:
    for paragraph in paragraphs:
        yield from wrapped(paragraph, WIDTH, rest="    ")


def _bullets(block: Bullets) -> Iterator[str]:
    if block.title:
        yield block.title.upper()
    for item in block.items:
        yield from wrapped(item, WIDTH, first="- ", rest="  ")


def _matrices(block: Matrices) -> Iterator[str]:
    yield from wrapped(block.reading, WIDTH)
    for matrix in block.matrices:
        yield ""
        yield from _table(matrix_table(matrix))


def _flow(flow: Flow) -> Iterator[str]:
    yield f"{flow.found.title}: {flow.found.count}"
    for box in (*([flow.excluded] if flow.excluded else []), *flow.splits):
        yield from wrapped(_box(box), WIDTH, first="  ", rest="    ")


def _box(box: FlowBox) -> str:
    return f"{box.title}: {box.count}" + (f" ({'; '.join(box.lines)})" if box.lines else "")


def _gallery(gallery: Gallery) -> Iterator[str]:
    yield from (gallery.title, "-" * min(len(gallery.title), WIDTH))
    yield from wrapped(f"{gallery.caption} The pictures are in the HTML and PDF reports.", WIDTH)
    for number, case in enumerate(gallery.cases, start=1):
        yield ""
        indent = " " * len(f"{number}. ")
        first, *rest = _case(case)
        yield from wrapped(first, WIDTH, first=f"{number}. ", rest=indent)
        yield from (line for text in rest for line in wrapped(text, WIDTH, first=indent, rest=indent))


def _case(case: Case) -> Iterator[str]:
    """Tell of an image: its name, what is known of it, what each model said."""
    yield case.image
    known = [f"patient {case.patient}", *(f"{name} {value}" for name, value in case.subgroups)]
    yield f"Shows {case.truth}; {', '.join(known)}. {case.verdict}."
    told = (
        f"{view.task}: {view.call}{f' ({view.figure})' if view.figure else ''}{' ✗' if view.wrong else ''}"
        for view in case.views
    )
    yield "; ".join(one.replace(" ", "\N{NO-BREAK SPACE}") for one in told)  # none of them in two lines


def _table(table: Table) -> Iterator[str]:
    for number, columns in enumerate(_parts(table)):
        if number:
            yield ""
        yield from wrapped(f"{table.caption}{', continued' if number else ''}", WIDTH)
        yield from _part(table, columns)
    for note in table.notes:
        yield from wrapped(note, WIDTH, first="  ", rest="  ")


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
    longest = max(map(longest_piece, texts), default=0)
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
    return [cell.marked_text, *([cell.bracketed_detail] if cell.bracketed_detail else [])]


def _widths(rows: Sequence[Sequence[Sequence[str]]]) -> list[int]:
    """Give each column what its widest text takes; where that is too much, the widest give way, words last."""
    columns = [[line for row in rows for line in row[place]] for place in range(len(rows[0]))]
    widths = [max(map(len, lines)) for lines in columns]
    words = [max(1, *map(longest_piece, lines)) for lines in columns]
    spare = WIDTH - GAP * (len(widths) - 1)
    while sum(widths) > spare:
        loose = [place for place, width in enumerate(widths) if width > words[place]] or list(range(len(widths)))
        widths[max(loose, key=lambda place: widths[place])] -= 1
    return [max(width, 1) for width in widths]


def _row(cells: Sequence[Sequence[str]], widths: Sequence[int], numeric: Sequence[bool]) -> Iterator[str]:
    broken = [
        [piece for line in cell for piece in (wrapped(line, width) or [""])]
        for cell, width in zip(cells, widths, strict=True)
    ]
    for number in range(max(len(pieces) for pieces in broken)):
        parts = [pieces[number] if number < len(pieces) else "" for pieces in broken]
        yield (" " * GAP).join(
            part.rjust(width) if right else part.ljust(width)
            for part, width, right in zip(parts, widths, numeric, strict=True)
        )
