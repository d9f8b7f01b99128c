"""Augmentation of training images, the same for a (seed, epoch, image) in whatever process and order."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import InterpolationMode, v2

from cxrkit.config.schema import AugmentationTable
from cxrkit.training.images import Grey, central_view, resize_side


class Augmentation:
    """What ``[augmentation]`` asks for, as torchvision transforms."""

    def __init__(self, table: AugmentationTable, image_size: int) -> None:
        """Prepare for a network's input of ``image_size`` pixels."""
        self.stored_side = _stored_side(table, image_size)
        self._transform = v2.Compose([*_crop(table, image_size), *_geometry(table), *_grey_values(table)])

    def __call__(self, grey: Grey, words: Sequence[int]) -> Grey:
        """Augment an image.

        Args:
            grey: uint8[height, width]; more than ``stored_side`` pixels on the shorter side add nothing.
            words: what the random choices depend on, non-negative numbers; torch's own generator is left as it was.

        Returns:
            uint8[image_size, image_size].
        """
        with _seeded(words):
            return np.asarray(self._transform(Image.fromarray(grey)))


@contextmanager
def _seeded(words: Sequence[int]) -> Iterator[None]:
    state = torch.default_generator.get_state()
    seed = np.random.SeedSequence(list(words)).generate_state(1, np.uint64)[0]
    torch.default_generator.manual_seed(int(seed >> np.uint64(1)))
    try:
        yield
    finally:
        torch.default_generator.set_state(state)


def _stored_side(table: AugmentationTable, image_size: int) -> int:
    """Return the shorter side that still gives the smallest crop without enlarging it."""
    if table.random_resized_crop is False:
        return resize_side(image_size)
    return math.ceil(image_size / math.sqrt(table.random_resized_crop.scale[0]))


def _crop(table: AugmentationTable, image_size: int) -> list[v2.Transform]:
    crop = table.random_resized_crop
    if crop is False:
        return central_view(image_size)
    return [v2.RandomResizedCrop(image_size, scale=crop.scale, ratio=crop.ratio, antialias=True)]


def _geometry(table: AugmentationTable) -> list[v2.Transform]:
    transforms: list[v2.Transform] = []
    if table.horizontal_flip:
        transforms.append(v2.RandomHorizontalFlip(table.horizontal_flip))
    if table.rotation or table.zoom:
        zoom = (1 - table.zoom, 1 + table.zoom) if table.zoom else None
        transforms.append(v2.RandomAffine(table.rotation, scale=zoom, interpolation=InterpolationMode.BILINEAR))
    if table.elastic:
        transforms.append(v2.ElasticTransform(alpha=float(table.elastic)))
    return transforms


def _grey_values(table: AugmentationTable) -> list[v2.Transform]:
    if not (table.contrast or table.brightness):
        return []
    return [v2.ColorJitter(brightness=table.brightness or None, contrast=table.contrast or None)]
