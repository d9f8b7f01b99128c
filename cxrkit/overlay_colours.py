"""The colours of activation maps laid over images, in the pictures and in the bar that explains them."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

OPACITY = 0.65  # of the map where it is strongest
COLOUR_MAP = "inferno"  # perceptually uniform, also in grey and for the colour-blind
MIDDLE = 128  # grey that the bar lies on


def blend(grey: NDArray[np.uint8], activation: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Lay a map over an image, in its colours and the less transparent the stronger it is.

    Args:
        grey: uint8[height, width].
        activation: float32[height, width] in 0 … 1.

    Returns:
        uint8[height, width, 3], RGB; the image itself where the map is 0.
    """
    alpha = OPACITY * activation[..., None]
    colours = _colours()[np.round(activation * 255).astype(np.uint8)]
    mixed: NDArray[np.uint8] = np.round((1 - alpha) * grey[..., None] + alpha * colours).astype(np.uint8)
    return mixed


def bar(steps: int) -> NDArray[np.uint8]:
    """Give the colours that a map has over medium grey, from no evidence to its greatest value: uint8[steps, 3]."""
    colours: NDArray[np.uint8] = blend(
        np.full((1, steps), MIDDLE, np.uint8), np.linspace(0, 1, steps, dtype=np.float32)[None]
    )[0]
    return colours


@cache
def _colours() -> NDArray[np.float64]:
    """Look up the colour map, float64[256, 3] in 0 … 255."""
    import matplotlib as mpl

    return np.asarray(mpl.colormaps[COLOUR_MAP](np.linspace(0, 1, 256)))[:, :3] * 255
