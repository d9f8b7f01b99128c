"""Asks metric reporters for their figures and sections, and says what is wrong with what a stranger's one gives."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from pydantic import ValidationError

from cxrkit import guard, sections
from cxrkit.api import EvaluationSettings, Figure, MetricReport, Predictions, ReportSection, Unit
from cxrkit.errors import CxrkitError, InputError, RunError
from cxrkit.guard import MisbehaviourError
from cxrkit.one_line import encodable
from cxrkit.records import Record
from cxrkit.registry import Registered

ChosenReporter = tuple[Registered, Mapping[str, Any]]
"""A metric reporter and its options."""


@dataclass
class Reporters:
    """The metric reporters of an evaluation.

    Attributes:
        chosen: with their options.
        warn: hears of one that misbehaves, whose figures are then missing; None where that ends the evaluation.
        missing: a sentence for each time, for the report.
    """

    chosen: Sequence[ChosenReporter]
    warn: Callable[[str], None] | None = None
    missing: list[str] = field(default_factory=list)
    _given_up: set[str] = field(default_factory=set)

    def ask(
        self, found: Predictions, settings: EvaluationSettings
    ) -> Iterator[tuple[list[Record], Sequence[ReportSection]]]:
        """Ask every reporter; nothing of what it is given can be written to.

        Raises:
            CxrkitError: one misbehaves or refuses, and nobody is to be warned.
        """
        given = guard.read_only(found), guard.read_only(settings)
        for reporter, options in self.chosen:
            if reporter.origin in self._given_up:
                self._note(reporter, found)
                continue
            try:
                yield _asked(reporter, options, *given)
            except CxrkitError as error:
                if self.warn is None:
                    raise
                self._go_on_without(reporter, found, error)

    def _go_on_without(self, reporter: Registered, found: Predictions, error: CxrkitError) -> None:
        assert self.warn is not None  # noqa: S101 - the only caller has looked
        without = "the figures are without it"
        if isinstance(error, MisbehaviourError) and error.timed_out:
            self._given_up.add(reporter.origin)
            without = "it is not asked again, and the figures are without it"
        self.warn(f"{error}; {without}")
        self._note(reporter, found)

    def _note(self, reporter: Registered, found: Predictions) -> None:
        self.missing.append(f'{reporter.origin} failed: the figures of {found.task} on "{found.set}" are without it.')


def as_records(figures: Sequence[Figure], found: Predictions, level: float, unit: Unit = "image") -> list[Record]:
    """Say of each figure what it was taken of."""
    return [
        Record(
            **{name: _plain(value) for name, value in asdict(figure).items()},
            set=found.set,
            condition=found.condition,
            unit=unit,
            level=level,
        )
        for figure in figures
    ]


def _asked(
    reporter: Registered, options: Mapping[str, Any], found: Predictions, settings: EvaluationSettings
) -> tuple[list[Record], Sequence[ReportSection]]:
    who = f'{reporter.origin} on task "{found.task}", set "{found.set}"'

    def ask() -> tuple[list[Record], Sequence[ReportSection]]:
        report = reporter.factory(found, settings, **guard.options(options))
        if wrong := _fault(report):
            raise RunError(f"{who}: {wrong}")
        return _records(who, report, found, settings), tuple(report.sections)

    try:
        return guard.call(who, ask)
    except InputError as error:
        raise InputError(*(f"{who}: {problem}" for problem in error.problems)) from error


def _fault(report: Any) -> str | None:
    if not isinstance(report, MetricReport):
        return f"returned {type(report).__name__}, a MetricReport is needed"
    for name in ("figures", "sections"):
        if not isinstance(getattr(report, name), tuple | list):
            return f"returned {name} that are {type(getattr(report, name)).__name__}, a tuple is needed"
    strange = [type(one).__name__ for one in report.figures if not isinstance(one, Figure)]
    if strange:
        return f"returned a figure that is {strange[0]}, a Figure is needed"
    return next((wrong for section in report.sections if (wrong := sections.fault(section))), None)


def _records(who: str, report: MetricReport, found: Predictions, settings: EvaluationSettings) -> list[Record]:
    try:
        return as_records(report.figures, found, settings.level, settings.unit)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        raise RunError(f"{who}: returned a figure whose {name} is {first['input']!r}: {first['msg']}") from error


def _plain(value: Any) -> Any:
    """Turn numpy's scalars into Python's, what is not finite into None, and halves of characters into escapes."""
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, str):
        return encodable(value)
    return None if isinstance(value, float) and not np.isfinite(value) else value
