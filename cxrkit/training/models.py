"""Classifiers from their plugins: to be trained, or with the weights that a training left."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import nn

from cxrkit import guard
from cxrkit.errors import InputError, RunError, is_out_of_memory
from cxrkit.guard import MisbehaviourError
from cxrkit.plans import Chosen
from cxrkit.registry import Registry
from cxrkit.training import blame


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


def outline(chosen: Chosen, num_classes: int, models: Registry, where: str) -> nn.Module:
    """Build a classifier without memory for its weights, where its plugin can; see :func:`build`."""
    component = models.get(chosen.name, where)
    with suppress(Exception):
        module = guard.call(
            f"{where}: {component.origin}", _on_meta(component.factory), num_classes, **guard.options(chosen.options)
        )
        if isinstance(module, nn.Module):
            return module
    return build(chosen, num_classes, models, where)


def _on_meta(factory: Callable[..., Any]) -> Callable[..., Any]:
    def made(*arguments: Any, **options: Any) -> Any:
        with torch.device("meta"):  # entered where the plugin runs, as it is a thread's own
            return factory(*arguments, **options)

    return made


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
    origin = f"{where}: {component.origin}"
    try:
        model = guard.call(origin, component.factory, num_classes, **guard.options(options))
    except MisbehaviourError as error:
        if error.__cause__ is not None and is_out_of_memory(error.__cause__):
            raise error.__cause__ from None
        raise
    if not isinstance(model, nn.Module):
        raise RunError(f"{origin} is a {type(model).__name__}, must be a torch.nn.Module")
    blame.remember(model, component)
    return model.train()


def _read(path: Path) -> dict[str, Any]:
    try:
        return safetensors.torch.load_file(path)
    except FileNotFoundError:
        raise InputError(f"{path}: missing, a finished training has one") from None
    except Exception as error:  # noqa: BLE001 - the reader raises whatever a damaged file leads it to
        raise InputError(f"{path}: cannot be read ({error}), train the task again with --fresh") from None
