"""Merge ``[defaults]`` into every task, key by key."""

from collections.abc import Iterator, Mapping
from typing import Any

from cxrkit.config.origin import SELECTORS, KeyPath
from cxrkit.config.reading import spelled_out

BUILT_IN: dict[str, Any] = {"imbalance": {"use": "none"}, "trainer": {"use": "fabric"}}
OF_PREDICTIONS = frozenset(
    {"name", "predictions", "columns", "labels", "label_columns", "join", "threshold"}
)  # the keys of a task that trains nothing


def merged_task(defaults: Mapping[str, Any], task: Mapping[str, Any]) -> tuple[dict[str, Any], frozenset[KeyPath]]:
    """Merge defaults into a task: tables deeply, other values and other components as the task has them.

    Returns:
        The task with all it inherits, and the paths of the keys that come from the defaults.
    """
    own = {key: spelled_out(key, value) for key, value in task.items()}
    given = {key: spelled_out(key, value) for key, value in defaults.items() if _concerns(key, own)}
    base = {key: value for key, value in BUILT_IN.items() if _concerns(key, own)}
    return merged(merged(base, given), own), frozenset(inherited(given, own))


def merged(default: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two tables deeply; ``own`` wins, and replaces a table whose ``use`` or ``rule`` is another."""
    result = dict(default)
    for key, value in own.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = merged(result[key], value) if both and not _replaces(value, result[key]) else value
    return result


def inherited(default: Mapping[str, Any], own: Mapping[str, Any], at: KeyPath = ()) -> Iterator[KeyPath]:
    """List the paths that merging takes from ``default``."""
    for key, value in default.items():
        if key not in own:
            yield from _all_paths(value, (*at, key))
        elif isinstance(value, Mapping) and isinstance(own[key], Mapping) and not _replaces(own[key], value):
            yield from inherited(value, own[key], (*at, key))


def _concerns(key: str, own: Mapping[str, Any]) -> bool:
    if "predictions" in own:
        return key in OF_PREDICTIONS
    return key != "predictions" or "model" not in own


def _replaces(own: Mapping[str, Any], default: Mapping[str, Any]) -> bool:
    return any(key in own and key in default and own[key] != default[key] for key in SELECTORS)


def _all_paths(value: Any, at: KeyPath) -> Iterator[KeyPath]:
    yield at
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _all_paths(inner, (*at, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _all_paths(inner, (*at, index))
