"""Hash, decode and look at all images at once."""

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from cxrkit.data.images import Inspection, Look, inspect
from cxrkit.errors import RunError

Progress = Callable[[int, int], None]
"""``progress(done, total)`` is called after each image."""


class Inspected(NamedTuple):
    """A frame of files that were opened, and what each readable one looks like, by the hash of its bytes."""

    frame: pd.DataFrame
    looks: dict[str, Look]


def inspected(frame: pd.DataFrame, roots: Mapping[str, Path], progress: Progress | None = None) -> Inspected:
    """Add ``sha256``, ``width`` and ``height`` to a frame, and exclude the images that cannot be read.

    Rows that are excluded already are not opened. Decoding runs in threads, as Pillow releases the interpreter.

    Raises:
        RunError: a folder of images has vanished meanwhile.
    """
    places = [None if row.excluded else roots[str(row.split)] / str(row.image) for row in frame.itertuples(index=False)]
    found = _inspect_all([place for place in places if place], progress)
    _refuse_vanished(roots)
    results = [Inspection() if place is None else found[place] for place in places]
    told = frame.assign(
        sha256=[result.sha256 for result in results],
        width=[result.width for result in results],
        height=[result.height for result in results],
        excluded=[why or result.reason or "" for why, result in zip(frame["excluded"], results, strict=True)],
    )
    return Inspected(told, {result.sha256: result.look for result in results if result.look is not None})


def _refuse_vanished(roots: Mapping[str, Path]) -> None:
    """Take a folder that has gone while it was read for what it is, and not for many images that are missing."""
    for root in dict.fromkeys(roots.values()):
        try:
            with os.scandir(root) as entries:
                there = next(entries, None) is not None
        except OSError:
            there = False
        if not there:
            raise RunError(f"{root}: has vanished while its images were read, is its disk still mounted?")


def _inspect_all(paths: list[Path], progress: Progress | None) -> dict[Path, Inspection]:
    found = {}
    with ThreadPoolExecutor(max_workers=min(32, (os.cpu_count() or 1) + 2)) as pool:
        for done, (path, result) in enumerate(zip(paths, pool.map(inspect, paths), strict=True), start=1):
            found[path] = result
            if progress is not None:
                progress(done, len(paths))
    return found
