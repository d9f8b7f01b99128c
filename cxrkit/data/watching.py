"""What a long piece of work on files tells while it goes on."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from rich.filesize import decimal

from cxrkit.errors import RunError


class Watch(NamedTuple):
    """Who listens to a piece of work.

    Attributes:
        progress: called with what is being done, the bytes done, and all bytes, None where unknown.
        say: called with a sentence of something out of the ordinary, such as a transfer that is gone on with.
    """

    progress: Callable[[str, int, int | None], None]
    say: Callable[[str], None]


def need_space(place: Path, needed: int, what_for: str) -> None:
    """Refuse work that the disk has no room for.

    Args:
        place: what is to be written; its nearest folder that exists tells the disk.
        needed: bytes.
        what_for: of the sentence, ``to extract archive.zip``.

    Raises:
        RunError: less is free.
    """
    folder = next(parent for parent in place.absolute().parents if parent.exists())
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise RunError(
            f"{folder}: {decimal(needed)} are needed {what_for}, {decimal(free)} are free, "
            "free space or choose another --output"
        )
