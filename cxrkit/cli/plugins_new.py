"""``cxrkit plugins new``: a plugin to begin with."""

from pathlib import Path

import click

KINDS = ("model", "imbalance", "trainer", "dataset", "reporter", "section", "tracker")


@click.command("new", short_help="Write a plugin to begin with, which keeps its promises.")
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("name")
@click.option(
    "--output",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Folder of the plugin, which must be new; ./NAME by default.",
)
def command(kind: str, name: str, output: Path | None) -> None:
    """Write a plugin to begin with: it installs, works, and keeps its promises as it stands.

    NAME is that of the distribution, e.g. cxrkit-mine. What it offers is called the same, without "cxrkit-".
    """
    from cxrkit import scaffold

    scaffold.module_name(name)  # before it becomes a folder's
    folder = output or Path(name)
    scaffold.begin(kind, name, folder)
    click.echo(f'Wrote {folder}. Next: pip install -e "{folder}[test]", then cxrkit plugins check {name}')
