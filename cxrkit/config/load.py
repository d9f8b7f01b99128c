"""From a ``tasks.toml`` and what the command line changes to a checked configuration."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cxrkit.config import consistency
from cxrkit.config.merging import merged_task
from cxrkit.config.origin import NAMED, KeyPath, Origin, label, with_selectors
from cxrkit.config.problems import found, sentences
from cxrkit.config.reading import apply_set, parsed, read_toml
from cxrkit.config.schema import Configuration, TaskTable
from cxrkit.config.search import spelled_out_space
from cxrkit.errors import InputError, nearest

Problems = list[tuple[KeyPath, str]]


def load(path: Path, *, sets: Sequence[str] = (), only: Sequence[str] = (), text: str | None = None) -> Configuration:
    """Read a ``tasks.toml``, merge its ``[defaults]`` into every task and check everything but plugins' options.

    Args:
        path: the file. Paths in it stay as they are written, see :func:`cxrkit.config.located`.
        sets: ``key=value`` that take the place of the file's, e.g. ``task.transfer.trainer.learning_rate=1e-5``.
        only: names of tasks that the command line asks for; each must exist. All tasks are kept all the same, as the
            others may have finished earlier.
        text: what the file will say, where it is not written yet.

    Raises:
        InputError: the file cannot be read, or something in it or in ``sets`` is wrong; all problems at once.
    """
    document = _spelled_out(read_toml(path) if text is None else parsed(text, path))
    origin, wrong_sets = _apply_sets(document, Origin(str(path)), sets)
    document = _spelled_out(document)
    merged = _merge_defaults(document, origin)
    problems = merged.problems + consistency.problems(merged.document)
    configuration, invalid = _validated(merged.document)
    told = [f"{merged.origin.place(_labelled(at, merged.document))}: {what}" for at, what in problems + invalid]
    told += _unknown_tasks(merged.document, only)
    if wrong_sets or told or configuration is None:
        raise InputError(*dict.fromkeys([*wrong_sets, *told]))
    return configuration.coming_from(merged.origin)


def _spelled_out(document: dict[str, Any]) -> dict[str, Any]:
    search = document.get("search")
    if not isinstance(search, dict) or "space" not in search:
        return document
    return document | {"search": search | {"space": spelled_out_space(search["space"])}}


def _apply_sets(document: dict[str, Any], origin: Origin, sets: Sequence[str]) -> tuple[Origin, list[str]]:
    known: dict[KeyPath, str] = {}
    problems: list[str] = []
    for text in sets:
        try:
            known[apply_set(document, text)] = text
        except InputError as error:
            problems.extend(error.problems)
    return replace(origin, sets=known), problems


@dataclass(frozen=True)
class _Merged:
    document: dict[str, Any]
    origin: Origin
    problems: Problems = field(default_factory=list)


def _merge_defaults(document: dict[str, Any], origin: Origin) -> _Merged:
    """Merge, and take out what is wrong by itself so that the rest can be checked: wrong defaults."""
    problems: Problems = []
    defaults = document.pop("defaults", {})
    if not isinstance(defaults, Mapping):
        problems.append((("defaults",), f"must be a table, got {found(defaults)}"))
        defaults = {}
    known = [key for key in TaskTable.model_fields if key != "name"]
    problems += [(("defaults", key), f"unknown key, {nearest(key, known)}") for key in defaults if key not in known]
    defaults = {key: value for key, value in defaults.items() if key in known}
    tasks = document.get("task")
    inherited: dict[str, frozenset[KeyPath]] = {}
    if isinstance(tasks, list):
        document["task"] = [_merge_task(defaults, task, index, inherited) for index, task in enumerate(tasks)]
    return _Merged(document, replace(origin, inherited=inherited), problems)


def _merge_task(defaults: Mapping[str, Any], task: Any, index: int, inherited: dict[str, frozenset[KeyPath]]) -> Any:
    if not isinstance(task, Mapping):
        return task
    merged, paths = merged_task(defaults, task)
    inherited[label(task, index)] = with_selectors(paths)
    return merged


def _validated(document: dict[str, Any]) -> tuple[Configuration | None, Problems]:
    if isinstance(document.get("task"), Mapping):
        document = {**document, "task": []}  # told by the consistency checks
    try:
        return Configuration.model_validate(document), []
    except ValidationError as error:
        problems = sentences(error.errors(include_url=False), document, Configuration)
        return None, [(at, what) for at, what in problems if at != ("task",)]


def _labelled(path: KeyPath, document: Mapping[str, Any]) -> KeyPath:
    """Put the label of a task, a ``[[tta]]`` or an ensemble in the place of its index."""
    if len(path) > 1 and path[0] in NAMED and isinstance(path[1], int):
        tables = document.get(str(path[0]))
        if isinstance(tables, list):
            return (path[0], label(tables[path[1]], path[1]), *path[2:])
    return path


def _unknown_tasks(document: Mapping[str, Any], only: Sequence[str]) -> list[str]:
    names = consistency.names(document)
    return [f'--task {name}: unknown task "{name}", {nearest(name, names)}' for name in only if name not in names]
