"""Pneumonia in the phantom: focal consolidation as bacteria cause it, diffuse interstitial opacity as viruses do."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cxrkit.data.anatomy import Plane, edge

_OUTLINED, _LUNG = 0.4, 0.25  # least opacity and least air within a mask
_LOBES = {"upper": -0.38, "middle": -0.02, "lower": 0.26}  # y of the centre


class Opacity(NamedTuple):
    """What pneumonia adds.

    Attributes:
        attenuation: float64[h, w].
        mask: bool[h, w], where a reader would outline it.
    """

    attenuation: Plane
    mask: NDArray[np.bool_]


def lobar(rng: np.random.Generator, x: Plane, y: Plane, lungs: Plane, severity: float) -> Opacity:
    """Fill a part of a lobe, often up to a fissure.

    Args:
        rng: of the place and the form.
        x: float64[h, w], see :mod:`cxrkit.data.anatomy`.
        y: float64[h, w].
        lungs: float64[h, w], air in 0 … 1.
        severity: in 0 … 1, the share of the air that is replaced.
    """
    side = rng.choice([-1, 1], p=[0.6, 0.4])
    centre = side * rng.uniform(0.26, 0.5), rng.choice(list(_LOBES.values())) + rng.normal(0, 0.05)
    width, height = rng.uniform(0.17, 0.38), rng.uniform(0.17, 0.38)
    distance = np.hypot((x - centre[0]) / width, (y - centre[1]) / height)
    blob = edge(1.1 - distance + 0.3 * noise(rng, x.shape, 9), 0.17)
    if rng.binomial(1, 0.4):
        fissure = y - centre[1] - rng.uniform(-0.1, 0.25) * (x - centre[0])
        blob = blob * edge(fissure * rng.choice([-1, 1]) + 0.05, 0.018)
    mottled = blob * np.clip(1 + 0.15 * noise(rng, x.shape, 24), 0, None)
    return _in_lungs(mottled, lungs, severity)


def diffuse(rng: np.random.Generator, x: Plane, y: Plane, lungs: Plane, severity: float) -> Opacity:
    """Veil both lungs around the hila, with a net of thickened interstitium; arguments as of :func:`lobar`."""
    spread = rng.uniform(0.3, 0.5)
    drop = rng.uniform(-0.05, 0.2)
    distance = np.hypot((np.abs(x) - 0.24) / spread, (y - drop) / (1.5 * spread))
    uneven = np.clip(1 + 0.45 * noise(rng, x.shape, 7), 0, None)
    veil = np.exp(-(distance**2)) * uneven
    net = sum(np.exp(-np.square(2 * noise(rng, x.shape, cells))) for cells in (28, 44))
    return _in_lungs(veil * (0.65 + 0.25 * net), lungs, severity, outline=veil)


Pattern = Callable[[np.random.Generator, Plane, Plane, Plane, float], Opacity]
PATTERNS: dict[str, Pattern] = {"bacteria": lobar, "virus": diffuse}


def noise(rng: np.random.Generator, shape: tuple[int, ...], cells: int) -> Plane:
    """Draw smooth noise of about unit variance with ``cells`` cells along each side, the same at any size."""
    grid = Image.fromarray(rng.standard_normal((cells, cells)).astype(np.float32))
    return 1.3 * np.asarray(grid.resize((shape[1], shape[0]), Image.Resampling.BICUBIC), dtype=np.float64)


def _in_lungs(amount: Plane, lungs: Plane, severity: float, outline: Plane | None = None) -> Opacity:
    mask = ((amount if outline is None else outline) * lungs > _OUTLINED) & (lungs > _LUNG)
    return Opacity(0.62 * severity * amount * lungs, mask)
