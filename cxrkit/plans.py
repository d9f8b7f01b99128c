"""What the main process writes for a child process, and what the child tells it back. Importing it needs no torch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from cxrkit import bounded
from cxrkit.config.schema import AugmentationTable
from cxrkit.errors import InputError
from cxrkit.records import Condition, Document, Preprocessing

MOST_BYTES = bounded.MEGABYTE  # of a plan


class Chosen(BaseModel):
    """A component by name with its checked options."""

    model_config = ConfigDict(extra="forbid")

    name: str
    options: dict[str, Any] = {}


class DevicePlan(BaseModel):
    """On what the child computes; see ``[run]`` and a task's ``precision``."""

    model_config = ConfigDict(extra="forbid")

    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    devices: int = 1
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    workers: int | Literal["auto"] = "auto"
    threads: int | Literal["auto"] = "auto"


class TrainingPlan(Document):
    """``plan.json``: one training of one task with one seed, and the sets to predict afterwards."""

    run_directory: str
    roots: dict[str, str]  # split or set → the folder that its images' names are relative to
    task: str
    seed: int
    class_names: list[str]
    positive: str
    image_size: int
    model: Chosen
    imbalance: Chosen
    trainer: Chosen
    augmentation: AugmentationTable
    epochs: int
    batch_size: int
    devices: DevicePlan
    sets: list[str]  # val, test and external names
    trackers: list[str] = Field(default_factory=list)
    checkpoint_minutes: float = 5.0  # between two saved states within an epoch
    checkpoint_steps: int | None = None  # in place of minutes


class ExplainedModel(BaseModel):
    """A trained model whose maps are wanted."""

    model_config = ConfigDict(extra="forbid")

    task: str
    seed: int
    model: Chosen


class ExplainPlan(Document):
    """``explain.json``: activation maps of chosen images by every trained model."""

    run_directory: str
    roots: dict[str, str]
    set: str
    models: list[ExplainedModel]
    images: list[str]
    rule: str
    method: str
    layer: str | None
    devices: DevicePlan
    sample: list[str] = Field(default_factory=list)  # images that the maps are checked on
    sample_rule: str = ""


class RobustnessPlan(Document):
    """``robustness-plan.json``: the same images under every condition, predicted by every model and seed."""

    run_directory: str
    roots: dict[str, str]
    set: str
    images: list[str]
    rule: str  # how they were drawn, in a sentence
    models: list[ExplainedModel]
    conditions: list[Condition]
    devices: DevicePlan


class ViewsPlan(Document):
    """``tasks/<name>/plan.json`` of test-time augmentation: sets of images in several views, by each seed of a task."""

    run_directory: str
    roots: dict[str, str]
    name: str  # of the model that this makes: the folder of its predictions
    models: list[ExplainedModel]  # one for each seed of its task
    sets: list[str]
    views: int  # of each image, the plain one among them
    augmentation: AugmentationTable
    seed: int  # of the run; with image and number of the view it fixes the random choices
    devices: DevicePlan


class CheckpointPlan(Document):
    """``tasks/<task>/plan.json`` of a saved model: the sets to predict with it."""

    run_directory: str
    roots: dict[str, str]
    task: str
    seed: int  # of its training, 0 where that is not known: the folder that keeps the weights
    weights: str  # .safetensors or .pth
    model: Chosen
    class_names: list[str]
    positive: str
    preprocessing: Preprocessing
    sets: list[str]
    devices: DevicePlan


class _Roots(BaseModel):
    """What every plan has in common."""

    roots: dict[str, str]


def recorded_roots(plan: Path) -> Mapping[str, Path]:
    """Read from a plan, whoever wrote it, in which folder each set's images lay; nothing where it does not tell."""
    try:
        found = _Roots.model_validate_json(bounded.content(plan, MOST_BYTES, "missing"))
    except (InputError, ValidationError):
        return {}
    return {name: Path(folder) for name, folder in found.roots.items() if "\0" not in folder}


STOP = b"stop\n"
"""What the main process writes to a training's standard input, so that it saves its state and ends."""

TRAINING = "training"
"""The stage in which it can."""


class Stage(BaseModel):
    """What the child does now: ``loading``, ``training``, ``predicting test``, ``explaining``."""

    event: Literal["stage"] = "stage"
    name: str
    total: int | None = None  # of what ``Step`` counts, where it is known


class Step(BaseModel):
    """Progress within a stage, told a few times a second at most."""

    event: Literal["step"] = "step"
    epoch: int | None = None
    epochs: int | None = None
    step: int
    steps: int
    loss: float | None = None
    images_per_second: float | None = None


class EpochRow(BaseModel):
    """A finished epoch's row of ``history.csv``."""

    event: Literal["epoch"] = "epoch"
    row: dict[str, float]


class Notice(BaseModel):
    """A sentence that the user should see, e.g. a plugin's warning."""

    event: Literal["notice"] = "notice"
    message: str


class Failed(BaseModel):
    """The child ends without result; the message is a whole sentence."""

    event: Literal["failed"] = "failed"
    message: str
    input_error: bool = False  # the user's input was wrong: exit status 2
    surroundings: bool = False  # disk, images or processes were not as they should be: it may succeed later


class Calling(BaseModel):
    """Whose code runs now, so that a sudden end of the child has a name; None: the core's own again."""

    event: Literal["calling"] = "calling"
    who: str | None


class Stopped(BaseModel):
    """The child ends because it was asked to; the message says how much of its work is kept."""

    event: Literal["stopped"] = "stopped"
    message: str


class Finished(BaseModel):
    """The child has written everything."""

    event: Literal["finished"] = "finished"


Event = Annotated[
    Stage | Step | EpochRow | Notice | Calling | Failed | Stopped | Finished, Field(discriminator="event")
]
event_adapter: TypeAdapter[Event] = TypeAdapter(Event)
"""Reads a line of the child's standard output."""
