"""Pairs of tasks on the same images: differences with intervals first, p values second."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from cxrkit.api import FloatArray, IntArray, Predictions
from cxrkit.bootstrap import Statistic, bootstrap, percentiles, strata
from cxrkit.config.schema import EvaluationTable
from cxrkit.errors import InputError
from cxrkit.evaluation.paired import holm, paired_difference, swap_test
from cxrkit.evaluation.predictions import aligned_to
from cxrkit.intervals import NONE, Interval, auc_covariance, auc_method, patient_index, quantile
from cxrkit.metrics import NO_RESULT, SortedScores, decide, number
from cxrkit.records import Comparison, ComparisonRecord

LOWER_IS_BETTER = {"brier"}
BY_PATIENT = "bootstrap by patient"
SAME_RANKING = "identical rankings"
VANISHING = 1e-15  # a variance that is rounding alone
MAIN_SET = "test"  # the family of the primary figure is tested on it; all else is exploratory


@dataclass(frozen=True)
class Compared:
    """What a task brings to the comparison.

    Attributes:
        task: its name.
        threshold: of its decisions.
        sets: set → its predictions, validation not among them.
    """

    task: str
    threshold: float
    sets: Mapping[str, Predictions]


class Difference(NamedTuple):
    """One figure's difference between two tasks."""

    metric: str
    value: float | None
    interval: Interval
    p_value: float | None
    test: str | None
    n: int
    n_patients: int


@dataclass(frozen=True)
class Pair:
    """Two tasks' results on the same images, in one order.

    Attributes:
        labels: int64[n].
        num_classes: k.
        positive: index of the positive class.
        patients: int64[n], numbers without gaps.
        called: int64[n, 2], classes that task and reference called, ``NO_RESULT`` where they have none.
        scores: float64[n, 2], of task and reference; NaN without a result.
    """

    labels: IntArray
    num_classes: int
    positive: int
    patients: IntArray
    called: IntArray
    scores: FloatArray

    @property
    def truth(self) -> NDArray[np.bool_]:
        """bool[n]: whether the image shows the positive class."""
        return np.equal(self.labels, self.positive)

    @property
    def right(self) -> NDArray[np.bool_]:
        """bool[n, 2]: whether the image's class was called."""
        return np.equal(self.called, self.labels[:, None])


def compare(tasks: Sequence[Compared], table: EvaluationTable, *, seed: int) -> Comparison:
    """Compare each task with the reference, or every pair, on every set that both have.

    Args:
        tasks: in the order of the configuration; of a pair without a reference task the earlier one is it.
        table: ``[evaluation]``.
        seed: of the bootstrap.

    Returns:
        Records by set and pair. The primary figure on the test set is the one family (Holm), all else is exploratory.
    """
    result = Comparison(primary=table.primary, reference=table.reference)
    names = {task.task for task in tasks}
    if table.reference is not None and table.reference not in names:
        result.refused.append(f'Nothing is compared with the reference "{table.reference}", it has no predictions.')
        return result
    for task, reference in _pairs(tasks, table.reference):
        for set_name in [name for name in task.sets if name in reference.sets]:
            try:
                pair = _pair(task, reference, set_name)
            except InputError as error:
                result.refused.append(f"{error}.")
                continue
            found = differences(pair, table, seed=seed)
            result.records += [_record(task, reference, set_name, one, table) for one in found]
    _adjust(result)
    return result


def _pairs(tasks: Sequence[Compared], reference: str | None) -> list[tuple[Compared, Compared]]:
    if reference is None:
        return [(later, earlier) for row, earlier in enumerate(tasks) for later in tasks[row + 1 :]]
    chosen = next(task for task in tasks if task.task == reference)
    return [(task, chosen) for task in tasks if task is not chosen]


def _pair(task: Compared, reference: Compared, set_name: str) -> Pair:
    first = reference.sets[set_name]
    other = aligned_to(first, task.sets[set_name])
    differing = np.flatnonzero(first.labels != other.labels)
    if len(differing):
        raise InputError(
            f'tasks "{first.task}" and "{other.task}" on {set_name}: {len(differing)} labels differ, '
            f'e.g. of "{first.images[differing[0]]}", they must be the same'
        )
    called = [
        decide(one.probabilities, one.positive_index, threshold)
        for one, threshold in ((other, task.threshold), (first, reference.threshold))
    ]
    return Pair(
        labels=first.labels,
        num_classes=len(first.class_names),
        positive=first.positive_index,
        patients=patient_index(first.patients),
        called=np.stack(called, axis=1),
        scores=np.stack([other.score, first.score], axis=1),
    )


def differences(pair: Pair, table: EvaluationTable, *, seed: int) -> list[Difference]:
    """Compute every figure's difference, task minus reference.

    An image without a result counts as wrong for sensitivity, specificity and accuracies; ROC AUC, average precision
    and Brier score are of the images that both have a result for.
    """
    negative_called = (pair.called != pair.positive) & (pair.called != NO_RESULT)
    return [
        _auc(pair, table.level),
        _decisions("sensitivity", pair.right[pair.truth], pair.patients[pair.truth], table.level),
        _decisions("specificity", negative_called[~pair.truth], pair.patients[~pair.truth], table.level),
        _decisions("accuracy", pair.right, pair.patients, table.level),
        _balanced_accuracy(pair, table, seed),
        *_of_scores(pair, table, seed),
    ]


def _auc(pair: Pair, level: float) -> Difference:
    complete = np.isfinite(pair.scores).all(axis=1)
    truth, scores, patients = pair.truth[complete], pair.scores[complete], pair.patients[complete]
    n, n_patients = len(truth), len(np.unique(patients))
    if not truth.any() or truth.all():
        return Difference("roc_auc", None, NONE, None, None, n, n_patients)
    areas, covariance = auc_covariance(truth, scores, patients)
    value = float(areas[0] - areas[1])
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    if not variance > VANISHING:
        same = value == 0
        return Difference("roc_auc", value, NONE, 1.0 if same else None, SAME_RANKING if same else None, n, n_patients)
    error, method = sqrt(variance), auc_method(patients)
    half = quantile(level) * error
    interval = Interval(max(value - half, -1.0), min(value + half, 1.0), method)
    return Difference("roc_auc", value, interval, float(2 * norm.sf(abs(value) / error)), method, n, n_patients)


def _decisions(metric: str, success: NDArray[np.bool_], patients: IntArray, level: float) -> Difference:
    """Compare two tasks' shares of successes: bool[n, 2]."""
    n, n_patients = len(success), len(np.unique(patients))
    if n == 0:
        return Difference(metric, None, NONE, None, None, 0, 0)
    gains = success[:, 0].astype(np.int64) - success[:, 1]
    by_patient = np.bincount(np.unique(patients, return_inverse=True)[1], weights=gains).astype(np.int64)
    return Difference(
        metric,
        float(success[:, 0].mean() - success[:, 1].mean()),
        paired_difference(success[:, 0], success[:, 1], patients, level),
        swap_test(by_patient),
        "exact McNemar" if n == n_patients else "permutation by patient",
        n,
        n_patients,
    )


def _balanced_accuracy(pair: Pair, table: EvaluationTable, seed: int) -> Difference:
    patients, classes = pair.patients, range(pair.num_classes)
    of_class = [np.bincount(patients, weights=pair.labels == one) for one in classes]
    gains = pair.right[:, 0].astype(np.float64) - pair.right[:, 1]
    gained = [np.bincount(patients, weights=np.where(pair.labels == one, gains, 0)) for one in classes]

    def statistic(drawn: FloatArray) -> FloatArray:
        totals = [drawn @ counts for counts in of_class]
        shares = [
            np.divide(drawn @ gain, total, out=np.full(len(drawn), np.nan), where=total > 0)
            for gain, total in zip(gained, totals, strict=True)
        ]
        return np.asarray(np.stack(shares, axis=1).mean(axis=1, keepdims=True))

    value = statistic(np.ones((1, len(of_class[0]))))
    drawn = _draw(lambda block: statistic(block.of_patients), pair, table, seed)
    return _bootstrapped("balanced_accuracy", value[0, 0], drawn[:, 0], pair.patients, table.level)


def _of_scores(pair: Pair, table: EvaluationTable, seed: int) -> list[Difference]:
    complete = np.isfinite(pair.scores).all(axis=1)
    if not complete.any():
        return [Difference(name, None, NONE, None, None, 0, 0) for name in ("average_precision", "brier")]
    numbers = np.unique(pair.patients[complete], return_inverse=True)[1].astype(np.int64)
    kept = replace(
        pair,
        labels=pair.labels[complete],
        patients=numbers,
        called=pair.called[complete],
        scores=pair.scores[complete],
    )
    rankings = [SortedScores(kept.truth, column) for column in kept.scores.T]
    squares = (kept.scores - kept.truth[:, None]) ** 2
    brier_gain = squares[:, 0] - squares[:, 1]

    def statistic(weights: FloatArray) -> FloatArray:
        precisions = [ranking.average_precision(weights) for ranking in rankings]
        return np.stack([precisions[0] - precisions[1], weights @ brier_gain / weights.sum(axis=1)], axis=1)

    value = statistic(np.ones((1, len(numbers))))[0]
    drawn = _draw(lambda block: statistic(block.of_images), kept, table, seed)
    return [
        _bootstrapped(name, value[column], drawn[:, column], numbers, table.level)
        for column, name in enumerate(("average_precision", "brier"))
    ]


def _draw(statistic: Statistic, pair: Pair, table: EvaluationTable, seed: int) -> FloatArray:
    groups = strata(pair.truth, pair.patients)
    return bootstrap(statistic, pair.patients, groups, resamples=table.resamples, seed=seed)


def _bootstrapped(metric: str, value: float, drawn: FloatArray, patients: IntArray, level: float) -> Difference:
    n, n_patients = len(patients), len(np.unique(patients))
    low, high = (float(bound[0]) for bound in percentiles(drawn[:, None], level))
    if np.isnan(value) or not low < high:
        return Difference(metric, number(value), NONE, None, None, n, n_patients)
    below, above = np.count_nonzero(drawn <= 0), np.count_nonzero(drawn >= 0)
    p_value = min(1.0, 2 * (min(below, above) + 1) / (len(drawn) + 1))
    return Difference(metric, float(value), Interval(low, high, BY_PATIENT), p_value, BY_PATIENT, n, n_patients)


def _record(
    task: Compared, reference: Compared, set_name: str, found: Difference, table: EvaluationTable
) -> ComparisonRecord:
    return ComparisonRecord(
        metric=found.metric,
        set=set_name,
        task=task.task,
        reference=reference.task,
        difference=found.value,
        low=found.interval.low,
        high=found.interval.high,
        level=table.level,
        method=found.interval.method,
        p_value=found.p_value,
        test=found.test,
        exploratory=not (found.metric == table.primary and set_name == MAIN_SET),
        better=_better(task, reference, found),
        n=found.n,
        n_patients=found.n_patients,
    )


def _better(task: Compared, reference: Compared, found: Difference) -> str | None:
    low, high = found.interval.low, found.interval.high
    if low is None or high is None or low <= 0 <= high:
        return None
    task_is = (low > 0) != (found.metric in LOWER_IS_BETTER)
    return task.task if task_is else reference.task


def _adjust(result: Comparison) -> None:
    """Give the family of the primary figure its adjusted p values."""
    family = [record for record in result.records if not record.exploratory and record.p_value is not None]
    adjusted = holm([record.p_value for record in family if record.p_value is not None])
    for record, value in zip(family, adjusted, strict=True):
        record.p_adjusted = value
