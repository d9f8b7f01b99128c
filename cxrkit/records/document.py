"""A JSON file of a run directory, and an estimate with its interval."""

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from cxrkit.errors import InputError
from cxrkit.files import write_text


class Document(BaseModel):
    """A JSON file of the run directory, carrying the version of its schema."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, ser_json_inf_nan="null", protected_namespaces=())

    schema_version: Literal[1] = 1

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read and check a file.

        Raises:
            InputError: it is missing, is no JSON, or is not of this form.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            raise InputError(f"{path}: missing, a finished run directory has one") from None
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or "the file"
            raise InputError(f"{path}: {place}: {first['msg']}") from None

    def write(self, path: Path) -> None:
        """Write the file whole or not at all."""
        write_text(path, self.model_dump_json(indent=1, by_alias=True) + "\n")


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
