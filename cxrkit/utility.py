"""What decisions are worth: likelihood ratios, predictive values and outcomes at a prevalence, net benefit."""

from math import exp, isfinite, log, sqrt
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

from cxrkit.api import FloatArray, IntArray
from cxrkit.bootstrap import Resamples, bootstrap, percentiles, strata
from cxrkit.calibration import shift_prevalence
from cxrkit.intervals import (
    NONE,
    Interval,
    Proportion,
    count_patients,
    predictive_intervals,
    quantile,
    ratio_interval,
    wilson_bands,
)
from cxrkit.metrics import BoolArray, predictive_values

PREVALENCES: FloatArray = np.unique(
    np.append(np.round(np.geomspace(0.001, 0.9, 100), 6), (0.01, 0.02, 0.05, 0.1, 0.2, 0.5))
)
"""float64[100]: from 1 in a thousand to 90 %, as densely where disease is rare as where it is common."""

THRESHOLD_PROBABILITIES: FloatArray = np.round(np.arange(0.01, 1.0, 0.01), 2)
"""float64[99]: 0.01 to 0.99."""


class Estimated(NamedTuple):
    """A figure with its interval.

    Attributes:
        value: None where it is not estimable.
        interval: without bounds where it has none.
    """

    value: float | None
    interval: Interval


class PredictiveCurve(NamedTuple):
    """Predictive values over prevalence; all float64[m], NaN where there is none.

    Attributes:
        prevalence: 0 … 1.
        ppv: positive predictive value.
        ppv_low: bounds of its interval.
        ppv_high: bounds of its interval.
        npv: negative predictive value.
        npv_low: bounds of its interval.
        npv_high: bounds of its interval.
    """

    prevalence: FloatArray
    ppv: FloatArray
    ppv_low: FloatArray
    ppv_high: FloatArray
    npv: FloatArray
    npv_low: FloatArray
    npv_high: FloatArray


class DecisionCurve(NamedTuple):
    """Net benefit over threshold probability; float64[m].

    Attributes:
        threshold_probability: between 0 and 1: the risk from which on one would act.
        net_benefit: of acting on the model, in true positives per patient.
        low: pointwise bounds.
        high: pointwise bounds.
        treat_all: net benefit of acting on everyone.
        treat_none: 0.
        resampled: bool[m], whether the bounds are percentiles of the bootstrap; else they are of Wilson intervals.
    """

    threshold_probability: FloatArray
    net_benefit: FloatArray
    low: FloatArray
    high: FloatArray
    treat_all: FloatArray
    treat_none: FloatArray
    resampled: BoolArray


NOT_ESTIMABLE = Estimated(None, NONE)


# ── Likelihood ratios ─────────────────────────────────────────────────────────────────────────────────────────────────


def likelihood_ratios(
    sensitivity: Proportion, specificity: Proportion, *, independent: bool, level: float = 0.95
) -> tuple[Estimated, Estimated]:
    """Estimate the positive and the negative likelihood ratio.

    Intervals are those of Simel, Samsa & Matchar (1991), on the logarithmic scale. Where patients have several images,
    or a share is 0 or 1, they come from the intervals of sensitivity and specificity (Donner & Zou 2012).

    Args:
        sensitivity: with Wilson's interval.
        specificity: with Wilson's interval.
        independent: whether every patient has one image.
        level: of confidence.

    Returns:
        Sensitivity / (1 - specificity) and (1 - sensitivity) / specificity; a value is None where it would be infinite.
    """
    hits, passes = _bounds(sensitivity), _bounds(specificity)
    if hits is None or passes is None:
        return NOT_ESTIMABLE, NOT_ESTIMABLE
    counts = (sensitivity.n, specificity.n) if independent else None
    return _ratio(hits, _complement(passes), counts, level), _ratio(_complement(hits), passes, counts, level)


def _ratio(
    first: tuple[float, float, float], second: tuple[float, float, float], counts: tuple[int, int] | None, level: float
) -> Estimated:
    if second[0] == 0:
        return NOT_ESTIMABLE
    value = first[0] / second[0]
    if counts is not None and 0 < first[0] < 1 and second[0] < 1:  # a share of 1 would count as known exactly
        variance = (1 - first[0]) / (first[0] * counts[0]) + (1 - second[0]) / (second[0] * counts[1])
        half = quantile(level) * sqrt(variance)
        return Estimated(value, Interval(exp(log(value) - half), exp(log(value) + half), "Simel 1991"))
    low, high = ratio_interval(first, second)
    return Estimated(value, Interval(low, high, "Donner-Zou, of Wilson intervals") if isfinite(high) else NONE)


def _bounds(share: Proportion) -> tuple[float, float, float] | None:
    value, (low, high, _) = share.value, share.interval
    return None if value is None or low is None or high is None else (value, low, high)


def _complement(share: tuple[float, float, float]) -> tuple[float, float, float]:
    return 1 - share[0], 1 - share[2], 1 - share[1]


# ── At a prevalence ───────────────────────────────────────────────────────────────────────────────────────────────────


def predictive_curve(
    sensitivity: Proportion, specificity: Proportion, prevalences: FloatArray = PREVALENCES
) -> PredictiveCurve:
    """Compute predictive values over prevalence by Bayes (Vecchio 1966), with intervals (Donner & Zou 2012).

    Args:
        sensitivity: with Wilson's interval.
        specificity: with Wilson's interval.
        prevalences: float64[m], between 0 and 1; taken as known.
    """
    rows = [_at_prevalence(sensitivity, specificity, prevalence) for prevalence in prevalences.tolist()]
    columns = np.array(rows, dtype=np.float64).reshape(len(rows), 6).T
    return PredictiveCurve(prevalences, *columns)


def _at_prevalence(sensitivity: Proportion, specificity: Proportion, prevalence: float) -> list[float | None]:
    if sensitivity.value is None or specificity.value is None:
        return [None] * 6
    values = predictive_values(sensitivity.value, specificity.value, prevalence)
    intervals = predictive_intervals(sensitivity, specificity, prevalence)
    pairs = zip(values, intervals, strict=True)
    return [one for value, (low, high, _) in pairs for one in ((None,) * 3 if value is None else (value, low, high))]


def outcomes_per_1000(sensitivity: Proportion, specificity: Proportion, prevalence: float) -> dict[str, Estimated]:
    """Count what becomes of a thousand at a prevalence: true and false positives, false and true negatives.

    Args:
        sensitivity: with its interval.
        specificity: with its interval.
        prevalence: 0 … 1; taken as known.
    """
    sick, healthy = 1000 * prevalence, 1000 * (1 - prevalence)
    return {
        "true_positives": _part(sensitivity, sick),
        "false_positives": _part(_failures(specificity), healthy),
        "false_negatives": _part(_failures(sensitivity), sick),
        "true_negatives": _part(specificity, healthy),
    }


def _failures(share: Proportion) -> Proportion:
    found = _bounds(share)
    if found is None:
        return share
    value, low, high = _complement(found)
    return Proportion(value, Interval(low, high, share.interval.method), share.n, share.n_patients)


def _part(share: Proportion, total: float) -> Estimated:
    found = _bounds(share)
    if found is None:
        return NOT_ESTIMABLE
    value, low, high = found
    return Estimated(value * total, Interval(low * total, high * total, share.interval.method) if total > 0 else NONE)


# ── Net benefit ───────────────────────────────────────────────────────────────────────────────────────────────────────


def net_benefit(
    sensitivity: FloatArray, specificity: FloatArray, prevalence: float, threshold_probability: FloatArray
) -> FloatArray:
    """Compute net benefit: true positives less false positives at the price of acting (Vickers & Elkin 2006).

    Args:
        sensitivity: float64[…, m].
        specificity: float64[…, m].
        prevalence: 0 … 1.
        threshold_probability: float64[m], 0 … 1, less than 1: the risk from which on one would act.

    Returns:
        float64[…, m], in true positives per patient; at most the prevalence.
    """
    price = threshold_probability / (1 - threshold_probability)
    return sensitivity * prevalence - (1 - specificity) * (1 - prevalence) * price


def decision_curve(
    truth: BoolArray,
    score: FloatArray,
    patients: IntArray,
    *,
    prevalence: float | None,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
    threshold_probabilities: FloatArray = THRESHOLD_PROBABILITIES,
) -> DecisionCurve | None:
    """Compute a decision curve at a prevalence (Vickers & Elkin 2006), with pointwise bands.

    The probabilities are taken to hold at the images' own prevalence and are shifted from it to the stated one; each
    threshold probability is applied to the shifted ones. An image without a result counts as the worse decision: a
    positive as missed, a negative as acted on. Bands are percentiles of the bootstrap by patient within strata; where
    sensitivity or specificity is 0 or 1, which all resamples repeat, or no resample differs, they follow from Wilson's
    intervals of the two (Zou & Donner 2008).

    Args:
        truth: bool[n].
        score: float64[n], probabilities of the positive class, NaN where there is no result.
        patients: int64[n], numbers 0, 1, … without gaps.
        prevalence: between 0 and 1, taken as known; None for the images' own.
        level: of the bands.
        resamples: of the bootstrap.
        seed: of the bootstrap.
        threshold_probabilities: float64[m], ascending, 0 … 1, less than 1.

    Returns:
        None where a class is empty.
    """
    if truth.all() or not truth.any():
        return None
    own = float(truth.mean())
    stated = own if prevalence is None else prevalence
    by_patient = _counts(truth, shift_prevalence(score, own, stated), patients, threshold_probabilities)

    def rates(drawn: FloatArray) -> tuple[FloatArray, FloatArray]:
        return _rates(np.asarray(drawn @ by_patient), len(threshold_probabilities))

    def statistic(block: Resamples) -> FloatArray:
        return net_benefit(*rates(block.of_patients), stated, threshold_probabilities)

    sensitivity, specificity = (rate[0] for rate in rates(np.ones((1, by_patient.shape[0]))))
    value = net_benefit(sensitivity, specificity, stated, threshold_probabilities)
    drawn = bootstrap(statistic, patients, strata(truth, patients), resamples=resamples, seed=seed)
    bounds = percentiles(drawn, level)
    price = (1 - stated) * threshold_probabilities / (1 - threshold_probabilities)
    fallback = _hybrid(value, (sensitivity, stated), (specificity, price), _sizes(truth, patients), level)
    resampled = (bounds[0] < bounds[1]) & _varies(sensitivity) & _varies(specificity)
    return DecisionCurve(
        threshold_probability=threshold_probabilities,
        net_benefit=value,
        low=np.where(resampled, bounds[0], fallback[0]),
        high=np.where(resampled, bounds[1], fallback[1]),
        treat_all=stated - price,
        treat_none=np.zeros(len(threshold_probabilities)),
        resampled=resampled,
    )


def _counts(truth: BoolArray, score: FloatArray, patients: IntArray, thresholds: FloatArray) -> csr_array:
    """Count each patient's images by truth and by how many thresholds they reach: [patients, 2 (m + 1)], sparse."""
    m = len(thresholds)
    missing = np.isnan(score)
    reached = np.where(missing, np.where(truth, 0, m), np.searchsorted(thresholds, score, side="right"))
    cell = reached + truth * (m + 1)
    shape = (int(patients.max()) + 1, 2 * (m + 1))
    return csr_array((np.ones(len(cell)), (patients, cell)), shape=shape)


def _rates(counts: FloatArray, m: int) -> tuple[FloatArray, FloatArray]:
    """Turn float64[r, 2 (m + 1)] counts into sensitivity and specificity at each threshold: float64[r, m] each."""
    negatives, positives = counts[:, : m + 1], counts[:, m + 1 :]
    with np.errstate(invalid="ignore"):  # a resample of mixed patients alone may lack a class
        missed = positives.cumsum(axis=1)[:, :-1] / positives.sum(axis=1, keepdims=True)
        passed = negatives.cumsum(axis=1)[:, :-1] / negatives.sum(axis=1, keepdims=True)
    return 1 - missed, passed


def _varies(share: FloatArray) -> BoolArray:
    return np.asarray((share > 0) & (share < 1))


def _sizes(truth: BoolArray, patients: IntArray) -> tuple[int, int]:
    return count_patients(patients[truth]), count_patients(patients[~truth])


def _hybrid(
    value: FloatArray,
    positive: tuple[FloatArray, FloatArray | float],
    negative: tuple[FloatArray, FloatArray | float],
    sizes: tuple[int, int],
    level: float,
) -> tuple[FloatArray, FloatArray]:
    """Bound a weighted sum of two shares from Wilson's interval of each: the distances add as squares."""
    below = above = np.zeros(len(value))
    for (share, weight), n in zip((positive, negative), sizes, strict=True):
        low, high = wilson_bands(share, n, level)
        below, above = below + (weight * (share - low)) ** 2, above + (weight * (high - share)) ** 2
    return value - np.sqrt(below), value + np.sqrt(above)
