"""Metadata at the head of a Markdown file, as YAML."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

Value: TypeAlias = "str | float | bool | Sequence[Value] | Mapping[str, Value]"


def render(entries: Mapping[str, Value]) -> str:
    """Write entries between lines of three hyphens; texts are quoted, so that none is taken for anything else.

    Args:
        entries: key → value; keys are cxrkit's own, numbers are finite.
    """
    return "\n".join(["---", *_entries(entries), "---"]) + "\n"


def _entries(entries: Mapping[str, Value]) -> Iterator[str]:
    for key, value in entries.items():
        if isinstance(value, str | float | bool):
            yield f"{key}: {_scalar(value)}"
        else:
            yield f"{key}:"
            yield from (f"  {line}" for line in _nested(value))


def _nested(value: "Sequence[Value] | Mapping[str, Value]") -> Iterator[str]:
    if isinstance(value, Mapping):
        yield from _entries(value)
        return
    for item in value:
        lines = [_scalar(item)] if isinstance(item, str | float | bool) else list(_nested(item))
        yield f"- {lines[0]}"
        yield from (f"  {line}" for line in lines[1:])


def _scalar(value: str | float | bool) -> str:
    """Write a scalar as JSON, which is YAML but for what is not printable: that is given by its number."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return "".join(letter if letter.isprintable() else f"\\U{ord(letter):08x}" for letter in text)
