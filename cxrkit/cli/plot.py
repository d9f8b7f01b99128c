"""``cxrkit plot``: the figures of a report as files for a paper."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cxrkit.cli.pseudonym_options import of_pseudonyms
from cxrkit.cli.writing import results_of, taking, wait_option, warn

if TYPE_CHECKING:
    from cxrkit.report.drawn.drawing import Format

FORMATS: "tuple[Format, ...]" = ("png", "svg", "pdf")
USUAL: "tuple[Format, ...]" = ("png", "svg")
FOLDER = "figures"
NARROWEST, WIDEST = 60.0, 400.0


def _width(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> float | None:
    """Take a column of a journal by its name, or millimetres."""
    from cxrkit.report.drawn.plotting import WIDTHS

    if value is None:
        return None
    try:
        width = WIDTHS[value] if value in WIDTHS else float(value)
    except ValueError:
        width = float("nan")
    if not NARROWEST <= width <= WIDEST:
        columns = ", ".join(f"{name} ({one:g} mm)" for name, one in WIDTHS.items())
        raise click.BadParameter(
            f'"{value}" is no width, allowed are {columns} and {NARROWEST:g} to {WIDEST:g} millimetres'
        )
    return width


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--output",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help=f"Folder of the figures; RUN/report/{FOLDER} for one run, else ./cxrkit-report/{FOLDER}.",
)
@click.option("--format", "formats", multiple=True, type=click.Choice(FORMATS), help="Repeatable; png and svg else.")
@of_pseudonyms
@wait_option
@click.option("--figure", "names", metavar="NAME", multiple=True, help="Repeatable; every figure else.")
@click.option(
    "--width",
    callback=_width,
    metavar="single|one-and-half|double|MM",
    help="Of every figure; single or double by design else.",
)
@click.option(
    "--dpi",
    type=click.IntRange(72, 1200),
    default=300,
    show_default=True,
    help="Pixels per inch of a PNG; 600 is asked for line art.",
)
def command(  # noqa: PLR0913 - one parameter for each option
    *,
    runs: tuple[Path, ...],
    output: Path | None,
    formats: "tuple[Format, ...]",
    names: tuple[str, ...],
    width: float | None,
    dpi: int,
    wait: bool,
    pseudonyms: bool | None,
    pseudonym_key: Path | None,
) -> None:
    """Write the figures of one or more finished runs for a paper, each named as in the report.

    Besides the report's figures: confusion matrices, classes by split, sample images, training images under their
    augmentation, and the first errors with their activation maps. None is higher than a page of a journal, and letters
    keep their size at every width. figures.csv holds caption and alternative text of each figure written.
    """
    from cxrkit.report import pseudonyms as called
    from cxrkit.report.compose import compose
    from cxrkit.report.drawn import plotting
    from cxrkit.report.inputs import open_runs
    from cxrkit.report.reading import read

    called.check_key(pseudonym_key)
    with taking(wait=wait) as take:
        folder = results_of(runs, output, Path("cxrkit-report") / FOLDER, take, within=FOLDER)
        opened = open_runs(runs, warn, take)
        results = read(opened, called.of_runs(opened, pseudonyms, pseudonym_key))
        chosen = plotting.choose(plotting.figures(compose(results), results), names)
        written = plotting.write(folder, chosen, tuple(dict.fromkeys(formats)) or USUAL, width=width, dpi=dpi)
    for path in written:
        click.echo(path)
