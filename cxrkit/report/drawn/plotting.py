"""Writes the figures of a report as files of their own, in the widths of journals, with an index to paste from."""

import csv
import io
from collections.abc import Collection, Iterator, Sequence
from itertools import chain
from pathlib import Path

from cxrkit.errors import InputError, nearest
from cxrkit.files import write_bytes, write_text
from cxrkit.report.content import Plot, Plots, Report
from cxrkit.report.drawn import matrices as matrix_figure
from cxrkit.report.drawn import panels as panel_figure
from cxrkit.report.drawn import splits as splits_figure
from cxrkit.report.drawn import tiles as tiles_figure
from cxrkit.report.drawn.drawing import Format
from cxrkit.report.formats.spreadsheets import harmless
from cxrkit.report.results import Results

INDEX = "figures.csv"
COLUMNS = ("figure", "files", "width_mm", "caption", "reading", "alternative_text")
WIDTHS = {"single": 89.0, "one-and-half": 140.0, "double": 183.0}
"""Millimetres of the columns of a journal's page, by name."""


def figures(report: Report, results: Results) -> dict[str, Plot]:
    """Find the figures of a report by name, in its order; then those that it shows as tables and pictures."""
    found: dict[str, Plot] = {}
    for plot in chain(
        _of_sections(report),
        matrix_figure.plots(report, results),
        splits_figure.plots(results),
        tiles_figure.plots(report),
        panel_figure.plots(report),
    ):
        found[_free(plot.name, found)] = plot
    return found


def _of_sections(report: Report) -> Iterator[Plot]:
    for section in report.sections:
        for block in section.blocks:
            if isinstance(block, Plots):
                yield from block.plots


def _free(name: str, taken: Collection[str]) -> str:
    """Number a name that another figure has, as those of two tasks may that differ in a letter no file name has."""
    names = chain([name], (f"{name}-{number}" for number in range(2, len(taken) + 3)))
    return next(one for one in names if one.casefold() not in {other.casefold() for other in taken})


def choose(found: dict[str, Plot], names: Sequence[str]) -> dict[str, Plot]:
    """Take the figures asked for, all by default.

    Raises:
        InputError: there is no such figure.
    """
    unknown = [name for name in dict.fromkeys(names) if name not in found]
    if unknown:
        raise InputError(*(f'--figure: there is no figure "{name}", {nearest(name, found)}' for name in unknown))
    return {name: plot for name, plot in found.items() if not names or name in names}


def write(
    folder: Path, chosen: dict[str, Plot], formats: Sequence[Format], *, width: float | None, dpi: int
) -> list[Path]:
    """Write figures and their index.

    Args:
        folder: where to.
        chosen: the figures by name.
        formats: of each.
        width: in millimetres; None for what each is designed for, one column or two.
        dpi: pixels per inch of a PNG, and of photographs within the others.

    Returns:
        The files, the index last.

    Raises:
        RunError: a file cannot be written.
    """
    written = []
    rows = []
    for name, plot in chosen.items():
        millimetres = width or WIDTHS["double" if plot.wide else "single"]
        paths = [folder / f"{name}.{kind}" for kind in formats]
        for path, kind in zip(paths, formats, strict=True):
            write_bytes(path, plot.drawing.file(kind, millimetres, dpi))
        written += paths
        files = " ".join(path.name for path in paths)
        rows.append((name, files, f"{millimetres:g}", plot.caption, plot.reading, plot.alt))
    write_text(folder / INDEX, _table([COLUMNS, *rows]))
    return [*written, folder / INDEX]


def _table(rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([map(harmless, row) for row in rows])
    return text.getvalue()
