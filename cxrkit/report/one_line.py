"""Names as they may be shown: whatever they hold, they stay within their line and their place."""

import re
from dataclasses import fields, is_dataclass, replace
from typing import TypeVar, cast

Shown = TypeVar("Shown")

UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")
"""Line ends and other control characters, what turns the direction of writing, and halves of characters."""


def one_line(text: str) -> str:
    """Make spaces of what would break a line, turn the direction of writing or control a terminal."""
    return UNSEEN.sub(" ", text)


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
