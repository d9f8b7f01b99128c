"""Every classifier of timm (PyTorch Image Models, Wightman 2019), by timm's own name; the extra ``timm``."""

import warnings
from difflib import get_close_matches
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import AfterValidator
from pydantic_core import PydanticCustomError
from torch import Tensor, nn

from cxrkit.errors import InputError

from . import weights as pretrained
from .freezing import freeze_up_to

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # mean and standard deviation that cxrkit normalises by
NEEDED = 'needs timm, pip install "cxrkit[timm]"'


def _known_architecture(name: str) -> str:
    if find_spec("timm") is None:
        raise PydanticCustomError("timm", NEEDED)
    library = _library()
    if not library.is_model(name):
        close = get_close_matches(name, library.list_models(), n=1)
        hint = f'did you mean "{close[0]}"?' if close else "timm.list_models() lists them"
        raise PydanticCustomError("timm", "timm has no architecture of this name, {hint}", {"hint": hint})
    return name


def _known_weights(value: str) -> str:
    if value in ("none", "timm") or Path(value).is_file():
        return value
    allowed = 'must be "none", "timm" (those that timm names for the architecture), or the path of a state dict'
    raise PydanticCustomError("timm", allowed + ", and there is no file {path}", {"path": str(Path(value).absolute())})


Architecture = Annotated[str, AfterValidator(_known_architecture)]
Weights = Annotated[str, AfterValidator(_known_weights)]


def timm_model(
    num_classes: int, *, architecture: Architecture, weights: Weights = "none", freeze: str = "none"
) -> nn.Module:
    """A classifier of timm, from scratch or with its own weights, its last layer replaced (needs the extra timm).

    Args:
        num_classes: length of the logits.
        architecture: timm's name, e.g. ``mobilenetv3_small_100`` or, with the training of its weights,
            ``convnext_tiny.fb_in22k``.
        weights: ``none``; ``timm``, which fetches those of the architecture; or the path of a state dict
            (.pth or .safetensors) of the same architecture, whatever its number of classes.
        freeze: up to and with which layer nothing is trained, by its dotted name; or ``none``.

    Raises:
        InputError: timm is not installed, or the weights cannot be had or do not fit, or there is no such layer.
    """
    network = _created(architecture, num_classes, fetched=weights == "timm")
    heads = _heads(network)
    if weights not in ("none", "timm"):
        pretrained.load(network, architecture, weights, *heads)
    if freeze != "none":
        from .timm_frozen import frozen

        freeze_up_to(network, freeze, heads[0], frozen)
    _renormalise(network)
    return network


def _library() -> Any:
    if find_spec("timm") is None:
        raise InputError(f'model "timm": {NEEDED}')
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # timm warns of what is deprecated in itself
        return import_module("timm")


def _created(architecture: str, num_classes: int, *, fetched: bool) -> nn.Module:
    try:
        network: nn.Module = _library().create_model(architecture, pretrained=fetched, num_classes=num_classes)
    except InputError:
        raise
    except Exception as error:  # whatever timm, and the hub that it fetches from, raise
        why = (str(error).strip().splitlines() or [type(error).__name__])[0]
        remedy = ', give a local file with weights = "…"' if fetched else ""
        raise InputError(f'model "timm": {architecture} cannot be had ({why}){remedy}') from error
    return network


def _heads(network: nn.Module) -> tuple[str, ...]:
    """Name the layers that give the logits; of a distilled network there are two."""
    published: Any = network.pretrained_cfg
    named = published["classifier"]
    return (named,) if isinstance(named, str) else tuple(named)


def _renormalise(network: nn.Module) -> None:
    """Let the network see images as its weights were trained on them: many are not normalised as ImageNet's are.

    It hangs on the architecture alone and not on which weights are asked for, as it is no part of the state dict.
    """
    expected: Any = network.pretrained_cfg
    mean, deviation = tuple(expected["mean"]), tuple(expected["std"])
    if (mean, deviation) != IMAGENET:
        scale = tuple(ours / theirs for ours, theirs in zip(IMAGENET[1], deviation, strict=True))
        shift = tuple((ours - theirs) / wide for ours, theirs, wide in zip(IMAGENET[0], mean, deviation, strict=True))
        network.register_forward_pre_hook(partial(_renormalised, scale, shift))


def _renormalised(scale: tuple[float, ...], shift: tuple[float, ...], _network: nn.Module, given: Any) -> Any:
    (images,) = given
    factor, offset = (torch.tensor(values, dtype=images.dtype, device=images.device) for values in (scale, shift))
    return (images * _by_channel(factor) + _by_channel(offset),)


def _by_channel(values: Tensor) -> Tensor:
    return values[None, :, None, None]
