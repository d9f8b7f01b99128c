"""What the tables of ``tasks.toml`` are made of."""

import re
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Strict

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
Item = TypeVar("Item")
Array = Annotated[tuple[Item, ...], Strict(False)]  # TOML and JSON have arrays, and strict pydantic wants tuples
Pair = Annotated[tuple[Item, Item], Strict(False)]
Fraction = Annotated[float, Field(ge=0, le=1)]
OpenFraction = Annotated[float, Field(gt=0, lt=1)]


class Table(BaseModel):
    """A table of the file: unknown keys, NaN and infinity are errors, ``"3"`` is no number, values are frozen."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, serialize_by_alias=True, protected_namespaces=()
    )


class Use(BaseModel):
    """A component by name, with options: ``"resnet18"`` or ``{ use = "resnet18", head = "linear" }``."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)

    use: str = Field(min_length=1, description="The plugin's name; the other keys are its options.")

    @property
    def options(self) -> dict[str, Any]:
        """The component's own options as they were written."""
        return dict(self.model_extra or {})


def _use(value: Any) -> Any:
    return {"use": value} if isinstance(value, str) else value


Component = Annotated[Use, BeforeValidator(_use, json_schema_input_type=str | Use)]


def valid_name(value: str) -> str:
    """Check a name that becomes a file's or folder's."""
    if not NAME.fullmatch(value) or value.endswith("."):
        allowed = "1 to 64 letters, digits, '-', '_' and '.', beginning with a letter or digit, not ending with '.'"
        raise ValueError(f'must be {allowed}, got "{value}"')
    return value
