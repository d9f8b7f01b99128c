"""Draw a network's parameters anew, part by part from the output to the input (Adebayo et al. 2018)."""

from collections.abc import Iterable

import torch
from torch import nn

from cxrkit.training.layers import outputs


def parts(model: nn.Module, image_size: int) -> list[str]:
    """List the top-level parts with parameters from the output to the input, in reverse order of computation.

    Parameters of the network itself, of no part, come last under an empty name. A part that computes nothing for an
    image (an auxiliary head) is left out.

    Raises:
        InputError: the network does not take images of this size.
    """
    last = {output.name.split(".")[0]: place for place, output in enumerate(outputs(model, image_size))}
    learnt = [name for name, part in model.named_children() if name in last and list(part.parameters())]
    own = [""] if list(model.parameters(recurse=False)) else []
    return [*sorted(learnt, key=lambda name: -last[name]), *own]


def randomise(model: nn.Module, part: str, seed: int) -> None:
    """Draw the parameters of a part anew, in place, statistics of batch norms included.

    A module that can reset its parameters does; any other parameter is drawn from a normal distribution with its own
    mean and SD. Torch's generator of the CPU is left as it was.

    Args:
        model: the network.
        part: a name of :func:`parts`.
        seed: of the draw.
    """
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        for module in model.get_submodule(part).modules() if part else [model]:
            reset = getattr(module, "reset_parameters", None)
            if callable(reset):
                reset()
            else:
                _redraw(module.parameters(recurse=False))


def _redraw(parameters: Iterable[nn.Parameter]) -> None:
    for parameter in parameters:
        if parameter.numel() > 1:
            parameter.normal_(float(parameter.mean()), float(parameter.std()))
        else:
            parameter.normal_(0, float(parameter.abs()))
