"""What the network sees of training images: plain, and as a training sees them epoch by epoch."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from cxrkit.config.schema import AugmentationTable
from cxrkit.data.images import read_grey
from cxrkit.training.augmentation import Augmentation
from cxrkit.training.images import Grey, view
from cxrkit.training.loading import TrainImages
from cxrkit.training.order import Visit


def views(
    paths: Sequence[Path],
    names: Sequence[str],
    hashes: Sequence[str],
    table: AugmentationTable,
    image_size: int,
    seed: int,
    epochs: Sequence[int],
) -> Iterator[list[Grey]]:
    """Yield of each image the plain view, then the one that a training sees at its first visit in each epoch.

    Args:
        paths: of the files.
        names: of the images, which augmentation is seeded by.
        hashes: SHA-256 of the files.
        table: ``[augmentation]``.
        image_size: pixels of the network's input.
        seed: of the training.
        epochs: from 1.

    Yields:
        1 + n of uint8[image_size, image_size].

    Raises:
        UnreadableImage: a file cannot be read.
        ImageChangedError: a file is another one by now.
    """
    images = TrainImages(paths, names, Augmentation(table, image_size), seed, budget=0, threads=1, hashes=hashes)
    for place, path in enumerate(paths):
        plain = view(read_grey(path, hashes[place]), image_size)
        yield [plain, *images.__getitems__([Visit(epoch, place, 0) for epoch in epochs])]
