"""Write a configuration as a commented TOML file."""

import json
import re
from collections.abc import Mapping
from datetime import date, time
from typing import Any

from cxrkit.config.starter import rendered

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def commented(template: str, document: Mapping[str, Any], **values: Any) -> str:
    """Write a document as TOML through a template that knows the comments of its keys.

    Args:
        template: gets ``plain`` (what is no table: key → value), ``tables`` (name → keys) and ``tasks``, all values
            written as TOML, and ``values``.
        document: as a TOML file is read.
        values: further ones.
    """
    tasks = document.get("task")
    has_tasks = isinstance(tasks, list) and all(isinstance(task, Mapping) for task in tasks)
    plain = {key: value for key, value in document.items() if not (isinstance(value, Mapping) or key == "task")}
    if not has_tasks and tasks is not None:
        plain["task"] = tasks
    return rendered(
        template,
        plain=_lines(plain),
        tables={_key(key): _lines(value) for key, value in document.items() if isinstance(value, Mapping)},
        tasks=[_lines(task) for task in tasks] if has_tasks and tasks else [],
        **values,
    )


def _lines(table: Mapping[str, Any]) -> dict[str, str]:
    return {_key(key): inline(value) for key, value in table.items()}


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else inline(name)


def inline(value: Any) -> str:
    """Write a value as TOML on one line: a table as ``{ use = "resnet18", hidden = 256 }``."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")  # a JSON string is a TOML string
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(key)} = {inline(one)}" for key, one in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(inline, value))}]"
    return value.isoformat() if isinstance(value, date | time) else repr(value)
