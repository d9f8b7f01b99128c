"""Stated goals against what was found: met, not met, undecided."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from cxrkit.config.schema import Goal
from cxrkit.records import AcceptanceRecord, Estimate, Record


def judge(records: Sequence[Record], goals: Mapping[Goal, float], sets: Iterable[str]) -> list[AcceptanceRecord]:
    """Judge a task by its goals on every set.

    A goal is met where the lower bound of the interval reaches it, not met where the upper bound stays below it, and
    undecided else: more patients are needed. Predictive values are judged at the stated prevalence, where there is one.

    Args:
        records: the task's figures.
        goals: figure → least value, as it was stated beforehand.
        sets: test sets.
    """
    return [
        _judged(record, goal)
        for name in sets
        for metric, goal in goals.items()
        if (record := _of(records, metric, name))
    ]


def _of(records: Sequence[Record], metric: str, set_name: str) -> Record | None:
    """Find a figure of all images, as the model gives it; at the stated prevalence before the set's own."""
    found = [
        record
        for record in records
        if (record.metric, record.set, record.unit) == (metric, set_name, "image")
        and record.condition is record.class_name is record.subgroup is record.calibrated is None
    ]
    return min(found, key=lambda record: record.prevalence is None, default=None)


def _judged(record: Record, goal: float) -> AcceptanceRecord:
    return AcceptanceRecord(
        metric=record.metric,
        set=record.set,
        goal=goal,
        verdict=_verdict(record.low, record.high, goal),
        estimate=Estimate(**record.model_dump(include=set(Estimate.model_fields))),
        threshold=record.threshold,
        prevalence=record.prevalence,
    )


def _verdict(low: float | None, high: float | None, goal: float) -> Literal["met", "not met", "undecided"]:
    if low is not None and low >= goal:
        return "met"
    return "not met" if high is not None and high < goal else "undecided"
