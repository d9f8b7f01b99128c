"""``cxrkit evaluate``: saved models on a folder."""

from pathlib import Path
from typing import Any

import click

from cxrkit.cli.model_options import device_option, of_saved_models
from cxrkit.cli.pseudonym_options import of_pseudonyms
from cxrkit.cli.writing import taking
from cxrkit.formats import FORMATS, USUAL, Format


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--model",
    "models",
    multiple=True,
    required=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="model.safetensors of a run, or a state dict (.pth); repeatable, then compared with each other.",
)
@click.option(
    "--data",
    required=True,
    metavar="DIR|FILE.csv",
    type=click.Path(path_type=Path),
    help="Class folders, a folder with test/ of them, or a CSV of image,label,patient,...",
)
@click.option(
    "--output",
    required=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Run directory and report; new or empty.",
)
@of_saved_models
@click.option(
    "--name",
    metavar="NAME",
    help="Of the data, where the model's internal test stands beside it; its folder by default.",
)
@click.option("--split", type=click.Choice(("train", "val", "test")), help="Of the data; test by default.")
@click.option(
    "--groups",
    metavar="RULE",
    help="How patients are told apart: kermany, image, column=NAME or regex=PATTERN; recognised by default.",
)
@click.option("--subgroups", metavar="A,B", help="Columns of the data to evaluate apart.")
@click.option(
    "--prevalence",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="For predictive values beside the data's own.",
)
@device_option
@click.option(
    "--format", "formats", multiple=True, type=click.Choice(FORMATS), help=f"Repeatable; {', '.join(USUAL)} by default."
)
@click.option(
    "--templates",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of templates that take the place of cxrkit's own in the report.",
)
@click.option("--logo", type=click.Path(path_type=Path), metavar="FILE", help="PNG, JPEG or SVG for the report's head.")
@of_pseudonyms
@click.option("--quiet", is_flag=True, help="No progress; warnings and the report's path alone.")
@click.option("--json", "as_json", is_flag=True, help="The outcome as JSON on standard output.")
def command(
    *,
    classes: str | None,
    subgroups: str | None,
    formats: tuple[Format, ...],
    quiet: bool,
    as_json: bool,
    **others: Any,
) -> None:
    """Evaluate saved models on images that they have not seen, with everything fixed beforehand.

    Threshold, uncertain zone and temperature are those of the model.json beside a model; nothing is chosen on these
    images. Where the model still lies in its run directory, the change from its internal test to these images is given.
    """
    from cxrkit.run import checkpoints
    from cxrkit.run.examining import Request
    from cxrkit.run.progress import display, standard_error

    request = Request(classes=_listed(classes), subgroups=_listed(subgroups), formats=formats or USUAL, **others)
    shown = display(standard_error(), quiet=quiet or as_json)
    with taking() as take:
        if not request.output.is_file():
            take(request.output)
        with shown.work("reading the images") as work:
            evaluation = checkpoints.prepare(request, advance=work.advance)
        for notice in (*evaluation.study.notices, *evaluation.notices):
            shown.warn(notice)
        outcome = checkpoints.execute(evaluation, shown)
    if as_json:
        click.echo(outcome.to_json())
    elif outcome.reports:
        click.echo(outcome.reports[0])
    if outcome.failures or not outcome.reports:
        raise click.exceptions.Exit(1)


def _listed(text: str | None) -> tuple[str, ...]:
    """Take a list apart that commas divide."""
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())
