"""``cxrkit run``: everything."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cxrkit.cli.writing import remember, taking, wait_option

if TYPE_CHECKING:
    from cxrkit.run.progress import Display
    from cxrkit.run.study import Study

GOES_ON = "the same command goes on from there"
GOES_ON_WITHOUT_FRESH = "the same command without --fresh goes on from there"
PLACES = ("data.root", "data.manifest", "data.external.")
"""What ``--set`` may say beside ``--verify``: where images lie, and nothing that a training depends on."""


@click.command()
@click.argument("path", metavar="[TASKS.toml]", required=False, type=click.Path(path_type=Path))
@click.option("--task", "only", multiple=True, metavar="NAME", help="Carry out this task alone; repeatable.")
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Override a key of the file; repeatable.")
@click.option(
    "--output",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Run directory in place of the file's.",
)
@click.option("--fresh", is_flag=True, help="Move what the tasks left earlier aside and begin again.")
@click.option("--dry-run", is_flag=True, help="Check everything, show the plan and the data, train nothing.")
@click.option("--strict", is_flag=True, help="A plugin that fails to load is an error.")
@click.option(
    "--verify",
    metavar="RUN",
    type=click.Path(path_type=Path),
    help="In place of TASKS.toml: train what this run directory says again and compare the files' bytes.",
)
@wait_option
@click.option("--quiet", is_flag=True, help="No progress; warnings and the report's path alone.")
@click.option("--json", "as_json", is_flag=True, help="The outcome as JSON on standard output.")
def command(  # noqa: PLR0913 - one parameter for each option
    *,
    path: Path | None,
    only: tuple[str, ...],
    sets: tuple[str, ...],
    output: Path | None,
    fresh: bool,
    dry_run: bool,
    strict: bool,
    verify: Path | None,
    wait: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Train, predict, evaluate, explain and report what a TOML file asks for.

    The same command goes on where an interrupted run stopped, and does only what is left.
    """
    if verify is not None:
        _refuse_beside_verify(path, sets=sets, fresh=fresh, dry_run=dry_run)
        begins_again = Stop("the same command begins again, with --output it would go on", keeps=False)
        with stoppable(begins_again if output is None else None), taking(wait=wait) as take:
            _verify(verify, sets, only, output, take, quiet=quiet, as_json=as_json)
        return
    if path is None:
        raise click.UsageError("TASKS.toml: missing, give the file that says what to run, or --verify RUN")
    from cxrkit.run import dryrun
    from cxrkit.run.progress import display, standard_error
    from cxrkit.run.study import Request, prepare

    shown = display(standard_error(), quiet=quiet or as_json)
    request = Request(path, sets, only, output, fresh=fresh, strict=strict)
    stop = Stop()
    with stoppable(stop), taking(wait=wait) as take:
        with shown.work("reading the images") as work:
            study = prepare(request, advance=work.advance, take=None if dry_run else take)
        for notice in study.notices:
            shown.warn(notice)
        if dry_run:
            click.echo(json.dumps(dryrun.summary(study), indent=1) if as_json else dryrun.text(study), nl=as_json)
            return
        carry_out(study, shown, stop, fresh=fresh, as_json=as_json)


def _refuse_beside_verify(path: Path | None, *, sets: tuple[str, ...], fresh: bool, dry_run: bool) -> None:
    other = [text for text in sets if not text.strip().startswith(PLACES)]
    given = {"TASKS.toml": path is not None, "--set": bool(other), "--fresh": fresh, "--dry-run": dry_run}
    wrong = [name for name, is_given in given.items() if is_given]
    if wrong:
        raise click.UsageError(
            f"--verify: got {' and '.join(wrong)} beside it, allowed are --task, --output, --wait, --quiet, --json, "
            "and --set data.root, data.manifest or data.external.NAME where images lie elsewhere by now, as the run "
            "directory says the rest"
        )


def _verify(
    run: Path,
    sets: tuple[str, ...],
    only: tuple[str, ...],
    output: Path | None,
    take: Callable[[Path], None],
    *,
    quiet: bool,
    as_json: bool,
) -> None:
    """Train again, compare and tell.

    Raises:
        click.exceptions.Exit: something is not the same.
    """
    from cxrkit.run.progress import display, standard_error
    from cxrkit.run.verifying import refuse_within, sentences, verify
    from cxrkit.rundir import RunDirectory

    if output is not None:
        refuse_within(RunDirectory.open(run), output)
        take(output)
    found = verify(run, display(standard_error(), quiet=quiet or as_json), sets=sets, only=only, output=output)
    click.echo(found.to_json() if as_json else "\n".join(sentences(found)))
    if not found.is_same:
        raise click.exceptions.Exit(1)


@dataclass
class Stop:
    """What is told when a command is stopped.

    Attributes:
        goes_on: what the same command does.
        keeps: whether what is finished is kept.
    """

    goes_on: str = GOES_ON
    keeps: bool = True


@contextmanager
def stoppable(told: Stop | None = None) -> Iterator[None]:
    """Say how to go on when Ctrl-C or SIGTERM stops what is done meanwhile.

    Args:
        told: may be changed as the command proceeds.

    Raises:
        click.exceptions.Exit: it was stopped.
    """
    from cxrkit.cli import INTERRUPTED
    from cxrkit.run.stopping import be_deaf, terminable

    told = told or Stop()
    with terminable():
        try:
            yield
        except KeyboardInterrupt as stop:
            be_deaf()
            kept = str(stop) or f"Interrupted{', what is finished is kept' if told.keeps else ''}"
            click.echo(f"{kept}: {told.goes_on}.", err=True)
            raise click.exceptions.Exit(INTERRUPTED) from None


def carry_out(
    study: "Study",
    shown: "Display",
    stop: Stop,
    *,
    fresh: bool,
    as_json: bool,
    begin: Callable[[], None] = lambda: None,
) -> None:
    """Carry out a study and tell the outcome: the report's path, or JSON.

    Args:
        study: checked.
        shown: shows what happens.
        stop: what is told when this is stopped; once something is moved aside, ``--fresh`` would do so again.
        fresh: move what the tasks left earlier aside first.
        as_json: tell the outcome as JSON.
        begin: is called once everything has been checked, before the first file is written.

    Raises:
        click.exceptions.Exit: a task failed.
    """
    from cxrkit.run.execute import execute

    def begin_and_go_on() -> None:
        begin()
        if fresh:
            stop.goes_on = GOES_ON_WITHOUT_FRESH

    remember(configuration=study.written.model_dump(mode="json", by_alias=True))
    outcome = execute(study, shown, fresh=fresh, begin=begin_and_go_on)
    if as_json:
        click.echo(outcome.to_json())
    elif outcome.reports:
        click.echo(outcome.reports[0])
    if outcome.failures:
        raise click.exceptions.Exit(1)
