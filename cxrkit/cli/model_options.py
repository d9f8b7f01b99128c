"""Options of commands that compute with a network: where, and what a saved model's ``model.json`` does not say."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--info", metavar="FILE", type=click.Path(path_type=Path), help="A model.json that is not beside its model."
    ),
    click.option("--architecture", metavar="NAME", help="Without a model.json: a registered model such as resnet18."),
    click.option(
        "--classes",
        metavar="A,B",
        help="Without a model.json: its classes in the order of its outputs; to evaluate, the data's by name.",
    ),
    click.option("--positive", metavar="CLASS", help="Without a model.json: the class that is detected."),
    click.option(
        "--threshold", type=click.FloatRange(0, 1), help="Where none was chosen; the conventional 0.5 by default."
    ),
    click.option(
        "--image-size", type=click.IntRange(16, 4096), help="Without a model.json: pixels of its input; 224 by default."
    ),
)


device_option = click.option(
    "--device",
    type=click.Choice(("auto", "cpu", "cuda", "mps")),
    default="auto",
    show_default=True,
    help="Where it is computed.",
)
"""Of every command that computes with a network and has no ``tasks.toml`` to say where."""


def of_saved_models(command: Command) -> Command:
    """Give a command the options, in the order that its help shows them in."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
