"""Calibration: do probabilities mean what they say, and what recalibration makes of them."""

from typing import Literal, NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, softmax
from scipy.special import logit as exact_logit
from scipy.stats import norm

from cxrkit.api import FloatArray, IntArray
from cxrkit.intervals import NONE, Interval, count_patients, design_effect, quantile, renumbered
from cxrkit.metrics import BoolArray, calibration_bins

CLOSEST = 2.0**-24
"""As near as a probability may come to 0 or 1 before its logit is taken: the step below 1 in single precision."""

MOST_DOUBLINGS = 30  # of 1 / temperature; what lies further is separation
MOST_STEPS = 100  # of Newton's method, which needs about ten
SETTLED = 1e-12


class Coefficient(NamedTuple):
    """A coefficient of a logistic regression with its interval.

    Attributes:
        value: None where it is not estimable.
        interval: by the normal quantile of its standard error.
    """

    value: float | None
    interval: Interval


class BrierParts(NamedTuple):
    """What the Brier score is made of: reliability - resolution + uncertainty + within_bins.

    Attributes:
        reliability: mean squared distance of predicted and observed shares over the bins; 0 is best.
        resolution: variance of the observed shares between the bins; large is best.
        uncertainty: variance of the outcome, which no model changes.
        within_bins: variance of the probabilities within bins less twice their covariance with the outcome.
    """

    reliability: float
    resolution: float
    uncertainty: float
    within_bins: float


NOT_ESTIMABLE = Coefficient(None, NONE)


def logit(probability: FloatArray) -> FloatArray:
    """Take the log odds of probabilities of any shape, those nearer to 0 or 1 than ``CLOSEST`` moved there."""
    return np.asarray(exact_logit(np.clip(probability, CLOSEST, 1 - CLOSEST)), dtype=np.float64)


def log_probabilities(probabilities: FloatArray) -> FloatArray:
    """Take the logarithms of probabilities of any shape, as logits; one below ``CLOSEST`` counts as that.

    One image to which a model gave a probability of 0 must not outweigh all others.
    """
    return np.asarray(np.log(np.maximum(probabilities, CLOSEST)), dtype=np.float64)


# ── Recalibration ─────────────────────────────────────────────────────────────────────────────────────────────────────


def fit_temperature(logits: FloatArray, labels: IntArray) -> float | None:
    """Fit the temperature that makes the labels most likely (Guo et al. 2017).

    The negative log-likelihood is convex in 1 / temperature: its derivative has one root.

    Args:
        logits: float64[n, num_classes], finite.
        labels: int64[n].

    Returns:
        More than 0; None where it cannot be estimated: one class alone, the right class always has the largest logit,
        or the logits rank classes no better than chance.
    """
    if len(np.unique(labels)) < 2:  # noqa: PLR2004  # of one class any probability of 1 is right
        return None
    shown = logits[np.arange(len(labels)), labels].mean()

    def slope(inverse: float) -> float:
        return float((softmax(inverse * logits, axis=1) * logits).sum(axis=1).mean() - shown)

    if slope(0.0) >= 0 or logits.max(axis=1).mean() <= shown:
        return None
    upper = 1.0
    for _ in range(MOST_DOUBLINGS):
        if slope(upper) > 0:
            return 1 / float(brentq(slope, 0.0, upper, rtol=1e-10))
        upper *= 2
    return None


def apply_temperature(logits: FloatArray, temperature: float) -> FloatArray:
    """Divide logits by a temperature and turn them into probabilities: float64[n, num_classes]."""
    return np.asarray(softmax(logits / temperature, axis=1), dtype=np.float64)


def correct_prior(probabilities: FloatArray, seen: FloatArray, natural: FloatArray) -> FloatArray:
    """Correct probabilities for class shares that a training changed (Saerens et al. 2002).

    Args:
        probabilities: float64[n, num_classes], rows summing to 1; rows of NaN stay so.
        seen: float64[num_classes], shares that the loss saw; a class that it never saw is left as it is.
        natural: float64[num_classes], shares to correct to.

    Returns:
        float64[n, num_classes], each class times natural / seen, rows summing to 1.
    """
    ratios = np.divide(natural, seen, out=np.ones(len(seen)), where=seen > 0)
    weighted = probabilities * np.maximum(ratios, np.finfo(np.float64).tiny)
    return np.asarray(weighted / weighted.sum(axis=1, keepdims=True), dtype=np.float64)


def shift_prevalence(probability: FloatArray, prevalence: float, other: float) -> FloatArray:
    """Carry probabilities of the positive class over to another prevalence (Saerens et al. 2002, of two classes).

    Args:
        probability: float64[n], 0 … 1, where the class has ``prevalence``.
        prevalence: between 0 and 1.
        other: the prevalence to carry them over to, between 0 and 1.
    """
    if prevalence == other:
        return probability
    positive = probability * (other / prevalence)
    return positive / (positive + (1 - probability) * ((1 - other) / (1 - prevalence)))


# ── Intercept and slope ───────────────────────────────────────────────────────────────────────────────────────────────


def calibration_intercept(truth: BoolArray, score: FloatArray, patients: IntArray, level: float = 0.95) -> Coefficient:
    """Estimate calibration in the large: the log odds by which probabilities are too low (Cox 1958; Van Calster 2019).

    The intercept of a logistic regression with the logit of the probability as offset, its slope fixed at 1; 0 is best.
    Standard errors are robust, clustered by patient (Liang & Zeger 1986), where any patient has several images, else
    the model's own.

    Args:
        truth: bool[n].
        score: float64[n], probabilities.
        patients: int64[n].
        level: of confidence.

    Returns:
        None where there is one class alone.
    """
    if truth.all() or not truth.any():
        return NOT_ESTIMABLE
    offset, share = logit(score), float(truth.mean())

    def excess(intercept: float) -> float:
        return float(expit(offset + intercept).mean() - share)

    middle = float(exact_logit(share))
    # Beyond these all fitted probabilities lie on one side of the observed share.
    low, high = middle - float(offset.max()) - 1, middle - float(offset.min()) + 1
    value = float(brentq(excess, low, high, xtol=1e-12))
    error, method = _error(truth, np.ones((len(truth), 1)), offset + value, patients)
    return Coefficient(value, _symmetric(value, error[0], method, level))


def calibration_slope(truth: BoolArray, score: FloatArray, patients: IntArray, level: float = 0.95) -> Coefficient:
    """Estimate the calibration slope: below 1 probabilities are too extreme (Cox 1958; Van Calster 2019).

    The slope of a logistic regression of the outcome on the logit of the probability. Standard errors as those of
    :func:`calibration_intercept`.

    Args:
        truth: bool[n].
        score: float64[n], probabilities.
        patients: int64[n].
        level: of confidence.

    Returns:
        None where it is not estimable: one class alone, constant probabilities, or a threshold that separates the
        classes, at which the likelihood has no maximum (Albert & Anderson 1984).
    """
    if not _overlaps(truth, score):
        return NOT_ESTIMABLE
    scale = logit(score)
    centre, spread = float(scale.mean()), float(scale.std())
    design = np.stack([np.ones(len(scale)), (scale - centre) / spread], axis=1)
    coefficients = _maximum(truth, design)
    if coefficients is None:
        return NOT_ESTIMABLE
    error, method = _error(truth, design, design @ coefficients, patients)
    value = float(coefficients[1]) / spread
    return Coefficient(value, _symmetric(value, error[1] / spread, method, level))


def _overlaps(truth: BoolArray, score: FloatArray) -> bool:
    if truth.all() or not truth.any():
        return False
    scale = logit(score)
    positive, negative = scale[truth], scale[~truth]
    return bool(negative.max() > positive.min() and positive.max() > negative.min())


def _maximum(truth: BoolArray, design: FloatArray) -> FloatArray | None:
    """Maximise the likelihood of a logistic regression by Newton's method with halved steps; None without success."""
    coefficients = np.zeros(design.shape[1])
    loss = _loss(truth, design @ coefficients)
    for _ in range(MOST_STEPS):
        fitted = expit(design @ coefficients)
        gradient = design.T @ (truth - fitted)
        try:
            step = np.linalg.solve(_information(design, fitted), gradient)
        except np.linalg.LinAlgError:
            return None
        if gradient @ step < SETTLED * len(truth):
            return coefficients + step
        while (trial := _loss(truth, design @ (coefficients + step))) > loss:
            step = step / 2
        coefficients, loss = coefficients + step, trial
    return None


def _loss(truth: BoolArray, linear: FloatArray) -> float:
    return float(np.sum(np.logaddexp(0, np.where(truth, -linear, linear))))


def _information(design: FloatArray, fitted: FloatArray) -> FloatArray:
    return np.asarray(design.T @ (design * (fitted * (1 - fitted))[:, None]))


def _error(
    truth: BoolArray, design: FloatArray, linear: FloatArray, patients: IntArray
) -> tuple[FloatArray, str | None]:
    """Return the coefficients' standard errors and what they are; NaN and None where one patient has all images."""
    fitted = expit(linear)
    inverse = np.linalg.pinv(_information(design, fitted), hermitian=True)
    place = renumbered(patients)
    clusters = int(place.max()) + 1
    if clusters == len(truth):
        return np.sqrt(np.diagonal(inverse)), "logistic regression, model-based SE"
    if clusters < 2:  # noqa: PLR2004  # one patient has no variance between patients
        return np.full(design.shape[1], np.nan), None
    residuals = design * (truth - fitted)[:, None]
    scores = np.stack([np.bincount(place, weights=column) for column in residuals.T], axis=1)
    covariance = inverse @ (scores.T @ scores) @ inverse * clusters / (clusters - 1)
    return np.sqrt(np.diagonal(covariance)), "logistic regression, SE clustered by patient"


def _symmetric(value: float, error: float, method: str | None, level: float) -> Interval:
    half = quantile(level) * float(error)
    return Interval(value - half, value + half, method) if half > 0 else NONE


# ── Calibration error and scores ──────────────────────────────────────────────────────────────────────────────────────


def calibration_error(
    truth: BoolArray,
    score: FloatArray,
    patients: IntArray,
    *,
    bins: int = 10,
    equal: Literal["width", "mass"] = "width",
) -> float | None:
    """Compute the expected calibration error, debiased (Kumar, Liang & Ma 2019).

    Chance alone keeps observed shares away from predicted ones, so the plain error of a perfect model is above 0. How
    far a bin's error would rise if its observed share were drawn once more, from the normal distribution around it,
    is taken off. The variance of that share is multiplied by its design effect where patients have several images.

    Args:
        truth: bool[n].
        score: float64[n], probabilities of the positive class.
        patients: int64[n].
        bins: at most.
        equal: what the bins have in common.

    Returns:
        At least 0; None without images.
    """
    if not len(score):
        return None
    found = calibration_bins(truth, score, bins, equal=equal)
    observed = found.positives / found.n
    gaps, errors = np.abs(observed - found.mean_predicted), np.sqrt(observed * (1 - observed) / found.n)
    errors *= np.sqrt(_effects(truth, patients, found.place, len(found.n)))
    weights = found.n / len(score)
    return max(0.0, float(weights @ (2 * gaps - _mean_absolute(gaps, errors))))


def _effects(truth: BoolArray, patients: IntArray, place: IntArray, bins: int) -> FloatArray:
    """Return the design effect of each bin's observed share: float64[bins]."""
    if count_patients(patients) == len(patients):
        return np.ones(bins)
    effects = [design_effect(truth[place == one], patients[place == one]) for one in range(bins)]
    return np.array([1.0 if effect is None else effect for effect in effects])


def _mean_absolute(mean: FloatArray, spread: FloatArray) -> FloatArray:
    """Mean absolute value of normal variables (Leone, Nelson & Nottingham 1961); that of a constant is its own."""
    ratio = np.divide(mean, spread, out=np.full(len(mean), np.inf), where=spread > 0)
    folded = spread * np.sqrt(2 / np.pi) * np.exp(-(ratio**2) / 2) + mean * (1 - 2 * norm.cdf(-ratio))
    return np.asarray(folded, dtype=np.float64)


def brier_parts(
    truth: BoolArray, score: FloatArray, *, bins: int = 10, equal: Literal["width", "mass"] = "width"
) -> BrierParts | None:
    """Take the Brier score apart exactly (Murphy 1973, with the within-bin terms of Stephenson et al. 2008).

    Args:
        truth: bool[n].
        score: float64[n], probabilities of the positive class.
        bins: at most.
        equal: what the bins have in common.

    Returns:
        None without images. Reliability and resolution are both too large by chance in few images.
    """
    if not len(score):
        return None
    found = calibration_bins(truth, score, bins, equal=equal)
    weights, base = found.n / len(score), float(truth.mean())
    observed = found.positives / found.n
    inside = score - found.mean_predicted[found.place]
    return BrierParts(
        reliability=float(weights @ (found.mean_predicted - observed) ** 2),
        resolution=float(weights @ (observed - base) ** 2),
        uncertainty=base * (1 - base),
        within_bins=float(np.mean(inside**2) - 2 * np.mean((truth - observed[found.place]) * inside)),
    )


def log_losses(probabilities: FloatArray, labels: IntArray) -> FloatArray:
    """Compute each image's negative log probability of its class: float64[n]; a probability of 0 counts as 2.2e-16.

    Args:
        probabilities: float64[n, num_classes].
        labels: int64[n].
    """
    shown = probabilities[np.arange(len(labels)), labels]
    return -np.log(np.maximum(shown, np.finfo(np.float64).eps))
