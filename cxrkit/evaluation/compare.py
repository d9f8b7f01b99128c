"""Pairs of tasks on the same images: differences with intervals first, p values second."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cxrkit.api import Predictions
from cxrkit.config.schema import EvaluationTable
from cxrkit.errors import InputError
from cxrkit.evaluation.differences import SAME_RANKING, Difference, area, by_bootstrap, shares
from cxrkit.evaluation.pairs import Pair, pair
from cxrkit.multiplicity import holm
from cxrkit.records import Comparison, ComparisonRecord

LOWER_IS_BETTER = {"brier"}
MAIN_SET = "test"  # the family of the primary figure is tested on it; all else is exploratory


@dataclass(frozen=True)
class Compared:
    """What a task brings to the comparison.

    Attributes:
        task: its name.
        threshold: of its decisions.
        sets: set → its predictions, validation not among them.
        plain: of test-time augmentation, the task that it is made of.
    """

    task: str
    threshold: float
    sets: Mapping[str, Predictions]
    plain: str | None = None


def compare(tasks: Sequence[Compared], table: EvaluationTable, *, seed: int) -> Comparison:
    """Compare each task with the reference, or every pair, on every set that both have.

    Test-time augmentation is compared with its plain task, too, for that is what it is made for.

    Args:
        tasks: in the order of the configuration; of a pair without a reference task the earlier one is it.
        table: ``[evaluation]``.
        seed: of the bootstrap.

    Returns:
        Records by set and pair. The primary figure on the test set is the one family (Holm), all else is exploratory.
        A task is non-inferior to the reference where the lower bound of the difference stays above minus the margin.
    """
    result = Comparison(primary=table.primary, reference=table.reference)
    names = {task.task for task in tasks}
    if table.reference is not None and table.reference not in names:
        result.refused.append(f'Nothing is compared with the reference "{table.reference}", it has no predictions.')
        return result
    for task, reference in _pairs(tasks, table.reference):
        for set_name in [name for name in task.sets if name in reference.sets]:
            _compare_on(set_name, task, reference, table, result, seed)
    _adjust(result)
    return result


def _pairs(tasks: Sequence[Compared], reference: str | None) -> list[tuple[Compared, Compared]]:
    if reference is None:
        return [(later, earlier) for row, earlier in enumerate(tasks) for later in tasks[row + 1 :]]
    chosen = next(task for task in tasks if task.task == reference)
    others = {task.task: task for task in tasks if task is not chosen}
    with_plain = [(task, others[task.plain]) for task in others.values() if task.plain and task.plain in others]
    return [*((task, chosen) for task in others.values()), *with_plain]


def _compare_on(
    set_name: str, task: Compared, reference: Compared, table: EvaluationTable, result: Comparison, seed: int
) -> None:
    try:
        both = pair(task.sets[set_name], reference.sets[set_name], (task.threshold, reference.threshold))
    except InputError as error:
        result.refused.append(f"{error}.")
        return
    found = differences(both, table, seed=seed)
    if set_name == MAIN_SET and table.primary not in {one.metric for one in found}:
        alone = " and ".join(f'"{one.task}"' for one in (reference, task) if one.sets[set_name].scale == "decision")
        result.refused.append(
            f'tasks "{reference.task}" and "{task.task}" on {set_name}: there is no difference of the primary figure '
            f"{table.primary}, it needs scores and {alone} gives decisions alone."
        )
    result.records += [_record(task, reference, set_name, one, table) for one in found]


def differences(both: Pair, table: EvaluationTable, *, seed: int) -> list[Difference]:
    """Compute the difference of every figure that the scales of both tasks allow, task minus reference.

    An image without a result counts as wrong for sensitivity, specificity and accuracies; where there are any, the
    images with a result from both are given beside as ``…_complete_cases``. ROC AUC, average precision and Brier score
    are of these alone. Where patients have several images, the tests that take images as independent stand beside as
    ``…_independent``.
    """
    level = table.level
    found = [*_areas(both, level), *shares(both, level)]
    found += by_bootstrap(both, _bootstrapped(both), level, resamples=table.resamples, seed=seed)
    if not both.complete.all():
        found += [_named(one, "complete_cases") for one in shares(both.of(both.complete), level)]
    if both.repeated:
        beside = [*_areas(both, level, as_independent=True), *shares(both, level, as_independent=True)]
        found += [_named(one, "independent") for one in beside]
    return found


def _areas(both: Pair, level: float, *, as_independent: bool = False) -> list[Difference]:
    return [] if "decision" in both.scales else [area(both, level, as_independent=as_independent)]


def _bootstrapped(both: Pair) -> list[str]:
    figures = ["balanced_accuracy"]
    if "decision" not in both.scales:
        figures.append("average_precision")
    return [*figures, "brier"] if set(both.scales) == {"probability"} else figures


def _named(found: Difference, what: str) -> Difference:
    return found._replace(metric=f"{found.metric}_{what}")


# ── Records ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _record(
    task: Compared, reference: Compared, set_name: str, found: Difference, table: EvaluationTable
) -> ComparisonRecord:
    low, high = found.interval.low, found.interval.high
    margin = _margin(found.metric, table) if reference.task == table.reference else None
    return ComparisonRecord(
        metric=found.metric,
        set=set_name,
        task=task.task,
        reference=reference.task,
        difference=found.value,
        low=low,
        high=high,
        level=table.level,
        method=found.interval.method,
        p_value=found.p_value,
        test=found.test,
        exploratory=not (found.metric == table.primary and set_name == MAIN_SET),
        margin=margin,
        non_inferior=None if margin is None else _non_inferior(found, margin),
        better=_better(task, reference, found),
        n=found.n,
        n_patients=found.n_patients,
    )


def _non_inferior(found: Difference, margin: float) -> bool | None:
    """Say whether the lower bound stays above minus the margin; identical rankings have no bound and no difference."""
    if found.test == SAME_RANKING:
        return True
    return None if found.interval.low is None else found.interval.low > -margin


def _margin(metric: str, table: EvaluationTable) -> float | None:
    """Take the figure's margin to the stated reference."""
    return next((margin for figure, margin in table.non_inferiority.items() if figure == metric), None)


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
