"""A network as an ONNX file, and how far onnxruntime is from PyTorch on it."""

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from itertools import islice
from textwrap import shorten
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cxrkit.api import FloatArray
from cxrkit.calibration import apply_temperature
from cxrkit.errors import RunError
from cxrkit.evaluation.predictions import softmax
from cxrkit.records import OnnxMetadata, Preprocessing
from cxrkit.training.images import Grey, normalised

OPSET = 18  # what torch's own translations are written in: no conversion, and runtimes since 2023 know it
IMAGE = "image"
LOGITS, PROBABILITIES, CALIBRATED = "logits", "probabilities", "calibrated_probabilities"
KEY = "cxrkit"
BATCH = 32
_LONGEST = 300  # letters of an exporter's complaint


class Differences(NamedTuple):
    """How far an ONNX file is from the network that it was made of.

    Attributes:
        images: that both were given.
        probabilities: largest absolute difference of any probability; NaN where one is none.
        logits: the same of the logits.
    """

    images: int
    probabilities: float
    logits: float


class _Answering(nn.Module):
    """A network that gives probabilities beside its logits."""

    def __init__(self, network: nn.Module, temperature: float | None) -> None:
        super().__init__()
        self.network, self.temperature = network, temperature

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        logits: Tensor = self.network(image)
        if self.temperature is None:
            return logits, logits.softmax(1)
        return logits, logits.softmax(1), (logits / self.temperature).softmax(1)


def outputs(temperature: float | None) -> dict[str, str]:
    """Name the outputs of a file in their order, each float32[batch, num_classes], and say what they are."""
    given = {LOGITS: "of the network", PROBABILITIES: "softmax of the logits"}
    return given if temperature is None else given | {CALIBRATED: "softmax of the logits divided by the temperature"}


def content(module: nn.Module, metadata: OnnxMetadata, where: str) -> bytes:
    """Translate a network into an ONNX file with a batch axis of any length.

    Args:
        module: on the CPU, in evaluation mode; takes float32[n, 3, image_size, image_size].
        metadata: is carried in the file.
        where: for messages.

    Returns:
        The bytes of the file; its input is ``image``, its outputs are those of :func:`outputs`. No path of this machine
        is in it.

    Raises:
        RunError: torch cannot translate the network.
    """
    size = metadata.preprocessing.image_size
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the exporter about itself
            program = torch.onnx.export(
                _Answering(module, metadata.temperature).eval(),
                (torch.zeros(2, 3, size, size),),
                dynamo=True,
                verbose=False,
                opset_version=OPSET,
                input_names=[IMAGE],
                output_names=list(outputs(metadata.temperature)),
                dynamic_shapes=({0: torch.export.Dim("batch")},),
            )
    except Exception as error:  # exporter and translations raise of many kinds, a network's own code of any
        why = shorten(str(error), _LONGEST, placeholder="…") or type(error).__name__
        raise RunError(f"{where}: cannot be translated to ONNX ({type(error).__name__}: {why})") from error
    assert program is not None  # noqa: S101 - the one of dynamo returns it
    import_module("onnx_ir.passes.common").ClearMetadataAndDocStringPass()(program.model)  # stack traces with our paths
    program.model.metadata_props[KEY] = metadata.model_dump_json()
    return bytes(program.model_proto.SerializeToString())


def differences(file: bytes, module: nn.Module, temperature: float | None, images: Iterator[Grey]) -> Differences:
    """Compare what onnxruntime computes from a file with what PyTorch computes from its network, on the CPU.

    The file's input is made by the preprocessing that it carries, and its probabilities are compared with those that
    follow from PyTorch's logits, so that a wrong entry counts as a wrong weight does.

    Args:
        file: the bytes of :func:`content`.
        module: the network.
        temperature: of the model.
        images: uint8[image_size, image_size] each. The first is a batch of its own, then come batches of 32.

    Raises:
        RunError: onnxruntime cannot load the file or fails on it.
    """
    found: list[tuple[int, float, float]] = []
    with _failing():
        options = (library := import_module("onnxruntime")).SessionOptions()
        options.log_severity_level = 3  # errors
        session = library.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        metadata = OnnxMetadata.model_validate_json(session.get_modelmeta().custom_metadata_map[KEY])
    for greys in _batches(images):
        expected = _logits(module, greys)
        with _failing():
            given = session.run(list(outputs(temperature)), {IMAGE: _prepared(greys, metadata.preprocessing)})
        found.append((len(greys), *_distances(given, expected, temperature)))
    counts, probabilities, logits = zip(*found, strict=True) if found else ((), (), ())
    return Differences(sum(counts), float(np.max(probabilities, initial=0)), float(np.max(logits, initial=0)))


@contextmanager
def _failing() -> Iterator[None]:
    try:
        yield
    except Exception as error:  # onnxruntime's own classes have no common one
        why = shorten(str(error), _LONGEST, placeholder="…")
        raise RunError(f"onnxruntime: fails on the exported file ({type(error).__name__}: {why})") from error


def _batches(images: Iterable[Grey]) -> Iterator[Grey]:
    rest = iter(images)
    size = 1
    while batch := list(islice(rest, size)):
        yield np.stack(batch)
        size = BATCH


def _prepared(greys: Grey, preprocessing: Preprocessing) -> NDArray[np.float32]:
    mean, std = (np.array(values).reshape(1, 3, 1, 1) for values in (preprocessing.mean, preprocessing.std))
    prepared: NDArray[np.float32] = ((greys[:, None] / 255 - mean) / std).astype(np.float32)
    return prepared


def _logits(module: nn.Module, greys: Grey) -> FloatArray:
    with torch.no_grad():
        output: Tensor = module(normalised(torch.from_numpy(greys)))
    return output.numpy().astype(np.float64)


def _distances(given: list[NDArray[np.float32]], logits: FloatArray, temperature: float | None) -> tuple[float, float]:
    expected = [softmax(logits)] if temperature is None else [softmax(logits), apply_temperature(logits, temperature)]
    probabilities = np.abs(np.stack(given[1:]) - np.stack(expected)).max()
    return float(probabilities), float(np.abs(given[0] - logits).max())
