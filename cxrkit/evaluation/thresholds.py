"""The decision threshold: chosen on validation by a named rule, never on a test set."""

from dataclasses import dataclass

import numpy as np

from cxrkit.api import FloatArray, IntArray, Predictions, Threshold
from cxrkit.config.schema import ThresholdTable
from cxrkit.errors import InputError
from cxrkit.evaluation.predictions import OK, taken

SHARE_FOR_A_TARGET = (
    1 / 3
)  # a target t needs 1 / (1 - t) cases to allow one failure; more than a third of them is a guess


@dataclass(frozen=True)
class Candidates:
    """Every decision that a threshold can make on validation, from "all positive" upwards.

    Attributes:
        values: float64[m], ascending; midpoints between neighbouring scores, so that rounding elsewhere flips nothing.
        missed: int64[m], positives below each.
        alarms: int64[m], negatives at or above each.
        positives: in all.
        negatives: in all.
    """

    values: FloatArray
    missed: IntArray
    alarms: IntArray
    positives: int
    negatives: int


def choose(validation: Predictions | None, table: ThresholdTable) -> Threshold:
    """Choose a task's threshold.

    ``youden`` takes the largest sensitivity + specificity (Youden 1950), ``cost`` the smallest sum of costs; ties go to
    the lowest threshold, which misses fewest. ``sensitivity`` takes the highest threshold that reaches the target,
    ``specificity`` the lowest.

    Args:
        validation: the task's predictions on validation, or None; images without a result are left out.
        table: rule and parameters.

    Returns:
        The threshold; its ``note`` says where the target was missed, or too high for the number of cases.

    Raises:
        InputError: the rule needs validation predictions, or a class that they lack.
    """
    if table.rule == "fixed":
        assert table.value is not None  # noqa: S101 - the schema has checked it
        return Threshold(table.value, "fixed")
    if validation is None:
        raise InputError(
            f'threshold: rule "{table.rule}" needs predictions on validation and there are none, '
            'give a file for val or threshold = { rule = "fixed", value = … }'
        )
    seen = taken(validation, validation.status == OK)
    _check_classes(seen, table)
    candidates = _candidates(seen)
    index = _index(candidates, table)
    note = _note(candidates, index, table)
    return Threshold(float(candidates.values[index]), table.rule, seen.set, len(seen.images), table.target, note)


def _check_classes(seen: Predictions, table: ThresholdTable) -> None:
    positives = int(seen.truth.sum())
    lacking = []
    if positives == 0 and table.rule != "specificity":
        lacking.append("positive")
    if positives == len(seen.truth) and table.rule != "sensitivity":
        lacking.append("negative")
    if lacking:
        raise InputError(
            f'threshold: task "{seen.task}": rule "{table.rule}" needs {" and ".join(lacking)} validation images '
            'with a result and there are none, choose rule = "fixed"'
        )


def _candidates(seen: Predictions) -> Candidates:
    scores, place = np.unique(seen.score, return_inverse=True)
    positive = np.bincount(place, weights=seen.truth, minlength=len(scores)).astype(np.int64)
    negative = np.bincount(place, minlength=len(scores)).astype(np.int64) - positive
    # The last candidate calls nothing positive; beyond a score of 1 there is no room for it.
    uppers = np.append(scores[1:], 1.0) if scores[-1] < 1 else scores[1:]
    middles = (scores[: len(uppers)] + uppers) / 2
    values = np.append(0.0, np.where(middles > scores[: len(uppers)], middles, uppers))
    below = np.append(0, np.cumsum(positive))[: len(values)]
    negatives_below = np.append(0, np.cumsum(negative))[: len(values)]
    total = int(negative.sum())
    return Candidates(values, below, total - negatives_below, int(positive.sum()), total)


def _index(found: Candidates, table: ThresholdTable) -> int:
    if table.rule == "youden":
        # Youden's index times both class counts: whole numbers, so that ties are ties.
        return int(np.argmin(found.missed * found.negatives + found.alarms * found.positives))
    if table.rule == "cost":
        cost = found.missed * (table.false_negative or 0.0) + found.alarms * (table.false_positive or 0.0)
        return int(np.argmin(cost))
    target = table.target or 0.0
    if table.rule == "sensitivity":
        reached = (found.positives - found.missed) / found.positives >= target
        return int(np.flatnonzero(reached)[-1])
    reached = (found.negatives - found.alarms) / found.negatives >= target
    return int(np.flatnonzero(reached)[0]) if reached.any() else len(found.values) - 1


def _note(found: Candidates, index: int, table: ThresholdTable) -> str | None:
    if table.target is None:
        return None
    cases, kind = (found.positives, "positives") if table.rule == "sensitivity" else (found.negatives, "negatives")
    reached = (cases - found.alarms[index]) / cases
    if table.rule == "specificity" and reached < table.target:
        return f"No threshold reaches a specificity of {table.target:g} on validation, this one has {reached:.3g}."
    if 1 / (1 - table.target) > cases * SHARE_FOR_A_TARGET:
        return f"A {table.rule} of {table.target:g} is not estimable from {cases} validation {kind}."
    return None
