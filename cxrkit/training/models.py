"""Classifiers from their plugins: to be trained, or with the weights that a training left."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import nn

from cxrkit.errors import CxrkitError, InputError, RunError
from cxrkit.plans import Chosen
from cxrkit.registry import Registry


def build(chosen: Chosen, num_classes: int, models: Registry, where: str) -> nn.Module:
    """Build a classifier to be trained, pre-trained weights included.

    Args:
        chosen: the model's name and checked options.
        num_classes: length of its logits.
        models: of the loaded plugins.
        where: for messages, e.g. ``task "transfer"``.

    Returns:
        The plugin's module, on the CPU, in training mode.

    Raises:
        InputError: no plugin offers the model, or it refuses its options (no such file, weights of another model).
        RunError: the plugin failed, or returned something else.
    """
    return _built(chosen.name, chosen.options, num_classes, models, where)


def rebuild(chosen: Chosen, num_classes: int, state_file: Path, models: Registry, where: str) -> nn.Module:
    """Build a trained classifier again from its plugin and its saved weights.

    Weights to begin with are neither fetched nor read: an option named ``weights`` whose value is a text is given as
    ``"none"``, which is part of the contract for plugins. What the option would change beside the weights must
    therefore be an option of its own.

    Args:
        chosen: as it was trained.
        num_classes: as it was trained.
        state_file: ``model.safetensors`` of the training.
        models: of the loaded plugins.
        where: for messages.

    Returns:
        The module on the CPU, in evaluation mode.

    Raises:
        InputError: as for :func:`build`; or the file is missing, damaged, or does not fit the model.
        RunError: as for :func:`build`.
    """
    options = dict(chosen.options)
    if isinstance(options.get("weights"), str):
        options["weights"] = "none"
    model = _built(chosen.name, options, num_classes, models, where)
    state = _read(state_file)
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        first = str(error).splitlines()[1:2] or [str(error)]
        raise InputError(f'{state_file}: does not fit the model "{chosen.name}" ({first[0].strip()})') from None
    return model.eval()


def _built(name: str, options: Mapping[str, Any], num_classes: int, models: Registry, where: str) -> nn.Module:
    component = models.get(name, where)
    origin = f'{where}: model "{name}" of {component.distribution} {component.version}'
    try:
        model = component.factory(num_classes, **options)
    except CxrkitError:
        raise
    except Exception as error:
        raise RunError(f"{origin} could not be built ({type(error).__name__}: {error})") from error
    if not isinstance(model, nn.Module):
        raise RunError(f"{origin} is a {type(model).__name__}, must be a torch.nn.Module")
    return model.train()


def _read(path: Path) -> dict[str, Any]:
    try:
        return safetensors.torch.load_file(path)
    except FileNotFoundError:
        raise InputError(f"{path}: missing, a finished training has one") from None
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: cannot be read ({error}), train the task again with --fresh") from None
