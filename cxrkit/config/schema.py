"""``tasks.toml`` as pydantic models: every key, its type, its range and its default."""

from typing import Annotated, Literal

from pydantic import Field, PrivateAttr, ValidationInfo, field_validator, model_validator

from cxrkit.config.base import Array, Component, OpenFraction, Table, Use, valid_name
from cxrkit.config.images import (
    AugmentationTable,
    ColumnRule,
    CropTable,
    DataTable,
    NamedRule,
    RegexRule,
    ValidationTable,
    ViewAugmentationTable,
)
from cxrkit.config.origin import Origin
from cxrkit.config.search import SearchTable
from cxrkit.formats import USUAL, Format

__all__ = [
    "AugmentationTable",
    "CamMethod",
    "ColumnRule",
    "Configuration",
    "CropTable",
    "DataTable",
    "EnsembleTable",
    "EvaluationTable",
    "ExplainTable",
    "NamedRule",
    "Primary",
    "ReferTable",
    "RegexRule",
    "ReportTable",
    "RobustnessTable",
    "RunTable",
    "SearchTable",
    "TaskTable",
    "ThresholdTable",
    "TtaTable",
    "Use",
    "ValidationTable",
    "ViewAugmentationTable",
]

CamMethod = Literal[
    "GradCAM", "GradCAMpp", "SmoothGradCAMpp", "XGradCAM", "LayerCAM", "CAM", "ScoreCAM", "SSCAM", "ISCAM", "none"
]
Primary = Literal["roc_auc", "average_precision", "accuracy", "balanced_accuracy", "sensitivity", "specificity"]
Goal = Literal[
    "roc_auc", "average_precision", "sensitivity", "specificity", "ppv", "npv", "accuracy", "balanced_accuracy"
]
Corruption = Literal["rotation", "blur", "noise", "contrast", "gamma", "jpeg", "marker"]


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
    plugin_minutes: Annotated[float, Field(gt=0)] = Field(
        10.0, description="That one call of a plugin may take, trainers apart (time_limit of a task)."
    )
    trackers: Array[str] = Field((), description="Trackers that figures and reports are sent to, e.g. mlflow.")
    checkpoint_minutes: Annotated[float, Field(gt=0)] = Field(
        5.0, description="From one saved state of a training to the next within an epoch."
    )
    checkpoint_steps: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Optimiser steps in place of minutes, whatever saving costs."
    )


class ReferTable(Table):
    """``refer``: two more thresholds on validation; what lies between them is uncertain and referred."""

    sensitivity: OpenFraction = Field(description="Of the lower threshold; below it an image is called negative.")
    specificity: OpenFraction = Field(description="Of the upper threshold; from it on an image is called positive.")


class ThresholdTable(Table):
    """``[threshold]``: how the decision threshold is chosen, always on validation."""

    rule: Literal["fixed", "youden", "sensitivity", "specificity", "cost"] = "youden"
    value: float | None = Field(None, description="For fixed: a probability, or a score in its own range.")
    target: OpenFraction | None = Field(None, description="For sensitivity and specificity.")
    false_negative: Annotated[float, Field(gt=0)] | None = Field(None, description="For cost: of one missed case.")
    false_positive: Annotated[float, Field(gt=0)] | None = Field(None, description="For cost: of one false alarm.")
    refer: ReferTable | None = Field(None, description="An uncertain zone beside the threshold.")

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
    labels: dict[str, str] | None = Field(None, description="Set name to CSV file of labels, where they stand apart.")
    label_columns: dict[str, str] = Field({}, description="cxrkit's column to the labels file's.")
    join: Literal["image", "study"] = Field("image", description="The column that labels are joined by.")
    threshold: ThresholdTable | None = Field(None, description="In place of [threshold].")
    augmentation: AugmentationTable | None = Field(None, description="In place of [augmentation].")

    _usable_as_folder = field_validator("name")(valid_name)

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
            valid_name(name)
        return value

    @model_validator(mode="after")
    def _one_source(self) -> "TaskTable":
        if (self.model is None) == (self.predictions is None):
            raise ValueError(f"needs model or predictions, got {'neither' if self.model is None else 'both'}")
        return self


class TtaTable(Table):
    """``[[tta]]``: a trained task that judges each image by several views of it, as a model of its own."""

    name: str
    task: str = Field(description="Name of a task with a model.")
    views: int = Field(8, ge=2, le=64, description="Of each image: the plain one, all others augmented.")
    augmentation: ViewAugmentationTable = Field(
        ViewAugmentationTable(), description="What all views but the plain one undergo."
    )
    threshold: ThresholdTable | None = Field(None, description="In place of its task's.")

    _usable_as_folder = field_validator("name")(valid_name)


class EnsembleTable(Table):
    """``[[ensemble]]``: several tasks as one, from their predictions alone."""

    name: str
    members: Array[str] = Field(min_length=2, description="Names of tasks and of [[tta]].")
    method: Literal["mean", "logit-mean", "validation-weighted"] = Field(
        "logit-mean", description="mean: of the probabilities; validation-weighted: by what is best on validation."
    )
    threshold: ThresholdTable | None = Field(None, description="In place of [threshold].")

    _usable_as_folder = field_validator("name")(valid_name)

    @field_validator("members")
    @classmethod
    def _all_different(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) != len(value):
            raise ValueError(f"must all differ, got {list(value)}")
        return value


class EvaluationTable(Table):
    """``[evaluation]``: figures, intervals, comparison."""

    level: Annotated[float, Field(ge=0.5, lt=1)] = Field(0.95, description="Of the intervals.")
    resamples: int = Field(2000, ge=100, le=100_000, description="Of the bootstrap.")
    primary: Primary = "roc_auc"
    reference: str | None = Field(None, description="Task that the others are compared with; else every pair.")
    prevalence: OpenFraction | None = Field(None, description="For predictive values beside the test set's own.")
    subgroups: Array[str] = Field((), description="Columns of the manifest.")
    acceptance: dict[Goal, OpenFraction] = Field({}, description="Figure to the goal that its lower bound must reach.")
    non_inferiority: dict[Primary, OpenFraction] = Field(
        {}, description="Figure to the margin by which a task may fall behind the reference."
    )
    reporters: Array[Component] = Field(
        (Use(use="classification"), Use(use="calibration"), Use(use="utility")),
        min_length=1,
        description="Metric plugins.",
    )


class ExplainTable(Table):
    """``[explain]``: class activation maps."""

    method: CamMethod = Field("GradCAM", description="A method of torchcam; none for no maps.")
    layer: str | None = Field(None, description="Dotted name of the layer; found by itself by default.")
    most: int = Field(100, ge=0, description="Images shown at most, errors first.")
    correct: int = Field(8, ge=0, description="How many of them are correct examples.")
    sample: int = Field(60, ge=0, description="Images, drawn blindly, that the maps are checked on; 0 for no checks.")


class RobustnessTable(Table):
    """``[robustness]``: the test set again under corruptions, and without what should not matter."""

    tasks: Array[str] = Field((), description="Trained tasks; all by default.")
    corruptions: Array[Corruption] = Field(
        ("rotation", "blur", "noise", "contrast", "gamma", "jpeg", "marker"), description="What is done to the images."
    )
    severities: Array[Annotated[int, Field(ge=1, le=5)]] = Field((1, 3, 5), description="1 is slight, 5 is severe.")
    most: int | None = Field(None, ge=10, description="Test images at most, drawn by patient; all by default.")
    shortcuts: bool = Field(True, description="Also mask the borders, and the corners where markers are.")


class ReportTable(Table):
    """``[report]``: what is written and what it says about itself."""

    formats: Array[Format] = USUAL
    title: str = "Comparison of chest X-ray classifiers"
    authors: Array[str] = ()
    institution: str | None = None
    logo: str | None = Field(None, min_length=1, description="PNG, JPEG or SVG file, relative to this file.")
    intended_use: str | None = Field(
        None, min_length=1, description="For what, for whom and where the models are meant."
    )
    templates: str | None = Field(
        None, min_length=1, description="Folder of templates that take the place of cxrkit's own."
    )
    sections: Array[Component] = Field((), description="Report section plugins.")
    pseudonyms: bool = Field(False, description="Patients and images under pseudonyms, by a keyed hash.")
    pseudonym_key: str | None = Field(
        None, min_length=1, description="File of the key, shared by runs; a run has its own by default."
    )
    samples: int = Field(
        4, ge=0, le=12, description="Images shown of each set and class; 0: none, nor views under augmentation."
    )


class Configuration(Table):
    """A whole ``tasks.toml``, resolved: defaults merged into every task."""

    run: RunTable = RunTable()
    data: DataTable | None = None
    augmentation: AugmentationTable = AugmentationTable()
    task: Array[TaskTable] = Field(min_length=1)
    tta: Array[TtaTable] = ()
    ensemble: Array[EnsembleTable] = ()
    threshold: ThresholdTable = ThresholdTable()
    evaluation: EvaluationTable = EvaluationTable()
    explain: ExplainTable = ExplainTable()
    robustness: RobustnessTable | None = None
    report: ReportTable = ReportTable()
    search: SearchTable | None = None
    _origin: Origin = PrivateAttr(default_factory=Origin)

    @property
    def origin(self) -> Origin:
        """Where each key was written, for messages."""
        return self._origin

    @property
    def thresholds(self) -> dict[str, ThresholdTable]:
        """How the threshold of each task, ``[[tta]]`` and ensemble is chosen."""
        own = {task.name: task.threshold for task in self.task}
        own |= {one.name: one.threshold or own.get(one.task) for one in self.tta}
        own |= {one.name: one.threshold for one in self.ensemble}
        return {name: threshold or self.threshold for name, threshold in own.items()}

    def coming_from(self, origin: Origin) -> "Configuration":
        """Return the same configuration that knows where its keys were written."""
        copy = self.model_copy()
        copy._origin = origin  # noqa: SLF001 - a copy of its own
        return copy
