"""What a listener to finished runs promises."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cxrkit.api import FinishedRun


@dataclass
class Listener:
    """A listener to an event under examination.

    Attributes:
        hear: calls the plugin's hook alone, by keyword.
    """

    hear: Callable[..., Any]


def hears_of_a_finished_run(listener: Listener) -> None:
    """Takes a finished run with its reports."""
    _tell(listener, reports=True)


def hears_again(listener: Listener) -> None:
    """Takes the same run again, as it is told each time that the command is repeated."""
    with TemporaryDirectory(prefix="cxrkit-") as directory:
        for _ in range(2):
            listener.hear(run=_run(Path(directory), reports=True))


def hears_without_reports(listener: Listener) -> None:
    """Takes a run with a failed task and no report."""
    _tell(listener, reports=False)


def _tell(listener: Listener, *, reports: bool) -> None:
    with TemporaryDirectory(prefix="cxrkit-") as directory:
        listener.hear(run=_run(Path(directory), reports=reports))


def _run(directory: Path, *, reports: bool) -> FinishedRun:
    written = directory / "report" / "report.html"
    written.parent.mkdir(exist_ok=True)
    written.write_text("<p>A report</p>\n", encoding="utf-8")
    return FinishedRun(directory, (written,) if reports else (), {"first": "finished", "second": "failed"})


PROMISES = (hears_of_a_finished_run, hears_again, hears_without_reports)
