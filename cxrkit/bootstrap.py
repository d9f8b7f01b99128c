"""The bootstrap by patient: whole patients are drawn again, within strata of what their images show."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cxrkit.api import FloatArray, IntArray

Statistic = Callable[["Resamples"], FloatArray]
"""Maps a block of r resamples to float64[r, figures], NaN where a figure cannot be computed."""

BLOCK = 200_000  # cells of a block, so that its arrays stay in the cache
ROUNDING = 1e-12
MOST_THREADS = 8  # each holds a block's arrays, which are large where there are a million images


@dataclass(frozen=True)
class Resamples:
    """A block of resamples.

    Attributes:
        of_patients: float64[r, patients], how often each patient was drawn.
        patients: int64[n], each image's patient.
    """

    of_patients: FloatArray
    patients: IntArray

    @property
    def of_images(self) -> FloatArray:
        """float64[r, n], how often each image is in each resample."""
        return self.of_patients.take(self.patients, axis=1)


def strata(truth: NDArray[np.bool_], patients: IntArray) -> IntArray:
    """Sort patients into those with only negative (0), only positive (1) and mixed images (2): int64[patients].

    Args:
        truth: bool[n].
        patients: int64[n], numbers 0, 1, … without gaps.
    """
    positive = np.bincount(patients, weights=truth)
    sizes = np.bincount(patients)
    return np.where(positive == 0, 0, np.where(positive == sizes, 1, 2)).astype(np.int64)


def bootstrap(statistic: Statistic, patients: IntArray, groups: IntArray, *, resamples: int, seed: int) -> FloatArray:
    """Evaluate a statistic on samples of patients drawn with replacement within strata (Efron & Tibshirani 1993).

    Blocks of resamples are drawn and evaluated side by side, each from a generator of its own.

    Args:
        statistic: of a block of resamples; called from several threads.
        patients: int64[n], numbers 0, 1, … without gaps.
        groups: int64[patients], each patient's stratum, whose size every resample keeps.
        resamples: how many.
        seed: fixes the result to the last digit, whatever the number of threads.

    Returns:
        float64[resamples, figures].
    """
    rows = max(1, BLOCK // len(patients))
    sizes = [min(rows, resamples - start) for start in range(0, resamples, rows)]
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]

    def evaluated(number: int) -> FloatArray:
        rng = np.random.default_rng([seed, number])
        drawn = np.zeros((sizes[number], len(groups)))
        for group in members:
            drawn[:, group] = _draw(rng, sizes[number], len(group))
        return statistic(Resamples(drawn, patients))

    threads = min(os.cpu_count() or 1, MOST_THREADS, len(sizes))
    if threads == 1:
        return np.concatenate([evaluated(number) for number in range(len(sizes))])
    with ThreadPoolExecutor(threads) as pool:
        return np.concatenate(list(pool.map(evaluated, range(len(sizes)))))


def percentiles(drawn: FloatArray, level: float) -> tuple[FloatArray, FloatArray]:
    """Take the percentile bounds of each figure, over the resamples where it can be computed.

    Args:
        drawn: float64[resamples, figures].
        level: of confidence.

    Returns:
        Two float64[figures], equal where all resamples are; NaN where fewer than half of them have the figure.
    """
    enough = np.isfinite(drawn).mean(axis=0) > 0.5  # noqa: PLR2004  # less is no picture of the distribution
    bounds = np.full((2, drawn.shape[1]), np.nan)
    if enough.any():
        bounds[:, enough] = np.nanquantile(drawn[:, enough], [(1 - level) / 2, (1 + level) / 2], axis=0)
    # Resamples that differ by rounding alone are one value, in whatever order their sums were taken.
    low, high = bounds
    return low, np.where(high - low > ROUNDING, high, low)


def _draw(rng: np.random.Generator, number: int, size: int) -> IntArray:
    """Count how often each of ``size`` patients is drawn in each of ``number`` resamples."""
    picks = rng.integers(0, size, (number, size)) + size * np.arange(number)[:, None]
    return np.bincount(picks.ravel(), minlength=number * size).reshape(number, size)
