"""Whose network it is that fails: cxrkit's own code and a trainer call it, and are not to be blamed for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeGuard

from cxrkit import guard
from cxrkit.errors import CxrkitError, RunError, is_out_of_memory
from cxrkit.guard import MisbehaviourError
from cxrkit.registry import Registered

if TYPE_CHECKING:
    from torch import Tensor, nn

OWN = "cxrkit"
"""Distribution whose networks are never blamed: who calls one wrongly is."""

_origins: dict[type, str] = {}


def remember(network: "nn.Module", component: Registered) -> None:
    """Note which plugin a network is of, copies of it (moving averages) included."""
    _origins[type(network)] = component.origin


def name(network: "nn.Module") -> str:
    """Name a network for messages, by its plugin where that is known."""
    return _origins.get(type(network), f"model {type(network).__name__}")


def logits(network: "nn.Module", output: Any, images: int, num_classes: int) -> "Tensor":
    """Take what a network gave for some images.

    Args:
        network: a stranger's, perhaps.
        output: that it gave.
        images: how many it was given.
        num_classes: how many logits are needed of each.

    Raises:
        RunError: it is something else.
    """
    shape = getattr(output, "shape", None)
    if shape is None or tuple(shape) != (images, num_classes):
        given = type(output).__name__ if shape is None else list(shape)
        raise RunError(f"{name(network)}: gave {given} for {images} images, must give logits [{images}, {num_classes}]")
    found: Tensor = output
    return found


@contextmanager
def told() -> Iterator[None]:
    """Let what was raised within the ``forward`` of a stranger's network be told as that plugin's doing.

    Raises:
        MisbehaviourError: in place of anything but errors that are meant for the user, and want of memory.
    """
    try:
        yield
    except BaseException as error:
        raised = error.__cause__ if isinstance(error, MisbehaviourError) else error
        if raised is None:
            raise
        raised = guard.tellable(raised)
        origin = None if isinstance(raised, CxrkitError) else _origin(raised.__traceback__)
        if origin is None or is_out_of_memory(raised):
            raise
        raise guard.misbehaviour(origin, raised) from raised


@contextmanager
def calling(network: "nn.Module") -> Iterator[None]:
    """Let what is raised be told as a network's doing, where that is a stranger's: nobody else is called meanwhile.

    ``KeyboardInterrupt`` passes: outside of a training's process it is the user's, within one :func:`told` knows more.

    Raises:
        MisbehaviourError: in place of anything but that, errors that are meant for the user, and want of memory.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raised = guard.tellable(error)
        if not is_strangers(network) or isinstance(raised, CxrkitError) or is_out_of_memory(raised):
            raise
        raise guard.misbehaviour(name(network), raised) from raised


def is_strangers(network: "nn.Module") -> bool:
    """Tell whether a network is known to be of a plugin that is none of cxrkit's."""
    return _is_strangers(_origins.get(type(network)))


def _is_strangers(origin: str | None) -> TypeGuard[str]:
    return origin is not None and f" of {OWN} " not in origin


def _origin(traceback: TracebackType | None) -> str | None:
    """Find the outermost ``forward`` of a stranger's network on the way to what was raised."""
    while traceback is not None:
        frame, traceback = traceback.tb_frame, traceback.tb_next
        if frame.f_code.co_name == "forward":
            first = next(iter(frame.f_code.co_varnames), "")  # not everybody calls it self
            origin = _origins.get(type(frame.f_locals.get(first)))
            if _is_strangers(origin):
                return origin
    return None
