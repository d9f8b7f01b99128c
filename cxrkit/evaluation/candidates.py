"""Every decision that a threshold can make on validation, for many resamples at once, and which one a rule takes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cxrkit.api import FloatArray, IntArray, Predictions
from cxrkit.config.schema import ThresholdTable
from cxrkit.intervals import patient_index


@dataclass(frozen=True)
class Ordered:
    """Validation images by rising score.

    Attributes:
        truth: bool[n].
        patients: int64[n], numbers without gaps.
        scores: float64[m], the distinct ones, ascending.
        ends: int64[m], each one's last image.
        bounded: whether they are probabilities, so that a threshold lies in 0 … 1.
    """

    truth: NDArray[np.bool_]
    patients: IntArray
    scores: FloatArray
    ends: IntArray
    bounded: bool


@dataclass(frozen=True)
class Candidates:
    """The m + 1 decisions from "all positive" to "none positive", in each of r resamples.

    Candidate i calls positive what scores at least ``scores[i]``, the last one nothing.

    Attributes:
        scores: float64[m], distinct, ascending.
        missed: float64[r, m + 1], positives that each candidate calls negative.
        alarms: float64[r, m + 1], negatives that it calls positive.
        drawn: bool[r, m], whether the resample has an image of that score.
        bounded: whether the scores are probabilities.
    """

    scores: FloatArray
    missed: FloatArray
    alarms: FloatArray
    drawn: NDArray[np.bool_]
    bounded: bool

    @property
    def positives(self) -> FloatArray:
        """float64[r], in each resample."""
        return self.missed[:, -1]

    @property
    def negatives(self) -> FloatArray:
        """float64[r], in each resample."""
        return self.alarms[:, 0]

    @property
    def crowded(self) -> NDArray[np.bool_]:
        """bool[r]: whether an image has a probability of 1, so that no threshold calls nothing positive."""
        return self.drawn[:, -1] & (self.bounded and self.scores[-1] >= 1)


def ordered(seen: Predictions) -> Ordered:
    """Sort images, all of which have a result, by their score."""
    order = np.argsort(seen.score, kind="stable")
    rising = seen.score[order]
    return Ordered(
        truth=seen.truth[order],
        patients=patient_index(seen.patients)[order],
        scores=np.unique(rising),
        ends=np.append(np.flatnonzero(np.diff(rising)), len(rising) - 1),
        bounded=seen.scale == "probability",
    )


def candidates(images: Ordered, weights: FloatArray) -> Candidates:
    """Count what each candidate misses and falsely alarms.

    Args:
        images: by rising score.
        weights: float64[r, n], how often each image is in each resample.
    """
    below = _from_zero(weights.cumsum(axis=1).take(images.ends, axis=1))
    missed = _from_zero((weights * images.truth).cumsum(axis=1).take(images.ends, axis=1))
    passed = below - missed
    return Candidates(images.scores, missed, passed[:, -1:] - passed, np.diff(below, axis=1) > 0, images.bounded)


def chosen(found: Candidates, table: ThresholdTable) -> IntArray:
    """Take the candidate that a rule asks for, in each resample: int64[r]. Ties go to the lowest."""
    if table.rule == "sensitivity":
        reached = (found.positives[:, None] - found.missed) / found.positives[:, None] >= (table.target or 0.0)
        return _counted(reached) - 1
    if table.rule == "specificity":
        short = (found.negatives[:, None] - found.alarms) / found.negatives[:, None] < (table.target or 0.0)
        return np.asarray(np.minimum(_counted(short), len(found.scores) - found.crowded), dtype=np.int64)
    if table.rule == "youden":
        # Youden's index times both class counts: whole numbers, so that ties are ties.
        cost = found.missed * found.negatives[:, None] + found.alarms * found.positives[:, None]
    else:
        cost = found.missed * (table.false_negative or 0.0) + found.alarms * (table.false_positive or 0.0)
    cost[found.crowded, -1] = np.inf
    return np.asarray(cost.argmin(axis=1), dtype=np.int64)


def values(found: Candidates, index: IntArray) -> FloatArray:
    """Turn candidates into thresholds: midway between the neighbouring scores that the resample has.

    Midway, so that rounding elsewhere flips nothing. Beyond the scores it is 0 and, midway to 1, for probabilities; for
    scores of any range the lowest one and what comes next after the highest.

    Args:
        found: in r resamples.
        index: int64[r], the candidate of each.

    Returns:
        float64[r].
    """
    places = np.arange(len(found.scores))
    below = found.drawn & (places < index[:, None])
    above = found.drawn & (places >= index[:, None])
    lower = found.scores[len(places) - 1 - below[:, ::-1].argmax(axis=1)]
    beyond = np.ones(len(index)) if found.bounded else np.nextafter(lower, np.inf)
    upper = np.where(above.any(axis=1), found.scores[above.argmax(axis=1)], beyond)
    middle = (lower + upper) / 2
    lowest = np.zeros(len(index)) if found.bounded else upper
    return np.where(below.any(axis=1), np.where(middle > lower, middle, upper), lowest)


def _counted(rows: NDArray[np.bool_]) -> IntArray:
    return np.asarray(np.count_nonzero(rows, axis=1), dtype=np.int64)


def _from_zero(counts: FloatArray) -> FloatArray:
    return np.concatenate([np.zeros((len(counts), 1)), counts], axis=1)
