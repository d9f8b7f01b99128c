"""Two models' decisions on the same images: the difference with its interval, tests, and p values of a family."""

from math import sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len

from cxrkit.api import FloatArray, IntArray
from cxrkit.intervals import NONE, Interval, count_patients, quantile, renumbered, student_quantile

REACH = 9  # standard deviations to either side
SMALLEST = 1e-15  # p values below are rounding


def paired_difference(
    success: NDArray[np.bool_], reference: NDArray[np.bool_], patients: IntArray, level: float = 0.95
) -> Interval:
    """Compute the interval of the difference of two proportions on the same images (Bonett & Price 2012).

    Their adjusted Wald interval, with n divided by the design effect of the differences where patients have many
    images, and further by the squared ratio of Student's quantile to the normal one, as that effect is estimated (Korn
    & Graubard 1998); or replaced by the number of patients where it cannot be estimated.

    Args:
        success: bool[n], of the model.
        reference: bool[n], of the model that it is compared with.
        patients: int64[n].
        level: of confidence.
    """
    n, n_patients = len(success), count_patients(patients)
    if n == 0:
        return NONE
    gained, lost = float((success & ~reference).mean()), float((~success & reference).mean())
    effective, method = float(n), "Bonett-Price"
    if n_patients < n:
        effect = _effect_on_differences(success, reference, patients)
        known = quantile(level) / student_quantile(level, max(n_patients - 1, 1))
        effective = n_patients if effect is None else n / effect * known**2
        method += ", n = patients" if effect is None else f", design effect {effect:.2f}"
    gained, lost = ((share * effective + 1) / (effective + 2) for share in (gained, lost))
    half = quantile(level) * sqrt((gained + lost - (gained - lost) ** 2) / (effective + 2))
    return Interval(max(gained - lost - half, -1.0), min(gained - lost + half, 1.0), method)


def _effect_on_differences(
    success: NDArray[np.bool_], reference: NDArray[np.bool_], patients: IntArray
) -> float | None:
    place = renumbered(patients)
    differences = success.astype(np.float64) - reference
    variance = float(differences.var())
    sizes = np.bincount(place)
    if variance == 0 or len(sizes) < 2:  # noqa: PLR2004  # one patient has no variance between patients
        return None
    residuals = np.bincount(place, weights=differences) - differences.mean() * sizes
    between = len(sizes) / (len(sizes) - 1) * float(np.sum(residuals**2)) / len(success) ** 2
    return max(1.0, between / (variance / len(success)))


def swap_test(differences: IntArray) -> float:
    """Test by swapping two models' results within whole patients: every swap is as likely as none.

    With one image per patient it is McNemar's exact test (1947). No swaps are drawn: the whole distribution comes from
    its characteristic function, exact to 1e-12 whatever the number of patients and of images in one.

    Args:
        differences: int64[patients], how many more of a patient's images the one model has right than the other.

    Returns:
        Two-sided p value, above 0.
    """
    sizes, counts = np.unique(np.abs(differences[differences != 0]), return_counts=True)
    if not len(sizes):
        return 1.0
    sums, chances = _of_random_signs(sizes, counts)
    p_value = float(chances[np.abs(sums) >= abs(int(differences.sum()))].sum())
    # What was seen and its mirror image are two of the equally likely ways.
    least = max(0.5 ** (int(counts.sum()) - 1), SMALLEST)
    return min(1.0, max(p_value, least))


def _of_random_signs(sizes: IntArray, counts: IntArray) -> tuple[IntArray, FloatArray]:
    """Return the sums that ``sizes``, each ``counts`` times, give with random signs, and the chance of each."""
    reach = int(np.sum(sizes * counts))
    # By Hoeffding (1963) less than 1e-17 lies further out than 9 standard deviations, and may wrap around.
    width = next_fast_len(min(reach, int(REACH * sqrt(np.sum(sizes.astype(np.float64) ** 2 * counts)))) + 1, real=True)
    odd = reach % 2
    angles = np.pi / width * np.arange(width // 2 + 1)
    transform = np.exp(-1j * angles * odd)
    for size, times in zip(sizes.tolist(), counts.tolist(), strict=True):
        transform *= np.cos(angles * size) ** times
    places = np.arange(width)
    steps = np.where(places > width // 2, places - width, places)
    return 2 * steps - odd, irfft(transform, width)
