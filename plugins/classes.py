"""Figures of each class, and of each class against the rest where there are more than two."""

from math import sqrt

import numpy as np
from scipy.special import expit, logit

from cxrkit import metrics
from cxrkit.api import EvaluationSettings, Figure
from cxrkit.areas import auc_interval, auc_method, degrees_of_freedom, newcombe_auc
from cxrkit.heterogeneity import joint_areas
from cxrkit.intervals import NONE, Interval, proportion, student_quantile

from .results import Results, count, fewest, figure

TWO = 2


def of_each_class(results: Results, settings: EvaluationSettings) -> list[Figure]:
    """Precision, recall and support of each class."""
    figures, level, threshold = [], settings.level, settings.threshold.value
    for index, name in enumerate(results.class_names):
        called, shown = results.called == index, results.labels == index
        shares = {
            "precision": proportion(shown[called], results.patients[called], level),
            "recall": proportion(called[shown], results.patients[shown], level),
        }
        figures += [figure(metric, share, threshold=threshold, class_name=name) for metric, share in shares.items()]
        n, n_patients = int(shown.sum()), count(results.patients[shown])
        figures.append(
            Figure("support", float(n), n=n, n_patients=n_patients, class_name=name, fewest_patients=n_patients)
        )
    return figures


def against_the_rest(results: Results, settings: EvaluationSettings) -> list[Figure]:
    """Specificity and ROC AUC of each of three or more classes against all others, and the mean area."""
    if len(results.class_names) == TWO:
        return []
    seen = results.of(results.complete)
    figures = [_specificity(results, index, settings) for index in range(len(results.class_names))]
    figures += [_area(seen, index, settings.level) for index in range(len(results.class_names))]
    return [*figures, _mean_area(seen, figures, settings.level)]


def _specificity(results: Results, index: int, settings: EvaluationSettings) -> Figure:
    others = results.labels != index
    passed = results.complete & (results.called != index)
    share = proportion(passed[others], results.patients[others], settings.level)
    return figure("specificity", share, threshold=settings.threshold.value, class_name=results.class_names[index])


def _area(seen: Results, index: int, level: float) -> Figure:
    truth, score = seen.labels == index, seen.probabilities[:, index]
    value = metrics.roc_auc(truth, score)
    interval = NONE if value is None else auc_interval(truth, score, seen.patients, level)
    return Figure(
        "roc_auc",
        value,
        *interval,
        n=len(truth),
        n_patients=count(seen.patients),
        class_name=seen.class_names[index],
        fewest_patients=fewest(truth, seen.patients),
    )


def _mean_area(seen: Results, figures: list[Figure], level: float) -> Figure:
    areas = [one.value for one in figures if one.metric == "roc_auc" and one.value is not None]
    whole = len(areas) == len(seen.class_names)
    value = float(np.mean(areas)) if whole else None
    interval = NONE if value is None else _interval(seen, value, level)
    n_patients, smallest = count(seen.patients), fewest(seen.labels, seen.patients)
    return Figure(
        "roc_auc_macro", value, *interval, n=len(seen.labels), n_patients=n_patients, fewest_patients=smallest
    )


def _interval(seen: Results, value: float, level: float) -> Interval:
    """Compute the mean area's interval on the logit scale, from the joint covariance of the areas."""
    smallest = fewest(seen.labels, seen.patients)
    truths = seen.labels[:, None] == np.arange(len(seen.class_names))
    found = joint_areas(truths, seen.probabilities, np.ones_like(truths), seen.patients) if smallest >= TWO else None
    variance = 0.0 if found is None else float(found.covariance.mean())
    if found is None or not 0 < value < 1 or not variance > 0:
        bounds = newcombe_auc(value, smallest, smallest, level)
        return Interval(*bounds, "Newcombe 2006, n = patients of the smallest class")
    freedom = degrees_of_freedom(found.contributions.mean(axis=1))
    half = student_quantile(level, freedom) * sqrt(variance) / (value * (1 - value))
    low, high = (float(expit(logit(value) + side * half)) for side in (-1, 1))
    return Interval(low, high, f"{auc_method(seen.patients)}, logit")
