import pytest
import torchvision.models
from cxrkit_plugins.depths import by_depth, head
from torch import nn

STARTS = {
    "resnet18": ["conv1.weight", "layer1.0.conv1.weight", "layer2.0.conv1.weight", "layer3.0.conv1.weight",
                 "layer4.0.conv1.weight", "fc.weight"],
    "vgg11": ["features.0.weight", "features.3.weight", "features.6.weight", "features.8.weight",
              "features.11.weight", "features.13.weight", "features.16.weight", "features.18.weight",
              "classifier.0.weight"],
    "vit_b_16": ["class_token", *(f"encoder.layers.encoder_layer_{n}.ln_1.weight" for n in range(12)),
                 "heads.head.weight"],
}  # fmt: skip


@pytest.mark.parametrize("name", STARTS)
def test_the_layers_of_a_network_are_its_own_from_input_to_head(name):
    network = torchvision.models.get_model(name, weights=None)
    names = {id(parameter): key for key, parameter in network.named_parameters()}
    layers = by_depth(network)
    assert [names[id(layer[0])] for layer in layers] == STARTS[name]
    assert sorted(id(parameter) for layer in layers for parameter in layer) == sorted(names)
    assert {id(parameter) for parameter in head(network).parameters()} == {id(parameter) for parameter in layers[-1]}


def test_a_wrapper_is_looked_into_and_a_single_layer_is_its_own_head():
    inner = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 2))
    wrapper = nn.Sequential(inner)
    assert [len(layer) for layer in by_depth(wrapper)] == [4, 2]
    assert head(wrapper) is inner[2]
    linear = nn.Linear(3, 2)
    assert head(linear) is linear
    assert [len(layer) for layer in by_depth(linear)] == [2]
