"""``cxrkit plot``: the figures of a report as files for a paper."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from cxrkit.report.drawn.drawing import Format

FORMATS: "tuple[Format, ...]" = ("png", "svg", "pdf")
USUAL: "tuple[Format, ...]" = ("png", "svg")
FOLDER = "figures"
NARROWEST, WIDEST = 60.0, 400.0


class _Width(click.ParamType[float]):
    """A column of a journal by its name, or millimetres."""

    name = "width"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        from cxrkit.report.drawn.plotting import WIDTHS

        try:
            width = WIDTHS[value] if value in WIDTHS else float(value)
        except ValueError:
            width = float("nan")
        if not NARROWEST <= width <= WIDEST:
            columns = ", ".join(f"{name} ({one:g} mm)" for name, one in WIDTHS.items())
            self.fail(
                f'"{value}" is no width, allowed are {columns} and {NARROWEST:g} to {WIDEST:g} millimetres', param, ctx
            )
        return width


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help=f"Folder of the figures; RUN/report/{FOLDER} for one run, else ./cxrkit-report/{FOLDER}.",
)
@click.option("--format", "formats", multiple=True, type=click.Choice(FORMATS), help="Repeatable; png and svg else.")
@click.option("--figure", "names", metavar="NAME", multiple=True, help="Repeatable; every figure else.")
@click.option(
    "--width",
    type=_Width(),
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
def command(
    *,
    runs: tuple[Path, ...],
    output: Path | None,
    formats: "tuple[Format, ...]",
    names: tuple[str, ...],
    width: float | None,
    dpi: int,
) -> None:
    """Write the figures of one or more finished runs for a paper, each named as in the report.

    Besides the report's figures: confusion matrices, classes by split, and the first errors with their activation maps.
    Letters keep their size at every width. figures.csv holds caption and alternative text of each figure written.
    """
    from cxrkit.report.compose import compose
    from cxrkit.report.drawn import plotting
    from cxrkit.report.inputs import open_runs
    from cxrkit.report.reading import read

    opened = open_runs(runs, lambda sentence: click.echo(f"Warning: {sentence}", err=True))
    results = read(opened)
    chosen = plotting.choose(plotting.figures(compose(results), results), names)
    folder = output or (opened[0].report if len(opened) == 1 else Path("cxrkit-report")) / FOLDER
    for path in plotting.write(folder, chosen, tuple(dict.fromkeys(formats)) or USUAL, width=width, dpi=dpi):
        click.echo(path)
