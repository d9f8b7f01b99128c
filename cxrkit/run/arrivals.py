"""Waits for images in folders, by looking again and again."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from threading import Event

from cxrkit.data import listing
from cxrkit.data.listing import Found

INTERVAL = 2.0  # seconds between two looks
AT_ONCE = 32  # files handed over, between which the watch can be ended
State = tuple[int, int]  # bytes, time of the last change


def watch(
    folders: Sequence[Path],
    besides: Path,
    handle: Callable[[Sequence[Found]], None],
    stop: Event,
    interval: float = INTERVAL,
) -> None:
    """Hand over images as they come complete: not empty, and unchanged between two looks; each file once.

    Args:
        folders: are searched to their depths.
        besides: folder that is not searched: where results go.
        handle: takes those that came complete since the last look.
        stop: ends the watch, after what is being handled.
        interval: seconds between two looks.

    Raises:
        InputError: a folder is gone.
    """
    done: set[Path] = set()
    before: Mapping[Path, State] = {}
    while True:
        waiting = [file for file in listing.images(folders, besides=besides) if file.path not in done]
        now = dict(_states(file.path for file in waiting))
        complete = [file for file in waiting if file.path in now and before.get(file.path) == now[file.path]]
        for start in range(0, len(complete), AT_ONCE):
            handle(complete[start : start + AT_ONCE])
            if stop.is_set():
                return
        done.update(file.path for file in complete)
        before = now
        if stop.wait(interval):
            return


def _states(paths: Iterable[Path]) -> Iterator[tuple[Path, State]]:
    for path in paths:
        try:
            stat = path.stat()
        except OSError:  # gone again
            continue
        if stat.st_size:
            yield path, (stat.st_size, stat.st_mtime_ns)
