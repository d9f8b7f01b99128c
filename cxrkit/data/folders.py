"""Folders that come into being whole or not at all."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cxrkit.errors import InputError
from cxrkit.files import beside, writing


@contextmanager
def creating(directory: Path) -> Iterator[Path]:
    """Give a temporary folder beside ``directory`` to fill; on success it becomes ``directory``, else it is gone.

    Raises:
        InputError: there is a file or a folder that is not empty.
        RunError: the place cannot be written (full, read-only, not allowed).
    """
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise InputError(f"{directory}: exists and is not empty, allowed is a new or empty folder")
    temporary = beside(directory)
    try:
        with writing(directory):
            directory.parent.mkdir(parents=True, exist_ok=True)
            temporary.mkdir()
            yield temporary
            if directory.exists():
                directory.rmdir()
            temporary.replace(directory)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
