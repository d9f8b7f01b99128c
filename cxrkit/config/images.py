"""``[data]`` and ``[augmentation]``: the images and what training does to them."""

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Discriminator, Field, Tag, field_validator, model_validator

from cxrkit.config.base import Component, Fraction, OpenFraction, Pair, Table, valid_name


class RegexRule(Table):
    """Patients by a pattern on the file name."""

    regex: str = Field(description="Its named group 'patient', else its first group, else the whole match is the key.")
    unmatched: Literal["error", "own"] = Field("error", description="own: a name without a match is its own patient.")

    @field_validator("regex")
    @classmethod
    def _compiles(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f'must be a regular expression, got "{value}" ({error})') from None
        return value


class ColumnRule(Table):
    """Patients by a column of the CSV manifest."""

    column: str


class NamedRule(Table):
    """Patients by a rule that cxrkit knows."""

    rule: Literal["kermany", "image"] = Field(description="image: every image is a patient of its own.")
    unmatched: Literal["error", "own"] = "error"


def _groups(value: Any) -> Any:
    return {"rule": value} if isinstance(value, str) else value


def _groups_form(value: Any) -> str | None:
    if isinstance(value, BaseModel):
        return f"<{type(value).__name__}>"
    if not isinstance(value, dict):
        return None
    by_key = {"regex": "<RegexRule>", "column": "<ColumnRule>", "rule": "<NamedRule>"}
    return next((form for key, form in by_key.items() if key in value), None)


Groups = Annotated[
    Annotated[NamedRule, Tag("<NamedRule>")]
    | Annotated[RegexRule, Tag("<RegexRule>")]
    | Annotated[ColumnRule, Tag("<ColumnRule>")],
    Discriminator(
        _groups_form,
        custom_error_type="form",
        custom_error_message='must be "kermany", "image", { regex = "…" } or { column = "…" }',
    ),
    BeforeValidator(_groups, json_schema_input_type=Literal["kermany", "image"] | NamedRule | RegexRule | ColumnRule),
]


class ValidationTable(Table):
    """``validation``: where validation images come from."""

    source: Literal["train"] = Field("train", alias="from", description="Taken from train by patient, stratified.")
    fraction: OpenFraction = Field(0.1, description="Share of train's images, about.")


def _validation_form(value: Any) -> str | None:
    if isinstance(value, dict | ValidationTable):
        return "<ValidationTable>"
    return "<folder>" if value == "folder" else None


Validation = Annotated[
    Annotated[ValidationTable, Tag("<ValidationTable>")] | Annotated[Literal["folder"], Tag("<folder>")],
    Discriminator(
        _validation_form,
        custom_error_type="form",
        custom_error_message='must be "folder" or a table such as { from = "train", fraction = 0.1 }',
    ),
]


class DataTable(Table):
    """``[data]``: the images."""

    root: str | None = Field(None, description="Folder of train/ val/ test/ of class folders, relative to this file.")
    manifest: str | None = Field(None, description="CSV of image,label,split,patient,… in place of class folders.")
    dataset: Component | None = Field(None, description="A dataset plugin; folder or csv by default.")
    positive: str | None = Field(None, description="The class whose detection is evaluated; PNEUMONIA if there is one.")
    image_size: int = Field(224, ge=16, le=4096, description="Pixels, height and width of the network's input.")
    groups: Groups | None = Field(
        None, description="How patients are told apart; by default every image is a patient of its own."
    )
    validation: Validation = Field(ValidationTable(), description='"folder" takes val/ as it is.')
    external: dict[str, str] = Field({}, description="Further test sets by name, evaluated with everything fixed.")
    allow_shared_patients: bool = Field(False, description="Go on although splits share patients; the report says so.")

    @field_validator("external")
    @classmethod
    def _names_of_their_own(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value:
            if valid_name(name) in {"train", "val", "test"}:
                raise ValueError(f'must have names other than train, val and test, got "{name}"')
        return value

    @model_validator(mode="after")
    def _one_source(self) -> "DataTable":
        if self.root is not None and self.manifest is not None:
            raise ValueError("needs root or manifest, got both")
        return self

    @property
    def has_images(self) -> bool:
        """Whether there are images at all; where every task brings predictions, ``positive`` alone may be given."""
        return self.root is not None or self.manifest is not None


class CropTable(Table):
    """``random_resized_crop``: torchvision's RandomResizedCrop."""

    scale: Pair[Annotated[float, Field(gt=0, le=1)]] = Field(
        (0.08, 1), description="Smallest and largest share of the image's area."
    )
    ratio: Pair[Annotated[float, Field(gt=0)]] = Field((3 / 4, 4 / 3), description="Width by height, the same way.")

    @field_validator("scale", "ratio")
    @classmethod
    def _ordered(cls, value: tuple[float, float]) -> tuple[float, float]:
        if value[0] > value[1]:
            raise ValueError(f"must be [smallest, largest], got [{value[0]}, {value[1]}]")
        return value


def _crop_form(value: Any) -> str | None:
    if isinstance(value, dict | CropTable):
        return "<CropTable>"
    return "<off>" if value is False else None


Crop = Annotated[
    Annotated[CropTable, Tag("<CropTable>")] | Annotated[Literal[False], Tag("<off>")],
    Discriminator(
        _crop_form,
        custom_error_type="form",
        custom_error_message="must be false or a table such as { scale = [0.7, 1.0] }",
    ),
]


class AugmentationTable(Table):
    """``[augmentation]``: what training images undergo; a random crop and a flip by default."""

    random_resized_crop: Crop = Field(CropTable(), description="false: only resized and cropped at the centre.")
    horizontal_flip: Fraction = Field(0.5, description="Probability. A flip moves the heart to the right side.")
    rotation: Annotated[float, Field(ge=0, le=180)] = Field(0, description="Degrees either way, at most.")
    zoom: Annotated[float, Field(ge=0, lt=1)] = Field(0, description="Share of the size, in or out, at most.")
    elastic: Annotated[float, Field(ge=0)] = Field(0, description="Displacement in pixels (alpha).")
    contrast: Annotated[float, Field(ge=0, lt=1)] = Field(0, description="Share, up or down, at most.")
    brightness: Annotated[float, Field(ge=0, lt=1)] = Field(0, description="Share, up or down, at most.")


class ViewAugmentationTable(AugmentationTable):
    """``augmentation`` of ``[[tta]]``: what further views of an image undergo; small changes and no flip by default."""

    random_resized_crop: Crop = Field(False, description="false: only resized and cropped at the centre.")
    horizontal_flip: Fraction = Field(0, description="Probability. A flip moves the heart to the right side.")
    rotation: Annotated[float, Field(ge=0, le=180)] = Field(5, description="Degrees either way, at most.")
    zoom: Annotated[float, Field(ge=0, lt=1)] = Field(0.05, description="Share of the size, in or out, at most.")
    contrast: Annotated[float, Field(ge=0, lt=1)] = Field(0.1, description="Share, up or down, at most.")
    brightness: Annotated[float, Field(ge=0, lt=1)] = Field(0.1, description="Share, up or down, at most.")

    @model_validator(mode="after")
    def _changes_something(self) -> "ViewAugmentationTable":
        if not any(getattr(self, name) for name in type(self).model_fields):
            raise ValueError("must change the image, got a table that leaves every view as the plain one")
        return self
