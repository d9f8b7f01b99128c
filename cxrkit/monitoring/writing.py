"""Writes what monitoring found into a folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from cxrkit.errors import RunError
from cxrkit.files import write_bytes, write_text
from cxrkit.monitoring import measured, tables
from cxrkit.monitoring.measured import Measures
from cxrkit.monitoring.page import compose
from cxrkit.records import Monitoring
from cxrkit.report.content import Report
from cxrkit.report.formats import html, pdf, text

Format: TypeAlias = Literal["html", "pdf", "txt"]
FORMATS: tuple[Format, ...] = get_args(Format)
USUAL: tuple[Format, ...] = ("html",)
DOCUMENT, TABLE, STATISTICS = "monitoring.json", "monitoring.csv", "reference_statistics.csv"


def write(folder: Path, found: Monitoring, before: Measures | None, formats: Sequence[Format]) -> Path:
    """Write ``monitoring.json``, ``monitoring.csv``, the page, and what was measured of the reference's images.

    Args:
        folder: where to; files of an earlier call are replaced.
        found: everything that was computed.
        before: statistics of the reference's images, which the next call may be given; or None.
        formats: of the page.

    Returns:
        What to open: the page, else the document.

    Raises:
        RunError: a file cannot be written, or the libraries for PDF are missing.
    """
    report = compose(found)
    pages = {name: _page(name, report) for name in FORMATS if name in formats}
    found.write(folder / DOCUMENT)
    write_text(folder / TABLE, tables.as_csv(found))
    if before is not None:
        measured.write(folder / STATISTICS, before)
    for name, content in pages.items():
        write_bytes(folder / f"monitoring.{name}", content)
    return folder / (f"monitoring.{next(iter(pages))}" if pages else DOCUMENT)


def _page(name: Format, report: Report) -> bytes:
    if name == "pdf":
        return _printed(report)
    return (text.render(report) if name == "txt" else html.render(report)).encode()


def _printed(report: Report) -> bytes:
    """Lay the page out, and where that fails speak of this file and this command."""
    try:
        return pdf.render(report)
    except pdf.UnprintableError as error:
        told = str(error).replace("report.pdf", "monitoring.pdf").replace("cxrkit report", "cxrkit monitor")
        raise RunError(told) from error
