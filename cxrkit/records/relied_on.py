"""Free tables of a run's files, of which a report relies on a few keys: these have the type that it needs."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError


class _Asked(BaseModel):
    """Some keys of a table; what else stands in it is that of another version or of a plugin."""

    model_config = ConfigDict(extra="ignore", strict=True, protected_namespaces=())


class _Data(_Asked):
    root: str | None = None
    manifest: str | None = None
    external: dict[str, str] | None = None
    allow_shared_patients: bool = False


class _Evaluation(_Asked):
    subgroups: list[str] | None = None


class _Explain(_Asked):
    most: int = Field(0, ge=0)
    correct: int = Field(0, ge=0)


class _Report(_Asked):
    title: str | None = None
    authors: list[str] = []
    institution: str | None = None
    intended_use: str | None = None
    logo: str | None = None
    templates: str | None = None
    sections: list[Any] | None = None
    pseudonyms: bool = False
    pseudonym_key: str | None = None


class _Configuration(_Asked):
    data: _Data | None = None
    evaluation: _Evaluation | None = None
    explain: _Explain | None = None
    report: _Report | None = None


class _Trainer(_Asked):
    select: str | None = None


class _Options(_Asked):
    model: dict[str, Any] = {}
    imbalance: dict[str, Any] = {}
    trainer: _Trainer = _Trainer()
    augmentation: dict[str, Any] = {}


def _checked(kind: type[_Asked]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Make what checks a table and leaves it as it is."""

    def check(table: dict[str, Any]) -> dict[str, Any]:
        try:
            kind.model_validate(table)
        except ValidationError as error:
            first = error.errors()[0]
            told = {"place": ".".join(str(part) for part in first["loc"]), "what": first["msg"]}
            raise PydanticCustomError("unusable", "{place}: {what}", told) from None
        return table

    return check


def _is_moment(text: str) -> str:
    try:
        datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise PydanticCustomError("unusable", "must be a date and time as of ISO 8601") from None
    return text


RecordedConfiguration = Annotated[dict[str, Any], AfterValidator(_checked(_Configuration))]
"""``configuration`` of ``run.json``: what it resolved to when the run was made."""

RecordedOptions = Annotated[dict[str, Any], AfterValidator(_checked(_Options))]
"""``options`` of ``task.json``: of the model, the imbalance strategy, the trainer and the augmentation."""

Moment = Annotated[str, AfterValidator(_is_moment)]
"""When something was, as of ISO 8601."""
