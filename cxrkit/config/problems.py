"""Turn pydantic's errors into sentences: what was found, what is allowed, or the nearest known key."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from cxrkit.config.origin import KeyPath
from cxrkit.errors import nearest

_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "finite_number": "a finite number",
    "string": "text in quotes",
    "bool": "true or false",
    "model": "a table",
    "dict": "a table",
    "tuple": "an array",
    "list": "an array",
}
_BOUNDS = {
    "greater_than": "greater than {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than": "less than {lt:g}",
    "less_than_equal": "at most {le:g}",
    "string_too_short": "text of at least {min_length} character",
    "literal_error": "{expected}",
}
_COUNTS = {
    "too_short": "needs at least {min_length} item{plural}, got {actual_length}",
    "too_long": "takes at most {max_length} items, got {actual_length}",
}


def sentences(errors: Iterable[ErrorDetails], given: Any, root: type[BaseModel]) -> list[tuple[KeyPath, str]]:
    """Tell each wrong place once.

    Args:
        errors: as pydantic lists them: for a union of types, one for each of its members.
        given: what was validated, so that the names of union members can be told from keys.
        root: the model that it was validated against.

    Returns:
        The path of each place and what is wrong with it, beginning with a verb (``must be …, got …``) or ``unknown``.
    """
    places: dict[KeyPath, list[ErrorDetails]] = {}
    for error in errors:
        places.setdefault(_path(error, given), []).append(error)
    return [(path, _sentence(about, root)) for path, about in places.items() if not _follows(path, about, places)]


def found(value: Any) -> str:
    """Show a value as TOML has it, shortened."""
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, float):
        return str(value)  # nan and inf as TOML has them
    try:
        text = json.dumps(value, ensure_ascii=False)
    except TypeError:  # dates and times
        text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"  # noqa: PLR2004 - a line's worth


def _path(error: ErrorDetails, given: Any) -> KeyPath:
    path: list[str | int] = []
    value = given
    for position, part in enumerate(error["loc"]):
        last = position == len(error["loc"]) - 1
        if isinstance(value, Mapping) and (part in value or (last and error["type"] == "missing")):
            path.append(part)
            value = value.get(part)
        elif isinstance(value, list | tuple) and isinstance(part, int):
            path.append(part)
            value = value[part] if part < len(value) else None
    return tuple(path)


def _follows(path: KeyPath, errors: list[ErrorDetails], places: Iterable[KeyPath]) -> bool:
    """Tell whether an array is only too short because an item of it is wrong."""
    within = any(other[: len(path)] == path for other in places if len(other) > len(path))
    return within and errors[0]["type"] == "too_short"


def _sentence(errors: list[ErrorDetails], root: type[BaseModel]) -> str:
    error = errors[0]
    if error["type"] == "extra_forbidden":
        return f"unknown key, {nearest(str(error['loc'][-1]), _known_keys(root, error['loc']))}"
    if error["type"] == "missing":
        return "is missing"
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    if error["type"] == "form":
        return f"{error['msg']}, got {found(error['input'])}"
    if error["type"] in _COUNTS:
        plural = "" if error["ctx"].get("min_length") == 1 else "s"
        return _COUNTS[error["type"]].format(plural=plural, **error["ctx"])
    allowed = dict.fromkeys(_allowed(each) for each in errors)
    return f"must be {' or '.join(allowed)}, got {found(error['input'])}"


def _allowed(error: ErrorDetails) -> str:
    if error["type"] in _BOUNDS:
        return _BOUNDS[error["type"]].format(**error["ctx"]).replace("'", '"')
    kind = re.sub(r"_(type|parsing|from_float|attributes_type)$", "", error["type"])
    return _KINDS.get(kind, error["msg"].removeprefix("Input should be "))


def _known_keys(root: type[BaseModel], place: tuple[str | int, ...]) -> list[str]:
    models = [root]
    for part in place[:-1]:
        named = [model for model in models if part == f"<{model.__name__}>"]
        if not isinstance(part, int):
            inner = [inner for model in models for inner in _inner_models(model, part)]
            models = named or inner or models  # the last where the part is a key of the user's own
    merged_before = ["defaults"] if len(place) == 1 else []
    return [field.alias or name for model in models for name, field in model.model_fields.items()] + merged_before


def _inner_models(model: type[BaseModel], key: str) -> list[type[BaseModel]]:
    fields = ((field.alias or name, field.annotation) for name, field in model.model_fields.items())
    return [inner for name, annotation in fields if name == key for inner in _models(annotation)]


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]
