"""The built-in classifiers: the course's two ResNet-18, and those of torchvision and timm by their own names."""

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Literal

import torchvision.models
from pydantic import Field
from torch import nn

from cxrkit import hookimpl
from cxrkit.api import ModelBuilder

from . import weights as pretrained
from .freezing import freeze_up_to, replace
from .timm_models import timm_model
from .weights import Weights

Head = Literal["two-layer", "linear"]
Hidden = Annotated[int, Field(ge=1, le=1_000_000)]
Dropout = Annotated[float, Field(ge=0, lt=1)]

IMAGENET_CLASSES = 1000
RESNET_FEATURES = 512
# Auxiliary classifiers return more than logits. The input is normalised for ImageNet, which these two change to theirs:
# no part of the state dict, so it must not depend on which weights are asked for.
INCEPTION = {"aux_logits": False, "transform_input": True, "init_weights": True}
CONSTRUCTION: Mapping[str, Mapping[str, Any]] = {"googlenet": INCEPTION, "inception_v3": INCEPTION}


@hookimpl
def cxrkit_register_models() -> Mapping[str, ModelBuilder]:
    """Offer the course's models, torchvision's by their names, and timm's as ``timm``."""
    names = torchvision.models.list_models(module=torchvision.models)
    builders = {name: _torchvision_builder(name) for name in names}
    return builders | {"resnet18": resnet18, "resnet18-pretrained": resnet18_pretrained, "timm": timm_model}


def resnet18(num_classes: int, *, head: Head = "two-layer", hidden: Hidden = 256, dropout: Dropout = 0.0) -> nn.Module:
    """ResNet-18 from scratch, by default with two fully connected layers (He et al., 2016).

    Args:
        num_classes: length of the logits.
        head: ``two-layer`` is 512 → hidden → ReLU → dropout → classes; ``linear`` is 512 → classes.
        hidden: units of the two-layer head.
        dropout: probability, before the last layer.
    """
    network: nn.Module = torchvision.models.resnet18(weights=None)
    network.fc = _head(num_classes, head, hidden, dropout)
    return network


def resnet18_pretrained(
    num_classes: int,
    *,
    weights: Weights = "imagenet",
    freeze: str = "none",
    head: Head = "linear",
    hidden: Hidden = 256,
    dropout: Dropout = 0.0,
) -> nn.Module:
    """ResNet-18 pre-trained on ImageNet, its classifier replaced.

    Args:
        num_classes: length of the logits.
        weights: ``imagenet`` (torchvision's), or the path of a state dict (.pth or .safetensors), or ``none``.
        freeze: up to and with which layer nothing is trained: ``conv1``, ``bn1``, ``layer1`` … ``layer4``, or ``none``.
        head: as for ``resnet18``.
        hidden: units of the two-layer head.
        dropout: probability, before the last layer.

    Raises:
        InputError: the weights cannot be had or do not fit, or there is no such layer.
    """
    network: nn.Module = torchvision.models.resnet18(weights=None)
    pretrained.load(network, "resnet18", weights, "fc")
    network.fc = _head(num_classes, head, hidden, dropout)
    freeze_up_to(network, freeze, head="fc")
    return network


def _head(num_classes: int, head: Head, hidden: int, dropout: float) -> nn.Module:
    layers: list[nn.Module] = [nn.Linear(hidden, num_classes)]
    if head == "linear":
        layers = [nn.Linear(RESNET_FEATURES, num_classes)]
    if dropout > 0:
        layers.insert(0, nn.Dropout(dropout))
    if head == "two-layer":
        layers = [nn.Linear(RESNET_FEATURES, hidden), nn.ReLU(inplace=True), *layers]
    return nn.Sequential(*layers) if len(layers) > 1 else layers[0]


def _torchvision_builder(name: str) -> ModelBuilder:
    build = partial(_torchvision, name)
    build.__doc__ = f"torchvision's {name}, from scratch or with its own weights, its classifier replaced."
    return build


def _torchvision(name: str, num_classes: int, *, weights: Weights = "none", freeze: str = "none") -> nn.Module:
    network: nn.Module = torchvision.models.get_model(name, weights=None, **CONSTRUCTION.get(name, {}))
    head = classifier_name(network)
    pretrained.load(network, name, weights, head)
    replace(network, head, _of_width(network.get_submodule(head), num_classes))
    freeze_up_to(network, freeze, head)
    return network


def classifier_name(network: nn.Module) -> str:
    """Find the last layer that gives the logits of ImageNet's classes: linear, or a convolution (SqueezeNet)."""
    names: list[str] = [name for name, layer in network.named_modules() if _width(layer) == IMAGENET_CLASSES]
    return names[-1]


def _width(layer: nn.Module) -> int | None:
    if isinstance(layer, nn.Linear):
        return layer.out_features
    return layer.out_channels if isinstance(layer, nn.Conv2d) else None


def _of_width(layer: nn.Module, num_classes: int) -> nn.Module:
    bias = layer.bias is not None
    if isinstance(layer, nn.Conv2d):
        return nn.Conv2d(layer.in_channels, num_classes, kernel_size=1, bias=bias)
    assert isinstance(layer, nn.Linear)  # noqa: S101  tells mypy what classifier_name has made sure of
    return nn.Linear(layer.in_features, num_classes, bias=bias)
