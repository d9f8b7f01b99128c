"""Figures whose intervals come from the bootstrap by patient."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import sqrt

import numpy as np

from cxrkit import metrics
from cxrkit.api import Calibrated, EvaluationSettings, Figure, FloatArray, IntArray
from cxrkit.bootstrap import Statistic, bootstrap, percentiles, strata
from cxrkit.intervals import NONE, Interval, proportion, wilson

from .results import Results, count, fewest

BY_PATIENT = "bootstrap by patient"
AT_THE_END = "Wilson's bound, n = patients of the smallest class"
OF_RECALLS = "square-and-add of Wilson intervals"
FREE_OF_THRESHOLD = {"average_precision", "average_precision_macro", "brier", "log_loss"}
UNBOUNDED = {"log_loss"}

Named = tuple[str, str | None, Calibrated | None]
"""A figure's metric, class and recalibration."""


def of_scores(seen: Results, settings: EvaluationSettings) -> list[Figure]:
    """Average precision (of each class too, where there are more than two) and Brier score, as the scale allows."""
    if seen.scale == "decision":
        return []
    names: list[Named] = [("average_precision", None, None)]
    classes = [seen.positive]
    if len(seen.class_names) > 2:  # noqa: PLR2004  # of two classes the positive one tells all
        classes += range(len(seen.class_names))
        names += [("average_precision", name, None) for name in seen.class_names]
        names.append(("average_precision_macro", None, None))
    rankings = [
        metrics.SortedScores(seen.labels == index, seen.probabilities[:, index], seen.patients) for index in classes
    ]
    squares: list[FloatArray] = []
    if seen.scale == "probability" and settings.unit != "patient-max":
        names.append(("brier", None, None))
        squares = [(seen.score - seen.truth) ** 2]
    mean = means(squares, seen.patients)

    def figures(drawn: FloatArray) -> FloatArray:
        precisions = [ranking.average_precision(drawn) for ranking in rankings]
        macro = [np.mean(precisions[1:], axis=0)] if len(precisions) > 1 else []
        return np.concatenate([np.stack(precisions + macro, axis=1), mean(drawn)], axis=1)

    return resampled(seen, settings, names, figures)


def of_decisions(results: Results, settings: EvaluationSettings) -> list[Figure]:
    """Balanced accuracy, correlation and F1 of the classes; their mean too, where there are more than two."""
    k = len(results.class_names)
    cells = metrics.cells(results.labels, results.called, k)
    width, n_patients = k * (k + 1), count(results.patients)
    counts = np.bincount(results.patients * width + cells, minlength=n_patients * width)
    by_patient = counts.reshape(n_patients, width).astype(np.float64)
    names: list[Named] = [("balanced_accuracy", None, None), ("mcc", None, None)]
    names += [("f1", name, None) for name in results.class_names]
    names += [("f1_macro", None, None)] if k > 2 else []  # noqa: PLR2004  # of two classes it tells nothing more

    def figures(drawn: FloatArray) -> FloatArray:
        matrices = (drawn @ by_patient).reshape(-1, k, k + 1)
        f1 = metrics.f1(matrices)
        columns = [metrics.balanced_accuracy(matrices), metrics.matthews_correlation(matrices), *f1.T]
        return np.stack([*columns, f1.mean(axis=1)][: len(names)], axis=1)

    balanced, *others = resampled(results, settings, names, figures)
    return [_from_recalls(balanced, results, settings.level), *others]


def _from_recalls(balanced: Figure, results: Results, level: float) -> Figure:
    """Bound balanced accuracy by the classes' recalls where one is 0 or 1, which every resample repeats.

    The distances of the recalls' own bounds add as squares (Zou & Donner 2008).
    """
    recalls = [_recall(results, index, level) for index in range(len(results.class_names))]
    inside = all(0 < value < 1 for value, _, _ in recalls)
    if balanced.value is None or balanced.method == AT_THE_END or inside:
        return balanced
    below = sqrt(sum((value - low) ** 2 for value, low, _ in recalls)) / len(recalls)
    above = sqrt(sum((high - value) ** 2 for value, _, high in recalls)) / len(recalls)
    return replace(balanced, low=balanced.value - below, high=balanced.value + above, method=OF_RECALLS)


def _recall(results: Results, index: int, level: float) -> tuple[float, float, float]:
    """Return a class's recall and its bounds; of a class without images anything from 0 to 1."""
    shown = results.labels == index
    found = proportion(results.called[shown] == index, results.patients[shown], level)
    value, (low, high, _) = found.value, found.interval
    return (0.5, 0.0, 1.0) if value is None or low is None or high is None else (value, low, high)


def means(columns: Sequence[FloatArray], patients: IntArray) -> Callable[[FloatArray], FloatArray]:
    """Prepare the means of figures that each image has, float64[n] each, over resamples of patients.

    Returns:
        Maps float64[r, patients] to float64[r, columns].
    """
    sums = np.stack([np.bincount(patients, weights=column) for column in (np.ones(len(patients)), *columns)], axis=1)

    def of(drawn: FloatArray) -> FloatArray:
        # Not the matrix product, whose last digit may depend on the number of threads.
        totals = np.einsum("rp,pc->rc", drawn, sums)
        return np.asarray(totals[:, 1:] / totals[:, :1])

    return of


def resampled(
    results: Results,
    settings: EvaluationSettings,
    names: Sequence[Named],
    figures: Callable[[FloatArray], FloatArray],
) -> list[Figure]:
    """Evaluate figures of patients' weights on all patients and on resamples.

    Args:
        results: that the figures are of.
        settings: of the evaluation.
        names: of the figures.
        figures: maps float64[r, patients] to float64[r, figures].
    """
    n, n_patients, smallest = len(results.labels), count(results.patients), fewest(results.labels, results.patients)
    values, lows, highs = (np.full(len(names), np.nan) for _ in range(3))
    if n:
        values = figures(np.ones((1, n_patients)))[0]
        lows, highs = percentiles(_draw(results, settings, lambda block: figures(block.of_patients)), settings.level)
    return [
        Figure(
            metric,
            metrics.number(value),
            *_interval(metric, metrics.number(value), (low, high), smallest, settings.level),
            n=n,
            n_patients=n_patients,
            class_name=class_name,
            calibrated=calibrated,
            threshold=None if metric in FREE_OF_THRESHOLD else settings.threshold.value,
            fewest_patients=smallest,
        )
        for (metric, class_name, calibrated), value, low, high in zip(
            names, values.tolist(), lows.tolist(), highs.tolist(), strict=True
        )
    ]


def _draw(results: Results, settings: EvaluationSettings, statistic: Statistic) -> FloatArray:
    groups = strata(results.truth, results.patients)
    return bootstrap(statistic, results.patients, groups, resamples=settings.resamples, seed=settings.seed)


def _interval(metric: str, value: float | None, bounds: tuple[float, float], smallest: int, level: float) -> Interval:
    """Take the resamples' bounds; where these are one, at an end of the scale, Wilson's of the fewest patients."""
    low, high = bounds
    if value is None or np.isnan(low):
        return NONE
    if low < high:
        return Interval(low, high, BY_PATIENT)
    if metric in UNBOUNDED:
        return NONE
    if value == 1:
        bound = wilson(smallest, smallest, level)[0]
        return Interval(2 * bound - 1 if metric == "mcc" else bound, 1.0, AT_THE_END)
    if value == 0 and metric != "mcc":
        return Interval(0.0, wilson(0, smallest, level)[1], AT_THE_END)
    return NONE
