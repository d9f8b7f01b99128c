"""Control limits of shares: between what a period's share stays by chance alone."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import betabinom, norm

from cxrkit.api import FloatArray, IntArray
from cxrkit.intervals import design_effect, renumbered

PRIOR = 0.5  # Jeffreys'
LEAST_PERIODS = 8  # of the reference, from which on the variance between them is estimated
MEAN_MOVING_RANGE = 1.128  # of two standard normal values, 2 / √π


class Limits(NamedTuple):
    """Limits of a share, and how many independent images the period's count as."""

    lower: float
    upper: float
    images: int


def tail(sigma: float) -> float:
    """Give the chance that a normal value lies more than ``sigma`` above its mean: 0.00135 for 3."""
    return float(norm.sf(sigma))


def limits(share: float, images: float, period_images: float, sigma: float) -> Limits:
    """Compute the limits of a period's share from the reference's.

    The predictive distribution of a count, beta-binomial with Jeffreys' prior (control limits from predictive
    distributions: Menzefricke 2002): it is exact for small counts, never leaves 0 … 1, and knows that the reference's
    share is itself an estimate. A share outside has on each side at most the chance of ``sigma`` standard deviations of
    a normal distribution, as in Shewhart's p chart.

    Args:
        share: of the reference, 0 … 1.
        images: of the reference, corrected for dependence; more than 0.
        period_images: of the period, corrected for dependence; counts as a whole number, at least 1.
        sigma: more than 0.
    """
    n, successes = max(1, int(period_images + 1e-9)), share * images
    chances = betabinom.pmf(np.arange(n + 1), n, successes + PRIOR, images - successes + PRIOR).cumsum()
    lower, upper = (int(np.searchsorted(chances, chance)) for chance in (tail(sigma), 1 - tail(sigma)))
    return Limits(min(lower, n) / n, min(upper, n) / n, n)


def within_patients(success: NDArray[np.bool_], patients: IntArray) -> float:
    """Estimate the correlation of images of one patient from the design effect (Kish 1965).

    Args:
        success: bool[n].
        patients: int64[n].

    Returns:
        0 … 1; 1, complete dependence, where nothing tells: every patient has one image, or all images are alike.
    """
    per_patient = images_per_patient(patients)
    effect = design_effect(success, patients) if per_patient > 1 else None
    return 1.0 if effect is None else min(1.0, (effect - 1) / (per_patient - 1))


def images_per_patient(patients: IntArray) -> float:
    """Count the images of a patient, as the mean over images: what the variance of a share depends on (Kish 1965)."""
    sizes = np.bincount(renumbered(patients))
    return float(np.sum(sizes**2) / np.sum(sizes))


def effect_of(patients: IntArray, correlation: float) -> float:
    """Give the design effect of a share: 1 + (images per patient - 1) · correlation (Kish 1965)."""
    return 1 + (images_per_patient(patients) - 1) * correlation


def dispersion(shares: FloatArray, images: FloatArray) -> float:
    """Estimate by how much more shares vary between periods than chance makes them (Laney 2002).

    Args:
        shares: float64[k], of successive periods.
        images: float64[k], corrected for dependence within patients.

    Returns:
        The square of Laney's sigma-z, from the moving range of the standardised shares, at least 1; 1 where there are
        fewer than eight periods or all shares are 0 or 1.
    """
    centre = float(np.average(shares, weights=images))
    if len(shares) < LEAST_PERIODS or centre in (0, 1):
        return 1.0
    standardised = (shares - centre) / np.sqrt(centre * (1 - centre) / images)
    return max(1.0, float(np.mean(np.abs(np.diff(standardised))) / MEAN_MOVING_RANGE) ** 2)
