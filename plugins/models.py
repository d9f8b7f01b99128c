"""The built-in classifiers: the course's two ResNet-18, and every classifier of torchvision by its own name."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Annotated, Any, Literal

import torchvision.models
from pydantic import Field
from torch import nn

from cxrkit import hookimpl
from cxrkit.api import ModelBuilder
from cxrkit.errors import InputError, nearest

from . import weights as pretrained
from .weights import Weights

Head = Literal["two-layer", "linear"]
Hidden = Annotated[int, Field(ge=1)]
Dropout = Annotated[float, Field(ge=0, lt=1)]

IMAGENET_CLASSES = 1000
RESNET_FEATURES = 512
# Auxiliary classifiers return more than logits. The input is normalised for ImageNet, which these two change to theirs:
# no part of the state dict, so it must not depend on which weights are asked for.
INCEPTION = {"aux_logits": False, "transform_input": True, "init_weights": True}
CONSTRUCTION: Mapping[str, Mapping[str, Any]] = {"googlenet": INCEPTION, "inception_v3": INCEPTION}


@hookimpl
def cxrkit_register_models() -> Mapping[str, ModelBuilder]:
    """Offer the course's models and torchvision's."""
    names = torchvision.models.list_models(module=torchvision.models)
    builders = {name: _torchvision_builder(name) for name in names}
    return builders | {"resnet18": resnet18, "resnet18-pretrained": resnet18_pretrained}


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
    pretrained.load(network, "resnet18", weights, head="fc")
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
    def build(num_classes: int, *, weights: Weights = "none", freeze: str = "none") -> nn.Module:
        network: nn.Module = torchvision.models.get_model(name, weights=None, **CONSTRUCTION.get(name, {}))
        head = classifier_name(network)
        pretrained.load(network, name, weights, head)
        _replace(network, head, _of_width(network.get_submodule(head), num_classes))
        freeze_up_to(network, freeze, head)
        return network

    build.__name__ = build.__qualname__ = name
    build.__doc__ = f"torchvision's {name}, from scratch or with its own weights, its classifier replaced."
    return build


def classifier_name(network: nn.Module) -> str:
    """Find the last layer that gives the logits of ImageNet's classes: linear, or a convolution (SqueezeNet)."""
    names: list[str] = [name for name, layer in network.named_modules() if _width(layer) == IMAGENET_CLASSES]
    return names[-1]


def _replace(network: nn.Module, name: str, layer: nn.Module) -> None:
    parent, _, own = name.rpartition(".")
    setattr(network.get_submodule(parent), own, layer)


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


# ── Freezing ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class FrozenBatchNorm2d(nn.BatchNorm2d):
    """A batch norm that stays in evaluation mode, whatever its network is set to."""

    def train(self, mode: bool = True) -> "FrozenBatchNorm2d":  # noqa: ARG002  that it is ignored is the point
        """Stay in evaluation mode."""
        return super().train(mode=False)


def freeze_up_to(network: nn.Module, layer: str, head: str) -> None:
    """Stop everything from the input up to and with ``layer`` from being trained, batch norm statistics included.

    Args:
        network: whose layers are defined in the order that they are computed in, as torchvision's are.
        layer: dotted name of a layer before the head, or ``none``.
        head: dotted name of the classifier.

    Raises:
        InputError: there is no such layer; names the nearest.
    """
    if layer == "none":
        return
    _check_layer(network, layer, head)
    for name in list(_up_to(network, layer)):
        part = network.get_submodule(name)
        for parameter in part.parameters(recurse=False):
            parameter.requires_grad_(False)
        if isinstance(part, nn.BatchNorm2d):
            _replace(network, name, _frozen(part))


def _check_layer(network: nn.Module, layer: str, head: str) -> None:
    names = [name for name, _ in network.named_modules() if name and not f"{head}.".startswith(f"{name}.")]
    names = [name for name in names if not name.startswith(f"{head}.")]
    if layer not in names:
        top = [name for name, _ in network.named_children() if name in names]
        allowed = names if get_close_matches(layer, names, n=1) else top
        raise InputError(f'model: freeze: no layer is named "{layer}", {nearest(layer, ["none", *allowed])}')


def _up_to(network: nn.Module, layer: str) -> Iterator[str]:
    """Give the names of all modules from the input up to ``layer`` and its parts, in the order of definition."""
    reached = False
    for name, _ in network.named_modules():
        within = name == layer or name.startswith(f"{layer}.")
        if reached and not within:
            return
        reached = reached or within
        yield name


def _frozen(norm: nn.BatchNorm2d) -> FrozenBatchNorm2d:
    frozen = FrozenBatchNorm2d(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
    frozen.load_state_dict(norm.state_dict())
    return frozen.requires_grad_(False).eval()
