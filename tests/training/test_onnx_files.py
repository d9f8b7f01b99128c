"""How far an ONNX file is from its network: a file made by hand, without torch's exporter."""

import numpy as np
import pytest
import torch

from cxrkit.errors import RunError
from cxrkit.records import OnnxMetadata
from cxrkit.training import onnx_files
from cxrkit.training.images import preprocessing

SIZE, TEMPERATURE = 16, 2.0
GREYS = np.random.default_rng(0).integers(0, 256, (40, SIZE, SIZE)).astype(np.uint8)
GREYS[::2] //= 3

pytest.importorskip("onnxruntime", reason="onnxruntime: not installed")
onnx = pytest.importorskip("onnx", reason="onnx: not installed")


def metadata(**changes):
    known = {
        "task": "tiny",
        "seed": 0,
        "architecture": "tiny",
        "options": {},
        "class_names": ["NORMAL", "PNEUMONIA"],
        "positive": "PNEUMONIA",
        "preprocessing": preprocessing(SIZE),
        "preprocessing_steps": [],
        "outputs": onnx_files.outputs(TEMPERATURE),
        "threshold": None,
        "zone": None,
        "temperature": TEMPERATURE,
        "opset": onnx_files.OPSET,
        "weights_sha256": "",
        "cxrkit": "",
        "torch": "",
    }
    return OnnxMetadata(**(known | changes))


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(3, 2)).eval()


def file(network, *, shift=0.0, batch="batch", temperature=TEMPERATURE, told=None):
    """Write the network as ONNX; keyword arguments make something of it wrong."""
    helper, number = onnx.helper, onnx.TensorProto.FLOAT
    bias = network[2].bias.detach().numpy() + np.array([0, shift], dtype=np.float32)
    values = {"weight": network[2].weight.detach().numpy(), "bias": bias, "t": np.float32(temperature)}
    graph = helper.make_graph(
        [
            helper.make_node("GlobalAveragePool", ["image"], ["pooled"]),
            helper.make_node("Flatten", ["pooled"], ["flat"]),
            helper.make_node("Gemm", ["flat", "weight", "bias"], ["logits"], transB=1),
            helper.make_node("Softmax", ["logits"], ["probabilities"]),
            helper.make_node("Div", ["logits", "t"], ["divided"]),
            helper.make_node("Softmax", ["divided"], ["calibrated_probabilities"]),
        ],
        "tiny",
        [helper.make_tensor_value_info("image", number, [batch, 3, SIZE, SIZE])],
        [helper.make_tensor_value_info(name, number, [batch, 2]) for name in onnx_files.outputs(TEMPERATURE)],
        [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    helper.set_model_props(model, {onnx_files.KEY: (told or metadata()).model_dump_json()})
    return model.SerializeToString()


def differences(content, network):
    return onnx_files.differences(content, network, TEMPERATURE, iter(GREYS))


def test_a_file_that_is_the_network_gives_what_the_network_gives(network):
    found = differences(file(network), network)
    assert found.images == len(GREYS)
    assert 0 <= found.probabilities < 1e-6
    assert 0 <= found.logits < 1e-5


def test_a_shifted_weight_is_seen_in_full(network):
    found = differences(file(network, shift=0.01), network)
    assert found.logits == pytest.approx(0.01, abs=1e-5)
    assert found.probabilities == pytest.approx(0.01 / 4, rel=0.2)  # the steepest slope of the logistic function


def test_another_temperature_and_another_mean_than_the_models_are_seen(network):
    found = differences(file(network, temperature=2.1), network)
    assert found.logits < 1e-5
    assert found.probabilities > 1e-4
    other = preprocessing(SIZE).model_copy(update={"mean": [0.5, 0.456, 0.406]})
    assert differences(file(network, told=metadata(preprocessing=other)), network).probabilities > 1e-3


def test_what_is_no_number_is_no_small_difference(network):
    found = differences(file(network, shift=np.nan), network)
    assert np.isnan(found.probabilities)


@pytest.mark.parametrize("content", [{"batch": 1}, None], ids=["a batch of one alone", "no file at all"])
def test_a_file_that_onnxruntime_cannot_use_is_told(network, content):
    with pytest.raises(RunError, match=r"^onnxruntime: fails on the exported file \(\w+: .+\)$"):
        differences(b"nothing" if content is None else file(network, **content), network)
