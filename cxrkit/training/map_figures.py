"""Figures of activation maps: how alike two are, and how much of one lies where the lesion is."""

from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata, t

from cxrkit.api import FloatArray, IntArray
from cxrkit.intervals import Interval, proportion, wilson
from cxrkit.records import Estimate

Maps = NDArray[np.float32]
Masks = NDArray[np.bool_]
LEVEL = 0.95
_NO_SPREAD = 1e-9  # a standard error that rounding alone makes


class Range(NamedTuple):
    """What values a figure can take."""

    low: float
    high: float


CORRELATION, SHARE = Range(-1, 1), Range(0, 1)


def rank_correlations(first: Maps, second: Maps) -> FloatArray:
    """Compute Spearman's correlation of each two maps, over their pixels, ties at their mean rank (Spearman 1904).

    Args:
        first: float32[n, height, width].
        second: the same shape.

    Returns:
        float64[n]; NaN where a map is the same everywhere, so that it has no ranks.
    """
    a, b = (_centred_ranks(maps) for maps in (first, second))
    spread = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    found: FloatArray = np.divide((a * b).sum(axis=1), spread, out=np.full(len(a), np.nan), where=spread > 0)
    return found


def _centred_ranks(maps: Maps) -> FloatArray:
    ranks: FloatArray = rankdata(maps.reshape(len(maps), -1), axis=1)
    ranks -= ranks.mean(axis=1, keepdims=True)
    return ranks


def peaks_inside(maps: Maps, masks: Masks) -> NDArray[np.bool_]:
    """Play the pointing game, without a tolerance (Zhang et al. 2018): does a map's peak lie in its mask?

    Args:
        maps: float32[n, height, width] in 0 … 1.
        masks: bool[n, height, width].

    Returns:
        bool[n]. Of several equal peaks at least half must lie inside; an empty map points nowhere, which is a miss.
    """
    greatest = maps.max(axis=(1, 2), keepdims=True)
    peak = (maps == greatest) & (greatest > 0)
    hits: NDArray[np.bool_] = 2 * (peak & masks).sum(axis=(1, 2)) >= np.maximum(peak.sum(axis=(1, 2)), 1)
    return hits


def energy_inside(maps: Maps, masks: Masks) -> FloatArray:
    """Compute the share of each map's sum that lies in its mask (Wang et al. 2020), 0 of an empty map: float64[n].

    Args:
        maps: float32[n, height, width], at least 0.
        masks: bool[n, height, width].
    """
    inside, whole = (part.sum(axis=(1, 2), dtype=np.float64) for part in (maps * masks, maps))
    shares: FloatArray = np.divide(inside, whole, out=np.zeros(len(maps)), where=whole > 0)
    return shares


def share(success: NDArray[np.bool_], patients: IntArray) -> Estimate:
    """Estimate a share of maps with Wilson's interval, see :func:`cxrkit.intervals.proportion`."""
    found = proportion(success, patients, LEVEL)
    low, high, method = found.interval
    return _estimate(found.value, Interval(low, high, method), found.n, found.n_patients)


def mean(values: FloatArray, patients: IntArray, clusters: IntArray, within: Range, unit: str = "patients") -> Estimate:
    """Estimate the mean of a bounded figure with Student's interval, its variance taken between clusters.

    Where all values agree, so that no variance can be estimated, Wilson's interval stands in with a trial for each
    cluster: no figure between the same bounds varies more than a success or failure does.

    Args:
        values: float64[n], finite; none gives an estimate without a value.
        patients: int64[n].
        clusters: int64[n], what varies independently: the patients again, or the draws of random parameters.
        within: between which bounds the values lie.
        unit: what the clusters are, for the method's name.
    """
    if not len(values):
        return _estimate(None, Interval(None, None, None), 0, 0)
    middle, (_, place) = float(values.mean()), np.unique(clusters, return_inverse=True)
    number = int(place.max()) + 1
    error = _standard_error(values - middle, place, number)
    if error < _NO_SPREAD:
        interval = _bounded(middle, number, within, unit)
    else:
        half = float(t.ppf((1 + LEVEL) / 2, number - 1)) * error
        low, high = max(within.low, middle - half), min(within.high, middle + half)
        interval = Interval(low, high, f"Student's t between {number} {unit}")
    return _estimate(middle, interval, len(values), len(np.unique(patients)))


def _standard_error(deviations: FloatArray, place: NDArray[np.intp], number: int) -> float:
    if number < 2:  # noqa: PLR2004  # one cluster has no variance between clusters
        return 0.0
    sums = np.bincount(place, weights=deviations)
    return sqrt(number / (number - 1) * float(np.sum(sums**2))) / len(deviations)


def _bounded(middle: float, number: int, within: Range, unit: str) -> Interval:
    width = within.high - within.low
    successes = min(max((middle - within.low) / width, 0.0), 1.0) * number
    low, high = (within.low + width * bound for bound in wilson(successes, number, LEVEL))
    return Interval(low, high, f"Wilson, n = {unit}")


def _estimate(value: float | None, interval: Interval, n: int, n_patients: int) -> Estimate:
    low, high, method = interval
    return Estimate(value=value, low=low, high=high, level=LEVEL, method=method, n=n, n_patients=n_patients)
