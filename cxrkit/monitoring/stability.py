"""The population stability index, and what chance alone makes of it."""

from typing import NamedTuple

import numpy as np

from cxrkit.api import FloatArray, IntArray

BINS = 10
SMOOTHING = 0.5  # images that each bin has beforehand (Krichevsky & Trofimov 1981), so that an empty one is no infinity
MODERATE, LARGE = 0.1, 0.25  # the customary limits (Siddiqi 2006), which do not know how many images there are
DRAWS = 9999
SEED = 20


class Stability(NamedTuple):
    """How far a distribution has moved.

    Attributes:
        value: the population stability index, at least 0.
        expected: its expected value where nothing has changed; in large samples (bins - 1) (1 / n + 1 / m).
        limit: what it exceeds by chance with probability ``1 - level``.
        p_value: of the permutation test, at least 1e-4.
        bins: how many there are; fewer than ten where values are tied.
    """

    value: float
    expected: float
    limit: float
    p_value: float
    bins: int


def bin_edges(reference: FloatArray, bins: int = BINS) -> FloatArray:
    """Place edges between bins at the quantiles of the reference, so that each holds about as much of it.

    Args:
        reference: float64[m], finite.
        bins: at most; tied values share one.

    Returns:
        The inner edges, rising; each belongs to the bin above it.
    """
    return np.unique(np.quantile(reference, np.linspace(0, 1, bins + 1)[1:-1]))


def counted(values: FloatArray, edges: FloatArray) -> IntArray:
    """Count values between edges: int64[len(edges) + 1]."""
    return np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1).astype(np.int64)


def stability_index(reference: IntArray, period: IntArray) -> FloatArray:
    """Compute the population stability index of counts: Σ (p - q) ln(p / q) (Jeffreys 1946; Siddiqi 2006).

    Args:
        reference: int64[…, bins].
        period: int64[…, bins].

    Returns:
        float64[…]; shares are of counts to which 0.5 is added in every bin.
    """
    then, now = (
        (counts + SMOOTHING) / (counts + SMOOTHING).sum(axis=-1, keepdims=True) for counts in (reference, period)
    )
    return np.asarray(np.sum((now - then) * np.log(now / then), axis=-1), dtype=np.float64)


def stability(reference: FloatArray, period: FloatArray, level: float = 0.95) -> Stability:
    """Compare a period's values with the reference's by the population stability index.

    Without a change the index follows (1 / n + 1 / m) χ² with one degree of freedom less than bins, in large samples
    (Yurdakul & Naranjo 2020). Periods are small: expected value, limit and p value come from 9,999 random divisions of
    all the values into the two groups (a permutation test, Pitman 1937), between the same edges, with a fixed seed.

    Args:
        reference: float64[m], finite, of independent images.
        period: float64[n], finite, of independent images.
        level: 1 less the chance that the limit is exceeded where nothing has changed.
    """
    edges = bin_edges(reference)
    then, now = counted(reference, edges), counted(period, edges)
    value = float(stability_index(then, now))
    drawn = np.random.default_rng(SEED).multivariate_hypergeometric(then + now, len(period), DRAWS, method="marginals")
    by_chance = stability_index(then + now - drawn, drawn)
    as_large = int(np.count_nonzero(by_chance >= value * (1 - 1e-12)))
    return Stability(
        value,
        float(by_chance.mean()),
        float(np.quantile(by_chance, level)),
        (1 + as_large) / (1 + DRAWS),
        len(edges) + 1,
    )
