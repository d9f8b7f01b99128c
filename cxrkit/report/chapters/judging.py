"""What every model said of every image of a set, in arrays; objects are made of the images that are shown alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cxrkit.api import FloatArray, IntArray, Predictions, TextArray
from cxrkit.evaluation.cases import confidence
from cxrkit.metrics import NO_RESULT, BoolArray, decide
from cxrkit.report.content import Outcome
from cxrkit.report.results import TEST, Results, TaskResult

NOT_ASKED = NO_RESULT - 1
"""In place of a called class where a model has no prediction on an image at all."""


@dataclass(frozen=True)
class Opinion:
    """What one model said of one image.

    Attributes:
        task: the model.
        probability: of the positive class, or the score; NaN without a result.
        called: the class that it was called; None without a result.
        wrong: whether that is not what the image shows.
    """

    task: TaskResult
    probability: float
    called: str | None
    wrong: bool


@dataclass(frozen=True)
class Judged:
    """An image with what every model said of it; ``certainty`` is that of the surest wrong model, 0 … 1."""

    image: str
    patient: str
    truth: str
    outcome: Outcome
    certainty: float
    opinions: tuple[Opinion, ...]


@dataclass(frozen=True)
class Judgements:
    """The calls of k models on n images.

    Attributes:
        tasks: the models.
        class_names: the classes.
        positive: the one that is detected, as an index.
        images: str[n], names in their order.
        patients: str[n].
        labels: int64[n], what the images show.
        scores: float64[k, n], of the positive class; NaN without a result.
        called: int64[k, n], class indices, ``NO_RESULT`` or ``NOT_ASKED``.
        wrong: bool[k, n]; no result is wrong, not to be asked is not.
        certainty: float64[k, n], how far beyond the threshold, as a share of the way to the end of the range; 0 where
            the model was right.
    """

    tasks: tuple[TaskResult, ...]
    class_names: tuple[str, ...]
    positive: int
    images: TextArray
    patients: TextArray
    labels: IntArray
    scores: FloatArray
    called: IntArray
    wrong: BoolArray
    certainty: FloatArray

    @property
    def asked(self) -> BoolArray:
        """bool[k, n], which models have a prediction on which images."""
        return np.asarray(self.called != NOT_ASKED)

    @cached_property
    def errors(self) -> IntArray:
        """int64[n], how many models are wrong."""
        return np.asarray(self.wrong.sum(axis=0), dtype=np.int64)

    @cached_property
    def is_miss(self) -> BoolArray:
        """bool[n], positive images that a model is wrong of."""
        return np.asarray((self.errors > 0) & (self.labels == self.positive))

    @cached_property
    def is_alarm(self) -> BoolArray:
        """bool[n], other images that a model calls positive."""
        return np.asarray((self.labels != self.positive) & (self.called == self.positive).any(axis=0))

    @cached_property
    def order(self) -> IntArray:
        """int64[n], rows: errors of most models first, then the surest, then by name."""
        return np.lexsort((np.arange(len(self.images)), -self.certainty.max(axis=0), -self.errors))

    def ordered_errors(self) -> IntArray:
        """Give the rows that a model is wrong of, in order."""
        return self.order[: np.count_nonzero(self.errors)]

    def rows_of(self, images: Sequence[str]) -> IntArray:
        """Find the rows of images, in order; names that are not there are left out."""
        return self.order[np.isin(self.images[self.order], images)]

    def outcome(self, row: int) -> Outcome:
        """Say what the errors on an image amount to."""
        if self.errors[row] == 0:
            return "correct"
        if self.is_miss[row]:
            return "false negative"
        return "false positive" if self.is_alarm[row] else "other error"

    def count(self, outcome: Outcome) -> int:
        """Count the images of an outcome."""
        misses, alarms = np.count_nonzero(self.is_miss), np.count_nonzero(self.is_alarm)
        errors = np.count_nonzero(self.errors)
        counts = {"false negative": misses, "false positive": alarms, "other error": errors - misses - alarms}
        return int(counts.get(outcome, len(self.images) - errors))

    def image(self, row: int) -> Judged:
        """Put together what was said of an image."""
        return Judged(
            image=str(self.images[row]),
            patient=str(self.patients[row]),
            truth=self.class_names[self.labels[row]],
            outcome=self.outcome(row),
            certainty=float(self.certainty[:, row].max()),
            opinions=tuple(
                self._opinion(number, row) for number in range(len(self.tasks)) if self.called[number, row] != NOT_ASKED
            ),
        )

    def _opinion(self, number: int, row: int) -> Opinion:
        called = self.called[number, row]
        return Opinion(
            task=self.tasks[number],
            probability=float(self.scores[number, row]),
            called=None if called == NO_RESULT else self.class_names[called],
            wrong=bool(self.wrong[number, row]),
        )


def judge(results: Results, set_name: str = TEST) -> Judgements | None:
    """Judge every image of a set by every model that has predictions on it; None where none has."""
    found = [
        (task, task.predictions(set_name), task.info.threshold.value)
        for task in results.tasks
        if task.info.threshold is not None and task.directory.predictions(set_name).is_file()
    ]
    if not found:
        return None
    images, places = _together([predictions.images for _, predictions, _ in found])
    shape = len(found), len(images)
    patients = np.full(shape[1], "", dtype=object)
    labels = np.zeros(shape[1], dtype=np.int64)
    scores, called = np.full(shape, np.nan), np.full(shape, NOT_ASKED)
    wrong, certainty = np.zeros(shape, dtype=np.bool_), np.zeros(shape)
    for number, ((_, predictions, threshold), place) in enumerate(zip(found, places, strict=True)):
        patients[place], labels[place] = predictions.patients, predictions.labels
        scores[number, place] = predictions.score
        calls, mistakes, surely = _calls(predictions, threshold)
        called[number, place], wrong[number, place], certainty[number, place] = calls, mistakes, surely
    first = found[0][1]
    tasks = tuple(task for task, _, _ in found)
    known = (images, patients.astype(np.str_), labels)
    return Judgements(tasks, first.class_names, first.positive_index, *known, scores, called, wrong, certainty)


def _together(names: Sequence[TextArray]) -> tuple[TextArray, list[IntArray]]:
    """Sort the names of all models' images, and find each model's rows among them."""
    if all(np.array_equal(names[0], others) for others in names[1:]):
        images, place = np.unique(names[0], return_inverse=True)
        return images, [place] * len(names)
    images, place = np.unique(np.concatenate(names), return_inverse=True)
    return images, np.split(place, np.cumsum([len(one) for one in names])[:-1])


def _calls(predictions: Predictions, threshold: float) -> tuple[IntArray, BoolArray, FloatArray]:
    called = decide(predictions.probabilities, predictions.positive_index, threshold)
    wrong = called != predictions.labels
    surely = np.where(wrong & (called != NO_RESULT), confidence(predictions, called, threshold), 0)
    return called, wrong, surely
