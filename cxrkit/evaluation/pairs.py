"""Two models' results on the same images, side by side."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cxrkit.api import FloatArray, IntArray, Predictions, Scale, TextArray
from cxrkit.evaluation.predictions import aligned_to
from cxrkit.intervals import patient_index, renumbered
from cxrkit.metrics import NO_RESULT, decide


@dataclass(frozen=True)
class Pair:
    """A model and its reference on the same images; columns are in that order.

    Attributes:
        labels: int64[n].
        num_classes: k.
        positive: index of the positive class.
        patients: int64[n], numbers without gaps.
        called: int64[n, 2], called classes, ``NO_RESULT`` where there is none.
        scores: float64[n, 2]; NaN without a result.
        scales: what the scores are.
    """

    labels: IntArray
    num_classes: int
    positive: int
    patients: IntArray
    called: IntArray
    scores: FloatArray
    scales: tuple[Scale, Scale]

    @property
    def truth(self) -> NDArray[np.bool_]:
        """bool[n]: whether the image shows the positive class."""
        return np.equal(self.labels, self.positive)

    @property
    def complete(self) -> NDArray[np.bool_]:
        """bool[n]: whether both have a result."""
        return np.asarray((self.called != NO_RESULT).all(axis=1))

    @property
    def repeated(self) -> bool:
        """Whether any patient has several images."""
        return int(self.patients.max(initial=-1)) + 1 < len(self.patients)

    def of(self, rows: NDArray[np.bool_]) -> "Pair":
        """Take some images, patients numbered anew."""
        return replace(
            self,
            labels=self.labels[rows],
            patients=renumbered(self.patients[rows]),
            called=self.called[rows],
            scores=self.scores[rows],
        )


def pair(model: Predictions, reference: Predictions, thresholds: tuple[float, float]) -> Pair:
    """Bring two models' results side by side, in the order of the reference's images.

    Args:
        model: on the same images as the reference, in any order.
        reference: what it is compared with.
        thresholds: of model and reference.

    Raises:
        InputError: images, classes or labels differ; says how many and which.
    """
    other = aligned_to(reference, model)
    both = ((other, thresholds[0]), (reference, thresholds[1]))
    return Pair(
        labels=reference.labels,
        num_classes=len(reference.class_names),
        positive=reference.positive_index,
        patients=patient_index(_patients(reference, other)),
        called=np.stack([decide(one.probabilities, one.positive_index, value) for one, value in both], axis=1),
        scores=np.stack([one.score for one, _ in both], axis=1),
        scales=(other.scale, reference.scale),
    )


def _patients(reference: Predictions, other: Predictions) -> TextArray:
    """Take the patients' keys; a file without any has one for each image, and knows less than one with."""
    if np.array_equal(reference.patients, reference.images):
        return other.patients
    return reference.patients
