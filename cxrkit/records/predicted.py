"""``predictions.json`` of ``cxrkit predict``."""

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from cxrkit import bounded
from cxrkit.records.document import Document
from cxrkit.records.figures import ThresholdRecord, Zone
from cxrkit.records.run import Environment
from cxrkit.records.tasks import Preprocessing

ThresholdOrigin = Literal["model.json", "--threshold", "conventional"]
InZone = Literal["negative", "uncertain", "positive"]


class PredictingModel(BaseModel):
    """A saved model, and what was fixed with it."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    name: str
    file: str  # its name without its folder
    sha256: str
    architecture: str
    task: str | None  # of its training; None where nothing was beside the file, as with the seed
    seed: int | None
    class_names: list[str]
    positive: str
    preprocessing: Preprocessing
    temperature: float | None  # divides the logits of "probability"
    threshold: ThresholdRecord  # on "raw_probability"
    threshold_origin: ThresholdOrigin
    threshold_on_probability: float | None  # the same on "probability"; None of three classes and more
    zone: Zone | None  # on "raw_probability"
    cam_layer: str | None


class Answer(BaseModel):
    """What a model says of an image."""

    model_config = ConfigDict(extra="forbid")

    probability: float  # of the positive class, temperature-scaled where the model carries a temperature
    raw_probability: float
    decision: str  # a class, by the threshold
    zone: InZone | None = None  # None where the model carries none
    raw_probabilities: dict[str, float]
    overlay: str | None = None  # relative to the file


class PredictedImage(BaseModel):
    """An image by its file's name, or by its number; nothing that stands inside the file but its hash."""

    model_config = ConfigDict(extra="forbid")

    image: str
    sha256: str | None  # None of a file that cannot be opened
    status: str  # "ok", or why there is no result
    answers: dict[str, Answer] = {}  # model → answer


class PredictedImages(Document):
    """``predictions.json``."""

    most_bytes: ClassVar[int] = 200 * bounded.MEGABYTE  # it names every image
    environment: Environment
    anonymous_names: bool
    cam: str | None
    models: list[PredictingModel]
    images: list[PredictedImage]
