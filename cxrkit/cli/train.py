"""``cxrkit train``: one model on a folder of images, without a TOML."""

import json
from pathlib import Path
from typing import Any

import click

from cxrkit.cli.model_options import device_option
from cxrkit.cli.writing import taking, wait_option

SCHEDULERS = ("none", "cosine", "step", "plateau", "one-cycle")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--data",
    required=True,
    metavar="DIR|FILE.csv",
    type=click.Path(path_type=Path),
    help="train/ and test/ of class folders, or a CSV of image,label,split,patient,...",
)
@click.option("--model", required=True, metavar="NAME", help="Registered, such as resnet18; see cxrkit plugins list.")
@click.option(
    "--pretrained/--no-pretrained",
    default=None,
    help="Begin with ImageNet's weights, the early layers kept as they are.",
)
@click.option("--weights", type=click.Path(path_type=Path), metavar="FILE", help="Begin with a state dict's weights.")
@click.option(
    "--epochs", type=click.IntRange(1), default=20, show_default=True, help="Passes over the training images."
)
@click.option(
    "--batch-size", type=click.IntRange(1), default=32, show_default=True, help="Images per step of the optimiser."
)
@click.option(
    "--lr",
    "learning_rate",
    type=click.FloatRange(0, min_open=True),
    help="Learning rate; 0.001 from scratch and 0.0001 pretrained by default.",
)
@device_option
@click.option(
    "--output",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Run directory; runs/<model> by default.",
)
@click.option("--class-weights", is_flag=True, help="Rare classes weigh more in the loss.")
@click.option(
    "--scheduler",
    type=click.Choice(SCHEDULERS),
    is_flag=False,
    flag_value="cosine",
    default="none",
    help="Of the learning rate; cosine where no name follows, none by default.",
)
@click.option(
    "--seed", "seeds", type=click.IntRange(0), multiple=True, help="One training each; repeatable, 0 by default."
)
@click.option("--positive", metavar="CLASS", help="The class that is detected; recognised by default.")
@click.option(
    "--groups",
    metavar="RULE",
    help="How patients are told apart: kermany, image, column=NAME or regex=PATTERN; recognised by default.",
)
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Any other key of a tasks.toml; repeatable.")
@click.option("--fresh", is_flag=True, help="Move what is in the output aside and begin again.")
@wait_option
@click.option("--dry-run", is_flag=True, help="Check everything, show the TOML, the plan and the data; write nothing.")
@click.option("--quiet", is_flag=True, help="No progress; warnings and the report's path alone.")
@click.option("--json", "as_json", is_flag=True, help="The outcome as JSON on standard output.")
def command(
    *, seeds: tuple[int, ...], fresh: bool, wait: bool, dry_run: bool, quiet: bool, as_json: bool, **others: Any
) -> None:
    """Train, evaluate, explain and report one model.

    The tasks.toml that says all of it is written into the output folder; cxrkit run takes it from there. The same
    command again goes on where an interrupted one stopped.
    """
    from cxrkit.cli import run
    from cxrkit.run import dryrun
    from cxrkit.run.one_model import Request, prepare
    from cxrkit.run.progress import display, standard_error

    request = Request(seeds=seeds or (0,), fresh=fresh, **others)
    shown = display(standard_error(), quiet=quiet or as_json)
    stop = run.Stop()
    with run.stoppable(stop), taking(wait=wait) as take:
        with shown.work("reading the images") as work:
            one = prepare(request, advance=work.advance, take=None if dry_run else take)
        for notice in (*one.study.notices, *one.notices):
            shown.warn(notice)
        if dry_run and as_json:
            click.echo(json.dumps(dryrun.summary(one.study), indent=1))
        elif dry_run:
            click.echo(f"{one.path} would say:\n\n{one.text}\n{dryrun.text(one.study)}", nl=False)
        else:
            run.carry_out(one.study, shown, stop, fresh=fresh, as_json=as_json, begin=one.write)
