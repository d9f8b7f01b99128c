"""What going on after an epoch needs, on disk as tensors and JSON: nothing that runs when it is read."""

import io
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from cxrkit.errors import InputError, RunError
from cxrkit.files import write_bytes, write_text

_TENSORS, _TREE = "tensors.safetensors", "state.json"
Plain = str | int | float | bool | None


def save(folder: Path, state: Mapping[str, Any], epoch: int) -> None:
    """Write the state after an epoch as ``folder/epoch-<n>``, whole or not at all, and remove the one before.

    Args:
        folder: may be missing.
        state: tensors, numbers, strings, None, and dicts, lists and tuples of them.
        epoch: from 1.

    Raises:
        RunError: it cannot be written.
        TypeError: something else is in the state.
    """
    tensors: dict[str, Tensor] = {}
    tree = _encoded(state, tensors)
    new = folder / f".epoch-{epoch}.partial"
    try:
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        safetensors.torch.save_file(tensors, new / _TENSORS)
        write_text(new / _TREE, json.dumps(tree))
        shutil.rmtree(folder / f"epoch-{epoch}", ignore_errors=True)
        new.rename(folder / f"epoch-{epoch}")
    except OSError as error:
        raise RunError(f"{folder}: cannot be written ({error.strerror or error}), free space") from error
    for old in folder.iterdir():
        if old.name != f"epoch-{epoch}":
            shutil.rmtree(old, ignore_errors=True)


def restore(folder: Path) -> dict[str, Any] | None:
    """Read the newest state, or return None where there is none.

    Raises:
        InputError: it is there and cannot be read.
    """
    epochs = [int(path.name.removeprefix("epoch-")) for path in folder.glob("epoch-*")]
    if not epochs:
        return None
    newest = folder / f"epoch-{max(epochs)}"
    try:
        tensors = safetensors.torch.load_file(newest / _TENSORS)
        state: dict[str, Any] = _decoded(json.loads((newest / _TREE).read_bytes()), tensors)
    except Exception as error:
        raise InputError(f"{newest}: cannot be read ({error}), remove it to train from the beginning") from error
    return state


def _encoded(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, Tensor):
        name = str(len(tensors))
        tensors[name] = _plain(value)
        return {"tensor": name}
    if isinstance(value, Mapping):
        return {"dict": [[key, _encoded(item, tensors)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        return {type(value).__name__: [_encoded(item, tensors) for item in value]}
    if isinstance(value, Plain):
        return value
    raise TypeError(f"a {type(value).__name__} cannot be kept, allowed are tensors, numbers, strings, dicts and lists")


def _decoded(tree: Any, tensors: Mapping[str, Tensor]) -> Any:
    if not isinstance(tree, dict):
        return tree
    [(kind, content)] = tree.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "dict":
        return {key: _decoded(item, tensors) for key, item in content}
    items = [_decoded(item, tensors) for item in content]
    return tuple(items) if kind == "tuple" else items


def _plain(tensor: Tensor) -> Tensor:
    """Copy a tensor to the CPU, in plain order and memory of its own, as safetensors wants it."""
    return tensor.detach().to("cpu", copy=True).contiguous()


def save_weights(path: Path, module: torch.nn.Module) -> None:
    """Write a module's weights as safetensors, whole or not at all."""
    weights = {name: _plain(weight) for name, weight in module.state_dict().items()}
    write_bytes(path, safetensors.torch.save(weights))


def write_state_dict(path: Path, module: torch.nn.Module) -> None:
    """Write a module's weights as PyTorch's own format has them: tensors by name and nothing else."""
    buffer = io.BytesIO()  # whose archive, unlike a file's, does not carry the file's name
    torch.save({name: _plain(weight) for name, weight in module.state_dict().items()}, buffer)
    path.write_bytes(buffer.getbuffer())


def remove(folder: Path) -> None:
    """Remove what going on would have needed."""
    shutil.rmtree(folder, ignore_errors=True)
