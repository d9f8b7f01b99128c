"""``cxrkit schema``: the JSON Schema of ``tasks.toml``, for editors."""

import json
from pathlib import Path

import click


@click.command()
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write it to FILE instead."
)
def command(output: Path | None) -> None:
    """Print the JSON Schema of tasks.toml, from which editors complete and check it.

    An editor with TOML support takes it from a first line such as "#:schema ./cxrkit.schema.json" in tasks.toml.
    """
    from cxrkit.config import json_schema
    from cxrkit.files import write_text

    text = json.dumps(json_schema(), indent=2, ensure_ascii=False)
    if output is None:
        click.echo(text)
    else:
        write_text(output, f"{text}\n")
        click.echo(f"Wrote {output}")
