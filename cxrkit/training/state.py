"""What going on with a training needs, on disk as tensors and JSON: nothing that runs when it is read."""

import io
import json
import shutil
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import safetensors.torch
import torch
from safetensors import safe_open
from torch import Tensor

from cxrkit.errors import InputError, RunError
from cxrkit.files import write_bytes

GENERATIONS = 2  # that are kept: were the newest damaged, the one before is whole
_SUFFIX = ".safetensors"
_TREE, _CHECKSUM = "state", "crc32"
Plain = str | int | float | bool | None


class Position(NamedTuple):
    """How far a training is.

    Attributes:
        epoch: from 1; 0 before the first.
        step: optimiser steps done in it, or None where it has been finished.
    """

    epoch: int
    step: int | None = None

    def __str__(self) -> str:
        """Name it as its file is named: ``epoch-3``, ``epoch-4-step-17``."""
        return f"epoch-{self.epoch}" if self.step is None else f"epoch-{self.epoch}-step-{self.step}"

    @classmethod
    def of(cls, path: Path) -> "Position":
        """Read it from a file's name.

        Raises:
            ValueError: it is not named so.
        """
        words = path.name.removesuffix(_SUFFIX).split("-")
        match words:
            case ["epoch", epoch]:
                return cls(int(epoch))
            case ["epoch", epoch, "step", step]:
                return cls(int(epoch), int(step))
        raise ValueError(path.name)

    @property
    def order(self) -> tuple[int, float]:
        """What positions are compared by."""
        return self.epoch, float("inf") if self.step is None else self.step


class Found(NamedTuple):
    """A state that was read.

    Attributes:
        state: as it was saved.
        position: of the training.
        damaged: newer ones that cannot be read, each with why.
    """

    state: dict[str, Any]
    position: Position
    damaged: list[str]


def save(folder: Path, state: Mapping[str, Any], position: Position) -> None:
    """Write a state into ``folder``, whole or not at all; when it is safe on disk, all but the one before go.

    Args:
        folder: may be missing.
        state: tensors, numbers, strings, None, and dicts, lists and tuples of them.
        position: of the training.

    Raises:
        RunError: it cannot be written.
        TypeError: something else is in the state.
    """
    tensors: dict[str, Tensor] = {}
    tree = json.dumps(_encoded(state, tensors))
    _remove_partial(folder)
    metadata = {_TREE: tree, _CHECKSUM: str(_checksum(tensors, tree))}
    write_bytes(_place(folder, position), safetensors.torch.save(tensors, metadata))
    _prune(folder, position)


def restore(folder: Path) -> Found | None:
    """Read the newest state that can be read, or return None where there is none; remove newer ones that cannot.

    Raises:
        InputError: none of those there can be read.
        RunError: the disk or the rights to it are at fault, not the file, which stays.
        MemoryError: a whole one does not fit.
    """
    damaged: dict[Path, str] = {}
    for path in reversed(_states(folder)):
        try:
            state = _read(path)
        except MemoryError:
            raise
        except OSError as error:
            raise RunError(
                f"{path}: cannot be read ({error.strerror or error}), see to its disk and the rights to it, or remove "
                "it to go on from the state before"
            ) from error
        except Exception as error:  # noqa: BLE001 - whatever a damaged file brings about
            damaged[path] = f"{path}: cannot be read ({error})"
            continue
        for unreadable in damaged:
            unreadable.unlink(missing_ok=True)
        return Found(state, Position.of(path), list(damaged.values()))
    if damaged:
        raise InputError(f"{next(iter(damaged.values()))}, remove {folder} to train from the beginning")
    return None


def _place(folder: Path, position: Position) -> Path:
    return folder / f"{position}{_SUFFIX}"


def _states(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"epoch-*{_SUFFIX}"), key=lambda path: Position.of(path).order)


def _prune(folder: Path, newest: Position) -> None:
    """Remove what lies further ahead, of a training that was gone back from, and all but the youngest states."""
    ahead = [path for path in _states(folder) if Position.of(path).order > newest.order]
    whole = [path for path in _states(folder) if path not in ahead]
    for path in ahead + whole[:-GENERATIONS]:
        path.unlink(missing_ok=True)


def _remove_partial(folder: Path) -> None:
    """Remove what a process that was killed in the midst of writing has left."""
    for path in folder.glob(".epoch-*.partial"):
        path.unlink(missing_ok=True)


def _read(path: Path) -> dict[str, Any]:
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
        # Copies, as Windows removes no file that tensors are still mapped to.
        tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118 - no mapping
    if _checksum(tensors, metadata[_TREE]) != int(metadata[_CHECKSUM]):
        raise ValueError("its checksum is wrong")
    state: dict[str, Any] = _decoded(json.loads(metadata[_TREE]), tensors)
    return state


def _checksum(tensors: Mapping[str, Tensor], tree: str) -> int:
    """Compute the CRC-32 of all that a state consists of."""
    found = zlib.crc32(tree.encode())
    for _, tensor in sorted(tensors.items()):
        found = zlib.crc32(tensor.reshape(-1).view(torch.uint8).numpy().data, found)
    return found


def _encoded(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, Tensor):
        name = str(len(tensors))
        tensors[name] = _plain(value)
        return {"tensor": name}
    if isinstance(value, Mapping):
        return {"dict": [[key, _encoded(item, tensors)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        return {"tuple" if isinstance(value, tuple) else "list": [_encoded(item, tensors) for item in value]}
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
