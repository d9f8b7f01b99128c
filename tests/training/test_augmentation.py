import numpy as np
import pytest
import torch

from cxrkit.config.schema import AugmentationTable
from cxrkit.training.augmentation import Augmentation

GREY = np.random.default_rng(0).integers(0, 256, (60, 80)).astype(np.uint8)
EVERYTHING = AugmentationTable(rotation=10, zoom=0.1, elastic=20, contrast=0.2, brightness=0.2)


@pytest.mark.parametrize("table", [AugmentationTable(), EVERYTHING, AugmentationTable(random_resized_crop=False)])
def test_the_same_visit_gives_the_same_pixels_whatever_came_before(table):
    augmentation = Augmentation(table, 32)
    first = augmentation(GREY, (0, 1, 7, 0))
    torch.rand(5)
    augmentation(GREY, (0, 2, 7, 0))
    again = augmentation(GREY, (0, 1, 7, 0))
    assert first.shape == (32, 32)
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("words", [(1, 1, 7, 0), (0, 2, 7, 0), (0, 1, 8, 0), (0, 1, 7, 1)])
def test_another_seed_epoch_image_or_occurrence_gives_other_pixels(words):
    augmentation = Augmentation(AugmentationTable(), 32)
    assert (augmentation(GREY, (0, 1, 7, 0)) != augmentation(GREY, words)).any()


def test_the_generator_of_the_training_is_left_as_it_was():
    before = torch.get_rng_state()
    Augmentation(EVERYTHING, 32)(GREY, (0, 1, 7, 0))
    assert torch.equal(before, torch.get_rng_state())


def test_without_crop_and_flip_the_central_view_remains():
    plain = Augmentation(AugmentationTable(random_resized_crop=False, horizontal_flip=0), 28)
    assert plain.stored_side == 32
    np.testing.assert_array_equal(plain(GREY, (0,)), plain(GREY, (1,)))


def test_originals_are_kept_as_large_as_the_smallest_crop_needs():
    assert Augmentation(AugmentationTable(random_resized_crop={"scale": (0.25, 1)}), 224).stored_side == 448
