"""Confidence intervals that know which images are of one patient. Never NaN, never of zero width at 0 or 1."""

from functools import cache
from math import inf, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit
from scipy.stats import norm

from cxrkit.api import FloatArray, IntArray, TextArray


class Interval(NamedTuple):
    """A confidence interval and how it was made.

    Attributes:
        low: lower bound, or None where there is no interval.
        high: upper bound, or None.
        method: in words, e.g. ``Wilson, design effect 1.8``; None where there is no interval.
    """

    low: float | None
    high: float | None
    method: str | None


class Proportion(NamedTuple):
    """A share of images with its interval.

    Attributes:
        value: 0 … 1, or None where there are no images.
        interval: Wilson's.
        n: images.
        n_patients: of these images.
    """

    value: float | None
    interval: Interval
    n: int
    n_patients: int


NONE = Interval(None, None, None)


@cache
def quantile(level: float) -> float:
    """Return the standard normal quantile of a two-sided interval: 1.96 for a level of 0.95."""
    return float(norm.ppf((1 + level) / 2))


def student_quantile(level: float, freedom: float) -> float:
    """Return Student's quantile of a two-sided interval, where a variance was estimated; above ``quantile(level)``."""
    return float(stdtrit(freedom, (1 + level) / 2))


def student_p_value(ratio: float, freedom: float) -> float:
    """Return the two-sided p value of an estimate over its standard error, by Student's t distribution."""
    return float(2 * stdtr(freedom, -abs(ratio)))


def patient_index(patients: TextArray) -> IntArray:
    """Number the patients 0, 1, … in the order of their names: int64[n]."""
    return np.unique(patients, return_inverse=True)[1].astype(np.int64)


def count_patients(patients: IntArray) -> int:
    """Count the patients of some images, whose numbers are 0 or more, with or without gaps."""
    return int(np.count_nonzero(np.bincount(patients)))


def renumbered(patients: IntArray) -> IntArray:
    """Number the patients of some images 0, 1, … without gaps, in the order of their numbers: int64[n]."""
    return (np.cumsum(np.bincount(patients) > 0) - 1)[patients]


def wilson(successes: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """Compute Wilson's score interval of a proportion (Wilson 1927).

    Args:
        successes: 0 … n; may be fractional after a correction of n.
        n: more than 0.
        level: of confidence.

    Returns:
        Lower and upper bound, within 0 … 1 and around ``successes / n``.
    """
    z = quantile(level)
    share = successes / n
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * sqrt(max(share * (1 - share), 0) / n + z**2 / (4 * n**2))
    return max(min(middle - half, share), 0.0), min(max(middle + half, share), 1.0)


def wilson_bands(shares: FloatArray, n: FloatArray | float, level: float = 0.95) -> tuple[FloatArray, FloatArray]:
    """Compute Wilson's interval of many proportions at once, for the points of a curve.

    Args:
        shares: float64[m], 0 … 1.
        n: float64[m] or one for all, more than 0; may be fractional after a correction by the design effect.
        level: of confidence.

    Returns:
        Lower and upper bounds, float64[m] each.
    """
    z = quantile(level)
    middle = (shares + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(shares * (1 - shares) / n + z**2 / (4 * n**2))
    return np.clip(middle - half, 0, shares), np.clip(middle + half, shares, 1)


def design_effect(success: NDArray[np.bool_], patients: IntArray) -> float | None:
    """Estimate by how much dependence within patients inflates a proportion's variance (Rao & Scott 1992).

    Args:
        success: bool[n].
        patients: int64[n], the patients' numbers.

    Returns:
        At least 1; None where it cannot be estimated: all or none succeed, or there is one patient.
    """
    place = renumbered(patients)
    sizes = np.bincount(place)
    share = success.mean()
    if len(sizes) < 2 or share in (0, 1):  # noqa: PLR2004  # one patient has no variance between patients
        return None
    residuals = np.bincount(place, weights=success) - share * sizes
    between = len(sizes) / (len(sizes) - 1) * np.sum(residuals**2) / len(success) ** 2
    return max(1.0, float(between / (share * (1 - share) / len(success))))


def proportion(success: NDArray[np.bool_], patients: IntArray, level: float = 0.95) -> Proportion:
    """Estimate a proportion with Wilson's interval, n corrected by the design effect where patients have many images.

    As the design effect is estimated, n is corrected further by the squared ratio of the normal quantile to Student's
    with one degree of freedom less than patients (Korn & Graubard 1998). Where all or none succeed the design effect
    cannot be estimated, and n is the number of patients: what complete dependence within patients would leave.

    Args:
        success: bool[n].
        patients: int64[n], the patients' numbers.
        level: of confidence.
    """
    n, n_patients = len(success), count_patients(patients)
    if n == 0:
        return Proportion(None, NONE, 0, 0)
    share = float(success.mean())
    if n == n_patients:
        return Proportion(share, Interval(*wilson(success.sum(), n, level), "Wilson"), n, n_patients)
    effect = design_effect(success, patients)
    if effect is None:
        bounds, method = wilson(share * n_patients, n_patients, level), "Wilson, n = patients"
    else:
        left = n / effect * (quantile(level) / student_quantile(level, n_patients - 1)) ** 2
        bounds, method = wilson(share * left, left, level), f"Wilson, design effect {effect:.2f}"
    return Proportion(share, Interval(*bounds, method), n, n_patients)


def ratio_interval(first: tuple[float, float, float], second: tuple[float, float, float]) -> tuple[float, float]:
    """Compute the interval of a ratio of two independent estimates from their own intervals (Donner & Zou 2012).

    Args:
        first: value, lower and upper bound of the numerator, at least 0.
        second: the same of the denominator.

    Returns:
        Bounds, the upper one infinite where the denominator may be 0.
    """
    (a, a_low, a_high), (b, b_low, b_high) = first, second
    slope = a_low * (2 * a - a_low)
    root = sqrt(max((a * b) ** 2 - slope * b_high * (2 * b - b_high), 0))
    low = slope / (a * b + root) if slope > 0 else 0.0
    if b_low <= 0:
        return low, inf
    divisor = b_low * (2 * b - b_low)
    return low, (a * b + sqrt(max((a * b) ** 2 - a_high * (2 * a - a_high) * divisor, 0))) / divisor


def predictive_intervals(
    sensitivity: Proportion, specificity: Proportion, prevalence: float
) -> tuple[Interval, Interval]:
    """Compute the intervals of positive and negative predictive value at a stated prevalence.

    By Bayes each is a function of a likelihood ratio, whose interval comes from those of sensitivity and specificity
    (Donner & Zou 2012).

    Args:
        sensitivity: with Wilson's interval.
        specificity: with Wilson's interval.
        prevalence: between 0 and 1; taken as known.
    """
    hits, passes = _bounds(sensitivity), _bounds(specificity)
    if hits is None or passes is None:
        return NONE, NONE
    odds = prevalence / (1 - prevalence)
    positive = ratio_interval(hits, _complement(passes))
    negative = ratio_interval(passes, _complement(hits))
    return _from_odds(positive, odds), _from_odds(negative, 1 / odds)


def _bounds(share: Proportion) -> tuple[float, float, float] | None:
    value, (low, high, _) = share.value, share.interval
    return None if value is None or low is None or high is None else (value, low, high)


def _complement(share: tuple[float, float, float]) -> tuple[float, float, float]:
    return 1 - share[0], 1 - share[2], 1 - share[1]


def _from_odds(ratio: tuple[float, float], odds: float) -> Interval:
    low, high = (1 - 1 / (1 + bound * odds) for bound in ratio)
    return Interval(low, high, "Donner-Zou, of Wilson intervals")
