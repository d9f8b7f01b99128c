"""The evaluation stage: from the predictions of a run directory to its thresholds, figures, curves and comparison."""

from collections.abc import Callable, Mapping, Sequence

from cxrkit.config.schema import EvaluationTable, ThresholdTable
from cxrkit.errors import InputError
from cxrkit.evaluation import settling
from cxrkit.evaluation.asking import ChosenReporter, Reporters
from cxrkit.evaluation.compare import Compared, compare
from cxrkit.evaluation.figures import Plan, evaluate_task
from cxrkit.evaluation.finished import FinishedTask, finished_tasks
from cxrkit.evaluation.settling import Rules, Settled
from cxrkit.evaluation.subgroups import read_subgroups
from cxrkit.records import Robustness
from cxrkit.rundir import RunDirectory

MADE_OF_OTHERS = {"tta": 1, "ensemble": 2}  # settled after these; an ensemble may have a [[tta]] as member


def evaluate(
    run: RunDirectory,
    table: EvaluationTable,
    task_thresholds: Mapping[str, ThresholdTable],
    reporters: Sequence[ChosenReporter],
    *,
    seed: int = 0,
    warn: Callable[[str], None] | None = None,
) -> list[str]:
    """Evaluate every finished task of a run directory and compare them; the same input gives the same bytes.

    Fixes thresholds and temperature on validation and writes them into ``task.json`` and ``seeds/*/model.json``, then
    writes ``metrics.json``, ``curves/`` and ``comparison.json``. Reads nothing but the run directory.

    Args:
        run: with predictions of each finished task.
        table: ``[evaluation]``.
        task_thresholds: task, ``[[tta]]`` or ensemble → how its threshold is chosen; says which are evaluated.
        reporters: metric reporters with their options.
        seed: of the bootstrap.
        warn: hears of a metric reporter that misbehaves, and the figures are then without it; None where that is an
            error.

    Returns:
        A sentence for each time that this happened.

    Raises:
        InputError: a threshold cannot be chosen, a subgroup column does not exist, predictions are wrong; all at once.
        RunError: a metric reporter failed, and nobody is to be warned or a task has no figure left.
    """
    tasks = finished_tasks(run, list(task_thresholds))
    asked = Reporters(reporters, warn)
    plan = Plan(table, asked, read_subgroups(run, table.subgroups), _restricted(run), seed)
    rules = {name: Rules(one, table.level, table.resamples, seed) for name, one in task_thresholds.items()}
    settled = _settled(tasks, rules)
    written = [settling.write(task, found) for task, found in zip(tasks, settled, strict=True)]
    compared = [_evaluated(task, found, plan) for task, found in zip(written, settled, strict=True)]
    compare(compared, table, seed=seed).write(run.comparison)
    return asked.missing


def _settled(tasks: Sequence[FinishedTask], rules: Mapping[str, Rules]) -> list[Settled]:
    """Fix what is fixed on validation for every task before any of it is written."""
    found: dict[str, Settled] = {}
    problems: list[str] = []
    for task in sorted(tasks, key=lambda task: MADE_OF_OTHERS.get(task.info.kind, 0)):
        members = [settling.described(one, found) for one in tasks if one.info.task in task.info.members]
        try:
            found[task.info.task] = settling.settle(task, rules[task.info.task], members)
        except InputError as error:
            problems += [f'task "{task.info.task}": {problem}' for problem in error.problems]
    if problems:
        raise InputError(*problems)
    return [found[task.info.task] for task in tasks]


def _evaluated(task: FinishedTask, settled: Settled, plan: Plan) -> Compared:
    """Write a task's metrics and curves; return what the comparison needs."""
    sets = evaluate_task(task, settled, plan)
    plain = task.info.members[0] if task.info.kind == "tta" else None
    return Compared(task.info.task, settled.threshold.value, sets, plain)


def _restricted(run: RunDirectory) -> frozenset[str]:
    """Name the conditions that get the main figures alone: corruptions, of which there are many."""
    if not run.robustness.is_file():
        return frozenset()
    return frozenset(condition.name for condition in Robustness.read(run.robustness).conditions)
