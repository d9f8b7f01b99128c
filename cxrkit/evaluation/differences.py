"""How far a figure of two models on the same images differs: interval first, p value second."""

from collections.abc import Callable, Mapping, Sequence
from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from cxrkit import metrics
from cxrkit.api import FloatArray, IntArray
from cxrkit.areas import auc_contrast, auc_interval, auc_method
from cxrkit.bootstrap import Resamples, bootstrap, percentiles, strata
from cxrkit.evaluation.paired import paired_difference, swap_test
from cxrkit.evaluation.pairs import Pair
from cxrkit.evaluation.unpaired import hybrid_interval
from cxrkit.intervals import NONE, Interval, count_patients, renumbered, student_p_value, student_quantile

BY_PATIENT = "bootstrap by patient"
SAME_RANKING = "identical rankings"
EQUAL_AREAS = "equal areas without variance"
INDEPENDENT = ", assuming independent images"
VANISHING = 1e-15  # a variance that is rounding alone


class Difference(NamedTuple):
    """One figure of two models and the difference of the first minus the second.

    Attributes:
        metric: the figure.
        first: of the model, or None where it cannot be computed.
        second: of the reference, or None.
        interval: of the difference.
        p_value: two-sided, or None.
        test: that gave it, or None.
        n: images.
        n_patients: of these images.
    """

    metric: str
    first: float | None
    second: float | None
    interval: Interval
    p_value: float | None
    test: str | None
    n: int
    n_patients: int

    @property
    def value(self) -> float | None:
        """First minus second."""
        return None if self.first is None or self.second is None else self.first - self.second


# ── Areas ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def area(pair: Pair, level: float, *, as_independent: bool = False) -> Difference:
    """Compare two areas under the ROC curve on the images that both have a result for.

    DeLong's test of the difference (1988) where every patient has one image, with the covariance of Obuchowski (1997)
    where any has more, and Student's t in place of the normal: few images may make up the variance. Where there is no
    variance (both separate the classes, or a class has one patient) the interval is the square-and-add of the two
    areas' own, which takes them as independent and is the wider for it.

    Args:
        pair: of two models.
        level: of the interval.
        as_independent: whether images are taken as independent although patients have several.
    """
    seen = pair.of(pair.complete)
    patients = np.arange(len(seen.labels)) if as_independent else seen.patients
    n, n_patients = len(seen.labels), count_patients(seen.patients)
    if not seen.truth.any() or seen.truth.all():
        return Difference("roc_auc", None, None, NONE, None, None, n, n_patients)
    areas, variance, freedom = auc_contrast(seen.truth, seen.scores, patients, [1.0, -1.0])
    first, second = (float(one) for one in areas)
    if not variance > VANISHING:
        return Difference("roc_auc", first, second, *_without_variance(seen, areas, level), n, n_patients)
    error, method = sqrt(variance), auc_method(patients) + (INDEPENDENT if as_independent else "")
    interval = symmetric(first - second, student_quantile(level, freedom) * error, method)
    p_value = student_p_value((first - second) / error, freedom)
    return Difference("roc_auc", first, second, interval, p_value, method, n, n_patients)


def symmetric(difference: float, half: float, method: str) -> Interval:
    """Lay an interval around a difference of two shares, within -1 … 1."""
    return Interval(max(difference - half, -1.0), min(difference + half, 1.0), method)


def _without_variance(seen: Pair, areas: FloatArray, level: float) -> tuple[Interval, float | None, str | None]:
    ranks = rankdata(seen.scores, axis=0)
    if np.array_equal(ranks[:, 0], ranks[:, 1]):
        return NONE, 1.0, SAME_RANKING
    first, second = (auc_interval(seen.truth, scores, seen.patients, level) for scores in seen.scores.T)
    interval = hybrid_interval(float(areas[0]), first, float(areas[1]), second)
    return (interval, 1.0, EQUAL_AREAS) if areas[0] == areas[1] else (interval, None, None)


# ── Shares ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def shares(pair: Pair, level: float, *, as_independent: bool = False) -> list[Difference]:
    """Compare sensitivity, specificity and accuracy, in which an image without a result is wrong.

    Exact McNemar where every patient has one image, else the permutation of the two models within patients.

    Args:
        pair: of two models.
        level: of the intervals.
        as_independent: whether images are taken as independent although patients have several.
    """
    truth, everything = pair.truth, np.ones(len(pair.labels), dtype=bool)
    called_negative = (pair.called != pair.positive) & (pair.called != metrics.NO_RESULT)
    successes = {
        "sensitivity": (pair.called == pair.positive, truth),
        "specificity": (called_negative, ~truth),
        "accuracy": (pair.called == pair.labels[:, None], everything),
    }
    return [
        _share(metric, success[rows], pair.patients[rows], level, as_independent=as_independent)
        for metric, (success, rows) in successes.items()
    ]


def _share(
    metric: str, success: NDArray[np.bool_], patients: IntArray, level: float, *, as_independent: bool
) -> Difference:
    """Compare two models' shares of successes: bool[n, 2]."""
    n, n_patients = len(success), count_patients(patients)
    if n == 0:
        return Difference(metric, None, None, NONE, None, None, 0, 0)
    units = np.arange(n) if as_independent else patients
    gains = success[:, 0].astype(np.int64) - success[:, 1]
    of_units = np.bincount(renumbered(units), weights=gains).astype(np.int64)
    interval = paired_difference(success[:, 0], success[:, 1], units, level)
    test = "exact McNemar" if len(of_units) == n else "permutation by patient"
    if as_independent:
        interval, test = interval._replace(method=f"{interval.method}{INDEPENDENT}"), test + INDEPENDENT
    first, second = (float(share) for share in success.mean(axis=0))
    return Difference(metric, first, second, interval, swap_test(of_units), test, n, n_patients)


# ── By bootstrap ──────────────────────────────────────────────────────────────────────────────────────────────────────


Both = Callable[[Resamples], FloatArray]
"""Maps a block of r resamples to the figures of both models, float64[2, r, figures]."""


def by_bootstrap(pair: Pair, figures: Sequence[str], level: float, *, resamples: int, seed: int) -> list[Difference]:
    """Compare any figures by the bootstrap of patients, both models on the same resamples (Efron & Tibshirani 1993).

    In figures of decisions an image without a result is wrong; figures of scores are of the images that both models
    have a result for.

    Args:
        pair: of two models.
        figures: among ``accuracy``, ``balanced_accuracy``, ``sensitivity``, ``specificity``, ``mcc``; ``roc_auc``,
            ``average_precision``, ``brier``.
        level: of the intervals.
        resamples: how many.
        seed: fixes the result to the last digit.
    """
    of_scores = [name for name in figures if name not in OF_DECISIONS]
    of_decisions = [name for name in figures if name in OF_DECISIONS]
    seen = pair.of(pair.complete)
    parts = [(pair, of_decisions, _decisions(pair, of_decisions)), (seen, of_scores, _scores(seen, of_scores))]
    found = [one for part in parts for one in _resampled(*part, level, resamples=resamples, seed=seed)]
    return sorted(found, key=lambda one: figures.index(one.metric))


def _specificity(matrix: FloatArray, positive: int) -> FloatArray:
    negatives = np.delete(matrix, positive, axis=-2).sum(axis=-2)
    total, called = negatives.sum(axis=-1), np.delete(negatives[..., :-1], positive, axis=-1).sum(axis=-1)
    return np.asarray(np.divide(called, total, out=np.full(total.shape, np.nan), where=total > 0))


OF_DECISIONS: Mapping[str, Callable[[FloatArray, int], FloatArray]] = {
    "accuracy": lambda matrix, _: metrics.accuracy(matrix),
    "balanced_accuracy": lambda matrix, _: metrics.balanced_accuracy(matrix),
    "mcc": lambda matrix, _: metrics.matthews_correlation(matrix),
    "sensitivity": lambda matrix, positive: np.asarray(metrics.recall(matrix)[..., positive]),
    "specificity": _specificity,
}
"""Figures of confusion matrices, float64[…, k, k + 1], and the index of the positive class."""


def _decisions(pair: Pair, figures: Sequence[str]) -> Both:
    k, n_patients = pair.num_classes, count_patients(pair.patients)
    width = k * (k + 1)
    cells = [metrics.cells(pair.labels, called, k) for called in pair.called.T]
    counts = [np.bincount(pair.patients * width + cell, minlength=n_patients * width) for cell in cells]
    by_patient = np.stack(counts).reshape(2, n_patients, width).astype(np.float64)

    def both(block: Resamples) -> FloatArray:
        matrices = (block.of_patients @ by_patient).reshape(2, -1, k, k + 1)
        return np.stack([OF_DECISIONS[name](matrices, pair.positive) for name in figures], axis=-1)

    return both


def _scores(seen: Pair, figures: Sequence[str]) -> Both:
    rankings = [metrics.SortedScores(seen.truth, scores, seen.patients) for scores in seen.scores.T]
    sizes = np.bincount(seen.patients)
    squares = [
        np.bincount(seen.patients, weights=(scores - seen.truth) ** 2, minlength=len(sizes)) for scores in seen.scores.T
    ]

    def figure(name: str, column: int, drawn: FloatArray) -> FloatArray:
        if name == "brier":
            return np.asarray(drawn @ squares[column] / (drawn @ sizes))
        ranking = rankings[column]
        return ranking.roc_auc(drawn) if name == "roc_auc" else ranking.average_precision(drawn)

    def both(block: Resamples) -> FloatArray:
        columns = [[figure(name, column, block.of_patients) for name in figures] for column in (0, 1)]
        return np.moveaxis(np.asarray(columns), 1, -1)

    return both


def _resampled(
    pair: Pair, figures: Sequence[str], both: Both, level: float, *, resamples: int, seed: int
) -> list[Difference]:
    n, n_patients = len(pair.labels), count_patients(pair.patients)
    if not figures or not n:
        return [Difference(name, None, None, NONE, None, None, 0, 0) for name in figures]

    def gains(block: Resamples) -> FloatArray:
        first, second = both(block)
        return np.asarray(first - second)

    values = both(Resamples(np.ones((1, n_patients)), pair.patients))[:, 0]
    drawn = bootstrap(gains, pair.patients, strata(pair.truth, pair.patients), resamples=resamples, seed=seed)
    return [
        Difference(name, first, second, *of_draws(drawn[:, column], level), n, n_patients)
        if first is not None and second is not None
        else Difference(name, first, second, NONE, None, None, n, n_patients)
        for column, name in enumerate(figures)
        for first, second in [tuple(metrics.number(value) for value in values[:, column])]
    ]


def of_draws(drawn: FloatArray, level: float) -> tuple[Interval, float | None, str | None]:
    """Make interval, p value and test of a difference in resamples: float64[r], NaN where it cannot be computed.

    The p value is twice the share of resamples on the far side of 0, one counted more (Davison & Hinkley 1997).
    """
    low, high = (float(bound[0]) for bound in percentiles(drawn[:, None], level))
    if not low < high:
        return NONE, None, None
    known = drawn[np.isfinite(drawn)]
    fewer = min(np.count_nonzero(known <= 0), np.count_nonzero(known >= 0))
    return Interval(low, high, BY_PATIENT), min(1.0, 2 * (fewer + 1) / (len(known) + 1)), BY_PATIENT
