"""Images made worse on purpose, as other machines, rooms and hands would (the idea: Hendrycks & Dietterich 2019).

Every setting is relative to the image: lengths are shares of its shorter side, and noise and JPEG artefacts are those
of an image of 224 pixels, enlarged or reduced, so that a small phantom and a large radiograph suffer alike.
"""

from collections.abc import Callable, Iterable, Mapping
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from cxrkit.files import digest
from cxrkit.records import Condition

Grey = NDArray[np.uint8]
Plane = NDArray[np.float32]

REFERENCE_SIDE = 224  # pixels; the grain of noise and of JPEG artefacts is that of an image of this shorter side
STRENGTHS: Mapping[str, tuple[float, float, float, float, float]] = {
    "rotation": (3, 6, 10, 15, 20),  # degrees
    "blur": (0.2, 0.4, 0.7, 1.0, 1.4),  # SD of the Gaussian, % of the shorter side
    "noise": (4, 8, 13, 19, 27),  # SD, grey values of 255
    "contrast": (85, 70, 55, 40, 28),  # % of the distances to the mean grey value that are left
    "gamma": (1.2, 1.4, 1.7, 2.1, 2.6),
    "jpeg": (60, 40, 25, 15, 9),  # quality of 100
    "marker": (8, 12, 16, 20, 25),  # side of a masked corner, % of the shorter side
}
"""Corruption → its strength at severities 1 … 5."""
FRAME, CORNER = 8, 15  # of the shortcut checks, % of the shorter side

_SETTINGS = {
    "rotation": "rotated by {:g} degrees, left or right by image",
    "blur": "blurred by a Gaussian whose SD is {:g}% of the shorter side",
    "noise": f"Gaussian noise, SD {{:g}} of 255 grey values, grain 1/{REFERENCE_SIDE} of the shorter side",
    "contrast": "contrast reduced to {:g}%",
    "gamma": "gamma of {0:g} (darker) or 1/{0:g} (lighter) by image",
    "jpeg": f"JPEG quality {{:g}} of 100 at {REFERENCE_SIDE} pixels",
    "marker": "upper corners masked, where laterality markers stand, each side {:g}% of the shorter side",
}


def conditions(corruptions: Iterable[str], severities: Iterable[int], *, shortcuts: bool) -> list[Condition]:
    """List what the images undergo, one corruption after the other, each by rising severity.

    Args:
        corruptions: names, keys of :data:`STRENGTHS`.
        severities: 1 (slight) … 5 (severe).
        shortcuts: also mask, one at a time, what no diagnosis may rest on: the borders, and all four corners.
    """
    rising = sorted(set(severities))
    found = [_corruption(name, severity) for name in dict.fromkeys(corruptions) for severity in rising]
    return [*found, *_shortcuts()] if shortcuts else found


def _corruption(name: str, severity: int) -> Condition:
    setting = _SETTINGS[name].format(STRENGTHS[name][severity - 1])
    return Condition(name=f"{name}-{severity}", corruption=name, severity=severity, setting=setting)


def _shortcuts() -> list[Condition]:
    borders = f"a frame of {FRAME}% of the shorter side masked"
    corners = f"all four corners masked, each side {CORNER}% of the shorter side"
    return [
        Condition(name="borders", corruption="borders", setting=borders),
        Condition(name="corners", corruption="corners", setting=corners),
    ]


def moves(condition: Condition) -> bool:
    """Tell whether a condition moves the image, so that it must come before the crop to what a network sees.

    Every other condition is made of the cropped image: a mask in its corners then hides what the network saw there.
    """
    return condition.corruption == "rotation"


def corrupt(grey: Grey, condition: Condition, image: str) -> Grey:
    """Bring an image into a condition.

    Args:
        grey: uint8[height, width].
        condition: one of :func:`conditions`.
        image: the image's name, which fixes what is drawn at random; the severities of a corruption draw alike.

    Returns:
        uint8[height, width], the same whenever it is asked again.
    """
    rng = np.random.default_rng(int(digest(f"{condition.corruption} {image}")[:16], 16))
    if condition.severity is None:
        return _SHORTCUTS[condition.corruption](grey)
    strength = STRENGTHS[condition.corruption][condition.severity - 1]
    return _CORRUPTIONS[condition.corruption](grey, strength, rng)


def _rotated(grey: Grey, degrees: float, rng: np.random.Generator) -> Grey:
    turn = degrees * rng.choice((-1, 1))
    return np.asarray(Image.fromarray(grey).rotate(turn, Image.Resampling.BICUBIC))  # the rest is black, as on a screen


def _blurred(grey: Grey, percent: float, _rng: np.random.Generator) -> Grey:
    return _whole(gaussian_filter(grey.astype(np.float32), _pixels(grey, percent), mode="nearest"))


def _noisy(grey: Grey, spread: float, rng: np.random.Generator) -> Grey:
    return _at_reference(grey, lambda small: rng.normal(0, spread, small.shape).astype(np.float32))


def _flat(grey: Grey, percent: float, _rng: np.random.Generator) -> Grey:
    mean = grey.mean()
    return _whole(mean + percent / 100 * (grey - mean))


def _exposed(grey: Grey, gamma: float, rng: np.random.Generator) -> Grey:
    exponent = gamma ** rng.choice((-1, 1))
    return _whole(255 * (np.arange(256) / 255) ** exponent)[grey]


def _compressed(grey: Grey, quality: float, _rng: np.random.Generator) -> Grey:
    def artefacts(small: Grey) -> Plane:
        file = BytesIO()
        Image.fromarray(small).save(file, "JPEG", quality=round(quality))
        return np.asarray(Image.open(file), dtype=np.float32) - small

    return _at_reference(grey, artefacts)


def _without_marker(grey: Grey, percent: float, _rng: np.random.Generator) -> Grey:
    side = round(_pixels(grey, percent))
    hidden = np.zeros(grey.shape, dtype=bool)
    hidden[:side, :side] = hidden[:side, -side:] = True
    return _masked(grey, hidden)


def _without_corners(grey: Grey) -> Grey:
    side = round(_pixels(grey, CORNER))
    hidden = np.zeros(grey.shape, dtype=bool)
    for rows in (slice(side), slice(-side, None)):
        hidden[rows, :side] = hidden[rows, -side:] = True
    return _masked(grey, hidden)


def _without_borders(grey: Grey) -> Grey:
    width = round(_pixels(grey, FRAME))
    hidden = np.ones(grey.shape, dtype=bool)
    hidden[width:-width, width:-width] = False
    return _masked(grey, hidden)


_CORRUPTIONS: Mapping[str, Callable[[Grey, float, np.random.Generator], Grey]] = {
    "rotation": _rotated,
    "blur": _blurred,
    "noise": _noisy,
    "contrast": _flat,
    "gamma": _exposed,
    "jpeg": _compressed,
    "marker": _without_marker,
}
_SHORTCUTS: Mapping[str, Callable[[Grey], Grey]] = {"borders": _without_borders, "corners": _without_corners}


def _pixels(grey: Grey, percent: float) -> float:
    return percent / 100 * float(min(grey.shape))


def _whole(values: NDArray[np.floating]) -> Grey:
    return np.round(values).clip(0, 255).astype(np.uint8)


def _masked(grey: Grey, hidden: NDArray[np.bool_]) -> Grey:
    """Fill with the median of what stays: a grey that shows nothing and is no edge of its own kind."""
    return np.where(hidden, np.median(grey[~hidden]).astype(np.uint8), grey)


def _at_reference(grey: Grey, change: Callable[[Grey], Plane]) -> Grey:
    """Add a change that is made of the image at the reference size; by areas, for anything smoother weakens it."""
    scale = REFERENCE_SIDE / min(grey.shape)
    height, width = (round(scale * length) for length in grey.shape)
    added = change(np.asarray(Image.fromarray(grey).resize((width, height), Image.Resampling.BILINEAR)))
    return _whole(grey + np.asarray(Image.fromarray(added).resize(grey.shape[::-1], Image.Resampling.BOX)))
