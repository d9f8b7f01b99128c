"""``cxrkit plugins check``: whether a plugin keeps the promises of its hooks."""

import json
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cxrkit.errors import InputError

if TYPE_CHECKING:
    from cxrkit.testing import Check, Outcome
    from cxrkit.testing.check import State

    Done = tuple[Check, Outcome]

MARKS: "dict[State, tuple[str, str]]" = {
    "kept": ("✓", "green"),
    "broken": ("✗", "bold red"),
    "unchecked": ("-", "yellow"),
}


@click.command("check")
@click.argument("name", required=False)
@click.option("--all", "everything", is_flag=True, help="Check all that is installed.")
@click.option(
    "--set",
    "sets",
    multiple=True,
    metavar="COMPONENT.OPTION=VALUE",
    help="Call a component with this option, where it needs one; repeatable.",
)
@click.option(
    "--data",
    metavar="DIR|FILE",
    type=click.Path(path_type=Path, exists=True),
    help="What a data set reads, in place of a phantom.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(name: str | None, everything: bool, sets: tuple[str, ...], data: Path | None, as_json: bool) -> None:
    """Check whether plugins keep the promises of their hooks.

    NAME is an installed distribution, a component that one offers (a model, a trainer, …) or a plugin's entry point.
    Each is built, trained, asked and told on small phantoms. Exit status: 0 all promises are kept, 1 one is not.
    """
    if (name is None) != everything:
        raise click.UsageError("give NAME or --all")
    from cxrkit.testing import checks

    listed = checks(name, options=_options(sets), data=data)
    done = _carried_out(listed) if as_json else _shown(listed)
    counts = Counter(outcome.state for _, outcome in done)
    if as_json:
        click.echo(
            json.dumps({"name": name, **_counted(counts), "checks": [_document(*one) for one in done]}, indent=1)
        )
    if counts["broken"]:
        raise click.exceptions.Exit(1)


def _options(sets: Iterable[str]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for text in sets:
        key, equals, value = text.partition("=")
        component, dot, option = key.strip().rpartition(".")
        if not (equals and dot and component and option):
            raise InputError(f"--set {text}: allowed is COMPONENT.OPTION=VALUE, e.g. --set tiny.width=32")
        found.setdefault(component, {})[option] = _value(value.strip())
    return found


def _value(text: str) -> Any:
    """Read a value as TOML has it; what is none is a text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _carried_out(listed: "Iterable[Check]") -> "list[Done]":
    return [(check, check.outcome()) for check in listed]


def _counted(counts: "Counter[State]") -> "dict[State, int]":
    return {state: counts[state] for state in MARKS}


def _document(check: "Check", outcome: "Outcome") -> dict[str, str]:
    return {
        "distribution": check.distribution,
        "version": check.version,
        "entry_point": check.entry_point,
        "kind": check.kind,
        "component": check.component,
        "promise": check.promise,
        "state": outcome.state,
        "found": outcome.found,
    }


# ── Terminal ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _shown(listed: "Sequence[Check]") -> "list[Done]":
    """Show each component as soon as it has been checked: some take seconds."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    done: list[Done] = []
    for origin, of_origin in groupby(listed, key=lambda check: f"{check.distribution} {check.version}"):
        console.print(Text(origin, "bold underline"))
        for (kind, component), group in groupby(of_origin, key=lambda check: (check.kind, check.component)):
            found = _carried_out(group)
            console.print(Text.assemble("  ", (kind, "italic"), " ", (component, "bold")))
            console.print(_table(found))
            done += found
    console.print(_verdict(Counter(outcome.state for _, outcome in done)))
    return done


def _table(found: "Iterable[Done]") -> Any:
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for check, outcome in found:
        mark, style = MARKS[outcome.state]
        grid.add_row(Text(mark, style), _sentences(check, outcome))
    return Padding(grid, (0, 0, 0, 4))


def _sentences(check: "Check", outcome: "Outcome") -> Any:
    from rich.text import Text

    text = Text(check.promise)
    if outcome.state == "broken":
        text.append(f"\n{outcome.found}", "red")
    elif outcome.state == "unchecked":
        text.append(f"\nNot checked: {outcome.found}", "dim")
    return text


def _verdict(counts: "Counter[State]") -> str:
    return ", ".join(_told(counts))


def _told(counts: "Counter[State]") -> Iterator[str]:
    yield f"{counts['kept']} {'promise' if counts['kept'] == 1 else 'promises'} kept"
    yield f"{counts['broken']} broken"
    if counts["unchecked"]:
        yield f"{counts['unchecked']} not checked"
