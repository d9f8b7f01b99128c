"""A report with every text in one line."""

from dataclasses import fields, is_dataclass, replace
from typing import TypeVar, cast

from cxrkit.one_line import one_line

Shown = TypeVar("Shown")


def in_lines(content: Shown) -> Shown:
    """Give a report, or a part of one, with every text in one line; what needs no change is the same object."""
    changed: object = content
    if isinstance(content, str):
        changed = one_line(content)
    elif isinstance(content, tuple):
        parts = tuple(map(in_lines, content))
        changed = parts if any(new is not old for new, old in zip(parts, content, strict=True)) else content
    elif is_dataclass(content) and not isinstance(content, type):
        parts_by_name = {field.name: getattr(content, field.name) for field in fields(content)}
        changes = {name: new for name, part in parts_by_name.items() if (new := in_lines(part)) is not part}
        changed = replace(content, **changes) if changes else content
    return cast("Shown", changed)
