"""``cxrkit demo``: the whole thing on generated radiographs."""

from pathlib import Path

import click

from cxrkit.cli.writing import taking, wait_option


@click.command()
@click.argument(
    "directory",
    metavar="[DIR]",
    required=False,
    default="cxrkit-demo",
    type=click.Path(path_type=Path, file_okay=False),
)
@click.option("--seed", default=0, show_default=True, help="Of the generated radiographs and of the trainings.")
@wait_option
@click.option("--quiet", is_flag=True, help="No progress; warnings and the report's path alone.")
@click.pass_context
def command(context: click.Context, *, directory: Path, seed: int, wait: bool, quiet: bool) -> None:
    """Generate radiographs, train three models that differ in imbalance strategy, and write the report.

    Takes about two minutes on two CPU cores and downloads nothing. DIR keeps the images, the tasks.toml that is
    run and the run; the same command goes on where an interrupted demo stopped.
    """
    from cxrkit.cli import run
    from cxrkit.run import demo

    with run.stoppable():
        with taking(wait=wait) as take:
            take(directory)
            path = demo.prepare(directory, seed=seed)
        context.invoke(run.command, path=path, wait=wait, quiet=quiet)
