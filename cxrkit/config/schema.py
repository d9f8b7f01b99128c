"""``tasks.toml`` as pydantic models: every key, its type, its range and its default."""

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

TASK_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
Fraction = Annotated[float, Field(ge=0, le=1)]
OpenFraction = Annotated[float, Field(gt=0, lt=1)]
Primary = Literal["roc_auc", "average_precision", "accuracy", "balanced_accuracy", "sensitivity", "specificity"]


class Table(BaseModel):
    """A table of the file: unknown keys are errors, values are frozen once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class Use(BaseModel):
    """A component by name, with options: ``"resnet18"`` or ``{ use = "resnet18", head = "linear" }``."""

    model_config = ConfigDict(extra="allow", frozen=True)

    use: str

    @property
    def options(self) -> dict[str, Any]:
        """The component's own options as they were written."""
        return dict(self.model_extra or {})


def _use(value: Any) -> Any:
    return {"use": value} if isinstance(value, str) else value


Component = Annotated[Use, BeforeValidator(_use)]


class RunTable(Table):
    """``[run]``: where to, on what."""

    output: str = Field("runs/cxrkit", description="Folder of the run, relative to this file.")
    seed: int = Field(0, ge=0, description="Fixes the split and the order of everything outside a task.")
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    devices: int = Field(1, ge=1, description="How many devices train one task together.")
    workers: int | Literal["auto"] = Field("auto", description="Processes that decode images; 0 is none.")
    threads: int | Literal["auto"] = Field("auto", description="CPU threads of the network.")


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
            raise ValueError(f"no regular expression ({error})") from None
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


class ValidationTable(Table):
    """``validation``: where validation images come from."""

    source: Literal["train"] = Field("train", alias="from", description="Taken from train by patient, stratified.")
    fraction: OpenFraction = 0.1


class DataTable(Table):
    """``[data]``: the images."""

    root: str | None = Field(None, description="Folder of train/ val/ test/ of class folders, relative to this file.")
    manifest: str | None = Field(None, description="CSV of image,label,split,patient,… in place of class folders.")
    dataset: Component | None = Field(None, description="A dataset plugin; folder or csv by default.")
    positive: str | None = Field(None, description="The class whose detection is evaluated; PNEUMONIA if there is one.")
    image_size: int = Field(224, ge=16, le=4096, description="Pixels, height and width of the network's input.")
    groups: Annotated[NamedRule | RegexRule | ColumnRule, BeforeValidator(_groups)] | None = Field(
        None, description="How patients are told apart; by default every image is a patient of its own."
    )
    validation: ValidationTable | Literal["folder"] = Field(
        ValidationTable(), description='"folder" takes val/ as it is.'
    )
    external: dict[str, str] = Field({}, description="Further test sets by name, evaluated with everything fixed.")
    allow_shared_patients: bool = Field(False, description="Go on although splits share patients; the report says so.")

    @model_validator(mode="after")
    def _one_source(self) -> "DataTable":
        if (self.root is None) == (self.manifest is None):
            raise ValueError("needs exactly one of root and manifest")
        return self


class CropTable(Table):
    """``random_resized_crop``: torchvision's RandomResizedCrop."""

    scale: tuple[OpenFraction | Literal[1], OpenFraction | Literal[1]] = (0.08, 1)
    ratio: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]] = (3 / 4, 4 / 3)

    @model_validator(mode="after")
    def _ordered(self) -> "CropTable":
        if self.scale[0] > self.scale[1] or self.ratio[0] > self.ratio[1]:
            raise ValueError("scale and ratio are [smallest, largest]")
        return self


class AugmentationTable(Table):
    """``[augmentation]``: what training images undergo; the course's crop and flip by default."""

    random_resized_crop: CropTable | Literal[False] = CropTable()
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
            what = " and ".join(sorted(needed)) or "no parameter"
            raise ValueError(f'rule "{self.rule}" takes {what}, got {", ".join(sorted(given)) or "none"}')
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
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field((0,), min_length=1, description="One training each.")
    represent: Literal["ensemble"] | int = Field("ensemble", description="What enters paired tests.")
    time_limit: Annotated[float, Field(gt=0)] | None = Field(None, description="Hours that one training may take.")
    predictions: dict[str, str] | None = Field(None, description="Set name to CSV file, in place of a model.")
    columns: dict[str, str] = Field({}, description="cxrkit's column to the file's, where they are named otherwise.")
    threshold: ThresholdTable | None = Field(None, description="In place of [threshold].")
    augmentation: AugmentationTable | None = Field(None, description="In place of [augmentation].")

    @field_validator("name")
    @classmethod
    def _usable_as_folder(cls, value: str) -> str:
        if not TASK_NAME.fullmatch(value) or value.endswith("."):
            raise ValueError("allowed are 1 to 64 letters, digits, '-', '_' and '.', beginning with a letter or digit")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> "TaskTable":
        if (self.model is None) == (self.predictions is None):
            raise ValueError("needs exactly one of model and predictions")
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError("seeds holds one seed twice")
        if self.represent != "ensemble" and self.represent not in self.seeds:
            raise ValueError(f'represent is {self.represent}, allowed are "ensemble" and the task\'s seeds')
        if self.predictions is not None and "test" not in self.predictions:
            raise ValueError("predictions needs a file for test")
        return self


class EvaluationTable(Table):
    """``[evaluation]``: figures, intervals, comparison."""

    level: Annotated[float, Field(ge=0.5, lt=1)] = Field(0.95, description="Of the intervals.")
    resamples: int = Field(2000, ge=100, le=100_000, description="Of the bootstrap.")
    primary: Primary = "roc_auc"
    reference: str | None = Field(None, description="Task that the others are compared with; else every pair.")
    prevalence: OpenFraction | None = Field(None, description="For predictive values beside the test set's own.")
    subgroups: tuple[str, ...] = Field((), description="Columns of the manifest.")
    reporters: tuple[Component, ...] = Field((Use(use="classification"),), min_length=1, description="Metric plugins.")


class ExplainTable(Table):
    """``[explain]``: class activation maps."""

    method: str = Field("GradCAM", description="A method of torchcam by its class name; none for no maps.")
    layer: str | None = Field(None, description="Dotted name of the layer; found by itself by default.")
    most: int = Field(40, ge=0, description="Images shown at most, errors first.")
    correct: int = Field(8, ge=0, description="How many of them are correct examples.")


class ReportTable(Table):
    """``[report]``: what is written and what it says about itself."""

    formats: tuple[Literal["html", "pdf", "txt"], ...] = ("html", "pdf", "txt")
    title: str = "Comparison of chest X-ray classifiers"
    authors: tuple[str, ...] = ()
    institution: str | None = None


class Configuration(Table):
    """A whole ``tasks.toml``, resolved: defaults merged into every task."""

    run: RunTable = RunTable()
    data: DataTable | None = None
    augmentation: AugmentationTable = AugmentationTable()
    task: tuple[TaskTable, ...] = Field(min_length=1)
    threshold: ThresholdTable = ThresholdTable()
    evaluation: EvaluationTable = EvaluationTable()
    explain: ExplainTable = ExplainTable()
    report: ReportTable = ReportTable()

    @model_validator(mode="after")
    def _consistent(self) -> "Configuration":
        names = [task.name for task in self.task]
        folders = [name.lower() for name in names]  # some file systems take no notice of case
        doubled = {name for name in names if folders.count(name.lower()) > 1}
        if doubled:
            raise ValueError(f"task names must differ, also by more than case: {', '.join(sorted(doubled))}")
        if self.data is None and any(task.model is not None for task in self.task):
            raise ValueError("data is missing, a task with a model needs it")
        if self.evaluation.reference is not None and self.evaluation.reference not in names:
            raise ValueError(f'evaluation.reference is "{self.evaluation.reference}", allowed are {", ".join(names)}')
        return self


LATER: dict[str, str] = {
    "robustness": "corrupted test sets",
    "ensemble": "ensembles of tasks",
    "evaluation.acceptance": "acceptance goals",
    "report.templates": "templates of your own",
    "report.logo": "a logo",
    "report.pseudonyms": "pseudonyms",
}
"""Keys of the design whose feature does not exist yet: an error that says so."""
