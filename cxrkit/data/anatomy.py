"""A child's thorax in closed form, seen from the front: how much each ray is attenuated, and where the lungs are.

Coordinates: x from -1 (the patient's right) to 1, y from -1 (neck) to 1 (abdomen). Both are scaled to the image, so
that a phantom is the same child at any size. Attenuation is in arbitrary units, 0 where nothing is in the way.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

Plane = NDArray[np.float64]
_LUNG_CENTRE = 0.38  # |x| of each lung's middle


@dataclass(frozen=True)
class Anatomy:
    """What differs from child to child; lengths in the units of x and y."""

    width: float  # from the middle to the inside of the ribs
    apex: float  # y of the lungs' tops
    base: float  # y of the diaphragm's domes
    dome: float  # height of a dome
    heart: float  # half the heart's width
    thymus: float  # half the upper mediastinum's width
    rib_spacing: float
    rib_phase: float  # of a spacing
    rib_droop: float  # how steeply ribs fall towards the side
    tissue: float  # thickness of soft tissue, 1 on average
    gas: float  # of the stomach, 0 … 1
    markings: float  # how dense the lungs' vessels are
    vessels: Plane  # [depth, angle], noise that becomes branching streaks


@dataclass(frozen=True)
class Thorax:
    """What a ray passes.

    Attributes:
        attenuation: float64[h, w], of everything but opacities.
        lungs: float64[h, w], air in 0 … 1.
    """

    attenuation: Plane
    lungs: Plane


def draw(rng: np.random.Generator) -> Anatomy:
    """Draw a child."""
    return Anatomy(
        width=rng.uniform(0.6, 0.7),
        apex=rng.uniform(-0.82, -0.7),
        base=rng.uniform(0.46, 0.62),
        dome=rng.uniform(0.12, 0.22),
        heart=rng.uniform(0.26, 0.36),
        thymus=rng.uniform(0.1, 0.19),
        rib_spacing=rng.uniform(0.165, 0.195),
        rib_phase=rng.uniform(0, 1),
        rib_droop=rng.uniform(0.6, 0.95),
        tissue=rng.uniform(0.85, 1.15),
        gas=rng.uniform(0, 1) * rng.binomial(1, 0.5),
        markings=rng.uniform(0.08, 0.26),
        vessels=rng.standard_normal((7, 36)),
    )


def project(anatomy: Anatomy, x: Plane, y: Plane) -> Thorax:
    """Send rays through a child.

    Args:
        anatomy: of the child.
        x: float64[h, w].
        y: float64[h, w].
    """
    lungs = _lungs(anatomy, x, y)
    body = anatomy.tissue * _body(x, y)
    heart = _heart(anatomy, x, y)
    bones = 0.15 * _ribs(anatomy, x, y) + 0.17 * _spine(x, y) + 0.14 * _clavicles(anatomy, x, y)
    vessels = anatomy.markings * lungs * _vessels(anatomy, x, y)
    air = 0.62 * lungs * (1 - 0.75 * heart) + 0.1 * _trachea(x, y) + 0.22 * _stomach(anatomy, x, y)
    attenuation = body * (1.1 - air + 0.1 * heart + bones + vessels)
    return Thorax(np.maximum(attenuation, 0), lungs * (1 - 0.75 * heart))


def edge(distance: Plane, width: float) -> Plane:
    """Go from 0 to 1 where a signed distance goes from negative to positive, over about four times ``width``."""
    return 0.5 + 0.5 * np.tanh(distance / (2 * width))


def _body(x: Plane, y: Plane) -> Plane:
    below = y + 0.74  # the shoulders
    chest, neck = 0.84 + 0.34 * np.exp(-((below / 0.22) ** 2)), 0.3 + 0.88 * np.exp(-((below / 0.16) ** 2))
    half: Plane = np.where(below > 0, chest, neck)
    thickness: Plane = np.sqrt(np.clip(1 - np.square(np.square(x / half)), 0, 1))
    return thickness * (0.9 + 0.12 * edge(y - 0.4, 0.1))


def _wall(anatomy: Anatomy, y: Plane) -> Plane:
    """|x| of the inside of the ribs."""
    height = np.clip((0.3 - y) / (0.3 - anatomy.apex), 0, 1)
    return anatomy.width * np.sqrt(1 - height * np.square(height)) * (1 + 0.08 * np.minimum(y, 0.6))


def _lungs(anatomy: Anatomy, x: Plane, y: Plane) -> Plane:
    side = np.abs(x)
    liver = 0.05 * (x < 0)  # lifts the right dome
    floor = anatomy.base - liver + anatomy.dome * (((side - _LUNG_CENTRE) / 0.3) ** 2 - 0.5)
    mediastinum = anatomy.thymus * (1 - 0.35 * edge(y, 0.1))
    inside = edge(_wall(anatomy, y) - side, 0.018) * edge(side - mediastinum, 0.02)
    depth = 0.75 + 0.25 * edge(_wall(anatomy, y) - side - 0.12, 0.06)  # less lung in front of the side wall
    return inside * depth * edge(floor - y, 0.012) * edge(y - anatomy.apex, 0.02)


def _heart(anatomy: Anatomy, x: Plane, y: Plane) -> Plane:
    tilted = x - 0.11 - 0.35 * (y - 0.16)
    ventricles = 1 - np.sqrt((tilted / anatomy.heart) ** 2 + ((y - 0.2) / 0.36) ** 2)
    vessels = anatomy.thymus - np.abs(x - 0.01) - 0.1 * edge(-0.5 - y, 0.05)
    return np.maximum(edge(ventricles, 0.05), 0.85 * edge(vessels, 0.015) * edge(0.5 - y, 0.1))


def _ribs(anatomy: Anatomy, x: Plane, y: Plane) -> Plane:
    side = np.abs(x)
    wall = _wall(anatomy, np.minimum(y, 0.5))
    behind = y - anatomy.rib_droop * np.square(side - 0.2)
    front = y + 0.75 * side
    cage = edge(wall + 0.035 - side, 0.012) * edge(0.8 - y, 0.06) * edge(y - anatomy.apex + 0.06, 0.03)
    back = _bands(behind / anatomy.rib_spacing + anatomy.rib_phase, 0.2) * edge(side - 0.06, 0.01)
    anterior = _bands(front / anatomy.rib_spacing + 1.7 * anatomy.rib_phase, 0.45) * edge(side - 0.3, 0.04)
    rim = np.exp(-(((side - wall - 0.012) / 0.022) ** 2)) * edge(0.7 - y, 0.05)
    return cage * (back + 0.4 * anterior) + 0.9 * rim * (0.4 + 0.6 * back) * edge(y - anatomy.apex, 0.03)


def _bands(phase: Plane, threshold: float) -> Plane:
    """Repeat a band with brighter rims, as cortical bone has them, once in each unit of ``phase``."""
    wave = np.cos(2 * np.pi * phase)
    return edge(wave - threshold, 0.06) - 0.35 * edge(wave - threshold - 0.3, 0.08)


def _spine(x: Plane, y: Plane) -> Plane:
    discs = 1 - 0.3 * _bands(y / 0.115, 0.7)
    return edge(0.075 + 0.015 * y - np.abs(x), 0.012) * discs


def _clavicles(anatomy: Anatomy, x: Plane, y: Plane) -> Plane:
    side = np.abs(x) - 0.08
    course = anatomy.apex + 0.17 - 0.3 * side + 0.03 * np.sin(10 * side)
    return edge(0.024 - np.abs(y - course), 0.007) * edge(side, 0.01) * edge(0.68 - side, 0.03)


def _trachea(x: Plane, y: Plane) -> Plane:
    return edge(0.04 - np.abs(x - 0.005), 0.012) * edge(-0.22 - y, 0.03)


def _stomach(anatomy: Anatomy, x: Plane, y: Plane) -> Plane:
    return anatomy.gas * edge(1 - np.hypot((x - 0.36) / 0.2, (y - anatomy.base - 0.18) / 0.1), 0.08)


def _vessels(anatomy: Anatomy, x: Plane, y: Plane) -> Plane:
    """Streaks that leave each hilum and fade towards the side."""
    dx, dy = np.abs(x) - 0.15, y - 0.02
    distance = np.hypot(dx, dy)
    angle = (np.arctan2(dy, np.copysign(dx, x) * np.sign(dx)) / (2 * np.pi)) % 1
    places = np.stack([np.minimum(distance, 0.7) * 8, angle * anatomy.vessels.shape[1]])
    streaks = map_coordinates(anatomy.vessels, places, order=1, mode="grid-wrap")
    hilum = np.exp(-np.square(distance / 0.1))
    return (1 - hilum) * np.clip(streaks, 0, 2) * np.exp(-distance / 0.3) + hilum
