"""What an exported ONNX file says of itself."""

from typing import Any, Literal

from pydantic import ConfigDict

from cxrkit.records.document import Document
from cxrkit.records.figures import ThresholdRecord, Zone
from cxrkit.records.tasks import Preprocessing


class OnnxMetadata(Document):
    """The entry ``cxrkit`` of an ONNX file's ``metadata_props``, as JSON."""

    model_config = ConfigDict(protected_namespaces=())

    task: str
    seed: int
    architecture: str
    options: dict[str, Any]
    class_names: list[str]  # in the order of every output
    positive: str
    preprocessing: Preprocessing
    preprocessing_steps: list[str]  # the same in words, in their order
    outputs: dict[str, str]  # name → what it is
    threshold: ThresholdRecord | None  # None where none was chosen
    threshold_on: Literal["probabilities"] = "probabilities"  # the output that threshold and zone are on
    zone: Zone | None
    temperature: float | None  # divides the logits of "calibrated_probabilities"
    opset: int
    weights_sha256: str  # of the file that was exported
    cxrkit: str
    torch: str
