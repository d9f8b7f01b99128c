"""``cxrkit report``: the report of finished runs, or of anyone's predictions."""

from pathlib import Path

import click

FORMATS = ("html", "pdf", "txt")
DEFAULT_OUTPUT = Path("cxrkit-report")
CONVENTIONAL = 0.5


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("inputs", metavar="RUN|FILE.csv...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the report; RUN/report for one run, else ./cxrkit-report.",
)
@click.option("--format", "formats", multiple=True, type=click.Choice(FORMATS), help="Repeatable; all by default.")
@click.option("--positive", metavar="CLASS", help="For prediction files: the class that is detected.")
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    help="For prediction files: from which probability on an image is positive; the conventional 0.5 by default.",
)
def command(
    *,
    inputs: tuple[Path, ...],
    output: Path | None,
    formats: tuple[str, ...],
    positive: str | None,
    threshold: float | None,
) -> None:
    """Write the report of one or more finished runs, or of prediction files (one model each).

    A prediction file has the columns image, label and p_CLASS (for two classes the positive one's is enough), and
    patient where there is one. What it becomes, a run directory, is kept in the report's folder as run/.
    """
    from cxrkit.report import write
    from cxrkit.report.inputs import are_predictions, from_predictions, open_runs

    if are_predictions(inputs):
        folder = output or DEFAULT_OUTPUT
        value = CONVENTIONAL if threshold is None else threshold
        runs = [from_predictions(inputs, folder / "run", positive=positive, threshold=value, warn=_warn)]
    else:
        _refuse(positive=positive, threshold=threshold)
        runs = open_runs(inputs, _warn)
        folder = output or (runs[0].report if len(runs) == 1 else DEFAULT_OUTPUT)
    written, warnings = write(runs, folder, formats or FORMATS, strict_pdf=set(formats) == {"pdf"})
    for warning in warnings:
        _warn(warning)
    for path in written:
        click.echo(path)


def _refuse(**options: object) -> None:
    """Refuse options of prediction files for runs, whose thresholds and classes are recorded."""
    from cxrkit.errors import InputError

    given = [
        f"--{name}: is for prediction files, a run directory has its own"
        for name, value in options.items()
        if value is not None
    ]
    if given:
        raise InputError(*given)


def _warn(sentence: str) -> None:
    click.echo(f"Warning: {sentence}", err=True)
