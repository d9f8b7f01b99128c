"""The report as PDF, by WeasyPrint."""

import logging
from contextlib import redirect_stdout
from io import StringIO

from cxrkit.errors import RunError
from cxrkit.report import html
from cxrkit.report.content import Report

PACKAGES = (
    "Debian and Ubuntu: apt install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0; Fedora: dnf install pango "
    "harfbuzz; macOS: brew install pango; Windows: MSYS2's mingw-w64-x86_64-pango"
)


class MissingLibraryError(RunError):
    """WeasyPrint finds no Pango or HarfBuzz-Subset on this machine."""


def render(report: Report) -> bytes:
    """Lay the report out on A4 pages.

    Raises:
        MissingLibraryError: names the packages to install.
    """
    try:
        with redirect_stdout(StringIO()):  # it prints advice of its own there
            from weasyprint import HTML
    except (OSError, ImportError) as error:
        what = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise MissingLibraryError(
            f"report.pdf: Pango or HarfBuzz-Subset cannot be loaded ({what}), install them and write the report again "
            f"({PACKAGES})"
        ) from error
    logging.getLogger("weasyprint").setLevel(logging.ERROR)  # else it tells of CSS that is for browsers alone
    logging.getLogger("fontTools").setLevel(logging.ERROR)
    content: bytes = HTML(string=html.render(report, printed=True)).write_pdf(pdf_tags=True)
    return content
