"""From grey values to what a network is fed. One channel of bytes until the batch is on its device."""

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torchvision.transforms import v2

from cxrkit.records import Preprocessing

MEAN = (0.485, 0.456, 0.406)  # of ImageNet, after scaling to 0 … 1
STD = (0.229, 0.224, 0.225)

Grey = NDArray[np.uint8]


def preprocessing(image_size: int) -> Preprocessing:
    """Describe what :func:`view` and :func:`normalised` do, for ``model.json``."""
    return Preprocessing(image_size=image_size, resize=resize_side(image_size), mean=list(MEAN), std=list(STD))


def resize_side(image_size: int) -> int:
    """Return the pixels of the shorter side before the central crop, 256 for 224."""
    return image_size * 256 // 224


def central_view(image_size: int) -> list[v2.Transform]:
    """Resize the shorter side and crop the centre: what is evaluated."""
    return [v2.Resize(resize_side(image_size), antialias=True), v2.CenterCrop(image_size)]


def view(grey: Grey, image_size: int) -> Grey:
    """Return what an evaluated network sees of an image; the same from any thread.

    Args:
        grey: uint8[height, width].
        image_size: pixels of the network's input.

    Returns:
        uint8[image_size, image_size].
    """
    return np.asarray(v2.Compose(central_view(image_size))(Image.fromarray(grey)))


def within(grey: Grey, side: int) -> Grey:
    """Scale an image down until its shorter side has at most ``side`` pixels."""
    shorter = min(grey.shape)
    if shorter <= side:
        return grey
    height, width = (max(side, round(length * side / shorter)) for length in grey.shape)
    return np.asarray(Image.fromarray(grey).resize((width, height), Image.Resampling.BILINEAR))


def normalised(greys: Tensor) -> Tensor:
    """Turn a batch of grey values into a network's input, on the device that the batch is on.

    Args:
        greys: uint8[n, height, width].

    Returns:
        float32[n, 3, height, width] in channels-last order, three channels of the same image.
    """
    mean, std = (torch.tensor(values, device=greys.device) for values in (MEAN, STD))
    scaled = greys.unsqueeze(-1) * (1 / (255 * std)) - mean / std
    return scaled.permute(0, 3, 1, 2)


def evaluation_input(grey: Grey, preprocessing: Preprocessing) -> Tensor:
    """Turn an image into what an evaluated network is fed.

    Args:
        grey: uint8[height, width].
        preprocessing: of the trained model.

    Returns:
        float32[3, image_size, image_size].
    """
    seen = view(grey, preprocessing.image_size)
    return normalised(torch.from_numpy(seen.copy()).unsqueeze(0))[0]
