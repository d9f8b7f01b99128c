"""Optimisers for the built-in trainer, with a rate for each layer."""

from typing import Any, Literal

import torch
from torch import nn

from cxrkit.errors import RunError

from .depths import by_depth

Optimizer = Literal["adam", "adamw", "sgd"]
Groups = list[dict[str, Any]]


def layered(model: nn.Module, learning_rate: float, layer_decay: float) -> Groups:
    """Give every layer its learning rate, the classifier's first, as its is the one that histories tell.

    Args:
        model: whose parameters that require a gradient are trained.
        learning_rate: of the classifier.
        layer_decay: factor from each layer to the one before it.

    Raises:
        RunError: nothing is trained.
    """
    everything = trained(model)
    if layer_decay == 1:
        return [{"params": everything}]
    groups = [
        {
            "params": [parameter for parameter in layer if parameter.requires_grad],
            "lr": learning_rate * layer_decay**depth,
        }
        for depth, layer in enumerate(reversed(by_depth(model)))
    ]
    return [group for group in groups if group["params"]]


def trained(model: nn.Module) -> list[nn.Parameter]:
    """List what requires a gradient.

    Raises:
        RunError: nothing does.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not parameters:
        raise RunError("the model has no trainable parameter, freeze fewer layers")
    return parameters


def prepared(
    name: Optimizer, groups: Groups, learning_rate: float, weight_decay: float, momentum: float, *, fused: bool | None
) -> torch.optim.Optimizer:
    """Prepare an optimiser by name; ``momentum`` is of ``sgd``, which is never fused.

    Fused, torch's takes no group of which some parameters alone have momentum, as when the backbone is trained later.
    """
    if name == "sgd":
        return torch.optim.SGD(groups, learning_rate, momentum, weight_decay=weight_decay)
    kind = torch.optim.Adam if name == "adam" else torch.optim.AdamW
    return kind(groups, learning_rate, weight_decay=weight_decay, fused=fused)
