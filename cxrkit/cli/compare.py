"""``cxrkit compare``: the comparison in the terminal and as a text file."""

from pathlib import Path

import click

from cxrkit.cli.pseudonym_options import of_pseudonyms
from cxrkit.cli.writing import results_of, taking, wait_option, warn

NAME = "comparison_report.txt"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"File of the whole comparison; RUN/report/{NAME} for one run, else ./{NAME}.",
)
@of_pseudonyms
@wait_option
def command(
    *, runs: tuple[Path, ...], output: Path | None, wait: bool, pseudonyms: bool | None, pseudonym_key: Path | None
) -> None:
    """Compare the tasks of one or more finished runs: a table here, everything in comparison_report.txt."""
    from rich.console import Console

    from cxrkit.files import write_text
    from cxrkit.report import pseudonyms as names
    from cxrkit.report.compose import compose
    from cxrkit.report.formats import terminal, text
    from cxrkit.report.inputs import open_runs
    from cxrkit.report.reading import read

    names.check_key(pseudonym_key)
    with taking(wait=wait) as take:
        path = output or results_of(runs, None, Path(), take) / NAME
        opened = open_runs(runs, warn, take)
        results = read(opened, names.of_runs(opened, pseudonyms, pseudonym_key))
        write_text(path, text.render(compose(results)))
    terminal.show(results, Console(highlight=False))
    click.echo(path)
