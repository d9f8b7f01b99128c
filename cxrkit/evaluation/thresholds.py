"""The decision threshold: chosen on validation by a named rule, never on a test set."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from cxrkit.api import FloatArray, Predictions, Threshold
from cxrkit.bootstrap import Resamples, bootstrap, percentiles, strata
from cxrkit.config.schema import ReferTable, ThresholdTable
from cxrkit.errors import InputError
from cxrkit.evaluation.candidates import Candidates, candidates, chosen, ordered, values
from cxrkit.evaluation.predictions import OK, taken

TARGETS = (0.90, 0.95, 0.99)  # of the table of operating points, for sensitivity and for specificity
FAILURES_NEEDED = 3  # a target that allows fewer failures among the cases is a guess
BY_PATIENT = "bootstrap by patient"
NO_ZONE = "Both targets are reached on validation without an uncertain zone."
OF_DECISIONS = Threshold(0.5, "fixed", note="The decisions are the model's own, there is no threshold to choose.")
"""What a model that gives decisions alone has in place of a threshold: the called class has 1, the others 0."""


def choose(
    validation: Predictions | None, table: ThresholdTable, *, level: float, resamples: int, seed: int
) -> Threshold:
    """Choose a task's threshold.

    ``youden`` takes the largest sensitivity + specificity (Youden 1950), ``cost`` the smallest sum of costs; ties go to
    the lowest threshold, which misses fewest. ``sensitivity`` takes the highest threshold that reaches the target,
    ``specificity`` the lowest. The threshold's own interval holds the middle ``level`` of what the rule chooses on
    samples of validation patients drawn with replacement within strata (Efron & Tibshirani 1993).

    Args:
        validation: the task's predictions on validation, or None; images without a result are left out.
        table: rule and parameters.
        level: of the threshold's interval.
        resamples: of its bootstrap.
        seed: of its bootstrap.

    Returns:
        The threshold; its ``note`` says where the target was missed, or too high for the number of cases. It has no
        interval where it is fixed, or where every resample chooses the same. Decisions have ``OF_DECISIONS``.

    Raises:
        InputError: the rule needs validation predictions, or a class that they lack, or they are of another set.
    """
    if validation is not None and validation.scale == "decision":
        return OF_DECISIONS
    if table.rule == "fixed":
        assert table.value is not None  # noqa: S101 - the schema has checked it
        return Threshold(table.value, "fixed")
    if validation is None:
        raise InputError(
            f'threshold: rule "{table.rule}" needs predictions on validation and there are none, '
            'give a file for val or threshold = { rule = "fixed", value = … }'
        )
    seen = _usable(validation)
    _check_classes(seen, table)
    return _chosen(seen, [table], level=level, resamples=resamples, seed=seed)[0]


def operating_points(validation: Predictions, *, level: float, resamples: int, seed: int) -> list[Threshold]:
    """Choose the thresholds for sensitivities and for specificities of .90, .95 and .99.

    Args:
        validation: the task's predictions on validation.
        level: of the thresholds' intervals.
        resamples: of their bootstrap; all are chosen on the same ones.
        seed: of their bootstrap.

    Returns:
        Sensitivities first. None of a class that validation lacks, and none at all where there are decisions alone.

    Raises:
        InputError: the predictions are not of validation.
    """
    seen = _usable(validation)
    if seen.scale == "decision":
        return []
    kinds = [("sensitivity", bool(seen.truth.any())), ("specificity", not seen.truth.all())]
    tables = [_for_target(rule, target) for rule, given in kinds if given for target in TARGETS]
    return _chosen(seen, tables, level=level, resamples=resamples, seed=seed) if tables else []


def zone(
    validation: Predictions, refer: ReferTable, *, level: float, resamples: int, seed: int
) -> tuple[Threshold, Threshold]:
    """Choose the two thresholds of the uncertain zone.

    Below the lower one, the highest that reaches the sensitivity, an image is called negative; from the upper one on,
    the lowest that reaches the specificity, it is called positive. Where the lower one would be above the upper one, a
    single threshold reaches both targets and no zone is needed: both are the upper one, which misses fewest.

    Args:
        validation: the task's predictions on validation.
        refer: the targets.
        level: of the thresholds' intervals.
        resamples: of their bootstrap.
        seed: of their bootstrap.

    Raises:
        InputError: validation lacks a class, or the predictions are of another set or decisions alone.
    """
    seen = _usable(validation)
    if seen.scale == "decision":
        raise InputError("threshold.refer: the model gives decisions alone, a zone needs a score")
    tables = [_for_target("sensitivity", refer.sensitivity), _for_target("specificity", refer.specificity)]
    for table in tables:
        _check_classes(seen, table)
    lower, upper = _chosen(seen, tables, level=level, resamples=resamples, seed=seed, settle=_lower_to_upper)
    if lower.value < upper.value:
        return lower, upper
    return _noted(lower, NO_ZONE), _noted(upper, NO_ZONE)


def _for_target(rule: str, target: float) -> ThresholdTable:
    return ThresholdTable.model_validate({"rule": rule, "target": target})


def _lower_to_upper(pairs: FloatArray) -> FloatArray:
    """Bring the lower threshold down to the upper one where it lies above: float64[r, 2]."""
    return np.stack([pairs.min(axis=1), pairs[:, 1]], axis=1)


def _noted(threshold: Threshold, note: str) -> Threshold:
    return replace(threshold, note=note if threshold.note is None else f"{threshold.note} {note}")


def _usable(validation: Predictions) -> Predictions:
    if validation.set != "val":
        raise InputError(
            f'threshold: task "{validation.task}": was to be chosen on "{validation.set}", only "val" is allowed'
        )
    return taken(validation, validation.status == OK)


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


# ── Choosing ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _as_chosen(found: FloatArray) -> FloatArray:
    return found


def _chosen(
    seen: Predictions,
    tables: Sequence[ThresholdTable],
    *,
    level: float,
    resamples: int,
    seed: int,
    settle: Callable[[FloatArray], FloatArray] = _as_chosen,
) -> list[Threshold]:
    """Choose by several rules on the same resamples.

    ``settle`` makes the final thresholds, float64[r, rules], of those that each rule has chosen alone.
    """
    images = ordered(seen)

    def thresholds(weights: FloatArray) -> FloatArray:
        found = candidates(images, weights)
        return settle(np.stack([values(found, chosen(found, table)) for table in tables], axis=1))

    def of_resamples(block: Resamples) -> FloatArray:
        return thresholds(block.of_images)

    once = np.ones((1, len(images.truth)))
    groups = strata(images.truth, images.patients)
    drawn = bootstrap(of_resamples, images.patients, groups, resamples=resamples, seed=seed)
    lows, highs = percentiles(drawn, level)
    everything = candidates(images, once)
    return [
        _with_interval(
            Threshold(value, table.rule, seen.set, len(seen.images), table.target, _note(everything, table)),
            (low, high),
            level,
        )
        for table, value, low, high in zip(tables, thresholds(once)[0].tolist(), lows, highs, strict=True)
    ]


def _with_interval(threshold: Threshold, bounds: tuple[float, float], level: float) -> Threshold:
    low, high = map(float, bounds)
    if not low < high:
        return threshold
    return replace(threshold, low=low, high=high, level=level, method=BY_PATIENT)


def _note(found: Candidates, table: ThresholdTable) -> str | None:
    if table.target is None:
        return None
    of_positives = table.rule == "sensitivity"
    cases, kind = (found.positives[0], "positives") if of_positives else (found.negatives[0], "negatives")
    reached = (cases - found.alarms[0, chosen(found, table)[0]]) / cases
    if not of_positives and reached < table.target:
        return f"No threshold reaches a specificity of {table.target:g} on validation, this one has {reached:.3g}."
    if round((1 - table.target) * cases, 9) < FAILURES_NEEDED:
        return f"A {table.rule} of {table.target:g} is not estimable from {cases:.0f} validation {kind}."
    return None
