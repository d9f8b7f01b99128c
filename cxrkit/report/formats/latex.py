"""The tables of a report as LaTeX for a paper: booktabs, plain ASCII, for any of the usual compilers."""

import unicodedata
from collections.abc import Iterator, Sequence
from itertools import pairwise
from textwrap import wrap

from cxrkit.report.content import Cell, Column, Matrix, Report, Table
from cxrkit.report.formats.numbering import NumberedTable, matrix_table, tables_of
from cxrkit.report.formats.paging import on_pages

ALL = "all-tables.tex"
PACKAGES = ("amssymb", "array", "booktabs", "graphicx", "longtable")
LIGATURES = "-,'"  # two of them would become a dash or a quotation mark
LONG = 45  # lines that a table has at most to stay on one page
WIDE = 26  # letters from which on a column of words is broken into lines
LONG_TITLE = 16  # letters of a line of a column's head
BROAD = 0.3  # of the line, for a column that is broken

SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_\allowbreak{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "{''}",
    "`": r"\textasciigrave{}",
    "[": "{[}",  # after the end of a row it would begin an option
    "]": "{]}",
    "*": "{*}",
    "/": r"/\allowbreak{}",
    "\N{MINUS SIGN}": "$-$",
    "\N{NO-BREAK SPACE}": "~",
    "\N{HYPHEN}": "-{}",
    "\N{EN DASH}": "--{}",
    "\N{EM DASH}": "---{}",
    "\N{HORIZONTAL ELLIPSIS}": r"\ldots{}",
    "\N{LEFT SINGLE QUOTATION MARK}": "`{}",
    "\N{RIGHT SINGLE QUOTATION MARK}": "'{}",
    "\N{LEFT DOUBLE QUOTATION MARK}": "{``}",
    "\N{RIGHT DOUBLE QUOTATION MARK}": "{''}",
    "\N{MULTIPLICATION SIGN}": r"$\times$",
    "\N{MIDDLE DOT}": r"$\cdot$",
    "\N{PLUS-MINUS SIGN}": r"$\pm$",
    "\N{LESS-THAN OR EQUAL TO}": r"$\leq$",
    "\N{GREATER-THAN OR EQUAL TO}": r"$\geq$",
    "\N{ALMOST EQUAL TO}": r"$\approx$",
    "\N{RIGHTWARDS ARROW}": r"$\rightarrow$",
    "\N{DEGREE SIGN}": r"$^{\circ}$",
    "\N{MICRO SIGN}": r"$\mu$",
    "\N{DAGGER}": r"\dag{}",
    "\N{DOUBLE DAGGER}": r"\ddag{}",
    "\N{BLACK UP-POINTING TRIANGLE}": r"$\blacktriangle$",
    "\N{BLACK DOWN-POINTING TRIANGLE}": r"$\blacktriangledown$",
    "\N{BALLOT X}": r"$\times$",
    "\N{WHITE CIRCLE}": r"$\circ$",
    "\N{BLACK CIRCLE}": r"$\bullet$",
    "\N{BULLET}": r"$\bullet$",
    "\N{CHECK MARK}": r"$\checkmark$",
    "\N{LATIN SMALL LETTER SHARP S}": r"{\ss}",
    "\N{LATIN SMALL LETTER AE}": r"{\ae}",
    "\N{LATIN CAPITAL LETTER AE}": r"{\AE}",
    "\N{LATIN SMALL LIGATURE OE}": r"{\oe}",
    "\N{LATIN CAPITAL LIGATURE OE}": r"{\OE}",
    "\N{LATIN SMALL LETTER O WITH STROKE}": r"{\o}",
    "\N{LATIN CAPITAL LETTER O WITH STROKE}": r"{\O}",
    "\N{LATIN SMALL LETTER L WITH STROKE}": r"{\l}",
    "\N{LATIN CAPITAL LETTER L WITH STROKE}": r"{\L}",
    "\N{LATIN SMALL LETTER DOTLESS I}": r"{\i}",
}
ACCENTS = {
    "\N{COMBINING GRAVE ACCENT}": "`",
    "\N{COMBINING ACUTE ACCENT}": "'",
    "\N{COMBINING CIRCUMFLEX ACCENT}": "^",
    "\N{COMBINING TILDE}": "~",
    "\N{COMBINING MACRON}": "=",
    "\N{COMBINING BREVE}": "u",
    "\N{COMBINING DOT ABOVE}": ".",
    "\N{COMBINING DIAERESIS}": '"',
    "\N{COMBINING RING ABOVE}": "r",
    "\N{COMBINING DOUBLE ACUTE ACCENT}": "H",
    "\N{COMBINING CARON}": "v",
    "\N{COMBINING CEDILLA}": "c",
}


def render(report: Report) -> dict[str, str]:
    """Write every table of a report.

    Returns:
        File name → its text; ``all-tables.tex`` can be compiled and shows them all.
    """
    tables = tables_of(on_pages(report))
    return {ALL: _document(tables)} | {f"{one.name}.tex": _file(one) for one in tables}


def escaped(text: str) -> str:
    r"""Write a text so that LaTeX shows it as it is, in ASCII; a letter that it may not have as its number, ``U+4E2D``.

    Line ends and other control characters become spaces.
    """
    letters = unicodedata.normalize("NFC", text)
    apart = ("{}" if letter == before and letter in LIGATURES else "" for before, letter in pairwise(f" {letters}"))
    return "".join(gap + _letter(letter) for gap, letter in zip(apart, letters, strict=True))


def _letter(letter: str) -> str:
    if letter in SPECIAL:
        return SPECIAL[letter]
    if letter.isascii():
        return letter if letter.isprintable() else " "
    base, *accents = list(unicodedata.normalize("NFD", letter))
    if base.isascii() and base.isalpha() and len(accents) == 1 and accents[0] in ACCENTS:
        return f"\\{ACCENTS[accents[0]]}{{{base}}}"
    return f"\\texttt{{U+{ord(letter):04X}}}" if letter.isprintable() else " "


def _document(tables: Sequence[NumberedTable]) -> str:
    lines = [
        "% Every table of the report; compile it to look at them, and take into a paper those that it needs.",
        r"\documentclass[a4paper]{article}",
        r"\usepackage[T1]{fontenc}",
        r"\usepackage[margin=2cm]{geometry}",
        *(rf"\usepackage{{{name}}}" for name in PACKAGES),
        r"\begin{document}",
        *(rf"\input{{{one.name}}}\clearpage" for one in tables),
        r"\end{document}",
    ]
    return "\n".join(lines) + "\n"


def _file(one: NumberedTable) -> str:
    table = matrix_table(one.content) if isinstance(one.content, Matrix) else one.content
    lines = sum(2 if any(cell.detail for cell in row) else 1 for row in table.rows)
    needed = [rf"\usepackage{{{name}}}" for name in PACKAGES]
    layout = _over_pages if lines > LONG else _on_a_page
    return "\n".join([f"% Preamble: {' '.join(needed)}", *layout(table, one.name)]) + "\n"


def _on_a_page(table: Table, name: str) -> Iterator[str]:
    """Write a table that floats and is made smaller where it is wider than the line."""
    yield r"\begin{table}[htbp]"
    yield r"  \centering\footnotesize"
    yield rf"  \caption{{{escaped(table.caption)}}}\label{{tab:{name}}}"
    yield r"  \resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"
    yield rf"  \begin{{tabular}}{{@{{}}{_layout(table)}@{{}}}}"
    yield r"    \toprule"
    yield from _head(table)
    yield from (_row(row, table) for row in table.rows)
    yield r"    \bottomrule"
    yield r"  \end{tabular}}"
    yield from (rf"  \par\smallskip\parbox{{\linewidth}}{{\scriptsize {escaped(note)}}}" for note in table.notes)
    yield r"\end{table}"


def _over_pages(table: Table, name: str) -> Iterator[str]:
    """Write a table that goes on over pages."""
    yield r"{\scriptsize\setlength{\tabcolsep}{3pt}"
    yield rf"\begin{{longtable}}{{@{{}}{_layout(table)}@{{}}}}"
    yield rf"  \caption{{{escaped(table.caption)}}}\label{{tab:{name}}}\\"
    yield r"    \toprule"
    yield from _head(table)
    yield r"  \endfirsthead"
    yield r"    \toprule"
    yield from _head(table)
    yield r"  \endhead"
    yield r"    \bottomrule"
    yield r"  \endlastfoot"
    yield from (_row(row, table) for row in table.rows)
    yield r"\end{longtable}"
    yield from (rf"\noindent {escaped(note)}\par" for note in table.notes)
    yield "}"


def _layout(table: Table) -> str:
    """Align figures to the right; a column of words gets a fixed width where these are long."""
    broken = [place for place in range(len(table.columns)) if _is_broken(table, place)]
    width = min(BROAD, 0.75 / max(len(broken), 1))
    of_words = rf">{{\raggedright\arraybackslash}}p{{{width:.2f}\linewidth}}"
    return "".join(
        "r" if column.numeric else (of_words if place in broken else "l") for place, column in enumerate(table.columns)
    )


def _is_broken(table: Table, place: int) -> bool:
    texts = [text for row in table.rows for text in (row[place].text, row[place].detail or "")]
    return not table.columns[place].numeric and max(map(len, texts), default=0) > WIDE


def _head(table: Table) -> Iterator[str]:
    if any(column.title for column in table.columns):
        yield f"    {' & '.join(_title(column) for column in table.columns)} \\\\"
        yield r"    \midrule"


def _title(column: Column) -> str:
    """Write a column's head, broken into lines where it is long."""
    lines = wrap(column.title, LONG_TITLE)
    if len(lines) < 2:  # noqa: PLR2004 - one line needs no table of its own
        return escaped(column.title)
    side = "r" if column.numeric else "l"
    return _stacked([escaped(line) for line in lines], side, "b")


def _row(row: Sequence[Cell], table: Table) -> str:
    cells = [_cell(cell, numeric=column.numeric) for cell, column in zip(row, table.columns, strict=True)]
    return f"    {' & '.join(cells)} \\\\"


def _cell(cell: Cell, *, numeric: bool) -> str:
    """Write a cell; its second line stands below the first."""
    text = escaped(cell.marked_text)
    if not cell.bracketed_detail:
        return text
    detail = rf"{{\scriptsize {escaped(cell.bracketed_detail)}}}"
    return _stacked([text, detail], "r", "t") if numeric else f"{text} {detail}"


def _stacked(lines: Sequence[str], side: str, place: str) -> str:
    """Set lines one below the other within a cell: aligned to a side, the cell's line at the top or bottom."""
    return rf"\begin{{tabular}}[{place}]{{@{{}}{side}@{{}}}}" + r"\\".join(lines) + r"\end{tabular}"
