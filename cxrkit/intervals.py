"""Confidence intervals that know which images are of one patient. Never NaN, never of zero width at 0 or 1."""

from collections.abc import Sequence
from functools import cache
from math import inf, log, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit, stdtr, stdtrit
from scipy.stats import norm, rankdata

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


# ── Areas under the ROC curve ─────────────────────────────────────────────────────────────────────────────────────────


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
