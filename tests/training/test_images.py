import numpy as np
import torch
from PIL import Image
from torchvision import transforms

from cxrkit.training import images

GREY = np.random.default_rng(0).integers(0, 256, (300, 400)).astype(np.uint8)


def test_evaluation_input_equals_torchvisions_own_recipe():
    recipe = transforms.Compose(
        [
            transforms.Resize(256),
            transforms.CenterCrop(224),
            transforms.Grayscale(3),
            transforms.ToTensor(),
            transforms.Normalize(images.MEAN, images.STD),
        ]
    )
    ours = images.evaluation_input(GREY, images.preprocessing(224))
    torch.testing.assert_close(ours, recipe(Image.fromarray(GREY)), rtol=0, atol=1e-6)


def test_normalised_batches_are_channels_last():
    batch = images.normalised(torch.zeros(2, 8, 8, dtype=torch.uint8))
    assert batch.shape == (2, 3, 8, 8)
    assert batch.is_contiguous(memory_format=torch.channels_last)


def test_large_images_shrink_to_the_side_that_is_kept_and_small_ones_stay():
    assert images.within(GREY, 150).shape == (150, 200)
    assert images.within(GREY, 300) is GREY
