"""The report as PDF, by WeasyPrint in a process of its own."""

import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from cxrkit import printing
from cxrkit.errors import RunError
from cxrkit.report import html
from cxrkit.report.content import Report


class UnprintableError(RunError):
    """This machine lacks what a PDF needs."""


def render(report: Report) -> bytes:
    """Lay the report out on A4 pages.

    Raises:
        UnprintableError: names the packages to install, or what else is in the way.
    """
    page = html.render(report, printed=True)
    try:
        with TemporaryDirectory(prefix="cxrkit-", ignore_cleanup_errors=True) as folder:
            return _printed(page, Path(folder))
    except OSError as error:
        why = error.strerror or error
        raise UnprintableError(f"report.pdf: not written, no temporary file can be used ({why}), free space") from error


def _printed(page: str, folder: Path) -> bytes:
    source, target = folder / "report.html", folder / "report.pdf"
    source.write_text(page, encoding="utf-8")
    command = [sys.executable, "-m", "cxrkit.printing", str(source), str(target)]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", errors="replace", check=False)
    if done.returncode != 0:
        raise UnprintableError(
            f"report.pdf: not written, {_reason(done)}; cxrkit doctor tells what is missing, "
            "cxrkit report writes it later"
        )
    return target.read_bytes()


def _reason(done: "subprocess.CompletedProcess[str]") -> str:
    if done.returncode == printing.MISSING:
        return done.stdout.strip()
    last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
    ended = f"WeasyPrint's process ended {_manner(done.returncode)} ({last})"
    return f"{ended}, {printing.libraries()}, and {printing.fonts()}"


def _manner(status: int) -> str:
    return f"by {signal.Signals(-status).name}" if status < 0 else f"with status {status}"
