"""Options of the commands that write what may name images and patients."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def of_pseudonyms(command: Command) -> Command:
    """Give a command ``--pseudonyms`` and ``--pseudonym-key``."""
    for option in (
        click.option(
            "--pseudonym-key",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="Key of the pseudonyms, to share them between runs; the run's own by default.",
        ),
        click.option(
            "--pseudonyms/--no-pseudonyms",
            default=None,
            help="Call patients and images by pseudonyms; as [report] pseudonyms says by default.",
        ),
    ):
        command = option(command)
    return command
