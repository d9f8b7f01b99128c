"""``cxrkit plugins``: what is installed, what failed to load and why; checks and scaffolds."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

import click

from cxrkit import discovery, options
from cxrkit.cli import plugins_check, plugins_new
from cxrkit.cli.groups import NearestGroup
from cxrkit.discovery import Broken
from cxrkit.entry_points import Group, Source
from cxrkit.registry import Registered, families

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text


@click.group(cls=NearestGroup, context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Show what is installed, check whether it keeps its promises, begin a plugin of one's own."""


command.add_command(plugins_check.command)
command.add_command(plugins_new.command)


@command.command("list", short_help="List the plugins, and those that failed to load.")
@click.option(
    "--options", "with_options", is_flag=True, help="Load training plugins too (imports torch); show options."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_plugins(with_options: bool, as_json: bool) -> None:
    """List the plugins with kind, name, distribution and version, and those that failed to load.

    Training plugins (models, imbalance strategies, trainers) need torch and are listed by their metadata alone, unless
    --options is given.
    """
    listing = _listing(discovery.GROUPS if with_options else ("cxrkit",))
    if as_json:
        click.echo(json.dumps(_document(listing, with_options), indent=1, default=str))
    else:
        _show(listing, with_options)


@dataclass(frozen=True)
class _Listing:
    """What there is to tell; ``listeners`` are plugins of events alone, with the first line of their docstring."""

    components: list[Registered]
    listeners: list[tuple[Source, str]]
    unloaded: list[Source]
    broken: list[Broken]
    abouts: dict[str, str]  # distribution and version → its own description


def _listing(loaded: tuple[Group, ...]) -> _Listing:
    plugins = [discovery.load(group) for group in loaded]
    components = [component for found in plugins for registry in found.registries for component in registry]
    offering = {(component.distribution, component.entry_point) for component in components}
    installed = [source for group in discovery.GROUPS for source in discovery.installed(group)]
    return _Listing(
        components=components,
        listeners=[
            (source, found.summary(source))
            for found in plugins
            for source in found.sources
            if (source.distribution, source.entry_point) not in offering
        ],
        unloaded=[source for source in installed if source.group not in loaded],
        broken=[left_out for found in plugins for left_out in found.broken],
        abouts={_origin(source): source.about for source in installed},
    )


# ── JSON ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _document(listing: _Listing, with_options: bool) -> dict[str, Any]:
    return {
        "components": [_component(component, with_options) for component in listing.components],
        "listeners": [{**_source(source), "summary": summary} for source, summary in listing.listeners],
        "not_loaded": [
            {**_source(source), "target": source.target, "about": source.about} for source in listing.unloaded
        ],
        "broken": [{**_source(left_out), "reason": left_out.reason} for left_out in listing.broken],
    }


def _component(component: Registered, with_options: bool) -> dict[str, Any]:
    document: dict[str, Any] = {
        "kind": component.kind,
        "name": component.name,
        "distribution": component.distribution,
        "version": component.version,
        "entry_point": component.entry_point,
        "summary": component.summary,
    }
    if with_options:
        document["options"] = [
            {"name": option.name, "type": option.type, "required": option.required, "default": option.default}
            for option in options.describe(component.factory)
        ]
    return document


def _source(source: Source | Broken) -> dict[str, str]:
    return {
        "group": source.group,
        "entry_point": source.entry_point,
        "distribution": source.distribution,
        "version": source.version,
    }


# ── Terminal ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _show(listing: _Listing, with_options: bool) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=False)
    rows = sorted(_rows(listing, with_options), key=lambda row: row.origin != _ours())  # cxrkit's own first
    width = max((len(row.name) for row in rows), default=0)
    for origin, of_origin in groupby(rows, key=lambda row: row.origin):
        console.print(Text.assemble((origin, "bold underline"), "  ", (listing.abouts.get(origin, ""), "dim")))
        for kind, of_kind in groupby(of_origin, key=lambda row: row.kind):
            singles_first = sorted(of_kind, key=lambda row: row.size)
            _section(console, kind, [(Text(row.name, "bold"), row.description) for row in singles_first], width)
    if listing.broken:
        console.print(Text("Failed to load", "bold underline red"))
        named = [(Text(left_out.entry_point, "bold"), _failure(left_out)) for left_out in listing.broken]
        _section(console, None, named, width)
    if listing.unloaded:
        console.print("Training plugins were not loaded, as that imports torch: --options shows what they offer.")


@dataclass(frozen=True)
class _Row:
    origin: str
    kind: str
    name: str
    description: "Text"
    size: int = 1  # of its family


def _rows(listing: _Listing, with_options: bool) -> Iterator[_Row]:
    from rich.text import Text

    rows = [
        *(_family(members, with_options) for members in families(listing.components)),
        *(_Row(_origin(source), "events", source.entry_point, Text(about)) for source, about in listing.listeners),
        *(
            _Row(_origin(source), "training, not loaded", source.entry_point, Text(source.target, "dim"))
            for source in listing.unloaded
        ),
    ]
    yield from sorted(rows, key=lambda row: row.origin)


def _family(members: list[Registered], with_options: bool) -> _Row:
    from rich.text import Text

    first = members[0]
    text = Text()
    if len(members) > 1:
        text.append(", ".join(member.name for member in members) + "\n", "bold")
    text.append(first.summary.replace(first.name, "…") if len(members) > 1 else first.summary)
    for option in options.describe(first.factory) if with_options else ():
        default = "required" if option.required else f"= {json.dumps(option.default, default=str)}"
        text.append(f"\n{option.name}", "cyan").append(f": {option.type} ").append(default, "dim")
    name = first.name if len(members) == 1 else f"{len(members)} alike"
    return _Row(_origin(first), first.kind, name, text, len(members))


def _section(console: "Console", kind: str | None, rows: "list[tuple[Text, Text]]", width: int) -> None:
    from rich.padding import Padding
    from rich.table import Table

    grid = Table.grid(padding=(0, 2))
    grid.add_column(width=min(width, console.width // 3), overflow="fold")
    grid.add_column(overflow="fold")
    for row in rows:
        grid.add_row(*row)
    parts: list[RenderableType] = [Padding(kind, (0, 0, 0, 2), style="italic")] if kind else []
    for part in (*parts, Padding(grid, (0, 0, 1, 4))):
        console.print(part)


def _failure(left_out: Broken) -> "Text":
    from rich.text import Text

    return Text(left_out.reason).append(f"\nof {_origin(left_out)}", "dim")


def _origin(source: Registered | Source | Broken) -> str:
    return f"{source.distribution} {source.version}"


def _ours() -> str:
    import cxrkit

    return f"cxrkit {cxrkit.__version__}"
