"""The layers of a network from its input to its head, for training them at different times and rates."""

from collections.abc import Sequence

from torch import nn

FEWEST_LAYERS = 3  # a backbone and its head alone are looked into
ALMOST_ALL = 0.9  # share of the backbone's parameters; a part that holds so much of them is looked into
NORMS_DIMENSIONS = 1  # of the parameters of a normalisation, which goes with what it normalises


def by_depth(network: nn.Module) -> list[list[nn.Parameter]]:
    """Divide the parameters of a network into layers, the input's first and the head's last.

    The layers are the parts that the network itself is made of (``conv1``, ``layer1`` … ``layer4``, ``fc`` of a
    ResNet), in the order that they are defined in, as torchvision's and timm's are. A part that holds almost all of
    the rest (``features``, ``encoder``) is replaced by its own parts. A normalisation goes with what stands before
    it; a parameter that stands in no part (a class token) goes with the input.

    Args:
        network: any; one without a head of its own is one layer.
    """
    parts = _parts(network)
    layers: list[list[nn.Parameter]] = []
    for part in parts:
        parameters = list(part.parameters())
        if layers and all(parameter.ndim <= NORMS_DIMENSIONS for parameter in parameters):
            layers[-1] += parameters
        else:
            layers.append(parameters)
    placed = {id(parameter) for layer in layers for parameter in layer}
    loose = [parameter for parameter in network.parameters() if id(parameter) not in placed]
    if not layers:
        return [loose]
    return [loose + layers[0], *layers[1:]]


def head(network: nn.Module) -> nn.Module:
    """Find the classifier: the last part of a network that has parameters.

    Returns:
        the network itself where it has no parts.
    """
    parts = _own_parts(network)
    while len(parts) == 1:
        network = parts[0]
        parts = _own_parts(network)
    return parts[-1] if parts else network


def _parts(network: nn.Module) -> list[nn.Module]:
    parts = _own_parts(network)
    while (place := _to_look_into(parts)) is not None:
        parts[place : place + 1] = _own_parts(parts[place])
    return parts


def _own_parts(network: nn.Module) -> list[nn.Module]:
    return [child for child in network.children() if any(True for _ in child.parameters())]


def _to_look_into(parts: Sequence[nn.Module]) -> int | None:
    """Say which part is divided further: a wrapper around everything, or what is almost all of the backbone."""
    backbone = parts if len(parts) == 1 else parts[:-1]
    sizes = [sum(parameter.numel() for parameter in part.parameters()) for part in backbone]
    if not sizes:
        return None
    largest = max(sizes)
    place = sizes.index(largest)
    whole = len(parts) < FEWEST_LAYERS or largest > ALMOST_ALL * sum(sizes)
    return place if whole and _own_parts(parts[place]) else None
