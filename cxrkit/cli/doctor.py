"""``cxrkit doctor``: the environment, line by line, with remedies."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from cxrkit.doctor import Check

COLOURS = {"ok": "green", "warning": "yellow", "problem": "red"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(as_json: bool) -> None:
    """Check Python, packages, devices, PDF output, fonts, memory, disk and plugins.

    A warning concerns some of the work and leaves the status 0; a problem makes it 1.
    """
    from cxrkit.doctor import examine
    from cxrkit.environment import describe

    environment = describe()
    checks = examine(Path())
    if as_json:
        done = list(checks)
        document = {"environment": environment.model_dump(), "checks": [vars(check) for check in done]}
        click.echo(json.dumps(document, indent=1))
    else:
        click.echo(f"cxrkit {environment.cxrkit}")
        done = [_shown(check) for check in checks]
        click.echo(_verdict(done))
    if any(check.state == "problem" for check in done):
        raise click.exceptions.Exit(1)


def _shown(check: "Check") -> "Check":
    """Print a check as soon as it is made: the one of torch takes seconds."""
    state = click.style(f"{check.state:8}", fg=COLOURS[check.state])
    click.echo(f"{state} {check.name:16} {check.found}")
    if check.remedy is not None:
        click.echo(f"{'':25} → {check.remedy}")
    return check


def _verdict(checks: Iterable["Check"]) -> str:
    states = [check.state for check in checks]
    counted = [(states.count("problem"), "problem"), (states.count("warning"), "warning")]
    told = [f"{count} {word}{'s' if count > 1 else ''}" for count, word in counted if count]
    return " and ".join(told) or "All is well."
