"""The metric reporter that comes with cxrkit: the figures that a reviewer of a classifier asks for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cxrkit import hookimpl, metrics
from cxrkit.api import EvaluationSettings, Figure, FloatArray, IntArray, MetricReport, MetricReporter, Predictions
from cxrkit.bootstrap import Resamples, Statistic, bootstrap, percentiles, strata
from cxrkit.intervals import (
    NONE,
    Interval,
    Proportion,
    auc_interval,
    patient_index,
    predictive_intervals,
    proportion,
    wilson,
)

BoolArray = NDArray[np.bool_]
BY_PATIENT = "bootstrap by patient"
AT_THE_END = "Wilson's bound, n = patients of the smallest class"
FREE_OF_THRESHOLD = {"average_precision", "brier"}


@hookimpl
def cxrkit_register_metric_reporters() -> Mapping[str, MetricReporter]:
    """Offer ``classification``."""
    return {"classification": classification}


def classification(predictions: Predictions, settings: EvaluationSettings) -> MetricReport:
    """Figures of detection at the threshold, of the ranking, and of each class, with intervals by patient.

    An image without a result counts as wrong for sensitivity, specificity, accuracies and recall; where there are any,
    the figures without them are given beside as ``…_complete_cases``. ROC AUC, average precision, Brier score,
    correlation and predictive values are of the images with a result.
    """
    results = _results(predictions, settings.threshold.value)
    figures = [
        *_ranking(results, settings),
        *_detection(results, settings),
        *_bootstrapped(results, settings),
        *_per_class(results, settings),
        *_at_prevalence(results, settings),
        *_subgroups(results, settings),
    ]
    return MetricReport(tuple(figures))


@dataclass(frozen=True)
class Results:
    """What a model made of the images, aligned, n rows.

    Attributes:
        class_names: k names.
        positive: index of the positive class.
        labels: int64[n].
        called: int64[n], ``metrics.NO_RESULT`` where there is none.
        score: float64[n], NaN where there is none.
        patients: int64[n], numbers without gaps.
    """

    class_names: tuple[str, ...]
    positive: int
    labels: IntArray
    called: IntArray
    score: FloatArray
    patients: IntArray

    @property
    def truth(self) -> BoolArray:
        """bool[n]: whether an image shows the positive class."""
        return np.equal(self.labels, self.positive)

    @property
    def complete(self) -> BoolArray:
        """bool[n]: whether there is a result."""
        return np.not_equal(self.called, metrics.NO_RESULT)

    def of(self, rows: BoolArray) -> "Results":
        """Take some images, patients numbered anew."""
        return Results(
            self.class_names,
            self.positive,
            self.labels[rows],
            self.called[rows],
            self.score[rows],
            np.unique(self.patients[rows], return_inverse=True)[1].astype(np.int64),
        )


def _results(predictions: Predictions, threshold: float) -> Results:
    positive = predictions.positive_index
    return Results(
        class_names=predictions.class_names,
        positive=positive,
        labels=predictions.labels,
        called=metrics.decide(predictions.probabilities, positive, threshold),
        score=predictions.score,
        patients=patient_index(predictions.patients),
    )


def _ranking(results: Results, settings: EvaluationSettings) -> list[Figure]:
    seen = results.of(results.complete)
    value = metrics.roc_auc(seen.truth, seen.score)
    interval = auc_interval(seen.truth, seen.score, seen.patients, settings.level) if value is not None else NONE
    return [Figure("roc_auc", value, *interval, n=len(seen.labels), n_patients=_count(seen.patients))]


# ── Proportions ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _detection(results: Results, settings: EvaluationSettings) -> list[Figure]:
    threshold, level = settings.threshold.value, settings.level
    figures = [_figure(name, share, threshold) for name, share in _shares(results, level).items()]
    figures += [_figure(name, share, threshold) for name, share in _predictive(results, level).items()]
    figures.append(_figure("prevalence", proportion(results.truth, results.patients, level), None))
    if not results.complete.all():
        complete = _shares(results.of(results.complete), level)
        figures += [_figure(f"{name}_complete_cases", share, threshold) for name, share in complete.items()]
    return figures


def _shares(results: Results, level: float) -> dict[str, Proportion]:
    """Sensitivity, specificity and accuracy, in which an image without a result is wrong."""
    called_negative = results.complete & (results.called != results.positive)
    successes = {
        "sensitivity": (results.called == results.positive, results.truth),
        "specificity": (called_negative, ~results.truth),
        "accuracy": (results.called == results.labels, np.ones(len(results.labels), dtype=bool)),
    }
    return {
        name: proportion(success[rows], results.patients[rows], level) for name, (success, rows) in successes.items()
    }


def _predictive(results: Results, level: float) -> dict[str, Proportion]:
    positive = results.called == results.positive
    negative = results.complete & ~positive
    return {
        "ppv": proportion(results.truth[positive], results.patients[positive], level),
        "npv": proportion(~results.truth[negative], results.patients[negative], level),
    }


def _per_class(results: Results, settings: EvaluationSettings) -> list[Figure]:
    figures = []
    for index, name in enumerate(results.class_names):
        called, shown = results.called == index, results.labels == index
        shares = {
            "precision": proportion(shown[called], results.patients[called], settings.level),
            "recall": proportion(called[shown], results.patients[shown], settings.level),
        }
        threshold = settings.threshold.value
        figures += [_figure(metric, share, threshold, class_name=name) for metric, share in shares.items()]
        n, n_patients = int(shown.sum()), _count(results.patients[shown])
        figures.append(Figure("support", float(n), n=n, n_patients=n_patients, class_name=name))
    return figures


def _figure(
    metric: str,
    share: Proportion,
    threshold: float | None,
    *,
    class_name: str | None = None,
    subgroup: str | None = None,
) -> Figure:
    return Figure(
        metric,
        share.value,
        *share.interval,
        n=share.n,
        n_patients=share.n_patients,
        class_name=class_name,
        subgroup=subgroup,
        threshold=threshold,
    )


# ── Another prevalence ────────────────────────────────────────────────────────────────────────────────────────────────


def _at_prevalence(results: Results, settings: EvaluationSettings) -> list[Figure]:
    """Predictive values at the stated prevalence, by Bayes, with intervals through the likelihood ratios."""
    prevalence = settings.prevalence
    if prevalence is None:
        return []
    shares = _shares(results, settings.level)
    sensitivity, specificity = shares["sensitivity"], shares["specificity"]
    values: tuple[float | None, float | None] = (None, None)
    if sensitivity.value is not None and specificity.value is not None:
        values = metrics.predictive_values(sensitivity.value, specificity.value, prevalence)
    intervals = predictive_intervals(sensitivity, specificity, prevalence)
    return [
        Figure(
            name,
            value,
            *(NONE if value is None else interval),
            n=len(results.labels),
            n_patients=_count(results.patients),
            threshold=settings.threshold.value,
            prevalence=prevalence,
        )
        for name, value, interval in zip(("ppv", "npv"), values, intervals, strict=True)
    ]


# ── By bootstrap ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _bootstrapped(results: Results, settings: EvaluationSettings) -> list[Figure]:
    """Average precision, Brier score, balanced accuracy, correlation and the classes' F1."""
    return [*_of_scores(results.of(results.complete), settings), *_of_decisions(results, settings)]


def _of_scores(seen: Results, settings: EvaluationSettings) -> list[Figure]:
    ranking = metrics.SortedScores(seen.truth, seen.score)
    squares = (seen.score - seen.truth) ** 2

    def statistic(block: Resamples) -> FloatArray:
        weights = block.of_images
        return np.stack([ranking.average_precision(weights), weights @ squares / weights.sum(axis=1)], axis=1)

    values = [metrics.average_precision(seen.truth, seen.score), metrics.brier(seen.truth, seen.score)]
    return _figures(seen, settings, [("average_precision", None), ("brier", None)], values, statistic)


def _of_decisions(results: Results, settings: EvaluationSettings) -> list[Figure]:
    k = len(results.class_names)
    cells = metrics.cells(results.labels, results.called, k)
    width, n_patients = k * (k + 1), _count(results.patients)
    counts = np.bincount(results.patients * width + cells, minlength=n_patients * width)
    by_patient = counts.reshape(n_patients, width).astype(np.float64)

    def statistic(block: Resamples) -> FloatArray:
        return _matrix_figures((block.of_patients @ by_patient).reshape(-1, k, k + 1))

    names = [("balanced_accuracy", None), ("mcc", None), *(("f1", name) for name in results.class_names)]
    values = [metrics.number(value) for value in _matrix_figures(by_patient.sum(axis=0).reshape(1, k, k + 1))[0]]
    return _figures(results, settings, names, values, statistic)


def _matrix_figures(matrices: FloatArray) -> FloatArray:
    """Return balanced accuracy, correlation and each class's F1: float64[r, 2 + k]."""
    columns = [metrics.balanced_accuracy(matrices), metrics.matthews_correlation(matrices)]
    return np.concatenate([np.stack(columns, axis=1), metrics.f1(matrices)], axis=1)


def _figures(
    results: Results,
    settings: EvaluationSettings,
    names: Sequence[tuple[str, str | None]],
    values: Sequence[float | None],
    statistic: Statistic,
) -> list[Figure]:
    """Draw resamples and give each figure its interval."""
    n, n_patients = len(results.labels), _count(results.patients)
    lows = highs = np.full(len(names), np.nan)
    if n:
        groups = strata(results.truth, results.patients)
        drawn = bootstrap(statistic, results.patients, groups, resamples=settings.resamples, seed=settings.seed)
        lows, highs = percentiles(drawn, settings.level)
    fewest = min((_count(results.patients[results.labels == label]) for label in np.unique(results.labels)), default=0)
    return [
        Figure(
            metric,
            value,
            *_interval(metric, value, (low, high), fewest, settings.level),
            n=n,
            n_patients=n_patients,
            class_name=class_name,
            threshold=None if metric in FREE_OF_THRESHOLD else settings.threshold.value,
        )
        for (metric, class_name), value, low, high in zip(names, values, lows.tolist(), highs.tolist(), strict=True)
    ]


def _interval(metric: str, value: float | None, bounds: tuple[float, float], fewest: int, level: float) -> Interval:
    """Take the resamples' bounds; where these are one, at an end of the scale, Wilson's of the fewest patients."""
    low, high = bounds
    if value is None or np.isnan(low):
        return NONE
    if low < high:
        return Interval(low, high, BY_PATIENT)
    if value == 1:
        bound = wilson(fewest, fewest, level)[0]
        return Interval(2 * bound - 1 if metric == "mcc" else bound, 1.0, AT_THE_END)
    if value == 0 and metric != "mcc":
        return Interval(0.0, wilson(0, fewest, level)[1], AT_THE_END)
    return NONE


# ── Subgroups ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _subgroups(results: Results, settings: EvaluationSettings) -> list[Figure]:
    figures = []
    for column, values in settings.subgroups.items():
        for value in np.unique(values[values != ""]).tolist():
            figures += _subgroup(results, values == value, f"{column}={value}", settings)
    return figures


def _subgroup(results: Results, rows: BoolArray, name: str, settings: EvaluationSettings) -> list[Figure]:
    """Give a subgroup's shares, and its ranking: a subgroup of one class against all images of the other classes."""
    inside, threshold = results.of(rows), settings.threshold.value
    shares = _shares(inside, settings.level) | _predictive(inside, settings.level)
    figures = [_figure(metric, share, threshold, subgroup=name) for metric, share in shares.items() if share.n]
    alone = inside.truth.all() or not inside.truth.any()
    ranked = results.of(rows | (results.truth != inside.truth[0])) if alone else inside
    (area,) = _ranking(ranked, settings)
    metric = "roc_auc_against_all" if alone else "roc_auc"
    return [*figures, replace(area, metric=metric, subgroup=name)]


def _count(patients: IntArray) -> int:
    return len(np.unique(patients))
