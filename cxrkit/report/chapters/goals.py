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
    "lies within the interval, so that these patients are too few to tell. Each goal is judged alone, without a "
    "correction for their number."
)
TOLD = {"met": "met by", "undecided": "undecided for", "not met": "not met by"}
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
    caption = f"Goals stated beforehand, on the {set_title(set_name)}"
    yield Table(caption, columns, rows, (MEANING, *_at(found)), sortable=True)


def sentences(results: Results, set_name: str) -> Iterator[str]:
    """Tell of each goal which models meet it, for the first page."""
    found: dict[str, dict[str, list[str]]] = {}
    for task, one in _found(results, set_name):
        goal = f"{_what(one)} of at least {wording.number(one.goal, one.metric)}"
        found.setdefault(goal, {}).setdefault(one.verdict, []).append(f"{task.name} ({_estimate(one)})")
    for goal, verdicts in found.items():
        told = [f"{TOLD[name]} {wording.listed(verdicts[name])}" for name in TOLD if name in verdicts]
        yield f"{goal}: {'; '.join(told)}."


def _found(results: Results, set_name: str) -> Iterator[tuple[TaskResult, AcceptanceRecord]]:
    for task in results.tasks:
        yield from ((task, one) for one in task.metrics.acceptance if one.set == set_name)


def _what(one: AcceptanceRecord) -> str:
    at = f" at a prevalence of {wording.number(one.prevalence, 'prevalence')}" if one.prevalence is not None else ""
    return wording.label(one.metric) + at


def _estimate(one: AcceptanceRecord) -> str:
    bounds = wording.bounds(one.estimate.low, one.estimate.high, one.metric)
    return wording.number(one.estimate.value, one.metric) + (f", {bounds}" if bounds else "")


def _at(found: list[tuple[TaskResult, AcceptanceRecord]]) -> Iterator[str]:
    levels = {one.estimate.level for _, one in found}
    if len(levels) == 1:
        yield f"Below each figure its {wording.level(levels.pop())} interval; each model at its own threshold."
