"""State dicts of trained models, whoever saved them: read without running anything, and named as a model of ours is."""

import pickle
import pickletools
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import safetensors.torch
import torch
from torch import Tensor, nn

from cxrkit import bounded
from cxrkit.errors import InputError

StateDict = Mapping[str, Tensor]

WRAPPERS = ("state_dict", "model_state_dict", "model")  # keys of a training's checkpoint that hold the weights
AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")  # classifiers that only a training on ImageNet used
LONGEST_DESCRIPTION = 8 * bounded.MEGABYTE  # of tensors; that of a network with a thousand has 0.2
LONGEST_LIST = 16 * bounded.MEGABYTE  # of the files in an archive, of which a tensor is one
HEADER = 8  # bytes at the beginning of a .safetensors, which say how long its description is
OLD_PARTS = 4  # pickles of an old file: magic number, version, system, and the description of the tensors
NAMED = 5  # keys of a file that is no state dict
LONGEST_NAME = 60  # letters of one that are shown
MATRIX = 2
DTYPES = frozenset(
    {
        *(torch.float64, torch.float32, torch.float16, torch.bfloat16),
        *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool),
    }
)


def read(path: Path) -> StateDict:
    """Read a state dict without running anything that is in the file; tensors are mapped, not copied.

    Args:
        path: ``.safetensors``, or anything else for PyTorch's own format; there also wrapped in a dictionary.

    Raises:
        InputError: the file is missing, damaged, or holds something else than tensors by name.
    """
    content = _content(path)
    if isinstance(content, Mapping):
        content = next((content[key] for key in WRAPPERS if isinstance(content.get(key), Mapping)), content)
    state = _checked(content, path)
    problems = [f'"{name[:LONGEST_NAME]}" {fault}' for name, tensor in state.items() if (fault := _fault(tensor))]
    if problems:
        raise InputError(f"{path}: {problems[0]}, give a file of a trained model's state_dict()")
    return state


def _content(path: Path) -> Any:
    try:
        bounded.opened(path).close()  # the readers would wait for ever for a pipe
        if path.suffix == ".safetensors":
            _check_header(path)
            return safetensors.torch.load_file(path)
        packed = zipfile.is_zipfile(path)
        _check_sizes(path, packed=packed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of protocols that no file of ours has
            return torch.load(path, map_location="cpu", weights_only=True, mmap=packed)
    except InputError:
        raise
    except MemoryError:
        raise InputError(f"{path}: needs more memory than is free, give a file of the model's state_dict()") from None
    except (pickle.UnpicklingError, EOFError, KeyError, ValueError) as error:
        foreign = re.search(r"GLOBAL ([A-Za-z_][\w.]*\w)\s", str(error))
        what = f"holds {foreign[1]}, more than tensors" if foreign else "no file of PyTorch's, or damaged"
        raise InputError(f"{path}: {what}, give a file of the model's state_dict() alone") from None
    except Exception as error:  # noqa: BLE001 - the readers raise whatever a damaged or forged file leads them to
        why = getattr(error, "strerror", None) or (str(error).strip().splitlines() or [type(error).__name__])[0]
        why = why.rstrip(".")
        raise InputError(f"{path}: cannot be read ({why}), give a file of the model's state_dict()") from None


def _check_header(path: Path) -> None:
    """Refuse a description that names more tensors than any network has: each takes time, however small it is."""
    with path.open("rb") as file:
        claimed = int.from_bytes(file.read(HEADER), "little")
    if claimed <= path.stat().st_size:  # else the reader itself refuses it
        _check_description(path, claimed)


def _check_description(path: Path, size: int) -> None:
    if size > LONGEST_DESCRIPTION:
        what = f"describes its tensors in {size:,} bytes, which no network needs"
        raise InputError(f"{path}: {what}, give a file of the model's state_dict() alone")


def _check_sizes(path: Path, *, packed: bool) -> None:
    """Refuse what grows when it is read, or claims more than it holds; PyTorch stores files as they are."""
    if packed:
        with path.open("rb") as file, zipfile.ZipFile(_limited(file)) as archive:
            entries = archive.infolist()
        if any(one.compress_type != zipfile.ZIP_STORED for one in entries):
            raise InputError(f"{path}: is compressed, which PyTorch never does, save the state dict again")
        _check_description(path, max((one.file_size for one in entries if one.filename.endswith(".pkl")), default=0))
    elif (claimed := _claimed(path)) > path.stat().st_size:
        raise InputError(f"{path}: claims a size of {claimed:,}, which is more than the file holds")


def _claimed(path: Path) -> int:
    """Find the largest number in the description of an old file, whose sizes PyTorch takes memory for at once."""
    largest = 0
    with path.open("rb") as file:
        with suppress(Exception):  # where it is none, torch.load says so
            for place in range(OLD_PARTS):
                for _, value, _ in pickletools.genops(file):
                    if file.tell() > LONGEST_DESCRIPTION:
                        break
                    if place == OLD_PARTS - 1 and isinstance(value, int):
                        largest = max(largest, value)
        _check_description(path, file.tell())
    return largest


def _limited(file: BinaryIO) -> Any:
    return bounded.LimitedReads(file, LONGEST_LIST)


def _checked(content: Any, path: Path) -> StateDict:
    named = isinstance(content, Mapping) and all(isinstance(name, str) for name in content)
    if named and content and all(isinstance(value, Tensor) for value in content.values()):
        found: StateDict = content
        return found
    what = f"a {type(content).__name__}"
    if isinstance(content, Mapping):
        what = f"the keys {', '.join(str(key)[:LONGEST_NAME] for key in list(content)[:NAMED]) or 'of nothing'}"
    raise InputError(f"{path}: holds no state dict but {what}, give a file of the model's state_dict() alone")


def _fault(tensor: Tensor) -> str | None:
    """Say what makes a tensor no weights; sizes first, as a file may claim more values than it holds."""
    if tensor.layout is not torch.strided or tensor.is_quantized or tensor.is_nested or tensor.is_meta:
        return "is sparse, nested, quantised or without values"
    if tensor.dtype not in DTYPES:
        return f"is of {str(tensor.dtype).removeprefix('torch.')}, of which no network is made here"
    if tensor.numel() == 0:
        return "is empty"
    if tensor.untyped_storage().nbytes() < tensor.numel() * tensor.element_size():
        return f"of {list(tensor.shape)} is larger than what the file holds of it"
    if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
        return "holds values that are not finite"
    return None


# ── Names ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def named_as(model: nn.Module, state: StateDict) -> dict[str, Tensor]:
    """Give the tensors of a file the names that a model of ours has for them.

    Prefixes that all names share (``module.``, ``backbone.``) go, so do auxiliary classifiers; the linear layers of the
    head are matched by their order, so that ``fc.3`` behind a dropout is ``fc.2`` without it.
    """
    state = without_prefix(model, state)
    ours, theirs = _linear_layers(model), matrices(state, head(model))
    if len(ours) != len(theirs):
        return dict(state)
    place = dict(zip(theirs, ours, strict=True))
    return {_renamed(name, place): tensor for name, tensor in state.items()}


def without_prefix(model: nn.Module, state: StateDict) -> dict[str, Tensor]:
    """Strip what all names begin with and the model has no part of, and leave auxiliary classifiers out."""
    parts = {name for name, _ in model.named_children()} | {name for name, _ in model.named_parameters(recurse=False)}
    names = {name: name for name in state}
    while len(first := {name.partition(".")[0] for name in names.values()}) == 1 and not first <= parts:
        shortened = {name: now.partition(".")[2] for name, now in names.items()}
        if not all(shortened.values()):
            break
        names = shortened
    return {now: state[name] for name, now in names.items() if not now.startswith(AUXILIARY)}


def head(model: nn.Module) -> str:
    """Name the top-level part that gives the logits; empty where the model has no linear layer."""
    linear = [name for name, layer in model.named_modules() if isinstance(layer, nn.Linear)]
    return linear[-1].partition(".")[0] if linear else ""


def matrices(state: StateDict, part: str) -> list[str]:
    """List the layers of a part whose weight is a matrix, in their order: ``fc.0``, ``fc.3``."""
    found = [
        name.removesuffix(".weight")
        for name, tensor in state.items()
        if name.partition(".")[0] == part and name.endswith(".weight") and tensor.ndim == MATRIX
    ]
    return sorted(found, key=lambda name: [(not piece.isdigit(), piece.zfill(8)) for piece in name.split(".")])


def _linear_layers(model: nn.Module) -> list[str]:
    part = head(model)
    return [
        name for name, layer in model.named_modules() if isinstance(layer, nn.Linear) and name.partition(".")[0] == part
    ]


def _renamed(name: str, place: Mapping[str, str]) -> str:
    layer, _, own = name.rpartition(".")
    return f"{place[layer]}.{own}" if layer in place else name


# ── Shapes ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def check(model: nn.Module, state: StateDict, class_names: Sequence[str], where: str) -> None:
    """Check that every tensor has its place in a model, before any is copied.

    Args:
        model: built for ``class_names``.
        state: named as the model's.
        class_names: in the order of the logits.
        where: file and architecture, for messages.

    Raises:
        InputError: the file is of another architecture, or of another number of classes.
    """
    differences = list(_differences(model.state_dict(), state))
    if not differences:
        return
    outputs = _outputs(model, state)
    if outputs not in {None, len(class_names)}:
        raise InputError(
            f"{where}: gives {outputs} output{'s' * (outputs != 1)}, needed is one for each of the classes "
            f"{', '.join(class_names)}"
        )
    how_many = "1 tensor differs" if len(differences) == 1 else f"{len(differences)} tensors differ"
    raise InputError(f"{where}: of another architecture, {how_many}, the first is {differences[0]}")


def _differences(known: StateDict, state: StateDict) -> Iterator[str]:
    for name, tensor in known.items():
        if name not in state:
            if not name.endswith(".num_batches_tracked"):  # which old files lack, and nothing needs
                yield f'"{name}", which the file lacks'
        elif state[name].shape != tensor.shape:
            yield f'"{name}" of {list(state[name].shape)} in place of {list(tensor.shape)}'
    for name in state:
        if name not in known:
            yield f'"{name}", which the model lacks'


def _outputs(model: nn.Module, state: StateDict) -> int | None:
    """Count the outputs of a file that fits but for them; None where it does not."""
    layers = [name for name, layer in model.named_modules() if isinstance(layer, nn.Linear | nn.Conv2d)]
    last = f"{layers[-1]}." if layers else "."
    rest = {name: tensor for name, tensor in model.state_dict().items() if not name.startswith(last)}
    theirs = {name: tensor for name, tensor in state.items() if not name.startswith(last)}
    weight = state.get(f"{last}weight")
    return None if weight is None or any(_differences(rest, theirs)) else int(weight.shape[0])
