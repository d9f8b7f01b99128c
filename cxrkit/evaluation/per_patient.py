"""Patients in place of images: one probability for each patient, by a named rule."""

from dataclasses import replace
from typing import Literal

import numpy as np

from cxrkit.api import FloatArray, IntArray, Predictions, TextArray
from cxrkit.evaluation.predictions import OK
from cxrkit.intervals import patient_index

PatientRule = Literal["max", "mean"]


def has_repeats(found: Predictions) -> bool:
    """Say whether any patient has several images, so that patients are another unit than images."""
    return len(np.unique(found.patients)) < len(found.patients)


def by_patient(found: Predictions, rule: PatientRule) -> Predictions:
    """Put the images of each patient together.

    A patient shows the positive class where any image does, else the class of most images. A patient has a result where
    any image has one; images without are left out.

    Args:
        found: of images.
        rule: ``max`` takes the results of the image with the largest probability of the positive class, ``mean`` the
            mean over the images.

    Returns:
        A row for each patient, by key; ``images`` holds the patients' keys, and there are no logits.
    """
    patients = patient_index(found.patients)
    number = int(patients.max()) + 1 if len(patients) else 0
    names = np.unique(found.patients)
    return replace(
        found,
        images=names,
        patients=names,
        labels=_labels(found, patients, number),
        status=_status(found, patients, number),
        probabilities=(_largest if rule == "max" else _means)(found, patients, number),
        logits=None,
    )


def _labels(found: Predictions, patients: IntArray, number: int) -> IntArray:
    k = len(found.class_names)
    counts = np.bincount(patients * k + found.labels, minlength=number * k).reshape(number, k)
    return np.where(counts[:, found.positive_index] > 0, found.positive_index, counts.argmax(axis=1)).astype(np.int64)


def _status(found: Predictions, patients: IntArray, number: int) -> TextArray:
    """Say ok where any image has a result, else why the first has none."""
    status = np.full(number, OK, dtype=found.status.dtype)
    without = np.bincount(patients, weights=found.status == OK, minlength=number) == 0
    first = np.unique(patients, return_index=True)[1]
    status[without] = found.status[first[without]]
    return status


def _largest(found: Predictions, patients: IntArray, number: int) -> FloatArray:
    """Take the results of each patient's image with the largest score: float64[patients, num_classes]."""
    usable = np.flatnonzero(found.status == OK)
    order = usable[np.lexsort((-found.score[usable], patients[usable]))]
    rows = order[np.unique(patients[order], return_index=True)[1]]
    results = np.full((number, len(found.class_names)), np.nan)
    results[patients[rows]] = found.probabilities[rows]
    return results


def _means(found: Predictions, patients: IntArray, number: int) -> FloatArray:
    usable = found.status == OK
    sizes = np.bincount(patients[usable], minlength=number)
    sums = [np.bincount(patients[usable], weights=column[usable], minlength=number) for column in found.probabilities.T]
    total = np.stack(sums, axis=1) if number else np.empty((0, len(found.class_names)))
    means: FloatArray = np.full(total.shape, np.nan)
    np.divide(total, sizes[:, None], out=means, where=sizes[:, None] > 0)
    return means
