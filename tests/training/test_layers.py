import pytest
import torch
from cxrkit_plugins.models import cxrkit_register_models
from torch import nn

from cxrkit.errors import InputError
from cxrkit.training import layers

BUILT_IN = cxrkit_register_models()


class Small(nn.Module):
    """Two parts, one frozen, and a parameter of its own."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        self.features = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.BatchNorm2d(4), nn.ReLU())
        self.unused = nn.Linear(5, 5)
        self.classifier = nn.Linear(4, 2)
        self.features.requires_grad_(False)

    def forward(self, images):
        return self.classifier(self.scale * self.features(images).mean((2, 3)))


class ChannelsLast(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 4, stride=4)
        self.norm = nn.LayerNorm(4)
        self.head = nn.Linear(4, 2)

    def forward(self, images):
        return self.head(self.norm(self.conv(images).permute(0, 2, 3, 1)).mean((1, 2)))


def test_each_part_has_its_output_shape_and_parameters():
    rows = layers.table(Small(), 32)

    assert [(row.name, row.kind, row.output_shape, row.parameters, row.trainable) for row in rows] == [
        ("Small", "Small", [2], 1, 1),
        ("features", "Sequential", [4, 16, 16], 4 * 27 + 4 + 8, 0),
        ("unused", "Linear", [], 30, 30),
        ("classifier", "Linear", [2], 10, 10),
    ]


def test_the_rows_add_up_to_the_network():
    network = BUILT_IN["vit_b_16"](2)

    assert sum(row.parameters for row in layers.table(network, 224)) == sum(p.numel() for p in network.parameters())


def test_the_layers_of_resnet18_are_those_of_the_paper():
    """Table 1 of He et al. (2016): 112, 56, 28, 14 and 7 pixels for 224."""
    shapes = {row.name: row.output_shape for row in layers.table(BUILT_IN["resnet18"](2), 224)}

    assert shapes["conv1"] == [64, 112, 112]
    assert [shapes[f"layer{n}"] for n in (1, 2, 3, 4)] == [[64, 56, 56], [128, 28, 28], [256, 14, 14], [512, 7, 7]]
    assert shapes["fc"] == [2]


def test_the_model_is_left_as_it_was():
    network = Small().train()
    network.features.eval()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}

    layers.table(network, 32)

    assert network.training
    assert not network.features[1].training
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    assert not any(part._forward_hooks for part in network.modules())


def test_an_image_size_that_the_network_does_not_take_is_an_error():
    with pytest.raises(InputError, match=r"VisionTransformer: takes no images of 64 pixels \(.*\), choose another"):
        layers.table(BUILT_IN["vit_b_16"](2), 64)


def test_after_an_error_no_hook_is_left():
    network = BUILT_IN["vit_b_16"](2)

    with pytest.raises(InputError):
        layers.table(network, 64)

    assert not any(part._forward_hooks for part in network.modules())


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("resnet18", "layer4"),
        ("densenet121", "features"),
        ("mobilenet_v3_small", "features"),
        ("shufflenet_v2_x0_5", "conv5"),
        ("regnet_y_400mf", "trunk_output"),
        ("mnasnet0_5", "layers"),
        ("googlenet", "inception5b"),
        ("efficientnet_b0", "features"),
        ("alexnet", "features"),
        ("convnext_tiny", "features"),
        ("swin_t", "permute"),
    ],
)
def test_the_last_feature_map_of_each_family_is_found(name, layer):
    assert layers.last_feature_map(BUILT_IN[name](2), 96) == layer


def test_a_map_of_one_place_is_passed_over():
    """At 32 pixels, layer4 of ResNet-18 gives one place."""
    assert layers.last_feature_map(BUILT_IN["resnet18"](2), 32) == "layer3"


def test_a_transformer_of_tokens_has_no_feature_map():
    assert layers.last_feature_map(BUILT_IN["vit_b_16"](2), 224) is None


def test_channels_in_the_last_place_are_no_feature_map():
    assert layers.last_feature_map(ChannelsLast(), 64) is None


def test_a_network_without_convolutions_has_no_feature_map():
    assert layers.last_feature_map(nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 2)), 16) is None


def test_pooling_before_the_classifier_is_passed_over():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(64, 2))

    assert layers.last_feature_map(network, 32) == "1"
