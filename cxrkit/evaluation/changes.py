"""How a model's figures change elsewhere: on corrupted images, and on external sets; everything fixed before."""

from collections.abc import Mapping
from math import sqrt
from typing import NamedTuple

import numpy as np
from scipy.stats import norm

from cxrkit import metrics
from cxrkit.api import FloatArray, IntArray, Predictions
from cxrkit.areas import Contrast, auc_contrast, auc_interval, auc_method
from cxrkit.bootstrap import Resamples, bootstrap, strata
from cxrkit.calibration import Coefficient, calibration_intercept, calibration_slope
from cxrkit.errors import InputError
from cxrkit.evaluation.differences import (
    VANISHING,
    Difference,
    area,
    by_bootstrap,
    of_draws,
    shares,
    symmetric,
)
from cxrkit.evaluation.pairs import pair
from cxrkit.evaluation.predictions import OK, taken
from cxrkit.evaluation.unpaired import effective_size, hybrid_interval, shares_test
from cxrkit.intervals import (
    NONE,
    count_patients,
    patient_index,
    proportion,
    quantile,
    student_p_value,
    student_quantile,
)
from cxrkit.records import ChangeRecord

SUMMED = ", variances summed"
WALD = "Wald" + SUMMED
SCORE_TEST = "score test of two shares"


# ── The same images ───────────────────────────────────────────────────────────────────────────────────────────────────


def of_conditions(
    test: Predictions,
    conditions: Mapping[str, Predictions],
    threshold: float,
    level: float,
    *,
    resamples: int,
    seed: int,
) -> list[ChangeRecord]:
    """Set a model's results under conditions against those on the images as they are, paired by image.

    Differences are those of two models on the same images: ROC AUC, sensitivity, specificity and, of probabilities, the
    Brier score. All are exploratory.

    Args:
        test: on the images as they are.
        conditions: name → on the same images, or some of them; the figures before are then of these images alone.
        threshold: of the task, the same before and after.
        level: of the intervals.
        resamples: of the bootstrap.
        seed: of the bootstrap.

    Raises:
        InputError: a condition has images that test has not, or other labels.
    """
    found = []
    for name, after in conditions.items():
        both = pair(after, _of_images(test, after, name), (threshold, threshold))
        figures = [*shares(both, level)[:2]]
        if test.scale != "decision":
            figures.insert(0, area(both, level))
        if test.scale == "probability":
            figures += by_bootstrap(both, ["brier"], level, resamples=resamples, seed=seed)
        found += [_record(one, test.set, test.set, level, condition=name, paired=True) for one in figures]
    return found


def _of_images(test: Predictions, after: Predictions, name: str) -> Predictions:
    """Take the images of test that a condition has."""
    if np.array_equal(test.images, after.images):
        return test
    absent = np.setdiff1d(after.images, test.images)
    if len(absent):
        raise InputError(
            f'task "{after.task}" on {test.set}, condition "{name}": {len(absent)} images are not in {test.set}, '
            f'e.g. "{absent[0]}", a condition has the same images or some of them'
        )
    return taken(test, np.isin(test.images, after.images))


# ── Other patients ────────────────────────────────────────────────────────────────────────────────────────────────────


def between_sets(
    test: Predictions, external: Predictions, threshold: float, level: float, *, resamples: int, seed: int
) -> list[ChangeRecord]:
    """Set a model's results on an external set against those on the test set, as figures of independent patients.

    ROC AUC by the sum of the two variances and Student's t (Welch 1947); sensitivity and specificity by Newcombe's
    hybrid score interval (1998, method 10) of the two Wilson intervals, which know of images of one patient, and the
    score test that is corrected likewise (Rao & Scott 1992). Of probabilities also the Brier score by bootstrap of both
    sets, and the calibration's intercept and slope by the sum of the two variances. All are exploratory.

    Args:
        test: the set that the task is evaluated on first.
        external: of other patients.
        threshold: of the task, fixed before.
        level: of the intervals.
        resamples: of the bootstrap.
        seed: of the bootstrap.
    """
    figures = _shares(external, test, threshold, level)
    after, before = _seen(external), _seen(test)
    if test.scale != "decision":
        figures.insert(0, _area(after, before, level))
    if test.scale == "probability":
        figures.append(_brier(after, before, level, resamples=resamples, seed=seed))
        figures += _calibration(after, before, level)
    return [_record(one, external.set, test.set, level, condition=None, paired=False) for one in figures]


class Ranked(NamedTuple):
    """The images of a set that have a result: truth bool[n], score float64[n] and patients int64[n], without gaps."""

    truth: metrics.BoolArray
    score: FloatArray
    patients: IntArray

    @property
    def contrast(self) -> Contrast | None:
        """ROC AUC and its variance, where both classes are there."""
        if not self.truth.any() or self.truth.all():
            return None
        return auc_contrast(self.truth, self.score[:, None], self.patients, [1.0])


def _seen(found: Predictions) -> Ranked:
    seen = taken(found, found.status == OK)
    return Ranked(seen.truth, seen.score, patient_index(seen.patients))


def _area(after: Ranked, before: Ranked, level: float) -> Difference:
    found = [one.contrast for one in (after, before)]
    first, second = (None if one is None else float(one.areas[0]) for one in found)
    size = (len(after.truth), count_patients(after.patients))
    if found[0] is None or found[1] is None or first is None or second is None:
        return Difference("roc_auc", first, second, NONE, None, None, *size)
    variances = [found[0].variance, found[1].variance]
    if not all(variance > VANISHING for variance in variances):  # 0, or NaN of a single patient
        intervals = [auc_interval(*one, level) for one in (after, before)]
        return Difference(
            "roc_auc", first, second, hybrid_interval(first, intervals[0], second, intervals[1]), None, None, *size
        )
    error = sqrt(sum(variances))
    freedom = error**4 / sum(one.variance**2 / one.freedom for one in (found[0], found[1]))
    method = max(auc_method(one.patients) for one in (after, before)) + SUMMED
    interval = symmetric(first - second, student_quantile(level, freedom) * error, method)
    p_value = student_p_value((first - second) / error, freedom)
    return Difference("roc_auc", first, second, interval, p_value, method, *size)


def _shares(external: Predictions, test: Predictions, threshold: float, level: float) -> list[Difference]:
    after, before = (_decided(one, threshold) for one in (external, test))
    return [_share(metric, after[metric], before[metric], level) for metric in after]


Decided = tuple[metrics.BoolArray, IntArray]
"""Successes bool[n] and patients int64[n]."""


def _decided(found: Predictions, threshold: float) -> dict[str, Decided]:
    called = metrics.decide(found.probabilities, found.positive_index, threshold)
    truth, patients = found.truth, patient_index(found.patients)
    positive = called == found.positive_index
    negative = (called != metrics.NO_RESULT) & ~positive
    return {
        "sensitivity": (positive[truth], patients[truth]),
        "specificity": (negative[~truth], patients[~truth]),
    }


def _share(metric: str, after: Decided, before: Decided, level: float) -> Difference:
    first, second = (proportion(*one, level) for one in (after, before))
    interval = hybrid_interval(first.value, first.interval, second.value, second.interval)
    size = (first.n, first.n_patients)
    if first.value is None or second.value is None:
        return Difference(metric, first.value, second.value, NONE, None, None, *size)
    effective = [effective_size(*one) for one in (after, before)]
    p_value = shares_test(first.value, effective[0], second.value, effective[1])
    corrected = effective != [first.n, second.n]
    test = SCORE_TEST + (", n corrected by the design effect" if corrected else "")
    return Difference(metric, first.value, second.value, interval, p_value, test, *size)


def _brier(after: Ranked, before: Ranked, level: float, *, resamples: int, seed: int) -> Difference:
    first, second = (metrics.brier(one.truth, one.score) for one in (after, before))
    size = (len(after.truth), count_patients(after.patients))
    if first is None or second is None:
        return Difference("brier", first, second, NONE, None, None, *size)
    drawn = [_drawn(one, resamples, seed + number) for number, one in enumerate((after, before))]
    return Difference("brier", first, second, *of_draws(drawn[0] - drawn[1], level), *size)


def _calibration(after: Ranked, before: Ranked, level: float) -> list[Difference]:
    estimates = {"calibration_intercept": calibration_intercept, "calibration_slope": calibration_slope}
    return [
        _coefficient(metric, estimate(*after, level), estimate(*before, level), after, level)
        for metric, estimate in estimates.items()
    ]


def _coefficient(metric: str, first: Coefficient, second: Coefficient, after: Ranked, level: float) -> Difference:
    size = (len(after.truth), count_patients(after.patients))
    interval = hybrid_interval(first.value, first.interval, second.value, second.interval)
    if interval.low is None or interval.high is None or first.value is None or second.value is None:
        return Difference(metric, first.value, second.value, NONE, None, None, *size)
    error = (interval.high - interval.low) / 2 / quantile(level)
    p_value = float(2 * norm.sf(abs(first.value - second.value) / error))
    return Difference(metric, first.value, second.value, interval._replace(method=WALD), p_value, WALD, *size)


def _drawn(found: Ranked, resamples: int, seed: int) -> FloatArray:
    """Compute the Brier score of each resample: float64[r]."""
    sizes = np.bincount(found.patients)
    squares = np.bincount(found.patients, weights=(found.score - found.truth) ** 2)

    def score(block: Resamples) -> FloatArray:
        return np.asarray(block.of_patients @ squares / (block.of_patients @ sizes))[:, None]

    groups = strata(found.truth, found.patients)
    return bootstrap(score, found.patients, groups, resamples=resamples, seed=seed)[:, 0]


# ── Records ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _record(
    found: Difference, set_name: str, from_set: str, level: float, *, condition: str | None, paired: bool
) -> ChangeRecord:
    return ChangeRecord(
        metric=found.metric,
        set=set_name,
        condition=condition,
        from_set=from_set,
        before=found.second,
        after=found.first,
        difference=found.value,
        low=found.interval.low,
        high=found.interval.high,
        level=level,
        method=found.interval.method,
        p_value=found.p_value,
        test=found.test,
        paired=paired,
        n=found.n,
        n_patients=found.n_patients,
    )
