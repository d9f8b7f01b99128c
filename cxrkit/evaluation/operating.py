"""What a threshold, and a zone of two, turn into on a set."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cxrkit import metrics
from cxrkit.api import Figure, IntArray, Predictions, Threshold
from cxrkit.areas import auc_interval
from cxrkit.evaluation.predictions import OK, taken
from cxrkit.intervals import NONE, count_patients, patient_index, proportion

BoolArray = NDArray[np.bool_]


def ranking(found: Predictions, level: float) -> list[Figure]:
    """Give ROC AUC, of the images with a result.

    Args:
        found: of one set.
        level: of the interval.

    Returns:
        Nothing where there are decisions alone.
    """
    if found.scale == "decision":
        return []
    seen = taken(found, found.status == OK)
    truth, patients = seen.truth, patient_index(seen.patients)
    value = metrics.roc_auc(truth, seen.score)
    interval = NONE if value is None else auc_interval(truth, seen.score, patients, level)
    fewest = min(count_patients(patients[truth]), count_patients(patients[~truth]))
    n, n_patients = len(truth), count_patients(patients)
    return [Figure("roc_auc", value, *interval, n=n, n_patients=n_patients, fewest_patients=fewest)]


def at(found: Predictions, threshold: Threshold, level: float) -> list[Figure]:
    """Give sensitivity, specificity and predictive values at a threshold.

    Args:
        found: of one set; an image without a result is wrong in sensitivity and specificity and has no part in the
            predictive values, which are those at the prevalence of the set.
        threshold: chosen before.
        level: of the intervals.
    """
    called = metrics.decide(found.probabilities, found.positive_index, threshold.value)
    positive = called == found.positive_index
    negative = (called != metrics.NO_RESULT) & ~positive
    truth, patients = found.truth, patient_index(found.patients)
    shares = [
        _share("sensitivity", positive, truth, patients, level),
        _share("specificity", negative, ~truth, patients, level),
        *_predictive(truth, positive, negative, patients, level),
    ]
    return [replace(share, threshold=threshold.value) for share in shares]


def in_zone(found: Predictions, lower: Threshold, upper: Threshold, level: float) -> list[Figure]:
    """Give what an uncertain zone turns into.

    Coverage is the share of all images that are decided. Sensitivity, specificity and predictive values are of the
    decided images; ``referred_positives`` and ``referred_negatives`` are the shares of all positive and of all negative
    images that are referred. An image without a result is referred.

    Args:
        found: of one set.
        lower: below it an image is called negative.
        upper: from it on an image is called positive.
        level: of the intervals.
    """
    with_result = found.status == OK
    positive = with_result & (found.score >= upper.value)
    negative = with_result & (found.score < lower.value) & ~positive
    decided = positive | negative
    truth, patients = found.truth, patient_index(found.patients)
    return [
        _share("coverage", decided, np.ones(len(truth), dtype=bool), patients, level),
        _share("sensitivity", positive, truth & decided, patients, level),
        _share("specificity", negative, ~truth & decided, patients, level),
        *_predictive(truth, positive, negative, patients, level),
        _share("referred_positives", ~decided, truth, patients, level),
        _share("referred_negatives", ~decided, ~truth, patients, level),
    ]


def _predictive(
    truth: BoolArray, positive: BoolArray, negative: BoolArray, patients: IntArray, level: float
) -> list[Figure]:
    return [
        _share("ppv", truth, positive, patients, level),
        _share("npv", ~truth, negative, patients, level),
    ]


def _share(metric: str, success: BoolArray, rows: BoolArray, patients: IntArray, level: float) -> Figure:
    """Give the share of successes among some rows."""
    found = proportion(success[rows], patients[rows], level)
    return Figure(
        metric,
        found.value,
        *found.interval,
        n=found.n,
        n_patients=found.n_patients,
        fewest_patients=found.n_patients,
    )
