"""Print a page of HTML as PDF: ``python -m cxrkit.printing PAGE.html FILE.pdf``.

A process of its own, since Pango crashes where there are no fonts. Exit status: 0 done, 77 a library or the fonts are
missing, which standard output then tells in a line with the packages to install.
"""

import logging
import platform
import sys
import warnings
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MISSING = 77  # not 3, as which an abort on Windows ends
LIBRARIES = {
    "Linux": "install Pango, e.g. apt install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 (Debian, Ubuntu) "
    "or dnf install pango (Fedora)",
    "Darwin": "install Pango: brew install pango",
    "Windows": "install Pango through MSYS2: pacman -S mingw-w64-ucrt-x86_64-pango",
}
FONTS = {"Linux": "install fonts, e.g. apt install fonts-dejavu-core (Debian, Ubuntu) or dnf install dejavu-sans-fonts"}


class MissingLibraryError(Exception):
    """What WeasyPrint cannot do without, in a few words."""


@dataclass(frozen=True)
class Printer:
    """WeasyPrint as it was found.

    Attributes:
        html: its class ``HTML``.
        fonts: whether there are any; without them laying out text crashes the process.
        harfbuzz_subset: whether fonts are cut down fast and small; else fontTools does it.
    """

    html: Any
    fonts: bool
    harfbuzz_subset: bool


def libraries() -> str:
    """Tell how this system gets Pango and HarfBuzz-Subset."""
    return LIBRARIES.get(platform.system(), "install Pango")


def fonts() -> str:
    """Tell how this system gets fonts."""
    return FONTS.get(platform.system(), "install fonts")


def load() -> Printer:
    """Import WeasyPrint; what it prints itself goes to standard error.

    Raises:
        MissingLibraryError: Pango or another library cannot be loaded.
    """
    with warnings.catch_warnings(record=True) as caught, redirect_stdout(sys.stderr):
        warnings.simplefilter("always")
        try:
            from weasyprint import HTML
        except (ImportError, OSError) as error:
            raise MissingLibraryError((str(error).strip().splitlines() or [type(error).__name__])[0]) from error
    for name in ("weasyprint", "fontTools"):  # else they tell of CSS that is for browsers alone
        logging.getLogger(name).setLevel(logging.CRITICAL)
    messages = " ".join(str(warning.message) for warning in caught)
    return Printer(HTML, "FontConfig" not in messages, "HarfBuzz-Subset" not in messages)


def main(page: str, target: str) -> int:
    """Print one page and return the exit status."""
    try:
        printer = load()
    except MissingLibraryError as error:
        print(f"{error}, {libraries()}")  # noqa: T201 - told to the process that asked
        return MISSING
    if not printer.fonts:
        print(f"there are no fonts, {fonts()}")  # noqa: T201 - told to the process that asked
        return MISSING
    document = printer.html(string=Path(page).read_text(encoding="utf-8"), url_fetcher=_only_data())
    document.write_pdf(target, pdf_variant="pdf/ua-1")
    return 0


def _only_data() -> Any:
    """Load nothing but what the page holds: a template or a picture of a stranger's could name files and servers."""
    try:
        from weasyprint.urls import URLFetcher
    except ImportError:  # before WeasyPrint 68
        return _fetch_data
    return URLFetcher(allowed_protocols={"data"})


def _fetch_data(url: str, *arguments: Any, **options: Any) -> Any:
    from weasyprint import default_url_fetcher

    if not url.startswith("data:"):
        raise ValueError(f"{url} is not in the page")
    return default_url_fetcher(url, *arguments, **options)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
