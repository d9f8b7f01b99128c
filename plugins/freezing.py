"""Layers that are not trained, batch norm statistics included."""

from collections.abc import Callable, Iterator
from difflib import get_close_matches

from torch import nn

from cxrkit.errors import InputError, nearest


def replace(network: nn.Module, name: str, layer: nn.Module) -> None:
    """Put another layer in the place of the one of a dotted name."""
    parent, _, own = name.rpartition(".")
    setattr(network.get_submodule(parent), own, layer)


class FrozenBatchNorm2d(nn.BatchNorm2d):
    """A batch norm that stays in evaluation mode, whatever its network is set to."""

    def train(self, mode: bool = True) -> "FrozenBatchNorm2d":  # noqa: ARG002  that it is ignored is the point
        """Stay in evaluation mode."""
        return super().train(mode=False)


def freeze_up_to(
    network: nn.Module, layer: str, head: str, frozen: Callable[[nn.BatchNorm2d], nn.Module] | None = None
) -> None:
    """Stop everything from the input up to and with ``layer`` from being trained, batch norm statistics included.

    Args:
        network: whose layers are defined in the order that they are computed in, as torchvision's are.
        layer: dotted name of a layer before the head, or ``none``.
        head: dotted name of the classifier.
        frozen: makes a batch norm one that stays in evaluation mode, where it is more than torch's own.

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
            replace(network, name, (frozen or frozen_norm)(part))


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


def frozen_norm(norm: nn.BatchNorm2d) -> FrozenBatchNorm2d:
    """Make of torch's batch norm one that stays in evaluation mode."""
    frozen = FrozenBatchNorm2d(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
    frozen.load_state_dict(norm.state_dict())
    return frozen.requires_grad_(False).eval()
