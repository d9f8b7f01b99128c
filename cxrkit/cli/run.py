"""``cxrkit run``: everything."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from cxrkit.run.progress import Display
    from cxrkit.run.study import Study


@click.command()
@click.argument("path", metavar="TASKS.toml", type=click.Path(path_type=Path))
@click.option("--task", "only", multiple=True, metavar="NAME", help="Carry out this task alone; repeatable.")
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Override a key of the file; repeatable.")
@click.option(
    "--output", type=click.Path(path_type=Path, file_okay=False), help="Run directory in place of the file's."
)
@click.option("--fresh", is_flag=True, help="Move what the tasks left earlier aside and begin again.")
@click.option("--dry-run", is_flag=True, help="Check everything, show the plan and the data, train nothing.")
@click.option("--strict", is_flag=True, help="A plugin that fails to load is an error.")
@click.option("--quiet", is_flag=True, help="No progress; warnings and the report's path alone.")
@click.option("--json", "as_json", is_flag=True, help="The outcome as JSON on standard output.")
def command(  # noqa: PLR0913 - one parameter for each option
    *,
    path: Path,
    only: tuple[str, ...],
    sets: tuple[str, ...],
    output: Path | None,
    fresh: bool,
    dry_run: bool,
    strict: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Train, predict, evaluate, explain and report what a TOML file asks for.

    The same command goes on where an interrupted run stopped, and does only what is left.
    """
    from cxrkit.run import dryrun
    from cxrkit.run.progress import display, standard_error
    from cxrkit.run.study import Request, prepare

    shown = display(standard_error(), quiet=quiet or as_json)
    request = Request(path, sets, only, output, fresh=fresh, strict=strict)
    with shown.work("reading the images") as work:
        study = prepare(request, advance=work.advance)
    for notice in study.notices:
        shown.warn(notice)
    if dry_run:
        click.echo(json.dumps(dryrun.summary(study), indent=1) if as_json else dryrun.text(study), nl=as_json)
        return
    carry_out(study, shown, fresh=fresh, as_json=as_json)


def carry_out(
    study: "Study", shown: "Display", *, fresh: bool, as_json: bool, begin: Callable[[], None] | None = None
) -> None:
    """Carry out a study and tell the outcome: the report's path, or JSON.

    Raises:
        click.exceptions.Exit: a task failed, or it was interrupted.
    """
    from cxrkit.cli import INTERRUPTED
    from cxrkit.run.execute import execute

    try:
        outcome = execute(study, shown, fresh=fresh, begin=begin)
    except KeyboardInterrupt:
        click.echo("Interrupted, the same command goes on after the last finished epoch.", err=True)
        raise click.exceptions.Exit(INTERRUPTED) from None
    if as_json:
        click.echo(outcome.to_json())
    elif outcome.reports:
        click.echo(outcome.reports[0])
    if outcome.failures:
        raise click.exceptions.Exit(1)
