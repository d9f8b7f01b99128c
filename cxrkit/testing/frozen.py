"""Whether a function leaves what it is given as it was."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cxrkit.testing.check import BrokenPromiseError


@contextmanager
def unwritable(*given: Any) -> Iterator[None]:
    """Let nothing be written to the arrays of what a function is given; cxrkit gives them to it in the same way.

    Raises:
        BrokenPromiseError: something was.
    """
    arrays = [array for one in given for array in _arrays(one)]
    for array in arrays:
        array.setflags(write=False)
    try:
        yield
    except ValueError as error:
        if "read-only" in str(error):
            raise BrokenPromiseError("writes to an array that it is given, work on a copy") from None
        raise


def _arrays(value: Any) -> Iterator[NDArray[Any]]:
    if isinstance(value, np.ndarray):
        yield value
    elif is_dataclass(value):
        for one in fields(value):
            yield from _arrays(getattr(value, one.name))
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _arrays(item)
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _arrays(item)


def twice(make: Callable[[], Any]) -> tuple[Any, Any]:
    """Call twice, from different states of numpy's own generator."""
    found = []
    state = np.random.get_state()  # noqa: NPY002 - a plugin must not draw from it
    for seed in (1, 2):
        np.random.seed(seed)  # noqa: NPY002 - as above
        found.append(make())
    np.random.set_state(state)  # noqa: NPY002 - as above
    return found[0], found[1]
