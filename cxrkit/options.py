"""A plugin's options, taken from the signature of its factory: keyword-only, typed, checked before any work."""

import inspect
import json
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cxrkit.errors import InputError, nearest

if TYPE_CHECKING:
    from pydantic import ValidationError

Factory = Callable[..., Any]

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


@dataclass(frozen=True)
class Option:
    """An option of a factory, for showing.

    Attributes:
        name: as it is written in ``tasks.toml``.
        type: the annotation as text.
        default: what it is when left out; None where ``required``.
        required: whether it must be given.
    """

    name: str
    type: str
    default: Any
    required: bool


def check(factory: Factory, given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Check options against a factory's signature and fill in its defaults.

    Values are checked as JSON is: a list fits a tuple, a text fits a path, an int fits a float, ``"3"`` fits no int.

    Args:
        factory: the plugin's function or class.
        given: option → value as the TOML file or a plan has it.
        where: where these options stand, for messages: ``tasks.toml: task "a": model``.

    Returns:
        Every option of the factory with its value.

    Raises:
        InputError: unknown, missing or wrong options, all told at once; or a factory that takes ``**kwargs``.
    """
    parameters = _options(factory, where)
    problems = [
        f"{where}.{name}: unknown option, {nearest(name, parameters)}" for name in given if name not in parameters
    ]
    checked: dict[str, Any] = {}
    for name, parameter in parameters.items():
        if name in given:
            try:
                checked[name] = _validated(_annotation(factory, parameter), given[name])
            except _UnfitError as unfit:
                problems.extend(f"{where}.{name}{sentence}" for sentence in unfit.sentences)
        elif parameter.default is parameter.empty:
            problems.append(f"{where}.{name}: missing, must be {_text(_annotation(factory, parameter))}")
        else:
            checked[name] = parameter.default
    if problems:
        raise InputError(*problems)
    return checked


def describe(factory: Factory) -> list[Option]:
    """List a factory's options in the order of its signature.

    Raises:
        InputError: the factory takes ``**kwargs``.
    """
    return [
        Option(
            name=name,
            type=_text(_annotation(factory, parameter)),
            default=None if parameter.default is parameter.empty else parameter.default,
            required=parameter.default is parameter.empty,
        )
        for name, parameter in _options(factory, underlying(factory).__name__).items()
    ]


def faults_of_defaults(factory: Factory) -> list[str]:
    """Say of each option whose type cannot be read, or does not allow its own default, what is wrong.

    Raises:
        InputError: the factory takes ``**kwargs``.
    """
    problems: list[str] = []
    for name, parameter in _options(factory, underlying(factory).__name__).items():
        annotation = _annotation(factory, parameter)
        if typing.get_origin(annotation) is Annotated and isinstance(typing.get_args(annotation)[1], str):
            problems.append(f"{name}: the type {typing.get_args(annotation)[1]} cannot be read where it is defined")
        elif parameter.default is not parameter.empty:
            try:
                _validated(annotation, parameter.default)
            except _UnfitError as unfit:
                problems.extend(f"the default of {name}{sentence}" for sentence in unfit.sentences)
    return problems


def fault(factory: Any, arguments: Sequence[str]) -> str | None:
    """Say what, if anything, makes an object unusable as a factory that is called with ``arguments`` by position."""
    if not callable(factory):
        return f"is a {type(factory).__name__}, must be a function"
    try:
        parameters = inspect.signature(factory).parameters.values()
    except (TypeError, ValueError):
        return "has no readable signature, must be a Python function"
    expected = f"must be f({', '.join(arguments)}, *, …options)"
    positional = [parameter for parameter in parameters if parameter.kind in _POSITIONAL]
    kinds = {parameter.kind for parameter in parameters}
    if inspect.Parameter.VAR_KEYWORD in kinds:
        return f"takes **kwargs, {expected}"
    if len(positional) != len(arguments) and inspect.Parameter.VAR_POSITIONAL not in kinds:
        return f"takes ({', '.join(parameter.name for parameter in positional)}) by position, {expected}"
    untyped = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.annotation is p.empty]
    return f"has options without a type ({', '.join(untyped)})" if untyped else None


def underlying(factory: Any) -> Any:
    """Find the function or class below partial applications and decorators."""
    while isinstance(factory, partial):
        factory = factory.func
    return inspect.unwrap(factory)


def _options(factory: Factory, where: str) -> dict[str, inspect.Parameter]:
    parameters = inspect.signature(factory).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        raise InputError(f"{where}: its signature takes **kwargs, a plugin's options must be named one by one")
    return {name: parameter for name, parameter in parameters.items() if parameter.kind is parameter.KEYWORD_ONLY}


def _annotation(factory: Factory, parameter: inspect.Parameter) -> Any:
    """Resolve one annotation; what only type checkers know fits anything and keeps its text."""
    if parameter.annotation is parameter.empty:
        return Any
    alone = SimpleNamespace(__annotations__={parameter.name: parameter.annotation})
    try:
        return typing.get_type_hints(alone, globalns=_globals(factory), include_extras=True)[parameter.name]
    except Exception:  # noqa: BLE001 - an annotation is code of the plugin's and may raise anything
        return Annotated[Any, str(parameter.annotation)]


def _globals(factory: Factory) -> dict[str, Any]:
    found = underlying(factory)
    is_class = isinstance(found, type)
    function = found.__init__ if is_class else found
    if not hasattr(function, "__globals__"):
        function = type(found).__call__
    return typing.cast("dict[str, Any]", getattr(function, "__globals__", {}))


class _UnfitError(Exception):
    """A value that an annotation does not allow."""

    def __init__(self, sentences: list[str]) -> None:
        super().__init__(*sentences)
        self.sentences = sentences


def _validated(annotation: Any, value: Any) -> Any:
    from pydantic import ConfigDict, PydanticSchemaGenerationError, PydanticUserError, TypeAdapter, ValidationError

    try:
        adapter = TypeAdapter(annotation)
    except PydanticUserError:  # a BaseModel or dataclass carries a configuration of its own
        return value
    except PydanticSchemaGenerationError:  # a type that pydantic knows nothing of: an instance of it is what fits
        adapter = TypeAdapter(annotation, config=ConfigDict(arbitrary_types_allowed=True))
    try:
        return adapter.validate_json(json.dumps(value, default=str), strict=True)
    except ValidationError as error:
        raise _UnfitError(_sentences(error, annotation, value)) from None


def _sentences(error: "ValidationError", annotation: Any, value: Any) -> list[str]:
    problems = error.errors(include_url=False)
    if (len(problems) > 1 and _is_union(annotation)) or any(problem["type"] == "missing" for problem in problems):
        return [f": must be {_text(annotation)}, got {_shown(value)}"]
    return [
        f"{''.join(f'[{part}]' if isinstance(part, int) else f'.{part}' for part in problem['loc'])}: "
        f"{problem['msg'].replace('Input should', 'must')}, got {_shown(problem['input'])}"
        for problem in problems
    ]


def _shown(value: Any) -> str:
    return json.dumps(value, default=str, ensure_ascii=False)


def _is_union(annotation: Any) -> bool:
    return typing.get_origin(annotation) in (typing.Union, UnionType)


def _text(annotation: Any) -> str:
    """Write an annotation as a reader of the TOML file understands it."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return arguments[1] if isinstance(arguments[1], str) else _text(arguments[0]) + _bounds(arguments[1:])
    if origin is Literal:
        return " | ".join(_shown(value) for value in arguments)
    if _is_union(annotation):
        return " | ".join(_text(member) for member in arguments if member is not type(None))
    if origin is not None and arguments:
        inner = ", ".join("…" if member is ... else _text(member) for member in arguments)
        return f"{getattr(origin, '__name__', origin)}[{inner}]"
    return annotation.__name__ if isinstance(annotation, type) else str(annotation).removeprefix("typing.")


def _bounds(metadata: Sequence[Any]) -> str:
    signs = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}
    rules = [rule for item in metadata for rule in getattr(item, "metadata", [item])]
    found = [f"{sign} {getattr(rule, name)}" for rule in rules for name, sign in signs.items() if hasattr(rule, name)]
    return f" ({', '.join(found)})" if found else ""
