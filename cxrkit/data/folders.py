"""Folders that come into being whole or not at all."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from cxrkit.errors import InputError
from cxrkit.files import writing


@contextmanager
def creating(directory: Path) -> Iterator[Path]:
    """Give a temporary folder beside ``directory`` to fill; on success it becomes ``directory``, else it is gone.

    Raises:
        InputError: there is a file or a folder that is not empty.
        RunError: the place cannot be written (full, read-only, not allowed).
    """
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise InputError(f"{directory}: exists and is not empty, allowed is a new or empty folder")
    temporary: Path | None = None
    try:
        with writing(directory):
            directory.parent.mkdir(parents=True, exist_ok=True)
            temporary = Path(mkdtemp(prefix=f".{directory.name[:80]}.", suffix=".partial", dir=directory.parent))
            yield temporary
            temporary.chmod(directory.parent.stat().st_mode & 0o777)  # mkdtemp made it for its owner alone
            if directory.exists():
                directory.rmdir()
            temporary.replace(directory)
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
