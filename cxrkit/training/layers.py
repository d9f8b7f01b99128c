"""What a network consists of: its top-level parts, and what each module gives for one image."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from cxrkit import guard
from cxrkit.errors import InputError, is_out_of_memory
from cxrkit.records import LayerInfo
from cxrkit.training import blame

_OF_SHAPES = (RuntimeError, AssertionError)
"""What torch raises, and no class below: at shapes that do not fit, and in ``torch._assert`` of vision transformers."""


class Output(NamedTuple):
    """What a module gave.

    Attributes:
        name: dotted name of the module; empty for the network itself.
        module: the module.
        shape: of the tensor that it gave, the batch dimension (1) included.
    """

    name: str
    module: nn.Module
    shape: tuple[int, ...]


def table(model: nn.Module, image_size: int) -> list[LayerInfo]:
    """List the top-level parts of a network with their output for one image and their parameters.

    Args:
        model: takes float32[n, 3, image_size, image_size]; its mode, device and gradients stay as they are.
        image_size: pixels, height and width.

    Returns:
        A row for each part in the order of definition, shapes without the batch dimension (empty where a part gave no
        tensor or was not called); parameters of the network itself, of no part, come first under its class name.

    Raises:
        InputError: the network does not take images of this size.
    """
    shapes = {output.name: output.shape for output in outputs(model, image_size)}
    rows = [_row(name, part, shapes.get(name, ()), list(part.parameters())) for name, part in model.named_children()]
    own = list(model.parameters(recurse=False))
    return [_row(type(model).__name__, model, shapes.get("", ()), own), *rows] if own else rows


def outputs(model: nn.Module, image_size: int) -> list[Output]:
    """Pass a black image through a network and list what each module gave, in the order of computation.

    A module comes after the modules that it consists of; one that is called repeatedly comes repeatedly.

    Raises:
        InputError: the network does not take images of this size.
        MisbehaviourError: a stranger's network failed otherwise.
    """
    found: list[Output] = []
    reference = next(model.parameters(), torch.empty(0))
    image = torch.zeros(1, 3, image_size, image_size, device=reference.device, dtype=reference.dtype)
    with blame.calling(model), _listening(model, found), _evaluating(model), torch.no_grad():
        try:
            model(image)
        except Exception as error:
            if not _may_be_of_the_size(error, model):
                raise
            raise InputError(
                f"model {type(model).__name__}: takes no images of {image_size} pixels "
                f"({guard.in_short(error)}), choose another data.image_size"
            ) from error
    return found


def _may_be_of_the_size(error: Exception, model: nn.Module) -> bool:
    """Tell whether another size of the images may help; of cxrkit's own networks nothing else is to be expected."""
    if not blame.is_strangers(model):
        return True
    return type(error) in _OF_SHAPES and not is_out_of_memory(guard.tellable(error))


def last_feature_map(model: nn.Module, image_size: int) -> str | None:
    """Find the layer that gives the last spatial feature map before pooling, for class activation maps.

    Returns:
        The dotted name of the outermost such layer; or None where what comes before the logits is no map of
        [n, channels, height, width] over the image, but a sequence of tokens (vision transformers) or nothing spatial.

    Raises:
        InputError: the network does not take images of this size.
    """
    for output in reversed(outputs(model, image_size)):
        if len(output.shape) in (3, 5):
            return None
        if is_feature_map(output.shape) and "Pool" not in type(output.module).__name__:
            return output.name if output.shape[2] == output.shape[3] else None  # else the channels come last
    return None


def is_feature_map(shape: tuple[int, ...]) -> bool:
    """Tell whether a shape is [n, channels, height, width] with more than one place."""
    return len(shape) == 4 and shape[2] * shape[3] > 1  # noqa: PLR2004


def _row(name: str, part: nn.Module, shape: tuple[int, ...], parameters: list[nn.Parameter]) -> LayerInfo:
    return LayerInfo(
        name=name,
        kind=type(part).__name__,
        output_shape=list(shape[1:]),
        parameters=sum(parameter.numel() for parameter in parameters),
        trainable=sum(parameter.numel() for parameter in parameters if parameter.requires_grad),
    )


@contextmanager
def _listening(model: nn.Module, found: list[Output]) -> Iterator[None]:
    names = {module: name for name, module in model.named_modules()}

    def note(module: nn.Module, _inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor):
            found.append(Output(names[module], module, tuple(output.shape)))

    handles = [module.register_forward_hook(note) for module in names]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training
