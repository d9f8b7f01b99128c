"""``tasks.toml`` as pydantic models: every key, its type, its range and its default."""

import re
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PrivateAttr,
    Strict,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

from cxrkit.config.origin import Origin

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
Item = TypeVar("Item")
Array = Annotated[tuple[Item, ...], Strict(False)]  # TOML and JSON have arrays, and strict pydantic wants tuples
Pair = Annotated[tuple[Item, Item], Strict(False)]
Fraction = Annotated[float, Field(ge=0, le=1)]
OpenFraction = Annotated[float, Field(gt=0, lt=1)]
CamMethod = Literal[
    "GradCAM", "GradCAMpp", "SmoothGradCAMpp", "XGradCAM", "LayerCAM", "CAM", "ScoreCAM", "SSCAM", "ISCAM", "none"
]
Primary = Literal["roc_auc", "average_precision", "accuracy", "balanced_accuracy", "sensitivity", "specificity"]


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


def _name(value: str) -> str:
    if not NAME.fullmatch(value) or value.endswith("."):
        allowed = "1 to 64 letters, digits, '-', '_' and '.', beginning with a letter or digit, not ending with '.'"
        raise ValueError(f'must be {allowed}, got "{value}"')
    return value


class RunTable(Table):
    """``[run]``: where to, on what."""

    output: str = Field("runs/cxrkit", description="Folder of the run, relative to this file.")
    seed: int = Field(0, ge=0, description="Fixes the split and the order of everything outside a task.")
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    devices: int = Field(1, ge=1, description="How many devices train one task together.")
    workers: Annotated[int, Field(ge=0)] | Literal["auto"] = Field(
        "auto", description="Processes that decode images; 0 is none."
    )
    threads: Annotated[int, Field(ge=1)] | Literal["auto"] = Field("auto", description="CPU threads of the network.")


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
            if _name(name) in {"train", "val", "test"}:
                raise ValueError(f'must have names other than train, val and test, got "{name}"')
        return value

    @model_validator(mode="after")
    def _one_source(self) -> "DataTable":
        if (self.root is None) == (self.manifest is None):
            raise ValueError(f"needs root or manifest, got {'neither' if self.root is None else 'both'}")
        return self


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


class ThresholdTable(Table):
    """``[threshold]``: how the decision threshold is chosen, always on validation."""

    rule: Literal["fixed", "youden", "sensitivity", "specificity", "cost"] = "youden"
    value: Fraction | None = Field(None, description="For fixed.")
    target: OpenFraction | None = Field(None, description="For sensitivity and specificity.")
    false_negative: Annotated[float, Field(gt=0)] | None = Field(None, description="For cost: of one missed case.")
    false_positive: Annotated[float, Field(gt=0)] | None = Field(None, description="For cost: of one false alarm.")

    @model_validator(mode="after")
    def _parameters(self) -> "ThresholdTable":
        needed = {
            "fixed": {"value"},
            "youden": set(),
            "sensitivity": {"target"},
            "specificity": {"target"},
            "cost": {"false_negative", "false_positive"},
        }[self.rule]
        parameters = {"value", "target", "false_negative", "false_positive"}
        given = {name for name in parameters if getattr(self, name) is not None}
        if given != needed:
            what = " and ".join(sorted(needed)) or "no further key"
            raise ValueError(f'needs {what} for rule "{self.rule}", got {" and ".join(sorted(given)) or "none"}')
        return self


class TaskTable(Table):
    """``[[task]]``: one model, trained or brought as predictions."""

    name: str
    model: Component | None = None
    imbalance: Component = Use(use="none")
    trainer: Component = Use(use="fabric")
    epochs: int = Field(20, ge=1)
    batch_size: int = Field(32, ge=1)
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field("auto", description="auto: bf16 where it is native.")
    seeds: Array[Annotated[int, Field(ge=0)]] = Field((0,), min_length=1, description="One training each.")
    represent: Literal["ensemble"] | int = Field("ensemble", description="What enters paired tests.")
    time_limit: Annotated[float, Field(gt=0)] | None = Field(None, description="Hours that one training may take.")
    predictions: dict[str, str] | None = Field(None, description="Set name to CSV file, in place of a model.")
    columns: dict[str, str] = Field({}, description="cxrkit's column to the file's, where they are named otherwise.")
    threshold: ThresholdTable | None = Field(None, description="In place of [threshold].")
    augmentation: AugmentationTable | None = Field(None, description="In place of [augmentation].")

    _usable_as_folder = field_validator("name")(_name)

    @field_validator("seeds")
    @classmethod
    def _all_different(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(value)) != len(value):
            raise ValueError(f"must all differ, got {list(value)}")
        return value

    @field_validator("represent")
    @classmethod
    def _one_of_the_seeds(cls, value: str | int, info: ValidationInfo) -> str | int:
        seeds = info.data.get("seeds", (value,))
        if value != "ensemble" and value not in seeds:
            raise ValueError(f'must be "ensemble" or one of the seeds {list(seeds)}, got {value}')
        return value

    @field_validator("predictions")
    @classmethod
    def _of_test(cls, value: dict[str, str] | None) -> dict[str, str] | None:
        if value is not None and "test" not in value:
            raise ValueError(f"needs a file for test, got {', '.join(value) or 'none'}")
        for name in value or ():
            _name(name)
        return value

    @model_validator(mode="after")
    def _one_source(self) -> "TaskTable":
        if (self.model is None) == (self.predictions is None):
            raise ValueError(f"needs model or predictions, got {'neither' if self.model is None else 'both'}")
        return self


class EvaluationTable(Table):
    """``[evaluation]``: figures, intervals, comparison."""

    level: Annotated[float, Field(ge=0.5, lt=1)] = Field(0.95, description="Of the intervals.")
    resamples: int = Field(2000, ge=100, le=100_000, description="Of the bootstrap.")
    primary: Primary = "roc_auc"
    reference: str | None = Field(None, description="Task that the others are compared with; else every pair.")
    prevalence: OpenFraction | None = Field(None, description="For predictive values beside the test set's own.")
    subgroups: Array[str] = Field((), description="Columns of the manifest.")
    reporters: Array[Component] = Field((Use(use="classification"),), min_length=1, description="Metric plugins.")


class ExplainTable(Table):
    """``[explain]``: class activation maps."""

    method: CamMethod = Field("GradCAM", description="A method of torchcam; none for no maps.")
    layer: str | None = Field(None, description="Dotted name of the layer; found by itself by default.")
    most: int = Field(40, ge=0, description="Images shown at most, errors first.")
    correct: int = Field(8, ge=0, description="How many of them are correct examples.")


class ReportTable(Table):
    """``[report]``: what is written and what it says about itself."""

    formats: Array[Literal["html", "pdf", "txt"]] = ("html", "pdf", "txt")
    title: str = "Comparison of chest X-ray classifiers"
    authors: Array[str] = ()
    institution: str | None = None


class Configuration(Table):
    """A whole ``tasks.toml``, resolved: defaults merged into every task."""

    run: RunTable = RunTable()
    data: DataTable | None = None
    augmentation: AugmentationTable = AugmentationTable()
    task: Array[TaskTable] = Field(min_length=1)
    threshold: ThresholdTable = ThresholdTable()
    evaluation: EvaluationTable = EvaluationTable()
    explain: ExplainTable = ExplainTable()
    report: ReportTable = ReportTable()
    _origin: Origin = PrivateAttr(default_factory=Origin)

    @property
    def origin(self) -> Origin:
        """Where each key was written, for messages."""
        return self._origin

    def coming_from(self, origin: Origin) -> "Configuration":
        """Return the same configuration that knows where its keys were written."""
        copy = self.model_copy()
        copy._origin = origin  # noqa: SLF001 - a copy of its own
        return copy


LATER: dict[str, str] = {
    "robustness": "corrupted test sets",
    "ensemble": "ensembles of tasks",
    "evaluation.acceptance": "acceptance goals",
    "report.templates": "templates of your own",
    "report.logo": "a logo",
    "report.pseudonyms": "pseudonyms",
}
"""Keys of the design whose feature does not exist yet: an error that says so."""
