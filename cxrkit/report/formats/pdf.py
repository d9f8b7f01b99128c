"""The report as PDF, by WeasyPrint in a process of its own."""

import signal
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from cxrkit import guard, printing
from cxrkit.errors import RunError
from cxrkit.report.content import Report
from cxrkit.report.formats import html
from cxrkit.report.wording import duration

LEAST_SECONDS = 300.0
SECONDS_PER_MEBIBYTE = 60.0  # a desktop takes 3 s for it


class UnprintableError(RunError):
    """This machine lacks what a PDF needs."""


def render(report: Report, templates: Path | None = None) -> bytes:
    """Lay the report out on A4 pages.

    Args:
        report: what it says.
        templates: a folder that takes the place of some of cxrkit's own.

    Raises:
        InputError: a template of the user's fails.
        UnprintableError: names the packages to install, or what else is in the way.
    """
    page = html.render(report, printed=True, templates=templates)
    try:
        with TemporaryDirectory(prefix="cxrkit-", ignore_cleanup_errors=True) as folder:
            return _printed(page, Path(folder))
    except OSError as error:
        why = error.strerror or error
        raise UnprintableError(
            f"report.pdf: not written, no temporary file can be used ({why}), free space or set TMPDIR"
        ) from error


def _printed(page: str, folder: Path) -> bytes:
    source, target = folder / "report.html", folder / "report.pdf"
    source.write_text(page, encoding="utf-8")
    command = [*guard.python_module("cxrkit.printing"), str(source), str(target)]
    limit = _limit(source.stat().st_size)
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, encoding="utf-8", errors="replace", check=False, timeout=limit
        )
    except subprocess.TimeoutExpired as error:
        raise UnprintableError(
            f"report.pdf: not written, WeasyPrint was not done after {duration(limit)}, far longer than a report of "
            "this size takes; cxrkit report tries again"
        ) from error
    if done.returncode != 0:
        raise UnprintableError(
            f"report.pdf: not written, {_reason(done)}; cxrkit doctor tells what is missing, "
            "cxrkit report writes it later"
        )
    return target.read_bytes()


def _limit(size: int) -> float:
    """Give the seconds after which laying out a page of so many bytes is given up."""
    return LEAST_SECONDS + SECONDS_PER_MEBIBYTE * size / 2**20


def _reason(done: "subprocess.CompletedProcess[str]") -> str:
    if done.returncode == printing.MISSING:
        return done.stdout.strip()
    last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
    ended = f"WeasyPrint's process ended {_manner(done.returncode)} ({last})"
    return f"{ended}, {printing.libraries()}, and {printing.fonts()}"


def _manner(status: int) -> str:
    return f"by {signal.Signals(-status).name}" if status < 0 else f"with status {status}"
