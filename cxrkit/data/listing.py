"""Which files a user means who names images and folders."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from cxrkit.data import dicom
from cxrkit.data.images import SUFFIXES
from cxrkit.errors import InputError

SYSTEM_FOLDER = "__MACOSX"


class Found(NamedTuple):
    """A file.

    Attributes:
        name: as the user gave it; of a file in a folder, the folder as given and the way from there, with ``/``.
        path: where it is.
    """

    name: str
    path: Path


def images(paths: Sequence[Path], *, besides: Path) -> list[Found]:
    """List images: files as they are given, and in folders what is an image by suffix or, without one, is DICOM.

    Args:
        paths: files and folders, which are searched to their depths, by name.
        besides: folder that is not searched: where results go.

    Returns:
        Each file once.

    Raises:
        InputError: a path is not there, or is neither file nor folder.
    """
    problems = [
        f"{path}: no such file or folder, allowed are images and folders" for path in paths if not path.exists()
    ]
    if problems:
        raise InputError(*problems)
    found: dict[Path, Found] = {}
    for given in paths:
        for path in _below(given, besides.resolve()) if given.is_dir() else [given]:
            found.setdefault(path.resolve(), Found(path.as_posix(), path))
    return list(found.values())


def _below(folder: Path, besides: Path) -> Iterator[Path]:
    """Walk through a folder, also through links, but not in circles."""
    seen: set[str] = set()
    for place, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in seen or Path(real) == besides:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != SYSTEM_FOLDER)
        yield from (path for name in sorted(files) if _is_image(path := Path(place, name)))


def _is_image(path: Path) -> bool:
    """Judge by the suffix; of names that end as archives of radiographs have it (``IM0001``, ``1.2.840.1``) look in."""
    if path.name.startswith("."):
        return False
    if path.suffix and not path.suffix[1:].isdigit():
        return path.suffix.lower() in SUFFIXES
    try:
        with path.open("rb") as file:
            return dicom.is_dicom(file)
    except OSError:
        return False
