"""What can be estimated of a model's performance without labels, each under an assumption that nothing here tests."""

from math import sqrt
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from cxrkit.api import FloatArray, IntArray
from cxrkit.bootstrap import Resamples, bootstrap, percentiles
from cxrkit.intervals import NONE, Interval, quantile, renumbered
from cxrkit.metrics import BoolArray, SortedScores

RESAMPLES = 500
SEED = 21
LEAST_OF_A_CLASS = 10  # labelled images, for a calibration of two coefficients
LEAST_YOUDEN = 0.1  # sensitivity + specificity - 1; below it the share of positive calls tells nothing of the disease
FIGURES = ("roc_auc", "sensitivity", "specificity", "ppv", "accuracy", "prevalence")
CALIBRATED_SHIFT = (
    "the calibrated probabilities still mean what they meant in the reference: other kinds of images may be more or "
    "less frequent, but among images with the same probability as many are diseased as before (pure covariate shift)"
)
LABEL_SHIFT = (
    "sensitivity and specificity are still those of the reference: diseased and healthy images look as they did, and "
    "only their shares have changed (label shift)"
)


class Calibration(NamedTuple):
    """A logistic curve that turns a score into a probability: expit(intercept + slope · score)."""

    intercept: float
    slope: float

    def __call__(self, score: FloatArray) -> FloatArray:
        """Give float64[n] probabilities."""
        return np.asarray(expit(self.intercept + self.slope * score), dtype=np.float64)


class Estimated(NamedTuple):
    """An estimate with the sampling interval of the period's patients."""

    figure: str
    value: float | None
    interval: Interval


# ── Covariate shift ───────────────────────────────────────────────────────────────────────────────────────────────────


def calibrate(truth: BoolArray, score: FloatArray) -> Calibration | None:
    """Fit Platt's calibration, with his targets, so that it exists also where the classes are separated (Platt 1999).

    Args:
        truth: bool[n].
        score: float64[n], logits or any score that grows with the probability.

    Returns:
        None where a class has fewer than ten images, or the score falls with the disease.
    """
    positives, negatives = int(truth.sum()), int((~truth).sum())
    if min(positives, negatives) < LEAST_OF_A_CLASS:
        return None
    centre, spread = float(score.mean()), float(score.std()) or 1.0
    target = np.where(truth, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    scaled = (score - centre) / spread

    def loss(coefficients: FloatArray) -> tuple[float, FloatArray]:
        linear = coefficients[0] + coefficients[1] * scaled
        surplus = expit(linear) - target
        value = np.logaddexp(0, linear) - target * linear
        return float(value.mean()), np.array([surplus.mean(), (surplus * scaled).mean()])

    intercept, slope = minimize(loss, np.zeros(2), jac=True, method="BFGS", options={"gtol": 1e-9}).x
    return Calibration(float(intercept - slope * centre / spread), float(slope / spread)) if slope > 0 else None


def expected_performance(
    probability: FloatArray, called: BoolArray, patients: IntArray, level: float
) -> list[Estimated]:
    """Estimate performance from calibrated probabilities alone (confidence-based; Białek et al. 2024).

    An image of probability p counts as p of a diseased one and 1 - p of a healthy one. The area under the ROC curve is
    the expected share of won pairs over the expected number of pairs, an image not paired with itself.

    Args:
        probability: float64[n], calibrated, of the positive class.
        called: bool[n], whether the image is called positive.
        patients: int64[n].
        level: of the intervals, by bootstrap of patients: what other images of the same kind would have given. How
            wrong the calibration is they do not tell.

    Returns:
        The :data:`FIGURES`; ``prevalence`` is the mean probability.
    """
    place = renumbered(patients)
    halves = SortedScores(np.repeat([True, False], len(probability)), np.tile(probability, 2))

    def statistic(resamples: Resamples) -> FloatArray:
        return _expected(resamples.of_images, probability, called, halves)

    drawn = bootstrap(statistic, place, np.zeros(place.max() + 1, dtype=np.int64), resamples=RESAMPLES, seed=SEED)
    values = _expected(np.ones((1, len(probability))), probability, called, halves)[0]
    return [
        Estimated(figure, None if np.isnan(value) else float(value), _interval(float(low), float(high)))
        for figure, value, low, high in zip(FIGURES, values, *percentiles(drawn, level), strict=True)
    ]


def _expected(weights: FloatArray, probability: FloatArray, called: BoolArray, halves: SortedScores) -> FloatArray:
    """Compute the figures of each resample: float64[r, 6]."""
    diseased, healthy = weights @ probability, weights @ (1 - probability)
    hits, false_alarms = weights @ (probability * called), weights @ ((1 - probability) * called)
    own = (weights**2) @ (probability * (1 - probability))  # pairs of an image with itself, all of them ties
    won = halves.roc_auc(np.hstack([weights * probability, weights * (1 - probability)])) * diseased * healthy
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.stack(
            [
                (won - own / 2) / (diseased * healthy - own),
                hits / diseased,
                1 - false_alarms / healthy,
                hits / (hits + false_alarms),
                (hits + healthy - false_alarms) / (diseased + healthy),
                diseased / (diseased + healthy),
            ],
            axis=1,
        )


def _interval(low: float, high: float) -> Interval:
    return Interval(low, high, "bootstrap by patient") if high > low else NONE


# ── Label shift ───────────────────────────────────────────────────────────────────────────────────────────────────────


class Share(NamedTuple):
    """A share and the number of independent images that it rests on."""

    value: float
    images: float

    def smoothed(self, added: float) -> "Share":
        """Add so many images of each kind (Agresti & Coull 1998)."""
        images = self.images + 2 * added
        return Share((self.value * self.images + added) / images, images)

    @property
    def variance(self) -> float:
        """Of the value."""
        return self.value * (1 - self.value) / self.images


def adjusted_prevalence(positive_calls: Share, sensitivity: Share, specificity: Share, level: float) -> Estimated:
    """Estimate the share of the diseased from the share of positive calls.

    (calls + specificity - 1) / (sensitivity + specificity - 1), kept within 0 … 1: Rogan & Gladen 1978, the adjusted
    count of Forman 2008, and for two classes the black-box shift estimation of Lipton et al. 2018. The interval is by
    the delta method on smoothed shares (z² / 2 images of each kind added to the calls, one to the others, as Lang &
    Reiczigel 2014 add them).

    Args:
        positive_calls: of the period.
        sensitivity: of the reference.
        specificity: of the reference.
        level: of the interval.

    Returns:
        No value where sensitivity + specificity - 1 is below 0.1.
    """
    youden = sensitivity.value + specificity.value - 1
    if youden < LEAST_YOUDEN:
        return Estimated("adjusted_prevalence", None, NONE)
    value = min(1.0, max(0.0, (positive_calls.value + specificity.value - 1) / youden))
    z = quantile(level)
    calls, hits, passes = positive_calls.smoothed(z**2 / 2), sensitivity.smoothed(1), specificity.smoothed(1)
    smoothed = hits.value + passes.value - 1
    if smoothed <= 0:
        return Estimated("adjusted_prevalence", value, NONE)
    middle = min(1.0, max(0.0, (calls.value + passes.value - 1) / smoothed))
    error = sqrt(calls.variance + middle**2 * hits.variance + (1 - middle) ** 2 * passes.variance) / smoothed
    low, high = max(0.0, min(middle - z * error, value)), min(1.0, max(middle + z * error, value))
    return Estimated("adjusted_prevalence", value, Interval(low, high, "delta method"))
