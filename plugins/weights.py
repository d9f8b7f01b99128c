"""Pre-trained weights: torchvision's own, or a state dict in a local file."""

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import Annotated
from urllib.error import HTTPError
from urllib.parse import urlparse

import torch
from pydantic import AfterValidator
from pydantic_core import PydanticCustomError
from torch import Tensor, nn
from torchvision.models import WeightsEnum, get_model_weights

from cxrkit import weight_files
from cxrkit.errors import InputError
from cxrkit.weight_files import StateDict

NONE = "none"
IMAGENET = "imagenet"
TIMEOUT = 30  # seconds without a byte; torch.hub itself waits for ever
AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")  # classifiers that only the training on ImageNet used
OLD_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12]\.)")  # "norm.1." of the published files is "norm1."


def _known(value: str) -> str:
    if value in (NONE, IMAGENET) or re.fullmatch(r"IMAGENET1K_\w+", value) or Path(value).is_file():
        return value
    raise PydanticCustomError(
        "weights",
        'must be "imagenet", "none", a name of torchvision\'s such as IMAGENET1K_V1, or the path of a state dict '
        "(.pth or .safetensors), and there is no file {path}",
        {"path": str(Path(value).absolute())},
    )


Weights = Annotated[str, AfterValidator(_known)]
"""``none``, ``imagenet``, a name of torchvision's such as ``IMAGENET1K_V2``, or a state dict's path."""


def load(network: nn.Module, architecture: str, weights: str, *heads: str) -> None:
    """Load pre-trained weights into all of ``network`` but its head.

    Args:
        network: torchvision's, on the CPU.
        architecture: torchvision's name of it.
        weights: see ``Weights``.
        heads: dotted names of the layers that are replaced and whose weights are therefore left out.

    Raises:
        InputError: the weights cannot be had, are no state dict, or are of another architecture; says what to do.
    """
    try:
        _known(weights)
    except PydanticCustomError as error:
        raise InputError(f'model "{architecture}": weights: {error.message()}') from None
    if weights == NONE:
        return
    local = Path(weights).is_file()
    path = Path(weights) if local else _downloaded(architecture, weights)
    of_heads = tuple(f"{head}." for head in heads)
    body = {name: tensor for name, tensor in network.state_dict().items() if not name.startswith(of_heads)}
    state = _of_body(
        weight_files.read(path, "get the file again" if local else "delete it to have it fetched again"), of_heads
    )
    _check_architecture(body, state, f"{path}: weights of another architecture than {architecture}")
    network.load_state_dict(state, strict=False)


def _of_body(state: StateDict, of_heads: tuple[str, ...]) -> dict[str, Tensor]:
    left_out = (*of_heads, *AUXILIARY)
    return {OLD_DENSENET.sub(r"\1\2", name): tensor for name, tensor in state.items() if not name.startswith(left_out)}


def _check_architecture(body: StateDict, state: StateDict, where: str) -> None:
    differences = list(weight_files.differences(body, state))
    if differences:
        how_many = "1 tensor differs" if len(differences) == 1 else f"{len(differences)} tensors differ"
        raise InputError(f"{where}: {how_many}, the first is {differences[0]}")


def _downloaded(architecture: str, weights: str) -> Path:
    """Return the file in torch.hub's cache, fetched if it is not there yet."""
    chosen = _published(architecture, weights)
    path = Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(chosen.url).path).name
    if path.is_file():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    digest = torch.hub.HASH_REGEX.search(path.name)
    try:
        with _time_limit():
            torch.hub.download_url_to_file(chosen.url, str(path), digest[1] if digest else None, progress=False)
    except (OSError, HTTPException, RuntimeError) as error:
        why = f"HTTP status {error.code}" if isinstance(error, HTTPError) else str(error).strip().partition("\n")[0]
        raise InputError(
            f'model "{architecture}": weights: {chosen.url} cannot be downloaded ({why}), '
            f'give a local file with weights = "…", or put it into {path.parent} as {path.name}'
        ) from None
    return path


def _published(architecture: str, weights: str) -> WeightsEnum:
    known = get_model_weights(architecture)
    if weights in known.__members__:
        return known[weights]
    if weights == IMAGENET:  # the E2E ones are for images of 384 pixels and more
        return next(each for each in (known.DEFAULT, *known) if "E2E" not in each.name)
    raise InputError(
        f'model "{architecture}": weights: torchvision has no "{weights}", allowed are {", ".join(known.__members__)}'
    )


@contextmanager
def _time_limit() -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
