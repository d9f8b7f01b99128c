"""``task.json``, ``model.json`` and ``timing.json``."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from cxrkit.api import Scale
from cxrkit.records.document import Document
from cxrkit.records.figures import ThresholdRecord, Zone
from cxrkit.records.relied_on import RecordedOptions

Temperature = Annotated[float, Field(ge=1e-9)]
"""What divides logits. None that is fitted is smaller, and smaller ones would make infinite logits."""


class TemperatureRecord(BaseModel):
    """A temperature that divides logits, fitted on validation (Guo et al. 2017)."""

    model_config = ConfigDict(extra="forbid")

    value: Temperature
    set: str
    n: int | None = None  # images; None of a saved model whose run is gone
    n_patients: int | None = None


class PriorRecord(BaseModel):
    """Class shares of a training, in the order of the classes; see :class:`cxrkit.api.PriorShift`."""

    model_config = ConfigDict(extra="forbid")

    seen: list[float]
    natural: list[float]


class EnsembleRecord(BaseModel):
    """How the members of an ensemble were put together."""

    model_config = ConfigDict(extra="forbid")

    method: Literal["mean", "logit-mean", "validation-weighted"]
    weights: dict[str, float]  # member → weight, summing to 1


class TtaRecord(BaseModel):
    """In which views a model with test-time augmentation judges an image: the plain one, and others augmented."""

    model_config = ConfigDict(extra="forbid")

    views: int  # of each image, the plain one among them
    augmentation: dict[str, Any]  # as the configuration resolved to
    seed: int  # of the run; with image and number of the view it fixes the random choices


TaskKind = Literal["trained", "predictions", "tta", "ensemble", "checkpoint"]


TaskState = Literal["pending", "running", "finished", "failed"]


class TaskInfo(Document):
    """``tasks/<task>/task.json``."""

    task: str
    kind: TaskKind
    state: TaskState
    failure: str | None = None
    class_names: list[str] = []
    positive: str | None = None
    seeds: list[int] = []
    represent: str | None = None  # "ensemble" or "seed 0": what predictions/ holds
    members: list[str] = []  # of an ensemble; of test-time augmentation, its task
    ensemble: EnsembleRecord | None = None
    tta: TtaRecord | None = None
    scale: Scale = "probability"
    threshold: ThresholdRecord | None = None
    patient_thresholds: dict[str, ThresholdRecord] = {}  # unit → threshold of the patients' probabilities
    zone: Zone | None = None
    temperature: TemperatureRecord | None = None
    prior: PriorRecord | None = None
    sets: list[str] = []
    training_fingerprints: dict[str, dict[str, str]] = {}  # seed → key → digest or value
    sources: dict[str, str] = {}  # set → sha256 of its images or its file; of an ensemble or TTA, each file's
    # For the report, of a trained task: what the configuration resolved to.
    model: str | None = None
    imbalance: str | None = None
    trainer: str | None = None
    options: RecordedOptions = {}


class LayerInfo(BaseModel):
    """A row of the layer table: a top-level part of the network."""

    model_config = ConfigDict(extra="forbid")

    name: str
    kind: str
    output_shape: list[int]
    parameters: int
    trainable: int


class Preprocessing(BaseModel):
    """What turns a file into the network's input; everything that prediction elsewhere needs."""

    model_config = ConfigDict(extra="forbid")

    image_size: int = Field(ge=1, le=4096)  # pixels, height and width of the input
    resize: int = Field(ge=1, le=8192)  # pixels, the shorter side before the central crop
    mean: list[float]  # of the three channels, after scaling to 0 … 1
    std: list[float]


class ModelInfo(Document):
    """``tasks/<task>/seeds/<n>/model.json``."""

    task: str
    seed: int
    model: str
    model_options: dict[str, Any] = {}
    distribution: str
    class_names: list[str]
    positive: str
    preprocessing: Preprocessing
    parameters: int
    trainable: int
    layers: list[LayerInfo] = []
    selected_epoch: int | None = None
    class_shares: list[float] = []  # of the training images
    seen_shares: list[float] | None = None  # that the loss saw; None where a loss of its own hides them
    threshold: ThresholdRecord | None = None
    zone: Zone | None = None
    temperature: Temperature | None = None


class Timing(Document):
    """``timing.json``: what differs from run to run, kept apart from the figures."""

    seconds: float
    images_per_second: float | None = None
    peak_memory_bytes: int | None = None
    peak_device_memory_bytes: int | None = None
    device: str | None = None
    precision: str | None = None
    epochs: list[dict[str, float]] = []
    notes: list[str] = []  # sentences of the trainer's, such as that memory ran out
