"""Draw an activation map where it belongs: on the part of the whole image that the network saw."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from cxrkit.overlay_colours import blend
from cxrkit.records import Preprocessing

LONGER_SIDE = 320  # pixels, as the thumbnails of the same images
BORDER = (120, 190, 255)  # the one colour that neither the map nor the image has

Map = NDArray[np.float32]


class Box(NamedTuple):
    """A rectangle on an image, in pixels from its upper left corner."""

    left: float
    top: float
    right: float
    bottom: float


def seen(width: int, height: int, preprocessing: Preprocessing) -> Box:
    """Find the square of an image that is left by resizing its shorter side and cropping the centre.

    Args:
        width: pixels of the whole image.
        height: pixels of the whole image.
        preprocessing: to which size it was resized and cropped, as torchvision's Resize and CenterCrop do.
    """
    shorter, size = min(width, height), preprocessing.image_size
    resized_width = int(preprocessing.resize * width / shorter)
    resized_height = int(preprocessing.resize * height / shorter)
    left, top = round((resized_width - size) / 2), round((resized_height - size) / 2)
    x, y = width / resized_width, height / resized_height
    return Box(left * x, top * y, (left + size) * x, (top + size) * y)


def draw(grey: NDArray[np.uint8], activation: Map, box: Box) -> Image.Image:
    """Lay a map over the whole image, in its colours where it is strong, and mark the border of what was seen.

    Args:
        grey: uint8[height, width], the whole image.
        activation: float32[size, size] in 0 … 1, over what the network saw.
        box: where in the image that is.

    Returns:
        RGB, at most 320 pixels wide and high, in the image's aspect ratio.
    """
    image = Image.fromarray(grey)
    image.thumbnail((LONGER_SIDE, LONGER_SIDE), Image.Resampling.LANCZOS)
    placed = _placed(activation, _scaled(box, image.width / grey.shape[1], image.height / grey.shape[0]), image.size)
    drawn = Image.fromarray(blend(np.asarray(image), placed))
    left, top, right, bottom = _pixels(_scaled(box, image.width / grey.shape[1], image.height / grey.shape[0]))
    ImageDraw.Draw(drawn).rectangle((left, top, right - 1, bottom - 1), outline=BORDER)
    return drawn


def sixteen_bit(activation: Map) -> Image.Image:
    """Make the 16-bit greyscale image of a map: 0 … 1 becomes 0 … 65535."""
    return Image.fromarray(np.round(activation * 65535).astype(np.uint16))


def _placed(activation: Map, box: Box, size: tuple[int, int]) -> Map:
    """Put the map into a float32[height, width] that is 0 outside of what was seen."""
    left, top, right, bottom = _pixels(box)
    patch = Image.fromarray(activation).resize((right - left, bottom - top), Image.Resampling.BILINEAR)
    canvas = Image.new("F", size)
    canvas.paste(patch, (left, top))
    return np.asarray(canvas).clip(0, 1)


def _scaled(box: Box, x: float, y: float) -> Box:
    return Box(box.left * x, box.top * y, box.right * x, box.bottom * y)


def _pixels(box: Box) -> tuple[int, int, int, int]:
    left, top = round(box.left), round(box.top)
    return left, top, max(round(box.right), left + 1), max(round(box.bottom), top + 1)
