"""Files of weights, whoever saved them: read without running anything that is in them, and before memory is taken."""

import json
import os
import pickle
import re
import struct
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import safetensors.torch
import torch
from torch import Tensor
from torch.serialization import MAGIC_NUMBER

from cxrkit import bounded, pickled
from cxrkit.errors import InputError

StateDict = Mapping[str, Tensor]
"""Tensors by their names in a network."""

REMEDY = "give a file of the model's state_dict()"
WRAPPERS = ("state_dict", "model_state_dict", "model")  # keys of a training's checkpoint that hold the weights
LONGEST_DESCRIPTION = 8 * bounded.MEGABYTE  # of tensors; that of a network with a thousand has 0.2
LONGEST_LIST = 16 * bounded.MEGABYTE  # of the files in an archive, of which a tensor is one
HEADER = 8  # bytes at the beginning of a .safetensors, which say how long its description is
OLD_PARTS = 3  # pickles of an old file after the magic number and the version: system, tensors, their order
ARCHIVE = b"PK\3\4"  # what PyTorch knows one by
END = struct.Struct("<4s6xHLLH")  # of one: number of files, bytes of their list, its place, bytes of a comment
LONG_END = struct.Struct("<4s28xQQQ")  # before that, of large ones: the first three again, in 64 bits
LOCATOR = struct.Struct("<4s4xQ4x")  # between them: where the one in 64 bits is
AGAIN = "save the state dict again"
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
        packed = _is_packed(path)
        _check_description(path, packed=packed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of protocols that no file of ours has
            return torch.load(path, map_location="cpu", weights_only=True, mmap=packed)
    except InputError:
        raise
    except MemoryError:
        raise InputError(f"{path}: needs more memory than is free, {remedy}") from None
    except (pickle.UnpicklingError, EOFError, LookupError, ValueError) as error:
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
        if claimed > path.stat().st_size:
            return  # the reader itself refuses it
        _check_length(path, claimed)
        with suppress(ValueError, RecursionError):  # where it is no JSON, the reader says so
            json.loads(file.read(claimed), object_pairs_hook=partial(_check_names, path))


def _check_names(path: Path, pairs: list[tuple[str, Any]]) -> None:
    names = set()
    for name, _ in pairs:
        if name in names:
            raise InputError(f'{path}: describes "{name[:LONGEST_NAME]}" twice, save the state dict again')
        names.add(name)


def _check_length(path: Path, size: int) -> None:
    if size > LONGEST_DESCRIPTION:
        what = f"describes its tensors in {size:,} bytes, which no network needs"
        raise InputError(f"{path}: {what}, give a file of the model's state_dict() alone")


def _is_packed(path: Path) -> bool:
    """Tell an archive as PyTorch does, not as Python, which looks for its end."""
    with path.open("rb") as file:
        return file.read(len(ARCHIVE)) == ARCHIVE


def _check_description(path: Path, *, packed: bool) -> None:
    """Refuse what PyTorch's reader would take time or memory for without end, or make without values."""
    reader = pickled.Reader(path.stat().st_size)
    try:
        if packed:
            _check_archive(path)
            reader.follow(BytesIO(torch._C.PyTorchFileReader(str(path)).get_record("data.pkl")))  # noqa: SLF001
        else:
            _follow_old(path, reader)
    except pickled.RefusedError as error:
        raise InputError(f"{path}: {error}, give a file of the model's state_dict() alone") from None


def _check_archive(path: Path) -> None:
    """Refuse what grows when it is read, and what two readers read differently; PyTorch stores files as they are."""
    with path.open("rb") as file:
        count = _count(file)
        entries = [] if count is None else zipfile.ZipFile(_limited(file)).infolist()
    if count != len(entries):
        raise zipfile.BadZipFile("is an archive that does not end with the list of its files")
    if any(one.compress_type != zipfile.ZIP_STORED for one in entries):
        raise InputError(f"{path}: is compressed, which PyTorch never does, {AGAIN}")
    described = [one.file_size for one in entries if one.orig_filename.lower().endswith(".pkl")]
    _check_length(path, max(described, default=0))
    claimed = max((one.file_size for one in entries), default=0)
    if claimed > path.stat().st_size:
        raise InputError(f"{path}: claims a size of {claimed:,}, which is more than the file holds, {AGAIN}")


def _count(file: BinaryIO) -> int | None:
    """Read how many files an archive says that it has, None where the list of them is not at its very end.

    Readers look for that end in different ways, find others in a forged file, and then see other files.
    """
    ends = file.seek(0, os.SEEK_END) - END.size
    mark, count, length, place, comment = END.unpack(_at(file, ends, END.size))
    located, where = LOCATOR.unpack(_at(file, ends - LOCATOR.size, LOCATOR.size))
    agreed = mark == b"PK\5\6" and not comment
    if located == b"PK\6\7":
        ends -= LOCATOR.size + LONG_END.size
        mark, count, length, place = LONG_END.unpack(_at(file, ends, LONG_END.size))
        agreed &= mark == b"PK\6\6" and where == ends
    return int(count) if agreed and place + length == ends else None


def _at(file: BinaryIO, place: int, size: int) -> bytes:
    file.seek(max(0, place))
    return file.read(size).ljust(size, b"\0")


def _follow_old(path: Path, reader: pickled.Reader) -> None:
    """Follow the pickles that an old file begins with."""
    with path.open("rb") as file:
        beginning = BytesIO(file.read(LONGEST_DESCRIPTION + 1))
    try:
        if reader.follow(beginning) != MAGIC_NUMBER or not isinstance(reader.follow(beginning), int):
            raise ValueError("no magic number and version")
        for _ in range(OLD_PARTS):
            reader.follow(beginning)
    finally:
        _check_length(path, beginning.tell())


def _limited(file: BinaryIO) -> Any:
    return bounded.LimitedReads(file, LONGEST_LIST)


def _checked(content: Any, path: Path) -> StateDict:
    named = isinstance(content, Mapping) and all(isinstance(name, str) for name in content)
    if named and content and all(isinstance(value, Tensor) for value in content.values()):
        found: StateDict = content
        return found
    what = f"a {type(content).__name__}"
    if isinstance(content, Mapping):
        what = f"the keys {', '.join(map(_shown, list(content)[:NAMED])) or 'of nothing'}"
    raise InputError(f"{path}: holds no state dict but {what}, give a file of the model's state_dict() alone")


def _shown(key: object) -> str:
    """Show a key; only of texts and numbers it is known how long that takes."""
    return str(key)[:LONGEST_NAME] if isinstance(key, (str, int)) else f"of the type {type(key).__name__}"


def _fault(tensor: Tensor) -> str | None:
    """Say what makes a tensor no weights; sizes first, as a file may claim more values than it holds."""
    if tensor.layout is not torch.strided or tensor.is_quantized or tensor.is_nested or tensor.is_meta:
        return "is sparse, nested, quantised or without values"
    if tensor.dtype not in DTYPES:
        return f"is of {str(tensor.dtype).removeprefix('torch.')}, of which no network is made here"
    if tensor.ndim > pickled.MOST_DIMENSIONS:
        return f"has {tensor.ndim} dimensions, no network's has more than {pickled.MOST_DIMENSIONS}"
    return _fault_of_values(tensor)


def _fault_of_values(tensor: Tensor) -> str | None:
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
