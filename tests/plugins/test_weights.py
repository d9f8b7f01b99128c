import hashlib
import io
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import safetensors.torch
import torch
from cxrkit_plugins import models, weights
from torch import nn
from torchvision.models import SqueezeNet1_1_Weights, squeezenet1_1
from torchvision.models import resnet18 as torchvision_resnet18

from cxrkit import options
from cxrkit.errors import InputError

SMALL = models.cxrkit_register_models()["squeezenet1_1"]


@pytest.fixture(scope="module")
def state():
    torch.manual_seed(7)
    return squeezenet1_1(weights=None).state_dict()


@pytest.fixture
def saved(tmp_path, state):
    path = tmp_path / "squeezenet.pth"
    torch.save(state, path)
    return path


def small(path):
    return SMALL(2, weights=str(path))


# ── Local files ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_weights_of_a_state_dict_are_in_the_model(saved, state):
    network = small(saved)

    assert torch.equal(network.features[0].weight, state["features.0.weight"])
    assert network.classifier[1].weight.shape == (2, 512, 1, 1)


def test_weights_of_a_safetensors_file_are_in_the_model(tmp_path, state):
    safetensors.torch.save_file(state, tmp_path / "squeezenet.safetensors")

    network = small(tmp_path / "squeezenet.safetensors")

    assert torch.equal(network.features[0].weight, state["features.0.weight"])


def test_a_model_that_cxrkit_trained_can_be_gone_on_from(tmp_path):
    trained = models.resnet18(2)
    safetensors.torch.save_model(trained, tmp_path / "model.safetensors")

    network = models.resnet18_pretrained(3, weights=str(tmp_path / "model.safetensors"))

    assert torch.equal(network.layer4[1].bn2.weight, trained.layer4[1].bn2.weight)
    assert network.fc.out_features == 3


def test_an_old_file_without_batch_counts_fits(tmp_path):
    state = torchvision_resnet18(weights=None).state_dict()
    torch.save({k: v for k, v in state.items() if "num_batches" not in k}, tmp_path / "old.pth")

    network = models.resnet18_pretrained(2, weights=str(tmp_path / "old.pth"))

    assert torch.equal(network.conv1.weight, state["conv1.weight"])


def test_the_published_names_of_densenet_fit():
    """torchvision's files for DenseNet say ``norm.1`` where its model says ``norm1``."""
    of_body = weights._of_body({"features.denseblock1.denselayer1.norm.1.weight": torch.ones(1)}, ("classifier.",))

    assert list(of_body) == ["features.denseblock1.denselayer1.norm1.weight"]


def test_the_auxiliary_classifiers_of_a_file_are_left_out():
    assert weights._of_body({"aux1.fc1.weight": torch.ones(1), "fc.weight": torch.ones(1)}, "fc") == {}


def test_a_missing_file_is_told_before_training():
    with pytest.raises(InputError, match=r'model.weights: must be "imagenet".*there is no file .*nowhere.pth'):
        options.check(models.resnet18_pretrained, {"weights": "nowhere.pth"}, "model")


def test_a_missing_file_is_told_when_building():
    with pytest.raises(InputError, match=r'model "squeezenet1_1": weights: must be .*there is no file .*nowhere.pth'):
        small("nowhere.pth")


def test_weights_of_another_architecture_are_told_with_the_first_tensor_and_how_many(tmp_path):
    torch.save(torchvision_resnet18(weights=None).state_dict(), tmp_path / "resnet.pth")

    with pytest.raises(
        InputError,
        match=r'another architecture than squeezenet1_1: \d+ tensors differ, the first is "features.0.weight"',
    ):
        small(tmp_path / "resnet.pth")


def test_a_tensor_of_another_shape_is_told_with_both_shapes(tmp_path, state):
    torch.save(state | {"features.0.weight": torch.zeros(96, 3, 7, 7)}, tmp_path / "wide.pth")

    expected = '1 tensor differs, the first is "features.0.weight" of [96, 3, 7, 7] in place of [64, 3, 3, 3]'
    with pytest.raises(InputError, match=re.escape(expected)):
        small(tmp_path / "wide.pth")


def test_the_weights_in_a_training_checkpoint_are_taken(tmp_path, state):
    torch.save({"model": state, "epoch": 3}, tmp_path / "checkpoint.pth")

    assert torch.equal(small(tmp_path / "checkpoint.pth").features[0].weight, state["features.0.weight"])


def test_a_checkpoint_of_another_form_is_told_by_its_keys(tmp_path, state):
    torch.save({"network": state, "epoch": 3}, tmp_path / "checkpoint.pth")

    with pytest.raises(InputError, match=r"holds no state dict but the keys network, epoch, give a file of"):
        small(tmp_path / "checkpoint.pth")


def test_something_else_than_a_dictionary_is_no_state_dict(tmp_path):
    torch.save([torch.ones(2)], tmp_path / "list.pth")

    with pytest.raises(InputError, match="holds no state dict but a list"):
        small(tmp_path / "list.pth")


def test_a_whole_pickled_model_is_refused_without_running_it(tmp_path):
    torch.save(nn.Linear(2, 2), tmp_path / "model.pth")

    with pytest.raises(InputError, match=r"holds torch.nn.modules.linear.Linear, more than tensors, give a file of"):
        small(tmp_path / "model.pth")


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", b"PK\x03\x04 cut off"])
def test_a_damaged_file_is_told(tmp_path, suffix, content):
    path = tmp_path / f"damaged.{suffix}"
    path.write_bytes(content)

    with pytest.raises(InputError, match=rf"damaged.{suffix}: (cannot be read|no file of PyTorch's)"):
        small(path)


def test_a_truncated_file_is_told(saved):
    saved.write_bytes(saved.read_bytes()[:100_000])

    with pytest.raises(InputError, match=r"squeezenet.pth: cannot be read \(.+\), get the file again"):
        small(saved)


# ── Downloads ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class Host:
    """A server of one file, which it may send whole, cut off, slowly or not at all."""

    def __init__(self, content):
        self.content, self.manner, self.requests = content, "whole", 0
        host = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                host.requests += 1
                if host.manner == "silent":
                    host.released.wait()
                    return
                if host.manner == "missing":
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(host.content)))
                self.end_headers()
                self.wfile.write(host.content if host.manner == "whole" else host.content[:1000])

            def log_message(self, *_):
                pass

        self.released = threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.released.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def host(tmp_path, state, monkeypatch):
    """torchvision's weights of SqueezeNet, at an address of this machine; the cache begins empty."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    host = Host(buffer.getvalue())
    digest = hashlib.sha256(host.content).hexdigest()[:8]
    url = f"http://127.0.0.1:{host.server.server_port}/squeezenet1_1-{digest}.pth"
    monkeypatch.setattr(SqueezeNet1_1_Weights.IMAGENET1K_V1.value, "url", url)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("no_proxy", "*")
    yield host
    host.close()


def cached(tmp_path):
    return list((tmp_path / "torch" / "hub" / "checkpoints").iterdir())


@pytest.mark.parametrize("name", ["imagenet", "IMAGENET1K_V1"])
def test_published_weights_are_fetched_once(host, tmp_path, state, name):
    first, second = SMALL(2, weights=name), SMALL(2, weights=name)

    assert host.requests == 1
    assert len(cached(tmp_path)) == 1
    assert torch.equal(first.features[0].weight, state["features.0.weight"])
    assert torch.equal(second.features[0].weight, state["features.0.weight"])


REMEDY = r'give a local file with weights = "…", or put it into .*checkpoints as squeezenet1_1-\w{8}.pth'


@pytest.mark.parametrize(
    ("manner", "reason"), [("missing", "HTTP status 404"), ("cut off", "invalid hash value"), ("silent", "timed out")]
)
def test_a_failed_download_says_why_and_what_to_do_and_leaves_nothing(host, tmp_path, monkeypatch, manner, reason):
    monkeypatch.setattr(weights, "TIMEOUT", 0.2)
    host.manner = manner

    with pytest.raises(InputError, match=rf"cannot be downloaded \(.*{reason}.*\), {REMEDY}"):
        SMALL(2, weights="imagenet")

    assert cached(tmp_path) == []


def test_after_a_broken_transfer_the_next_attempt_succeeds(host, tmp_path):
    host.manner = "cut off"
    with pytest.raises(InputError, match="invalid hash value"):
        SMALL(2, weights="imagenet")
    host.manner = "whole"

    SMALL(2, weights="imagenet")

    assert len(cached(tmp_path)) == 1


def test_a_file_of_other_content_is_refused(host):
    host.content = host.content[:-4] + b"evil"

    with pytest.raises(InputError, match="invalid hash value"):
        SMALL(2, weights="imagenet")


def test_an_unreachable_server_is_told(host):
    host.close()

    with pytest.raises(InputError, match=rf"cannot be downloaded \(.*refused.*\), {REMEDY}"):
        SMALL(2, weights="imagenet")


def test_a_damaged_file_in_the_cache_is_named(host, tmp_path):
    SMALL(2, weights="imagenet")
    (file,) = cached(tmp_path)
    file.write_bytes(file.read_bytes()[:5000])

    with pytest.raises(InputError, match=rf"{file.name}: cannot be read .*, delete it to have it fetched again"):
        SMALL(2, weights="imagenet")


def test_weights_that_torchvision_does_not_have_are_told_with_those_that_it_has():
    with pytest.raises(InputError, match=r'torchvision has no "IMAGENET1K_V2", allowed are IMAGENET1K_V1'):
        SMALL(2, weights="IMAGENET1K_V2")


def test_imagenet_means_the_weights_for_images_of_usual_size():
    """The best published weights of some are for 384 pixels and more, which a fixed-size transformer cannot load."""
    assert weights._published("vit_h_14", "imagenet").name == "IMAGENET1K_SWAG_LINEAR_V1"
    assert weights._published("resnet50", "imagenet").name == "IMAGENET1K_V2"
