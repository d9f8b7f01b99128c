"""What a model made of the images of a set, and how a share of them becomes a figure."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cxrkit import metrics
from cxrkit.api import EvaluationSettings, Figure, FloatArray, IntArray, Predictions, Scale
from cxrkit.calibration import correct_prior
from cxrkit.intervals import Proportion, count_patients, patient_index, proportion, renumbered
from cxrkit.metrics import BoolArray


@dataclass(frozen=True)
class Results:
    """What a model made of the images, aligned, n rows.

    Attributes:
        class_names: k names.
        positive: index of the positive class.
        scale: what the probabilities are.
        labels: int64[n].
        called: int64[n], ``metrics.NO_RESULT`` where there is none.
        probabilities: float64[n, k], NaN where there is none.
        patients: int64[n], numbers without gaps.
    """

    class_names: tuple[str, ...]
    positive: int
    scale: Scale
    labels: IntArray
    called: IntArray
    probabilities: FloatArray
    patients: IntArray

    @property
    def truth(self) -> BoolArray:
        """bool[n]: whether an image shows the positive class."""
        return np.equal(self.labels, self.positive)

    @property
    def score(self) -> FloatArray:
        """float64[n]: the probability of the positive class, or its score."""
        return self.probabilities[:, self.positive]

    @property
    def complete(self) -> BoolArray:
        """bool[n]: whether there is a result."""
        return np.not_equal(self.called, metrics.NO_RESULT)

    def of(self, rows: BoolArray) -> "Results":
        """Take some images, patients numbered anew."""
        return replace(
            self,
            labels=self.labels[rows],
            called=self.called[rows],
            probabilities=self.probabilities[rows],
            patients=renumbered(self.patients[rows]),
        )


def results_of(predictions: Predictions, threshold: float) -> Results:
    """Decide every image at a threshold."""
    positive = predictions.positive_index
    return Results(
        class_names=predictions.class_names,
        positive=positive,
        scale=predictions.scale,
        labels=predictions.labels,
        called=metrics.decide(predictions.probabilities, positive, threshold),
        probabilities=predictions.probabilities,
        patients=patient_index(predictions.patients),
    )


def with_natural_prior(results: Results, settings: EvaluationSettings) -> Results | None:
    """Correct probabilities to the class shares of the training images; None where no strategy changed them."""
    if settings.prior is None or results.scale != "probability":
        return None
    corrected = correct_prior(results.probabilities, settings.prior.seen, settings.prior.natural)
    called = metrics.decide(corrected, results.positive, settings.threshold.value)
    return replace(results, probabilities=corrected, called=called)


def count(patients: IntArray) -> int:
    """Count patients."""
    return count_patients(patients)


def fewest(groups: IntArray | BoolArray, patients: IntArray) -> int:
    """Count the patients of the smallest class among those that have any; 0 without images."""
    held = np.flatnonzero(np.bincount(groups.astype(np.int64)))
    return min((count(patients[groups == one]) for one in held), default=0)


def figure(metric: str, share: Proportion, **further: Any) -> Figure:
    """Make a figure out of a share; ``further`` are its other attributes."""
    further = {"fewest_patients": share.n_patients} | further
    return Figure(metric, share.value, *share.interval, n=share.n, n_patients=share.n_patients, **further)


def sensitivity_and_specificity(results: Results, level: float) -> tuple[Proportion, Proportion]:
    """Estimate both, an image without a result being wrong."""
    truth, patients = results.truth, results.patients
    called_negative = results.complete & (results.called != results.positive)
    return (
        proportion(results.called[truth] == results.positive, patients[truth], level),
        proportion(called_negative[~truth], patients[~truth], level),
    )


def predictive(results: Results, level: float) -> dict[str, Proportion]:
    """Estimate positive and negative predictive value at the set's own prevalence."""
    positive = results.called == results.positive
    negative = results.complete & ~positive
    return {
        "ppv": proportion(results.truth[positive], results.patients[positive], level),
        "npv": proportion(~results.truth[negative], results.patients[negative], level),
    }
