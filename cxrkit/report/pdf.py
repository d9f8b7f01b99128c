"""The report as PDF, by WeasyPrint in a process of its own."""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from cxrkit.errors import RunError
from cxrkit.printing import MISSING
from cxrkit.report import html
from cxrkit.report.content import Report

PACKAGES = (
    "Debian and Ubuntu: apt install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fonts-dejavu-core; Fedora: "
    "dnf install pango harfbuzz dejavu-sans-fonts; macOS: brew install pango; Windows: MSYS2's mingw-w64-x86_64-pango"
)


class UnprintableError(RunError):
    """This machine lacks what a PDF needs."""


def render(report: Report) -> bytes:
    """Lay the report out on A4 pages.

    Raises:
        UnprintableError: names the packages to install.
    """
    with TemporaryDirectory(prefix="cxrkit-") as folder:
        page, target = Path(folder, "report.html"), Path(folder, "report.pdf")
        page.write_text(html.render(report, printed=True), encoding="utf-8")
        command = [sys.executable, "-m", "cxrkit.printing", str(page), str(target)]
        done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", errors="replace", check=False)
        if done.returncode != 0:
            raise UnprintableError(
                f"report.pdf: Pango, HarfBuzz-Subset or fonts cannot be used ({_reason(done)}), install them and write "
                f"the report again ({PACKAGES})"
            )
        return target.read_bytes()


def _reason(done: "subprocess.CompletedProcess[str]") -> str:
    if done.returncode == MISSING:
        return done.stdout.strip()
    last = (done.stderr.strip().splitlines() or ["without a word"])[-1]
    return f"WeasyPrint's process ended with status {done.returncode}, {last}"
