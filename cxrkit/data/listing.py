"""Which files a user means who names images and folders."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from cxrkit import bounded
from cxrkit.data import dicom
from cxrkit.data.images import SUFFIXES
from cxrkit.errors import InputError

SYSTEM_FOLDER = "__MACOSX"
LEADS_OUT = "link that leads out of the folder"


class Found(NamedTuple):
    """A file.

    Attributes:
        name: as the user gave it; of a file in a folder, the folder as given and the way from there, with ``/``.
        path: where it is.
        refused: why it is not to be read, or None.
    """

    name: str
    path: Path
    refused: str | None = None


def images(paths: Sequence[Path], *, besides: Path | None = None) -> list[Found]:
    """List images: files as they are given, and in folders what is an image by suffix or, without one, is DICOM.

    Args:
        paths: files and folders, which are searched to their depths, by name.
        besides: folder that is not searched: where results go, if it may lie among them.

    Returns:
        Each file once. A link in a folder that leads out of it is refused: whoever fills a folder must not decide what
        else of this machine is read. A link that is itself given is followed.

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
        home = Path(os.path.realpath(given))
        for path in _below(given, besides and besides.resolve()) if given.is_dir() else [given]:
            if path != given and _leads_out(path, home):
                found.setdefault(path.absolute(), Found(path.as_posix(), path, LEADS_OUT))
            else:
                found.setdefault(Path(os.path.realpath(path)), Found(path.as_posix(), path))
    return list(found.values())


def _leads_out(path: Path, home: Path) -> bool:
    return path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(home)


def _below(folder: Path, besides: Path | None) -> Iterator[Path]:
    """Walk through a folder, also through links, but not in circles and not out of it."""
    seen: set[str] = set()
    home = Path(os.path.realpath(folder))
    for place, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in seen or Path(real) == besides:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != SYSTEM_FOLDER)
        beyond = {name for name in folders if _leads_out(Path(place, name), home)}
        folders[:] = [name for name in folders if name not in beyond]
        named = sorted([*files, *beyond])
        for path in (Path(place, name) for name in named):
            if path.name in beyond or _is_image(path):
                yield path


def _is_image(path: Path) -> bool:
    """Judge by the suffix; of names that end as archives of radiographs have it (``IM0001``, ``1.2.840.1``) look in."""
    if path.name.startswith("."):
        return False
    if path.suffix and not path.suffix[1:].isdigit():
        return path.suffix.lower() in SUFFIXES
    try:
        with bounded.opened(path) as file:
            return dicom.is_dicom(file)
    except OSError:
        return False
