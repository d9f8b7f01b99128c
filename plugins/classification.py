"""The metric reporter ``classification``: ranking, detection at the threshold, classes, subgroups."""

from cxrkit import metrics
from cxrkit.api import EvaluationSettings, Figure, MetricReport, Predictions
from cxrkit.areas import auc_interval
from cxrkit.intervals import NONE, predictive_intervals, proportion

from .classes import against_the_rest, of_each_class
from .resampling import of_decisions, of_scores
from .results import (
    Results,
    count,
    fewest,
    figure,
    predictive,
    results_of,
    sensitivity_and_specificity,
    with_natural_prior,
)
from .subgroups import of_subgroups


def classification(predictions: Predictions, settings: EvaluationSettings) -> MetricReport:
    """Figures of detection at the threshold, of the ranking, of each class and of subgroups, by patient.

    An image without a result counts as wrong for sensitivity, specificity, accuracies and recall; where there are any,
    the figures without them are given beside as ``…_complete_cases``. ROC AUC, average precision, Brier score,
    correlation and predictive values are of the images with a result. A bare decision has no figures of the ranking, a
    score no Brier score, nor has a patient's largest probability. At a fixed threshold, sensitivity and specificity of
    probabilities that are corrected to the training's class shares stand beside.
    """
    results = results_of(predictions, settings.threshold.value)
    seen = results.of(results.complete)
    figures = [
        *([] if results.scale == "decision" else [ranking(seen, settings.level)]),
        *_detection(results, settings),
        *of_scores(seen, settings),
        *of_decisions(results, settings),
        *of_each_class(results, settings),
        *against_the_rest(results, settings),
        *_at_prevalence(results, settings),
        *_corrected(results, settings),
        *of_subgroups(results, settings, ranking),
    ]
    return MetricReport(tuple(figures))


def ranking(seen: Results, level: float) -> Figure:
    """Compute the area under the ROC curve of images with a result."""
    value = metrics.roc_auc(seen.truth, seen.score)
    interval = auc_interval(seen.truth, seen.score, seen.patients, level) if value is not None else NONE
    n_patients, smallest = count(seen.patients), fewest(seen.truth, seen.patients)
    return Figure("roc_auc", value, *interval, n=len(seen.labels), n_patients=n_patients, fewest_patients=smallest)


def _detection(results: Results, settings: EvaluationSettings) -> list[Figure]:
    threshold, level, complete = settings.threshold.value, settings.level, results.complete
    figures = _shares(results, threshold, level)
    figures += [figure(name, share, threshold=threshold) for name, share in predictive(results, level).items()]
    figures.append(figure("prevalence", proportion(results.truth, results.patients, level)))
    figures.append(figure("no_result", proportion(~complete, results.patients, level)))
    if not complete.all():
        figures += _shares(results.of(complete), threshold, level, suffix="_complete_cases")
    return figures


def _shares(results: Results, threshold: float, level: float, suffix: str = "") -> list[Figure]:
    """Sensitivity, specificity and accuracy, in which an image without a result is wrong."""
    sensitivity, specificity = sensitivity_and_specificity(results, level)
    accuracy = proportion(results.called == results.labels, results.patients, level)
    smallest = fewest(results.labels, results.patients)
    return [
        figure(f"sensitivity{suffix}", sensitivity, threshold=threshold),
        figure(f"specificity{suffix}", specificity, threshold=threshold),
        figure(f"accuracy{suffix}", accuracy, threshold=threshold, fewest_patients=smallest),
    ]


def _at_prevalence(results: Results, settings: EvaluationSettings) -> list[Figure]:
    """Predictive values at the stated prevalence, by Bayes, with intervals through the likelihood ratios."""
    prevalence = settings.prevalence
    if prevalence is None:
        return []
    sensitivity, specificity = sensitivity_and_specificity(results, settings.level)
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
            n_patients=count(results.patients),
            threshold=settings.threshold.value,
            prevalence=prevalence,
            fewest_patients=fewest(results.truth, results.patients),
        )
        for name, value, interval in zip(("ppv", "npv"), values, intervals, strict=True)
    ]


def _corrected(results: Results, settings: EvaluationSettings) -> list[Figure]:
    """Sensitivity and specificity again where a fixed threshold meets probabilities that a strategy has distorted."""
    corrected = with_natural_prior(results, settings) if settings.threshold.rule == "fixed" else None
    if corrected is None:
        return []
    shares = sensitivity_and_specificity(corrected, settings.level)
    return [
        figure(name, share, threshold=settings.threshold.value, calibrated="prior")
        for name, share in zip(("sensitivity", "specificity"), shares, strict=True)
    ]
