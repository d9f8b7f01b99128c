"""The user's ``tasks.toml`` with the chosen values at their places and its comments kept."""

from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.items import InlineTable

from cxrkit.config.moving import move
from cxrkit.config.reading import SHORTHANDS, found_table
from cxrkit.records import TrialRecord
from cxrkit.run.search.prepare import Search

OUTPUT = "best"  # the run directory, beside best.toml


def text(search: Search, chosen: TrialRecord, told: str, folder: Path) -> str:
    """Write the file that ``cxrkit run`` makes the chosen trial of, with all that the user's file asks for.

    Args:
        search: whose file and ``--set`` texts are taken.
        chosen: the trial.
        told: a sentence for the head of the file.
        folder: where the file will lie.
    """
    document = tomlkit.parse(search.request.path.read_bytes().decode("utf-8-sig"))
    for change in [*search.request.sets, *search.sets(chosen.values)]:
        _, table, keys, value = found_table(document, change)
        _assign(table, keys, value)
    move(document, search.request.path.absolute().parent, folder)
    _assign(document, ["run", "output"], OUTPUT)
    return f"# {told}\n\n{tomlkit.dumps(document).lstrip()}"


def _assign(table: MutableMapping[str, Any], keys: list[str], value: Any) -> None:
    """Set a key below a table; a table that is not there yet, or a component by its name, becomes one of a line."""
    for depth, key in enumerate(keys[:-1]):
        inner = table.get(key)
        if not isinstance(inner, MutableMapping):
            alone = depth == 0 and isinstance(table, tomlkit.TOMLDocument)
            table[key] = tomlkit.table() if alone else _spelled_out(key, inner)
        table = table[key]
    table[keys[-1]] = value


def _spelled_out(key: str, value: Any) -> InlineTable:
    table = tomlkit.inline_table()
    if value is not None:
        table.update({SHORTHANDS[key]: str(value)})  # a plain text, for the comment of the line stays with the line
    return table
