"""Two models' decisions on the same images: the difference with its interval, tests, and p values of a family."""

from math import sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from cxrkit.api import IntArray
from cxrkit.intervals import NONE, Interval, quantile


def paired_difference(
    success: NDArray[np.bool_], reference: NDArray[np.bool_], patients: IntArray, level: float = 0.95
) -> Interval:
    """Compute the interval of the difference of two proportions on the same images (Bonett & Price 2012).

    Their adjusted Wald interval, with n divided by the design effect of the differences where patients have many
    images, or replaced by the number of patients where that effect cannot be estimated.

    Args:
        success: bool[n], of the model.
        reference: bool[n], of the model that it is compared with.
        patients: int64[n].
        level: of confidence.
    """
    n, n_patients = len(success), len(np.unique(patients))
    if n == 0:
        return NONE
    gained, lost = float((success & ~reference).mean()), float((~success & reference).mean())
    effective, method = float(n), "Bonett-Price"
    if n_patients < n:
        effect = _effect_on_differences(success, reference, patients)
        effective = n_patients if effect is None else n / effect
        method += ", n = patients" if effect is None else f", design effect {effect:.2f}"
    gained, lost = ((share * effective + 1) / (effective + 2) for share in (gained, lost))
    half = quantile(level) * sqrt((gained + lost - (gained - lost) ** 2) / (effective + 2))
    return Interval(max(gained - lost - half, -1.0), min(gained - lost + half, 1.0), method)


def _effect_on_differences(
    success: NDArray[np.bool_], reference: NDArray[np.bool_], patients: IntArray
) -> float | None:
    _, place = np.unique(patients, return_inverse=True)
    differences = success.astype(np.float64) - reference
    variance = float(differences.var())
    sizes = np.bincount(place)
    if variance == 0 or len(sizes) < 2:  # noqa: PLR2004  # one patient has no variance between patients
        return None
    residuals = np.bincount(place, weights=differences) - differences.mean() * sizes
    between = len(sizes) / (len(sizes) - 1) * float(np.sum(residuals**2)) / len(success) ** 2
    return max(1.0, between / (variance / len(success)))


def swap_test(differences: IntArray) -> float:
    """Test by swapping two models' results within whole patients, exactly: every swap is as likely as none.

    With one image per patient it is McNemar's exact test (1947).

    Args:
        differences: int64[patients], how many more of a patient's images the one model has right than the other.

    Returns:
        Two-sided p value.
    """
    sizes, counts = np.unique(np.abs(differences[differences != 0]), return_counts=True)
    reach = int(np.sum(sizes * counts))
    distribution = np.ones(1)  # of the sum that random signs give, in steps of 2 from -reach
    for size, count in zip(sizes.tolist(), counts.tolist(), strict=True):
        steps = np.zeros(size * count + 1)
        steps[::size] = binom.pmf(np.arange(count + 1), count, 0.5)
        distribution = np.convolve(distribution, steps)
    sums = np.arange(-reach, reach + 1, 2)
    return min(1.0, float(distribution[np.abs(sums) >= abs(int(differences.sum()))].sum()))


def holm(p_values: list[float]) -> list[float]:
    """Adjust p values of one family so that the chance of any false claim stays at the level (Holm 1979)."""
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    adjusted = np.minimum(np.maximum.accumulate(np.asarray(p_values)[order] * factors), 1.0)
    result = np.empty(len(p_values))
    result[order] = adjusted
    return [float(p) for p in result]
