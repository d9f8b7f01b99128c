"""A JSON file of a run directory, and an estimate with its interval."""

import json
from math import isfinite
from pathlib import Path
from typing import Any, ClassVar, Literal, NoReturn, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from cxrkit import bounded
from cxrkit.errors import InputError
from cxrkit.files import write_text

MOST_BYTES = 30 * bounded.MEGABYTE  # of a JSON file, which takes 25 times as much memory; that of many tasks has a few


class Document(BaseModel):
    """A JSON file of the run directory, carrying the version of its schema."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, ser_json_inf_nan="null", protected_namespaces=())

    most_bytes: ClassVar[int] = MOST_BYTES
    schema_version: Literal[1] = 1

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read and check a file.

        Raises:
            InputError: it is missing, is no JSON, or is not of this form.
        """
        content = bounded.content(path, cls.most_bytes, "missing, a finished run directory has one")
        _check_json(content, path)
        try:
            return cls.model_validate_json(content)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or "the file"
            raise InputError(f"{path}: {place}: {first['msg']}") from None

    def write(self, path: Path) -> None:
        """Write the file whole or not at all."""
        write_text(path, self.model_dump_json(indent=1, by_alias=True) + "\n")


def _check_json(content: bytes, path: Path) -> None:
    """Refuse what pydantic reads in silence: a key twice, of which the last would count, NaN and infinite numbers."""
    try:
        json.loads(content.decode("utf-8"), object_pairs_hook=_once, parse_float=_finite, parse_constant=_no_number)
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not UTF-8, in which JSON is written") from None
    except RecursionError:
        raise InputError(f"{path}: is nested too deeply, no file of a run is") from None
    except ValueError as error:
        raise InputError(f"{path}: is no JSON of a run ({error})") from None


def _once(pairs: list[tuple[str, Any]]) -> None:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise ValueError(f'has the key "{key[:60]}" twice')
        seen.add(key)


def _finite(text: str) -> float:
    value = float(text)
    if not isfinite(value):
        raise ValueError(f"has the number {text[:60]}, which is too large")
    return value


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"has {text}, which is no number")


class Estimate(BaseModel):
    """A value with its interval, where a file's own keys say what it is of."""

    model_config = ConfigDict(extra="forbid")

    value: float | None
    low: float | None = None
    high: float | None = None
    level: float
    method: str | None = None
    n: int
    n_patients: int
