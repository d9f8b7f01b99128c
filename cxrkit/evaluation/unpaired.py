"""Two figures of different patients: the interval of their difference, and tests."""

from math import sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from cxrkit.api import IntArray
from cxrkit.intervals import NONE, Interval, count_patients, design_effect

HYBRID = "Newcombe hybrid of "


def hybrid_difference(
    first: float | None, of_first: Interval, second: float | None, of_second: Interval
) -> tuple[float, float] | None:
    """Compute the interval of a difference of two independent figures from their own intervals.

    Newcombe's square-and-add (1998, method 10, for proportions; for any figure Zou & Donner 2008): it keeps the
    asymmetry of the two intervals, and is Wald's where both are symmetric.

    Args:
        first: the value that is subtracted from.
        of_first: its interval.
        second: the value that is subtracted.
        of_second: its interval.

    Returns:
        Bounds of ``first - second``; None where a value or an interval is lacking.
    """
    (a_low, a_high, _), (b_low, b_high, _) = of_first, of_second
    if first is None or second is None or a_low is None or a_high is None or b_low is None or b_high is None:
        return None
    difference = first - second
    below, above = (
        sqrt((first - a_low) ** 2 + (b_high - second) ** 2),
        sqrt((a_high - first) ** 2 + (second - b_low) ** 2),
    )
    return difference - below, difference + above


def hybrid_interval(first: float | None, of_first: Interval, second: float | None, of_second: Interval) -> Interval:
    """Compute ``hybrid_difference`` and name the intervals that it was made of."""
    bounds = hybrid_difference(first, of_first, second, of_second)
    if bounds is None:
        return NONE
    methods = dict.fromkeys(str(interval.method) for interval in (of_first, of_second))
    return Interval(*bounds, HYBRID + " and ".join(methods))


def effective_size(success: NDArray[np.bool_], patients: IntArray) -> float:
    """Say how many independent images tell as much of a share as these do (Rao & Scott 1992).

    Args:
        success: bool[n].
        patients: int64[n], numbers.

    Returns:
        n divided by the design effect; the number of patients where that cannot be estimated.
    """
    n, n_patients = len(success), count_patients(patients)
    effect = 1.0 if n == n_patients else design_effect(success, patients)
    return float(n_patients) if effect is None else n / effect


def shares_test(first: float, n_first: float, second: float, n_second: float) -> float:
    """Test two shares of different patients for equality (Rao & Scott 1992).

    The score test of two proportions, with numbers of images that were corrected for dependence within patients.

    Args:
        first: 0 … 1.
        n_first: effective number of images.
        second: 0 … 1.
        n_second: effective number of images.

    Returns:
        Two-sided p value.
    """
    pooled = (first * n_first + second * n_second) / (n_first + n_second)
    error = sqrt(max(pooled * (1 - pooled), 0.0) * (1 / n_first + 1 / n_second))
    return 1.0 if error == 0 else float(2 * norm.sf(abs(first - second) / error))
