"""What every command does that writes into a folder: it takes it for itself alone."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from cxrkit import locking
from cxrkit.one_line import one_line
from cxrkit.rundir import RunDirectory

Take = Callable[[Path], None]
wait_option = click.option(
    "--wait", is_flag=True, help="Wait for another cxrkit that is writing there instead of leaving."
)


@contextmanager
def taking(*, wait: bool | None = None) -> Iterator[Take]:
    """Give a function that takes a folder for this command alone until the end; a second time it does nothing.

    Args:
        wait: for another process that is writing there, as ``--wait`` asks; None where the command has no such option.

    Raises:
        InputError: (of the function) another process is writing there.
        RunError: (of the function) the folder cannot be written.
    """
    taken: set[Path] = set()
    with ExitStack() as stack:

        def take(folder: Path) -> None:
            if folder.resolve() in taken:
                return
            stack.enter_context(locking.held(folder, _command(), wait=wait, say=say))
            taken.add(folder.resolve())
            remember(folder=folder)

        yield take


def results_of(runs: Sequence[Path], output: Path | None, several: Path, take: Take, *, within: str = "") -> Path:
    """Choose the folder that results on runs go to, and take it; of one run it is a part of that, which is taken whole.

    Args:
        runs: as they were given.
        output: as it was asked for, or None.
        several: folder of results on more than one run.
        take: of :func:`taking`.
        within: part of a run's report.

    Raises:
        InputError: the only path is no run directory, or another process is writing there.
        RunError: the folder cannot be written.
    """
    if output is None and len(runs) == 1:
        run = RunDirectory.open(runs[0])
        take(run.root)
        return run.report / within
    folder = output or several
    around = [each for each in (folder.absolute(), *folder.absolute().parents) if (each / "run.json").is_file()]
    if around or folder != Path():
        take(around[0] if around else folder)
    return folder


def remember(**known: object) -> None:
    """Keep what is to stand in the file of an unexpected error: ``folder`` of the run, ``configuration``."""
    context = click.get_current_context(silent=True)
    if context is not None:
        context.find_root().ensure_object(dict).update(known)


def _command() -> str:
    context, names = click.get_current_context(silent=True), []
    while context is not None and context.parent is not None:
        names.append(context.info_name or "")
        context = context.parent
    return " ".join(["cxrkit", *reversed(names)])


def say(sentence: str) -> None:
    """Tell on standard error what is waited for."""
    click.echo(one_line(sentence), err=True)


def warn(sentence: str) -> None:
    """Tell on standard error of what goes on without something."""
    click.echo(f"Warning: {one_line(sentence)}", err=True)
