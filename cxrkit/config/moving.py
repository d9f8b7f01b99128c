"""Paths in a document that was written for one folder and is to lie in another."""

import os
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

from cxrkit.config.paths import located_option

COMPONENTS = ("model", "imbalance", "trainer")
Place = tuple[MutableMapping[str, Any], str]


def move(document: MutableMapping[str, Any], source: Path, target: Path) -> None:
    """Rewrite the relative paths of a ``tasks.toml``, in place, so that they lead where they led before.

    Args:
        document: as a TOML file is read, valid; ``run.output`` stays as it is.
        source: folder that its paths begin in.
        target: folder that they are to begin in.
    """
    for table, key in _paths(document):
        table[key] = _moved(table[key], source, target)
    for table, key in _options(document):
        value = table[key]
        if isinstance(value, str) and located_option(value, source) != value:
            table[key] = _moved(value, source, target)


def _moved(path: str, source: Path, target: Path) -> str:
    if Path(path).is_absolute():
        return path
    try:
        return Path(os.path.relpath((source / path).resolve(), target.resolve())).as_posix()
    except ValueError:  # on another drive of Windows
        return (source / path).resolve().as_posix()


def _paths(document: MutableMapping[str, Any]) -> Iterator[Place]:
    """Name the keys whose values are paths."""
    data, report = document.get("data", {}), document.get("report", {})
    yield from ((data, key) for key in ("root", "manifest") if key in data)
    yield from _all_keys(data.get("external", {}))
    yield from ((report, key) for key in ("templates", "logo", "pseudonym_key") if key in report)
    for task in _tasks(document):
        yield from _all_keys(task.get("predictions", {}))
        yield from _all_keys(task.get("labels", {}))


def _options(document: MutableMapping[str, Any]) -> Iterator[Place]:
    """Name the options of all components, which may be paths."""
    uses = [task.get(kind) for task in _tasks(document) for kind in COMPONENTS]
    uses += [document.get("data", {}).get("dataset"), *document.get("report", {}).get("sections", ())]
    for use in uses:
        if isinstance(use, MutableMapping):
            yield from ((use, key) for key in use if key != "use")


def _tasks(document: MutableMapping[str, Any]) -> list[MutableMapping[str, Any]]:
    return [document.get("defaults", {}), *document.get("task", ())]


def _all_keys(table: MutableMapping[str, Any]) -> Iterator[Place]:
    return ((table, key) for key in list(table))
