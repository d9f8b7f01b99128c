"""``cxrkit init``: a commented ``tasks.toml`` to start from."""

from pathlib import Path

import click

from cxrkit.errors import InputError


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), default="tasks.toml", metavar="[FILE]")
@click.option(
    "--predictions",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="CSV",
    help="Compare this file of predictions in place of training anything; repeatable.",
)
def command(file: Path, predictions: tuple[Path, ...]) -> None:
    """Write a commented FILE (tasks.toml) to start from; one that exists is left alone."""
    from cxrkit.config.starter import starter, starter_for_predictions
    from cxrkit.files import write_text

    if file.exists():
        raise InputError(f"{file}: exists already, give another name or remove it")
    text = starter_for_predictions(predictions, file.absolute().parent) if predictions else starter()
    write_text(file, text)
    what = "the columns and thresholds" if predictions else "data.root"
    click.echo(f"Wrote {file}. Look through it, {what} above all, then: cxrkit run {file} --dry-run")
