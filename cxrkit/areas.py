"""Areas under the ROC curve of images some of which are of one patient: intervals, covariance, contrasts."""

from collections.abc import Sequence
from math import log, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit
from scipy.stats import rankdata

from cxrkit.api import FloatArray, IntArray
from cxrkit.intervals import NONE, Interval, count_patients, quantile, renumbered, student_quantile


def auc_interval(truth: NDArray[np.bool_], score: FloatArray, patients: IntArray, level: float = 0.95) -> Interval:
    """Compute the interval of an area under the ROC curve, on the logit scale.

    DeLong's variance (DeLong et al. 1988, computed as by Sun & Xu 2014) where every patient has one image, Obuchowski's
    (1997) where any has more, with Student's quantile: of a good model few images make up that variance. Where it is 0
    (perfect separation, few cases), Newcombe's score-like interval of the numbers of patients (2006, part 2, method 5).

    Args:
        truth: bool[n].
        score: float64[n], finite.
        patients: int64[n].
        level: of confidence.
    """
    if truth.all() or not truth.any():
        return NONE
    areas, variance, freedom = auc_contrast(truth, score[:, None], patients, [1.0])
    area = float(areas[0])
    if not 0 < area < 1 or not variance > 0:
        positives, negatives = count_patients(patients[truth]), count_patients(patients[~truth])
        return Interval(*newcombe_auc(area, positives, negatives, level), "Newcombe 2006, n = patients")
    error = sqrt(variance) / (area * (1 - area))
    middle, half = log(area / (1 - area)), student_quantile(level, freedom) * error
    return Interval(float(expit(middle - half)), float(expit(middle + half)), auc_method(patients) + ", logit")


def auc_method(patients: IntArray) -> str:
    """Name the variance that ``auc_covariance`` computes for these patients."""
    return "DeLong" if count_patients(patients) == len(patients) else "Obuchowski"


def auc_covariance(truth: NDArray[np.bool_], scores: FloatArray, patients: IntArray) -> tuple[FloatArray, FloatArray]:
    """Compute areas under ROC curves of the same images and their covariance (Obuchowski 1997).

    Obuchowski sums DeLong's structural components by patient; with one image per patient it is DeLong's covariance.

    Args:
        truth: bool[n], with both classes.
        scores: float64[n, k], one column for each model.
        patients: int64[n].

    Returns:
        float64[k] and float64[k, k]; the covariance is NaN where a class has a single patient.
    """
    return _covariance(_by_patient(truth, scores, patients))


class Contrast(NamedTuple):
    """Areas under ROC curves and how well a weighted sum of them is known.

    Attributes:
        areas: float64[k].
        variance: of the weighted sum; NaN where a class has a single patient.
        freedom: degrees of freedom of that variance, for Student's t.
    """

    areas: FloatArray
    variance: float
    freedom: float


def auc_contrast(
    truth: NDArray[np.bool_], scores: FloatArray, patients: IntArray, weights: Sequence[float]
) -> Contrast:
    """Compute areas of the same images and the variance of a weighted sum of them, such as a difference.

    Its degrees of freedom are the lesser of what the patients' contributions tell and what Welch (1947) gives for the
    numbers of patients in the two classes.

    Args:
        truth: bool[n], with both classes.
        scores: float64[n, k], one column for each model.
        patients: int64[n].
        weights: float64[k], e.g. 1 and -1 for a difference.
    """
    parts, of = _by_patient(truth, scores, patients), np.asarray(weights, dtype=np.float64)
    areas, covariance = _covariance(parts)
    freedom = min(degrees_of_freedom((parts.positive + parts.negative) @ of), _welch(parts, of))
    return Contrast(areas, float(of @ covariance @ of), freedom)


def degrees_of_freedom(contributions: FloatArray) -> float:
    """Estimate how well a sum's variance is known from the patients' contributions to it (Satterthwaite 1946).

    Twice the variance squared over the variance's own variance, which the fourth powers tell. It is near the number of
    patients where these contribute alike, and about 2 where a single one, such as the only error of a good model, makes
    up all variance.

    Args:
        contributions: float64[patients], deviations that sum to 0.

    Returns:
        At least 1 and at most one less than patients: fourth powers of few patients promise too much.
    """
    squares, most = contributions**2, max(1.0, len(contributions) - 1.0)
    of_variance = float(np.sum(squares**2) - np.sum(squares) ** 2 / len(squares))
    return max(1.0, min(most, 2 * float(np.sum(squares)) ** 2 / of_variance)) if of_variance > 0 else most


class _Parts(NamedTuple):
    """Areas float64[k]; what each patient's images of a class add to their deviation, float64[patients, k] twice."""

    areas: FloatArray
    positive: FloatArray
    negative: FloatArray
    with_positive: int
    with_negative: int


def _by_patient(truth: NDArray[np.bool_], scores: FloatArray, patients: IntArray) -> _Parts:
    areas, components = structural_components(truth, scores)
    place = renumbered(patients)
    deviations = components - areas
    return _Parts(
        areas,
        positive=_sums(np.where(truth[:, None], deviations, 0), place) / truth.sum(),
        negative=_sums(np.where(truth[:, None], 0, deviations), place) / (~truth).sum(),
        with_positive=count_patients(place[truth]),
        with_negative=count_patients(place[~truth]),
    )


def _covariance(parts: _Parts) -> tuple[FloatArray, FloatArray]:
    areas, positive, negative, with_positive, with_negative = parts
    if min(with_positive, with_negative) < 2:  # noqa: PLR2004  # one patient has no variance between patients
        return areas, np.full((len(areas), len(areas)), np.nan)
    clusters, both = len(positive), positive.T @ negative
    within_positive = with_positive / (with_positive - 1) * positive.T @ positive
    within_negative = with_negative / (with_negative - 1) * negative.T @ negative
    return areas, within_positive + within_negative + clusters / (clusters - 1) * (both + both.T)


def _welch(parts: _Parts, weights: FloatArray) -> float:
    sizes = np.maximum(np.array([parts.with_positive, parts.with_negative]) - 1, 1)
    variances = np.array([np.sum((part @ weights) ** 2) for part in (parts.positive, parts.negative)])
    return float(variances.sum() ** 2 / np.sum(variances**2 / sizes)) if variances.any() else float(sizes.sum())


def newcombe_auc(area: float, positives: int, negatives: int, level: float = 0.95) -> tuple[float, float]:
    """Compute an interval of an area under the ROC curve from it and the class sizes (Newcombe 2006, method 5).

    Score-like: at each bound the variance is the one that Hanley & McNeil (1982) give for an area of that size.

    Args:
        area: 0 … 1, both ends included.
        positives: at least 1.
        negatives: at least 1.
        level: of confidence.
    """
    low = _newcombe_low(area, positives, negatives, level) if area > 0 else 0.0
    high = 1 - _newcombe_low(1 - area, positives, negatives, level) if area < 1 else 1.0
    return low, high


def _newcombe_low(area: float, positives: int, negatives: int, level: float) -> float:
    z, others = quantile(level), (positives + negatives) / 2 - 1

    def excess(theta: float) -> float:
        spread = theta * (1 - theta) * (1 + others * (1 - theta) / (2 - theta) + others * theta / (1 + theta))
        return (area - theta) ** 2 - z**2 * spread / (positives * negatives)

    return float(brentq(excess, 0, min(area, 1 - 1e-9)))  # 1 itself is a root too, and no bound


def structural_components(truth: NDArray[np.bool_], scores: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Compute what each image adds to an area under the ROC curve (DeLong et al. 1988; by ranks, Sun & Xu 2014).

    Args:
        truth: bool[n], with both classes.
        scores: float64[n, k], one column for each model.

    Returns:
        The areas, float64[k], and each image's share of wins against the other class, float64[n, k].
    """
    positives, negatives = int(truth.sum()), int((~truth).sum())
    everywhere = rankdata(scores, axis=0)
    components = np.empty_like(scores)
    components[truth] = (everywhere[truth] - rankdata(scores[truth], axis=0)) / negatives
    components[~truth] = 1 - (everywhere[~truth] - rankdata(scores[~truth], axis=0)) / positives
    return components[truth].mean(axis=0), components


def _sums(values: FloatArray, place: IntArray) -> FloatArray:
    return np.stack([np.bincount(place, weights=column) for column in values.T], axis=1)
