"""libtiff, with which Pillow decodes TIFF: of damaged files it speaks on stderr, past Python and all its filters."""

import ctypes
from collections.abc import Iterator
from contextlib import suppress
from ctypes.util import find_library
from functools import cache
from pathlib import Path

import PIL


@cache
def silence() -> None:
    """Take libtiff's voice, once for all: what it says is known from the error that Pillow raises."""
    for place in _places():
        with suppress(OSError, AttributeError):
            library = ctypes.CDLL(place)
            for name in ("TIFFSetErrorHandler", "TIFFSetErrorHandlerExt"):
                setter = getattr(library, name)
                setter.argtypes, setter.restype = [ctypes.c_void_p], ctypes.c_void_p
                setter(None)


def _places() -> Iterator[str]:
    """Name the library that comes with Pillow's wheel, else the system's."""
    package = Path(PIL.__file__).parent
    folders = (package.parent / "pillow.libs", package / ".dylibs")
    bundled = [str(path) for folder in folders for path in folder.glob("libtiff*")]
    system = find_library("tiff") if not bundled else None
    yield from bundled or ([system] if system else [])
