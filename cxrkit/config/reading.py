"""Read a TOML file and the ``--set`` values that change it."""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, time
from pathlib import Path
from typing import Any

from cxrkit import bounded
from cxrkit.config.origin import KeyPath
from cxrkit.errors import InputError, nearest

MOST_BYTES = bounded.MEGABYTE  # of a TOML file
MOST_PARTS = 100  # of a key; thousands take tomllib minutes
_PART = r"""(?:[\w-]++|"(?:[^"\\\n]++|\\.)*+"?+|'[^'\n]*+'?+)[ \t]*+"""
_LEXEMES = re.compile(
    rf"""
    \#[^\n]*+
    |\"{{3}}(?:[^"\\]++|\\.|"(?!""))*+"*+
    |'{{3}}(?:[^']++|'(?!''))*+'*+
    |(?P<deep>(?:{_PART}\.[ \t]*+){{{MOST_PARTS}}})
    |(?:{_PART}\.[ \t]*+)++
    |{_PART}
    |[^\w"'\#-]++
    """,
    re.VERBOSE | re.DOTALL,
)
"""TOML as comments, strings of several lines, keys and the rest; possessive throughout, so that it is read once."""

ESCAPES = re.compile(r"Unescaped '\\'|hex value")  # what a path of Windows in double quotes comes to
SHORTHANDS = {"model": "use", "imbalance": "use", "trainer": "use", "dataset": "use", "groups": "rule"}


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        InputError: it is missing, cannot be read, is not UTF-8 or no TOML; with line and column.
    """
    if path.is_dir():
        raise InputError(f"{path}: is a folder, give the TOML file in it")
    content = bounded.content(path, MOST_BYTES, "no such file, cxrkit init writes one to begin with")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InputError(f"{path}: line {line}: is not UTF-8, save the file in that encoding") from None
    return parsed(text, path)


def parsed(text: str, path: Path) -> dict[str, Any]:
    """Parse the text of a TOML file.

    Raises:
        InputError: it is no TOML; with line and column.
    """
    if any(found["deep"] for found in _LEXEMES.finditer(text)):
        raise InputError(f"{path}: is no usable TOML, a key in it has a hundred parts")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        position = re.search(r" \(at line (\d+), column (\d+)\)$", message)
        what = re.sub(r" \(at [^()]*\)$", "", message)
        where = f"line {position[1]}, column {position[2]}" if position else f"line {text.count(chr(10)) + 1}, the end"
        remedy = "; write paths with / or in single quotes" if ESCAPES.search(message) else ""
        raise InputError(f"{path}: {where}: is no TOML, {what[:1].lower()}{what[1:]}{remedy}") from None
    except RecursionError:
        raise InputError(f"{path}: is no usable TOML, its tables are nested too deeply") from None
    except ValueError:  # of the numbers, which Python limits in their digits
        raise InputError(f"{path}: is no usable TOML, a number in it has thousands of digits") from None


def apply_set(document: dict[str, Any], text: str) -> KeyPath:
    """Change a document by one ``--set key=value``.

    Args:
        document: as read from the file; changed in place.
        text: ``task.NAME.KEY=VALUE`` or ``TABLE.KEY=VALUE``; the value is TOML, else taken as text.

    Returns:
        The path of what was given: of the key, or of the first table above it that the file lacks; a task is told by
        its label.

    Raises:
        InputError: the text has no such form, or leads to no task or table.
    """
    above, table, keys, value = found_table(document, text)
    return (*above, *_assign(table, keys, value, text))


def found_table(document: dict[str, Any], text: str) -> tuple[KeyPath, dict[str, Any], list[str], Any]:
    """Find what a ``--set key=value`` begins at: the document, or the table of a task.

    Returns:
        The path of the table, the table, the keys from there and the value.

    Raises:
        InputError: the text has no such form, or leads to no task.
    """
    keys, value = _key_and_value(text)
    if keys[0] == "task" and len(keys) > 1:
        table, name, keys = _task(document, keys[1:], text)
        return ("task", f'"{name}"'), table, keys, value
    return (), document, keys, value


def _key_and_value(text: str) -> tuple[list[str], Any]:
    key, equals, value = text.partition("=")
    try:
        keys = list(_path(tomllib.loads(f"{key} = 0")))
    except (ValueError, RecursionError):
        keys = []
    if not equals or not keys:
        raise InputError(f"--set {text}: has no key=value, write e.g. --set task.NAME.epochs=5") from None
    return keys, _value(value)


def _path(nested: Mapping[str, Any]) -> Iterator[str]:
    for key, inner in nested.items():
        yield key
        if isinstance(inner, Mapping):
            yield from _path(inner)


def _value(text: str) -> Any:
    try:
        document = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    value = document["value"]
    is_text = len(document) > 1 or isinstance(value, date | time)  # a line break, or 2024-05-01 as a title
    return text if is_text else value


def _task(document: Mapping[str, Any], keys: Sequence[str], text: str) -> tuple[dict[str, Any], str, list[str]]:
    """Find the task that the keys begin with; a task's name may hold dots."""
    tasks = document.get("task")
    named = {
        task["name"]: task
        for task in (tasks if isinstance(tasks, list) else [])
        if isinstance(task, dict) and isinstance(task.get("name"), str)
    }
    for length in range(len(keys) - 1, 0, -1):
        name = ".".join(keys[:length])
        if name in named:
            return named[name], name, list(keys[length:])
    if keys[0] in named:
        raise InputError(f"--set {text}: names a task alone, write --set task.{keys[0]}.KEY=VALUE")
    raise InputError(f'--set {text}: unknown task "{keys[0]}", {nearest(keys[0], named)}')


def _assign(table: dict[str, Any], keys: Sequence[str], value: Any, text: str) -> KeyPath:
    there = len(keys)
    for depth, key in enumerate(keys[:-1], start=1):
        if key not in table:
            there = min(there, depth)
        inner = spelled_out(key, table.get(key, {}))
        if not isinstance(inner, dict):
            raise InputError(f"--set {text}: {'.'.join(keys[:depth])} is no table and has no keys")
        table[key] = inner
        table = inner
    table[keys[-1]] = value
    return tuple(keys[:there])


def spelled_out(key: str, value: Any) -> Any:
    """Write a component that is given by its name alone as a table: ``"fabric"`` is ``{ use = "fabric" }``."""
    return {SHORTHANDS[key]: value} if key in SHORTHANDS and isinstance(value, str) else value
