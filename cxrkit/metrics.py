"""Figures of classifiers: pure functions from arrays to numbers, equal to scikit-learn's, fast on a million images.

A confusion matrix here is ``[…, k, k + 1]``: rows are the true classes, columns the called ones, and the last column
counts the images without a result, which are wrong whatever they show. Leading axes (resamples) are carried along. What
has no denominator is NaN in an array and None as a number.
"""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cxrkit.api import FloatArray, IntArray

BoolArray = NDArray[np.bool_]
NO_RESULT = -1
"""The class index of an image that a model returned no result for."""


class RocCurve(NamedTuple):
    """Points of a ROC curve, by falling threshold.

    Attributes:
        fpr: float64[m], false positive rate, 0 … 1.
        tpr: float64[m], true positive rate, 0 … 1.
        thresholds: float64[m], scores from which on an image is called positive; the first is infinite.
    """

    fpr: FloatArray
    tpr: FloatArray
    thresholds: FloatArray


class PrecisionRecallCurve(NamedTuple):
    """Points of a precision-recall curve, by falling threshold.

    Attributes:
        precision: float64[m]; 1 by convention where nothing is called positive.
        recall: float64[m].
        thresholds: float64[m]; the first is infinite.
    """

    precision: FloatArray
    recall: FloatArray
    thresholds: FloatArray


class CalibrationBins(NamedTuple):
    """Bins of probabilities that hold any image.

    Attributes:
        lower: float64[b], lower edges, which belong to the bin.
        upper: float64[b], upper edges.
        n: int64[b], images.
        positives: int64[b], images that show the positive class.
        mean_predicted: float64[b], mean probability of the positive class.
        place: int64[n], the bin of each image.
    """

    lower: FloatArray
    upper: FloatArray
    n: IntArray
    positives: IntArray
    mean_predicted: FloatArray
    place: IntArray


def number(value: np.floating | float) -> float | None:
    """Turn a zero-dimensional figure into a number, NaN into None."""
    return None if np.isnan(value) else float(value)


# ── Decisions ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def decide(probabilities: FloatArray, positive: int, threshold: float) -> IntArray:
    """Call each image's class: the positive one from the threshold on, else the most probable of the others.

    Args:
        probabilities: float64[n, num_classes]; a row of NaN is an image without a result.
        positive: column of the positive class.
        threshold: on the probability of the positive class, in 0 … 1.

    Returns:
        int64[n], class indices, ``NO_RESULT`` where there is none.
    """
    missing: BoolArray = np.asarray(np.isnan(probabilities).any(axis=1))
    others = np.where(missing[:, None], 0, probabilities)
    others[:, positive] = -np.inf
    called = np.where(probabilities[:, positive] >= threshold, positive, others.argmax(axis=1))
    return np.where(missing, NO_RESULT, called).astype(np.int64)


def cells(labels: IntArray, called: IntArray, num_classes: int) -> IntArray:
    """Number each image's cell of the confusion matrix, row by row: int64[n] in 0 … k (k + 1) - 1."""
    column = np.where(called == NO_RESULT, num_classes, called)
    return labels * (num_classes + 1) + column


def confusion_matrix(labels: IntArray, called: IntArray, num_classes: int) -> IntArray:
    """Count images by true and called class.

    Args:
        labels: int64[n], true classes.
        called: int64[n], called classes or ``NO_RESULT``.
        num_classes: k.

    Returns:
        int64[k, k + 1]; the last column counts images without a result.
    """
    counts = np.bincount(cells(labels, called, num_classes), minlength=num_classes * (num_classes + 1))
    return counts.reshape(num_classes, num_classes + 1)


def accuracy(matrix: NDArray[np.generic]) -> FloatArray:
    """Share of all images that were called right: […]."""
    return _ratio(_right(matrix).sum(axis=-1), matrix.sum(axis=(-2, -1)))


def recall(matrix: NDArray[np.generic]) -> FloatArray:
    """Share of each class's images that were called right: […, k]. The positive class's is the sensitivity."""
    return _ratio(_right(matrix), matrix.sum(axis=-1))


def precision(matrix: NDArray[np.generic]) -> FloatArray:
    """Share right among the images called each class: […, k]. The positive class's is the predictive value."""
    return _ratio(_right(matrix), matrix[..., :-1].sum(axis=-2))


def f1(matrix: NDArray[np.generic]) -> FloatArray:
    """Harmonic mean of precision and recall of each class: […, k]; 0 where nothing was called right."""
    called, true = matrix[..., :-1].sum(axis=-2), matrix.sum(axis=-1)
    return np.where(true == 0, np.nan, _ratio(2 * _right(matrix), called + true))


def balanced_accuracy(matrix: NDArray[np.generic]) -> FloatArray:
    """Mean recall over the classes: […]; NaN where a class has no images."""
    return np.asarray(recall(matrix).mean(axis=-1))


def matthews_correlation(matrix: NDArray[np.generic]) -> FloatArray:
    """Correlation of called and true classes, -1 … 1: […], over the images with a result (Gorodkin 2004).

    0 where all images are called one class or belong to one, as scikit-learn has it.
    """
    square = np.asarray(matrix[..., :-1], dtype=np.float64)
    true, called = square.sum(axis=-1), square.sum(axis=-2)
    total, right = square.sum(axis=(-2, -1)), _right(matrix).sum(axis=-1)
    covariance = right * total - (true * called).sum(axis=-1)
    spread = (total**2 - (true**2).sum(axis=-1)) * (total**2 - (called**2).sum(axis=-1))
    return np.where(total == 0, np.nan, np.where(spread == 0, 0.0, _ratio(covariance, np.sqrt(spread))))


def predictive_values(sensitivity: float, specificity: float, prevalence: float) -> tuple[float | None, float | None]:
    """Carry the predictive values over to another prevalence by Bayes' theorem (Vecchio 1966).

    Returns:
        Positive and negative predictive value; None where nothing would be called so.
    """
    called = sensitivity * prevalence + (1 - specificity) * (1 - prevalence)
    ppv = sensitivity * prevalence / called if called > 0 else None
    npv = specificity * (1 - prevalence) / (1 - called) if called < 1 else None
    return ppv, npv


# ── Scores ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def roc_auc(truth: BoolArray, score: FloatArray) -> float | None:
    """Area under the ROC curve: the chance that a positive scores above a negative, ties counted half (Bamber 1975).

    Args:
        truth: bool[n], whether an image is positive.
        score: float64[n], higher for positive.

    Returns:
        0 … 1, or None where a class is empty.
    """
    return number(SortedScores(truth, score).roc_auc(np.ones((1, len(score))))[0])


def average_precision(truth: BoolArray, score: FloatArray) -> float | None:
    """Mean precision over the steps of recall, without interpolation; None where there are no positives."""
    return number(SortedScores(truth, score).average_precision(np.ones((1, len(score))))[0])


def brier(truth: BoolArray, score: FloatArray) -> float | None:
    """Mean squared distance of probability and outcome, 0 … 1 (Brier 1950); None without images."""
    return float(np.mean((score - truth) ** 2)) if len(score) else None


class SortedScores:
    """Scores sorted once, so that many resamples are evaluated at the cost of a few cumulative sums each."""

    def __init__(self, truth: BoolArray, score: FloatArray, patients: IntArray | None = None) -> None:
        """Sort the scores.

        Args:
            truth: bool[n].
            score: float64[n], finite.
            patients: int64[n], numbers of the patients that weights will be given of; by default weights are of images.
        """
        order = np.argsort(-score, kind="stable")
        self._truth = truth[order]
        falling = score[order]
        # The last image of each group of equal scores.
        self._ends = (
            np.append(np.flatnonzero(np.diff(falling)), len(falling) - 1) if len(falling) else np.array([], int)
        )
        self.thresholds: FloatArray = falling[self._ends]
        self._place = order if patients is None else patients[order]
        self._positives, self._negatives = self._place[self._truth], self._place[~self._truth]
        # Of each positive: negatives that score higher, and those that score at least as high; positives alike.
        self._higher, self._as_high, self._positives_as_high = self._neighbours()

    def _neighbours(self) -> tuple[IntArray, IntArray, IntArray]:
        starts = np.append(0, self._ends[:-1] + 1)
        group = np.repeat(np.arange(len(self._ends)), self._ends - starts[: len(self._ends)] + 1)[self._truth]
        positives = np.append(0, np.cumsum(self._truth))
        first, after = starts[group], self._ends[group] + 1
        return first - positives[first], after - positives[after], positives[after]

    def counts(self, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Count true and false positives at each distinct score, from the highest down.

        Args:
            weights: float64[r, n] or [r, patients], how often each image or patient is in each resample.

        Returns:
            Two float64[r, m] arrays.
        """
        sorted_weights = weights.take(self._place, axis=1)
        everything = sorted_weights.cumsum(axis=1).take(self._ends, axis=1)
        true = np.multiply(sorted_weights, self._truth).cumsum(axis=1).take(self._ends, axis=1)
        return true, everything - true

    def roc_auc(self, weights: FloatArray) -> FloatArray:
        """Area under the ROC curve of each resample: float64[r], NaN where a class is empty."""
        positive, negative = weights.take(self._positives, axis=1), _running(weights.take(self._negatives, axis=1))
        losses = negative.take(self._higher, axis=1)
        losses += negative.take(self._as_high, axis=1)
        lost = np.einsum("rp,rp->r", positive, losses) / 2
        pairs = positive.sum(axis=1) * negative[:, -1]
        return _ratio(pairs - lost, pairs)

    def average_precision(self, weights: FloatArray) -> FloatArray:
        """Average precision of each resample: float64[r], NaN where there are no positives."""
        positive = weights.take(self._positives, axis=1)
        running = _running(positive)
        true = running.take(self._positives_as_high, axis=1)
        called = _running(weights.take(self._negatives, axis=1)).take(self._as_high, axis=1)
        called += true
        shares = np.divide(true, called, out=true, where=called > 0)
        return _ratio(np.einsum("rp,rp->r", positive, shares), running[:, -1])


def _running(values: FloatArray) -> FloatArray:
    """Sum each row up to each column, from 0 on: float64[r, n + 1]."""
    sums = np.zeros((len(values), values.shape[1] + 1))
    values.cumsum(axis=1, out=sums[:, 1:])
    return sums


def roc_curve(truth: BoolArray, score: FloatArray) -> RocCurve:
    """Compute the ROC curve's points, those on a straight line between their neighbours left out.

    Returns:
        Rates of NaN where a class is empty.
    """
    found = SortedScores(truth, score)
    true, false = (counts[0] for counts in found.counts(np.ones((1, len(score)))))
    corner = np.ones(len(true), dtype=bool)
    if len(true) > 2:  # noqa: PLR2004  # two points have nothing between them
        corner[1:-1] = (np.diff(false, 2) != 0) | (np.diff(true, 2) != 0)
    total = (true[-1], false[-1]) if len(true) else (0.0, 0.0)
    return RocCurve(
        fpr=_ratio(np.append(0, false[corner]), np.float64(total[1])),
        tpr=_ratio(np.append(0, true[corner]), np.float64(total[0])),
        thresholds=np.append(np.inf, found.thresholds[corner]),
    )


def precision_recall_curve(truth: BoolArray, score: FloatArray) -> PrecisionRecallCurve:
    """Compute the precision-recall curve's points, one for each distinct score; recall is NaN without positives."""
    found = SortedScores(truth, score)
    true, false = (counts[0] for counts in found.counts(np.ones((1, len(score)))))
    total = true[-1] if len(true) else 0.0
    return PrecisionRecallCurve(
        precision=np.append(1.0, _ratio(true, true + false)),
        recall=_ratio(np.append(0, true), np.float64(total)),
        thresholds=np.append(np.inf, found.thresholds),
    )


def calibration_bins(
    truth: BoolArray, score: FloatArray, bins: int = 10, *, equal: Literal["width", "mass"] = "width"
) -> CalibrationBins:
    """Group images by probability for a reliability diagram (DeGroot & Fienberg 1983).

    Args:
        truth: bool[n].
        score: float64[n], probabilities of the positive class.
        bins: at most; each holds its lower edge, the last one its upper edge too.
        equal: bins of equal ``width`` over 0 … 1, or between the quantiles of the scores, of equal ``mass``: images of
            one score stay together.
    """
    edges = np.linspace(0, 1, bins + 1)
    if equal == "mass":
        edges = np.unique(np.quantile(score, edges)) if len(score) else edges
        edges = np.append(edges, edges) if len(edges) == 1 else edges
    bins = len(edges) - 1
    index = np.clip(np.searchsorted(edges, score, side="right") - 1, 0, bins - 1)
    n = np.bincount(index, minlength=bins)
    held = n > 0
    return CalibrationBins(
        lower=edges[:-1][held],
        upper=edges[1:][held],
        n=n[held],
        positives=np.bincount(index, weights=truth, minlength=bins).astype(np.int64)[held],
        mean_predicted=np.bincount(index, weights=score, minlength=bins)[held] / n[held],
        place=(np.cumsum(held) - 1)[index],
    )


def _right(matrix: NDArray[np.generic]) -> FloatArray:
    return np.diagonal(matrix, axis1=-2, axis2=-1).astype(np.float64)


def _ratio(numerator: FloatArray | np.float64, denominator: FloatArray | np.float64) -> FloatArray:
    numerator, denominator = np.broadcast_arrays(
        np.asarray(numerator, dtype=np.float64), np.asarray(denominator, dtype=np.float64)
    )
    out = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=out, where=denominator != 0)
    return out
