"""timm's classifiers, on the tiny networks that timm has for tests."""

from importlib.util import find_spec

import pytest

pytest.importorskip("timm", reason='needs timm: pip install "cxrkit[timm]"')

import safetensors.torch
import timm
import torch
from cxrkit_plugins import timm_models
from cxrkit_plugins.timm_models import timm_model

from cxrkit import options
from cxrkit.errors import InputError
from cxrkit.testing import check_model
from cxrkit.training import layers

RESNET = "test_resnet"  # 0.4 M parameters; its weights are for images normalised otherwise than ImageNet's


@pytest.mark.parametrize("architecture", [RESNET, "test_vit"])
def test_it_keeps_the_promises_of_a_model(architecture):
    check_model(timm_model, architecture=architecture)


def test_the_classifier_is_of_as_many_classes_and_a_map_is_found():
    network = timm_model(3, architecture=RESNET)
    assert network.get_classifier().out_features == 3
    assert layers.last_feature_map(network, 96) == "layer4"
    assert layers.last_feature_map(timm_model(3, architecture="test_vit"), 160) is None


def test_weights_of_a_file_are_taken_but_for_the_classifier(tmp_path):
    torch.manual_seed(1)
    published = timm.create_model(RESNET, num_classes=1000)
    path = tmp_path / "weights.safetensors"
    safetensors.torch.save_file(published.state_dict(), path)
    network = timm_model(2, architecture=RESNET, weights=str(path))
    assert torch.equal(network.layer1[0].conv1.weight, published.layer1[0].conv1.weight)
    assert network.fc.weight.shape == (2, published.fc.in_features)
    with pytest.raises(InputError, match="weights of another architecture than test_efficientnet"):
        timm_model(2, architecture="test_efficientnet", weights=str(path))


@pytest.mark.parametrize(("architecture", "layer"), [(RESNET, "layer2"), ("test_efficientnet", "blocks.1")])
def test_frozen_layers_learn_nothing_and_keep_their_activations_and_statistics(architecture, layer):
    torch.manual_seed(0)
    free = timm_model(2, architecture=architecture)
    torch.manual_seed(0)
    network = timm_model(2, architecture=architecture, freeze=layer)
    images = torch.randn(4, 3, 96, 96)
    assert torch.equal(network.eval()(images), free.eval()(images))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=0.1)
    network.train()(images).sum().backward()
    optimizer.step()
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    order = [name for name, _ in network.named_modules()]
    last = max(place for place, name in enumerate(order) if name == layer or name.startswith(f"{layer}."))
    frozen = set(order[: last + 1])
    assert changed
    assert not [name for name in changed if name.rpartition(".")[0] in frozen]
    assert before.keys() == free.state_dict().keys()


def test_images_reach_the_network_as_its_weights_expect_them():
    network, raw = timm_model(2, architecture=RESNET).eval(), timm.create_model(RESNET, num_classes=2).eval()
    raw.load_state_dict(network.state_dict())
    assert raw.pretrained_cfg["mean"] == raw.pretrained_cfg["std"] == (0.5, 0.5, 0.5)
    grey = torch.rand(2, 3, 64, 64)
    mean, deviation = (torch.tensor(values)[:, None, None] for values in timm_models.IMAGENET)
    assert torch.allclose(network((grey - mean) / deviation), raw((grey - 0.5) / 0.5), atol=1e-5)


def test_an_unknown_name_and_weights_that_are_not_there_are_told_before_any_work(tmp_path):
    with pytest.raises(InputError, match=r'architecture: .*, did you mean "test_resnet"\?, got "test_resnett"'):
        options.check(timm_model, {"architecture": "test_resnett"}, "model")
    with pytest.raises(InputError, match=r"weights: must be .*, and there is no file .*gone\.pth"):
        options.check(timm_model, {"architecture": RESNET, "weights": str(tmp_path / "gone.pth")}, "model")
    with pytest.raises(InputError, match="architecture: missing"):
        options.check(timm_model, {}, "model")


def test_weights_that_cannot_be_fetched_are_told(monkeypatch):
    def unreachable(*_arguments, **_options):
        raise OSError("the hub cannot be reached")

    monkeypatch.setattr(timm, "create_model", unreachable)
    with pytest.raises(
        InputError, match=r'cannot be had \(the hub cannot be reached\), give a local file with weights = "…"'
    ):
        timm_model(2, architecture=RESNET, weights="timm")


def test_without_timm_it_says_what_to_install(monkeypatch):
    assert find_spec("timm")
    monkeypatch.setattr(timm_models, "find_spec", lambda _name: None)
    with pytest.raises(InputError, match=r'needs timm, pip install "cxrkit\[timm\]"'):
        options.check(timm_model, {"architecture": RESNET}, "model")
    with pytest.raises(InputError, match=r'needs timm, pip install "cxrkit\[timm\]"'):
        timm_model(2, architecture=RESNET)
