"""Files of weights, whoever saved them: read without running anything that is in them, and before memory is taken."""

import pickle
import pickletools
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import safetensors.torch
import torch
from torch import Tensor

from cxrkit import bounded
from cxrkit.errors import InputError

StateDict = Mapping[str, Tensor]
"""Tensors by their names in a network."""

REMEDY = "give a file of the model's state_dict()"
WRAPPERS = ("state_dict", "model_state_dict", "model")  # keys of a training's checkpoint that hold the weights
LONGEST_DESCRIPTION = 8 * bounded.MEGABYTE  # of tensors; that of a network with a thousand has 0.2
LONGEST_LIST = 16 * bounded.MEGABYTE  # of the files in an archive, of which a tensor is one
HEADER = 8  # bytes at the beginning of a .safetensors, which say how long its description is
OLD_PARTS = 4  # pickles of an old file: magic number, version, system, and the description of the tensors
NAMED = 5  # keys of a file that is no state dict
LONGEST_NAME = 60  # letters of one that are shown
DTYPES = frozenset(
    {
        *(torch.float64, torch.float32, torch.float16, torch.bfloat16),
        *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool),
    }
)


def read(path: Path, remedy: str = REMEDY) -> StateDict:
    """Read a state dict without running anything that is in the file; tensors are mapped, not copied.

    Args:
        path: ``.safetensors``, or anything else for PyTorch's own format; there also wrapped in a dictionary.
        remedy: what to do about a file that cannot be read, as the end of a sentence.

    Raises:
        InputError: the file is missing, damaged, or holds something else than tensors by name.
    """
    content = _content(path, remedy)
    if isinstance(content, Mapping):
        content = next((content[key] for key in WRAPPERS if isinstance(content.get(key), Mapping)), content)
    state = _checked(content, path)
    problems = [f'"{name[:LONGEST_NAME]}" {fault}' for name, tensor in state.items() if (fault := _fault(tensor))]
    if problems:
        raise InputError(f"{path}: {problems[0]}, give a file of a trained model's state_dict()")
    return state


def _content(path: Path, remedy: str) -> Any:
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
        raise InputError(f"{path}: needs more memory than is free, {remedy}") from None
    except (pickle.UnpicklingError, EOFError, KeyError, ValueError) as error:
        foreign = re.search(r"GLOBAL ([A-Za-z_][\w.]*\w)\s", str(error))
        what = f"holds {foreign[1]}, more than tensors" if foreign else "no file of PyTorch's, or damaged"
        raise InputError(f"{path}: {what}, give a file of the model's state_dict() alone") from None
    except Exception as error:  # noqa: BLE001 - the readers raise whatever a damaged or forged file leads them to
        why = getattr(error, "strerror", None) or (str(error).strip().splitlines() or [type(error).__name__])[0]
        why = why.rstrip(".")
        raise InputError(f"{path}: cannot be read ({why}), {remedy}") from None


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


def differences(known: StateDict, state: StateDict) -> Iterator[str]:
    """Yield what keeps a file's tensors from being loaded into a network, each as the end of a sentence.

    Args:
        known: the network's own.
        state: the file's.
    """
    for name, tensor in known.items():
        if name not in state:
            if not name.endswith(".num_batches_tracked"):  # which old files lack, and nothing needs
                yield f'"{name}", which the file lacks'
        elif state[name].shape != tensor.shape:
            yield f'"{name}" of {list(state[name].shape)} in place of {list(tensor.shape)}'
    for name in state:
        if name not in known:
            yield f'"{name}", which the model lacks'
