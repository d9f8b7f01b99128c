"""The stated goals against what was found: met, not met, undecided."""

from collections.abc import Iterator

from cxrkit.records import AcceptanceRecord
from cxrkit.report import wording
from cxrkit.report.content import Block, Cell, Column, Heading, Table
from cxrkit.report.phrases import set_title
from cxrkit.report.results import Results, TaskResult
from cxrkit.report.tables import estimate_cell, model_cell

MEANING = (
    "Met: the whole interval lies at or above the goal. Not met: the whole interval lies below it. Undecided: the goal "
    "lies within the interval, so that these patients are too few to tell."
)
SIGNS = {"met": "✓", "not met": "✗", "undecided": "?"}


def blocks(results: Results, set_name: str) -> Iterator[Block]:
    """Show each goal with what was found; nothing where no goal was stated."""
    found = list(_found(results, set_name))
    if not found:
        return
    yield Heading("Stated goals")
    columns = (
        Column("Model", numeric=False),
        Column("Goal", numeric=False),
        Column("Found"),
        Column("Verdict", numeric=False),
    )
    rows = tuple(
        (
            model_cell(task),
            Cell(f"{_what(one)} of at least {wording.number(one.goal, one.metric)}"),
            estimate_cell(one.estimate, one.metric),
            Cell(f"{SIGNS[one.verdict]} {one.verdict}"),
        )
        for task, one in found
    )
    yield Table(f"Goals stated beforehand, on the {set_title(set_name)}", columns, rows, (MEANING, *_at(found)))


def sentences(results: Results, set_name: str) -> Iterator[str]:
    """Tell each model's verdicts in a sentence, for the first page."""
    for task in results.tasks:
        goals = [one for one in task.metrics.acceptance if one.set == set_name]
        if goals:
            yield f"{task.name}: {'; '.join(_verdict(one) for one in goals)}."


def _found(results: Results, set_name: str) -> Iterator[tuple[TaskResult, AcceptanceRecord]]:
    for task in results.tasks:
        yield from ((task, one) for one in task.metrics.acceptance if one.set == set_name)


def _what(one: AcceptanceRecord) -> str:
    at = f" at a prevalence of {wording.number(one.prevalence, 'prevalence')}" if one.prevalence is not None else ""
    return wording.label(one.metric) + at


def _verdict(one: AcceptanceRecord) -> str:
    bounds = wording.bounds(one.estimate.low, one.estimate.high, one.metric)
    found = wording.number(one.estimate.value, one.metric) + (f", {bounds}" if bounds else "")
    goal = wording.number(one.goal, one.metric)
    what = _what(one)
    name = wording.inside(one.metric) + what.removeprefix(wording.label(one.metric))
    return f"{name} of at least {goal}: {one.verdict} ({found})"


def _at(found: list[tuple[TaskResult, AcceptanceRecord]]) -> Iterator[str]:
    levels = {one.estimate.level for _, one in found}
    if len(levels) == 1:
        yield f"Below each figure its {wording.level(levels.pop())} interval; each model at its own threshold."
