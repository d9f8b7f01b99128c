"""From attenuation to grey values: exposure, scatter, noise, collimation and the laterality marker."""

import numpy as np
from numpy.typing import NDArray

from cxrkit.data.anatomy import Plane
from cxrkit.data.opacities import noise

_GLYPH_R = np.array(
    [[int(dot) for dot in row] for row in ("11110", "10001", "10001", "11110", "10100", "10010", "10001")], dtype=bool
)


def grid(rng: np.random.Generator, size: int) -> tuple[Plane, Plane]:
    """Position the child: coordinates of each pixel after a shift, a turn and a distance.

    Returns:
        x and y, each float64[size, size]; see :mod:`cxrkit.data.anatomy`.
    """
    axis = (np.arange(size) + 0.5) * (2 / size) - 1
    x, y = np.meshgrid(axis, axis)
    turn, scale = np.radians(rng.normal(0, 2.5)), rng.uniform(0.7, 0.98)
    shift_x, shift_y = rng.normal(0, 0.04), rng.normal(-0.02, 0.06)
    cos, sin = scale * np.cos(turn), scale * np.sin(turn)
    return cos * x - sin * y + shift_x, sin * x + cos * y + shift_y


def develop(rng: np.random.Generator, attenuation: Plane) -> NDArray[np.uint8]:
    """Make a radiograph's grey values: bright where much was attenuated.

    Args:
        rng: of the exposure and the noise.
        attenuation: float64[size, size].

    Returns:
        uint8[size, size].
    """
    size = len(attenuation)
    scatter = 0.05 * noise(rng, attenuation.shape, 4)
    black, white = rng.uniform(0.0, 0.12), rng.uniform(1.25, 1.6)
    grey = np.clip((attenuation * (1 + scatter) - black) / (white - black), 0, 1) ** rng.uniform(0.9, 1.5)
    quantum = noise(rng, attenuation.shape, round(0.75 * size)) * rng.uniform(0.006, 0.022)
    grey = grey + quantum * (0.4 + grey)
    _mark(rng, grey)
    _collimate(rng, grey)
    return np.round(np.clip(grey, 0, 1) * 255).astype(np.uint8)


def _mark(rng: np.random.Generator, grey: Plane) -> None:
    """Put the letter R at the patient's right shoulder, as most departments do."""
    size = len(grey)
    dot = max(1, round(size / 128 * rng.uniform(0.7, 1.5)))
    glyph = np.kron(_GLYPH_R, np.ones((dot, dot), dtype=bool))
    left, top = (int(rng.uniform(low, high) * size) for low, high in ((0.02, 0.12), (0.05, 0.3)))
    if rng.binomial(1, 0.8):
        patch = grey[top : top + len(glyph), left : left + glyph.shape[1]]
        patch[glyph] = 0.97


def _collimate(rng: np.random.Generator, grey: Plane) -> None:
    size = len(grey)
    if rng.binomial(1, 0.25):
        left, right = (int(rng.uniform(0, 0.05) * size) for _ in range(2))
        grey[:, :left] = 0
        grey[:, size - right :] = 0
