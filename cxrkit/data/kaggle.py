"""Data sets of Kaggle, through the library kagglehub."""

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path
from textwrap import shorten
from typing import Any

from cxrkit import locking
from cxrkit.data.archive_names import is_junk
from cxrkit.data.archives import Extracted
from cxrkit.data.watching import Watch, need_space
from cxrkit.errors import CxrkitError, InputError, RunError
from cxrkit.files import digest

DEFAULT = "paultimothymooney/chest-xray-pneumonia"
_LONGEST = 300  # characters of what kagglehub says
_HANDLE = re.compile(r"[\w-]+/[\w-]+(/versions/\d+)?", re.ASCII)


def check_handle(handle: str) -> None:
    """Refuse what names no data set.

    Raises:
        InputError: it is not OWNER/NAME or OWNER/NAME/versions/NUMBER.
    """
    if not _HANDLE.fullmatch(handle):
        raise InputError(f'kaggle: "{handle}" is no data set, allowed is kaggle:OWNER/NAME or …/versions/NUMBER')


def fetch(handle: str, watch: Watch) -> Path:
    """Fetch a data set into the cache of kagglehub, which resumes a broken transfer and checks it.

    Another process that fetches the same one is waited for, as both would write into that cache.

    Returns:
        The folder in that cache, or on Kaggle's own machines where the data set is attached.

    Raises:
        InputError: kagglehub is not installed.
        RunError: kagglehub could not fetch it.
    """
    with redirect_stdout(sys.stderr):  # kagglehub logs to standard output, which is for results
        library = _library()
        try:
            with locking.held(_place(handle), "cxrkit data download", wait=True, say=watch.say, told=Path(handle)):
                return Path(library.dataset_download(handle))
        except CxrkitError:
            raise
        except Exception as error:  # whatever kagglehub and what it is built on raise
            why = shorten(str(error), _LONGEST, placeholder="…") or type(error).__name__
            raise RunError(
                f"kaggle: {handle} could not be fetched ({why}), the same command goes on where it stopped; "
                "a key, where one is needed: kaggle.com/settings; without Kaggle: cxrkit data download mendeley"
            ) from error


def _place(handle: str) -> Path:
    """Choose the folder whose lock stands for a data set in this user's cache."""
    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "")
    return Path(tempfile.gettempdir()) / f"cxrkit-{user}-{digest(handle)[:16]}"


def _library() -> Any:
    try:
        return import_module("kagglehub")
    except ImportError:
        raise InputError(
            'kaggle: needs kagglehub, pip install "cxrkit[kaggle]"; the original archive needs nothing: '
            "cxrkit data download mendeley"
        ) from None


def copy(source: Path, target: Path, watch: Watch) -> Extracted:
    """Copy the files of a folder, junk left out.

    Raises:
        InputError: one of them is a link or no regular file.
        RunError: there is no room for them.
        OSError: a file cannot be written.
    """
    found = list(_files(source))
    files = [path for path in found if not is_junk(path.relative_to(source).parts)]
    sizes = [path.stat().st_size for path in files]
    need_space(target, sum(sizes), f"to copy {source}")
    done = 0
    for path, size in zip(files, sizes, strict=True):
        place = target / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)
        done += size
        watch.progress("Copying", done, sum(sizes))
    return Extracted(len(files), len(found) - len(files))


def _files(source: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(source):
        folders.sort()
        for path in (Path(place, name) for name in sorted(names)):
            if path.is_symlink() or not path.is_file():
                raise InputError(f"{path}: is a link or no file, nothing was copied")
            yield path
