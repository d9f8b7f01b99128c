"""Loads images: training images are decoded once where memory allows, evaluated ones ahead in threads."""

import os
import re
import signal
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from cxrkit.data.images import UnreadableImage, read_grey
from cxrkit.files import digest
from cxrkit.training.augmentation import Augmentation
from cxrkit.training.images import Grey, view, within
from cxrkit.training.order import Visit

SHARE_OF_MEMORY = 4  # decoded images take up to a quarter of the machine's memory
MOST_CACHED_BYTES = 16 << 30
_LOST_WORKER = re.compile(r"DataLoader worker \(pid.*?\d\) (is killed by signal: [\w ]+|exited unexpectedly)")
AHEAD = 32  # images that each thread may be ahead of the network


@dataclass
class TrainImages(Dataset[Grey]):
    """Training images, augmented for a visit.

    Attributes:
        paths: of the files.
        names: of the images, which their augmentation is seeded by.
        augmentation: what they undergo.
        seed: of the training.
        budget: bytes that may still be taken by decoded images.
        threads: that decode.
        hashes: SHA-256 of the files, as the manifest has it; none where they are not checked.
    """

    paths: Sequence[Path]
    names: Sequence[str]
    augmentation: Augmentation
    seed: int
    budget: int
    threads: int
    hashes: Sequence[str] = ()
    _kept: dict[int, Grey] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Turn the names into numbers once."""
        self._keys = [int(digest(name)[:16], 16) for name in self.names]

    def __getitem__(self, visit: Visit) -> Grey:
        """Return uint8[image_size, image_size]."""
        return self.__getitems__([visit])[0]

    def __getitems__(self, visits: Sequence[Visit]) -> list[Grey]:
        """Return a batch; torch's loader asks for it where it is there."""
        greys = self._decoded(sorted({visit.image for visit in visits}))
        return [
            self.augmentation(greys[image], (self.seed, epoch, self._keys[image], occurrence))
            for epoch, image, occurrence in visits
        ]

    def _decoded(self, images: Sequence[int]) -> dict[int, Grey]:
        missing = [image for image in images if image not in self._kept]
        found = {image: self._kept[image] for image in images if image in self._kept}
        if missing:
            with ThreadPoolExecutor(self.threads) as pool:
                found |= zip(missing, pool.map(self._read, missing), strict=True)
        for image in missing:
            self._keep(image, found[image])
        return found

    def _read(self, image: int) -> Grey:
        sha256 = self.hashes[image] if self.hashes else ""
        return within(read_grey(self.paths[image], sha256), self.augmentation.stored_side)

    def _keep(self, image: int, grey: Grey) -> None:
        if grey.nbytes <= self.budget:
            self.budget -= grey.nbytes
            self._kept[image] = grey


class TrainLoader:
    """Gives the augmented batches of one device's visits, from worker processes or from this one."""

    def __init__(self, images: TrainImages, workers: int, *, pin: bool) -> None:
        """Take the images, and in how many processes they are prepared (0: in this one, by ``images.threads``)."""
        self._visits: list[list[Visit]] = []
        images.budget //= max(1, workers)
        self._loader = DataLoader(
            images,
            batch_sampler=_Current(self._visits),
            collate_fn=_stacked,
            num_workers=workers,
            persistent_workers=workers > 0,
            worker_init_fn=_heed_parent_alone,
            generator=torch.Generator(),  # else it draws from the network's, where it begins and with workers otherwise
            pin_memory=pin,
        )

    def batches(self, visits: list[list[Visit]]) -> Iterator[Tensor]:
        """Yield uint8[n, image_size, image_size] for each list of visits."""
        self._visits[:] = visits
        yield from self._loader


class _Current:
    """The batches of the epoch under way; torch's loader reads it anew in each epoch."""

    def __init__(self, visits: list[list[Visit]]) -> None:
        self.visits = visits

    def __iter__(self) -> Iterator[list[Visit]]:
        return iter(self.visits)

    def __len__(self) -> int:
        return len(self.visits)


def lost_worker(error: BaseException) -> str | None:
    """Say in a sentence that a worker process was killed; None where an error is of another kind.

    torch raises it wherever the training is just then.
    """
    found = _LOST_WORKER.search(str(error)) if isinstance(error, RuntimeError) else None
    if found is None:
        return None
    return (
        f"a process that prepares training images ended ({found.group()}), often for want of memory or of shared "
        "memory (/dev/shm), lower [run] workers (0 needs no shared memory) or batch_size"
    )


def _heed_parent_alone(_worker: int) -> None:
    """Stay until the training has saved its state: a cluster sends SIGTERM to every process at once.

    The training process ends this one by SIGTERM too; who has sent it is told on Linux alone.
    """
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    if hasattr(signal, "sigwaitinfo"):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(target=_end_when_parent_says, args=(os.getppid(),), daemon=True).start()


def _end_when_parent_says(parent: int) -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != parent:
        pass
    os._exit(0)


def _stacked(greys: list[Grey]) -> Tensor:
    return torch.from_numpy(np.stack(greys))


def cache_bytes() -> int:
    """Say how many bytes decoded images may take in all."""
    try:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        memory = 8 << 30
    return min(memory // SHARE_OF_MEMORY, MOST_CACHED_BYTES)


def views(
    paths: Sequence[Path], image_size: int, threads: int, hashes: Sequence[str] | None = None
) -> Iterator[Grey | str]:
    """Yield what an evaluated network sees of each file, in order, decoded ahead in threads.

    Args:
        paths: of the files.
        image_size: pixels of the network's input.
        threads: that decode.
        hashes: SHA-256 of each file, as the manifest has it; None where they are not checked.

    Yields:
        uint8[image_size, image_size], or why the file cannot be read.

    Raises:
        ImageChangedError: a file is not what the manifest says.
    """
    with ThreadPoolExecutor(threads) as pool:
        rest = zip(paths, hashes or [""] * len(paths), strict=True)
        load = partial(_view_or_reason, image_size=image_size)
        ahead: deque[Future[Grey | str]] = deque(pool.submit(load, *one) for one in islice(rest, AHEAD * threads))
        while ahead:
            done = ahead.popleft().result()
            ahead.extend(pool.submit(load, *one) for one in islice(rest, 1))
            yield done


def _view_or_reason(path: Path, sha256: str, *, image_size: int) -> Grey | str:
    try:
        return view(read_grey(path, sha256), image_size)
    except UnreadableImage as error:
        return error.reason
