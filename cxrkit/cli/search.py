"""``cxrkit search``: hyper-parameters, chosen on validation."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from cxrkit.cli.run import stoppable
from cxrkit.cli.writing import taking, wait_option

if TYPE_CHECKING:
    from cxrkit.run.progress import Display
    from cxrkit.run.search.prepare import Search


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("path", metavar="TASKS.toml", type=click.Path(path_type=Path))
@click.option("--task", metavar="NAME", help="The task that is varied, in place of the file's.")
@click.option(
    "--over",
    multiple=True,
    metavar="KEY=VALUES",
    help="Vary this key: batch_size=[16,32], trainer.learning_rate={low=1e-5,high=1e-2,log=true}; repeatable.",
)
@click.option("--method", type=click.Choice(("grid", "random", "optuna")), help="In place of the file's.")
@click.option("--trials", type=click.IntRange(1), help="How many, in place of the file's; of random and optuna.")
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Override a key of the file; repeatable.")
@click.option(
    "--output",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder; <run output>-search/<task> by default.",
)
@click.option("--dry-run", is_flag=True, help="Check everything, show the plan, train nothing.")
@click.option("--strict", is_flag=True, help="A plugin that fails to load is an error.")
@wait_option
@click.option("--quiet", is_flag=True, help="No progress; warnings and the path of best.toml alone.")
@click.option("--json", "as_json", is_flag=True, help="What search.json says on standard output.")
def command(  # noqa: PLR0913 - one parameter for each option
    *,
    path: Path,
    task: str | None,
    over: tuple[str, ...],
    method: Literal["grid", "random", "optuna"] | None,
    trials: int | None,
    sets: tuple[str, ...],
    output: Path | None,
    dry_run: bool,
    strict: bool,
    wait: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Search a task's hyper-parameters: what [search] of the file asks for.

    Each trial trains the task with other values and is judged on validation; the test set is not read. All trials stand
    in search.csv, the best one's file is best.toml. The same command goes on where an interrupted search stopped; with
    more --trials it adds to them.
    """
    from cxrkit.run.progress import display, standard_error
    from cxrkit.run.search import told
    from cxrkit.run.search.prepare import Request, prepare

    shown = display(standard_error(), quiet=quiet or as_json)
    request = Request(path, sets, over, task, method, trials, output, strict=strict)
    with stoppable(), taking(wait=wait) as take:
        with shown.work("reading the images") as work:
            search = prepare(request, advance=work.advance)
        for notice in search.study.notices:
            shown.warn(notice)
        if dry_run:
            click.echo(f"{told.plan(search)}\nDry run: nothing was trained or written.")
            return
        shown.say(told.plan(search))
        _carry_out(search, shown, take, quiet=quiet, as_json=as_json)


def _carry_out(search: "Search", shown: "Display", take: Callable[[Path], None], *, quiet: bool, as_json: bool) -> None:
    from cxrkit.run.search import choice, told, trials

    trials.begin(search)  # refuses before anything is written
    take(search.output)
    outcome = choice.settle(search, trials.carry_out(search, shown))
    if as_json:
        click.echo(outcome.info.model_dump_json(indent=1))
    else:
        click.echo(outcome.best if quiet else told.result(outcome))
