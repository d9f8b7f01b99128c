"""Writes the reports of finished runs into a folder."""

from collections.abc import Sequence
from pathlib import Path

from cxrkit.files import write_bytes, write_text
from cxrkit.report import html, pdf, text
from cxrkit.report.compose import compose
from cxrkit.report.reading import read
from cxrkit.rundir import RunDirectory

NAMES = {"html": "report.html", "pdf": "report.pdf", "txt": "comparison_report.txt"}
"""Format → the file's name, in the order in which they are written."""


def write(
    runs: Sequence[RunDirectory], output: Path, formats: Sequence[str], *, strict_pdf: bool
) -> tuple[list[Path], list[str]]:
    """Write the report of one or more finished runs.

    Args:
        runs: evaluated run directories; several stand side by side in one report.
        output: folder that the files go to.
        formats: ``html``, ``pdf``, ``txt``.
        strict_pdf: a PDF that cannot be made is an error, not a warning.

    Returns:
        The files written, HTML first, and one sentence for each that could not be made.

    Raises:
        InputError: a run is not finished or not of its form.
        RunError: a file cannot be written; with ``strict_pdf`` also where the libraries for PDF are missing.
    """
    report = compose(read(runs))
    written: list[Path] = []
    warnings: list[str] = []
    for name in [name for name in NAMES if name in formats]:
        path = output / NAMES[name]
        if name == "html":
            write_text(path, html.render(report))
        elif name == "txt":
            write_text(path, text.render(report))
        else:
            try:
                write_bytes(path, pdf.render(report))
            except pdf.UnprintableError as error:
                if strict_pdf:
                    raise
                warnings.append(str(error))
                continue
        written.append(path)
    return written, warnings
