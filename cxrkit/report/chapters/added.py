"""Chapters that plugins add: what metric reporters wrote beside their figures, and report sections of their own."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from types import MappingProxyType
from typing import Any

from cxrkit import guard, sections
from cxrkit.api import Figure, Predictions, ReportedModel, ReportedStudy, ReportFigure, ReportSection, Threshold
from cxrkit.errors import CxrkitError
from cxrkit.guard import MisbehaviourError
from cxrkit.pictures import media_type
from cxrkit.records import SectionRecord
from cxrkit.registry import Registered
from cxrkit.report.content import Block, Cell, Column, Heading, Picture, Pictures, Section, Table, Text
from cxrkit.report.results import Results, TaskResult

ChosenSection = tuple[Registered, Mapping[str, Any]]
"""A report section and its options."""


def of_reporters(results: Results) -> list[Section]:
    """Show what metric reporters of plugins added, models of one title together."""
    titles = list(dict.fromkeys(one.title for task in results.tasks for one in task.metrics.sections))
    return [Section(f"added-{place}", title, tuple(_of_title(results, title))) for place, title in enumerate(titles)]


def of_plugins(results: Results, chosen: Sequence[ChosenSection]) -> tuple[list[Section], list[str]]:
    """Make the report sections that were asked for; a stranger's code may fail, and the report is written all the same.

    Args:
        results: what the report is made from.
        chosen: report sections with their options.

    Returns:
        The sections, and a sentence for each that could not be made, naming the plugin, its distribution and the hook.
    """
    made: list[Section] = []
    warnings: list[str] = []
    for place, (component, options) in enumerate(chosen):
        try:
            section = _made(component, options, _study(results))
        except _UnusableError as unusable:
            warnings.append(f"{component.origin} {unusable}; the report is written without it")
            continue
        section = results.names.section(section)
        made.append(Section(f"section-{place}", section.title, tuple(_blocks(section))))
    return made, warnings


class _UnusableError(Exception):
    """Why a section cannot be shown, as what follows its name in a sentence."""


def _made(component: Registered, options: Mapping[str, Any], study: ReportedStudy) -> ReportSection:
    def make() -> tuple[ReportSection, str | None]:
        section = component.factory(study, **guard.options(options))
        return section, sections.fault(section)

    try:
        section, wrong = guard.call(component.origin, make)
    except MisbehaviourError as error:
        raise _UnusableError(error.what) from error
    except CxrkitError as error:
        raise _UnusableError(f"failed ({error})") from error
    if wrong is not None:
        raise _UnusableError(wrong)
    return section


# ── As blocks ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _of_title(results: Results, title: str) -> Iterator[Block]:
    for task in results.tasks:
        several = len({one.set for one in task.metrics.sections}) > 1
        for added in task.metrics.sections:
            if added.title == title:
                yield Heading(f"{task.name}{f', {added.set}' if several else ''}")
                yield from _blocks(_as_written(added))


def _as_written(record: SectionRecord) -> ReportSection:
    return ReportSection(
        title=record.title,
        paragraphs=tuple(record.paragraphs),
        columns=tuple(record.columns),
        rows=tuple(map(tuple, record.rows)),
        figures=tuple(ReportFigure(one.image, one.caption, one.alt) for one in record.figures),
    )


def _blocks(section: ReportSection) -> Iterator[Block]:
    yield from (Text(paragraph) for paragraph in section.paragraphs)
    if section.columns:
        columns = tuple(Column(title, numeric=place > 0) for place, title in enumerate(section.columns))
        yield Table(section.title, columns, tuple(tuple(Cell(text) for text in row) for row in section.rows))
    if section.figures:
        yield Pictures(
            tuple(Picture(one.image, media_type(one.image), one.caption, one.alt) for one in section.figures)
        )


# ── As a plugin sees the study ────────────────────────────────────────────────────────────────────────────────────────


def _study(results: Results) -> ReportedStudy:
    return ReportedStudy(
        models=tuple(_model(task, results.sets) for task in results.tasks),
        sets=results.sets,
        class_names=tuple(results.tasks[0].metrics.class_names),
        positive=results.tasks[0].metrics.positive,
        level=results.level,
    )


def _model(task: TaskResult, sets: Sequence[str]) -> ReportedModel:
    threshold = task.info.threshold
    there = [name for name in ("val", *sets) if task.directory.predictions(name).is_file()]
    return ReportedModel(
        name=task.name,
        predictions=_PredictionsBySet(task, there),
        figures=MappingProxyType({name: _figures(task, name) for name in there}),
        threshold=None if threshold is None else Threshold(**threshold.model_dump()),
    )


def _figures(task: TaskResult, set_name: str) -> tuple[Figure, ...]:
    """Take a set's figures from the records, which also say what is the same for all of these."""
    names = {one.name for one in fields(Figure)}
    return tuple(
        Figure(**record.model_dump(include=names))
        for record in task.metrics.records
        if (record.set, record.condition, record.unit) == (set_name, None, "image")
    )


class _PredictionsBySet(Mapping[str, Predictions]):
    """A model's predictions, read when they are asked for, in arrays that cannot be written to."""

    def __init__(self, task: TaskResult, sets: Sequence[str]) -> None:
        self._task, self._sets = task, sets
        self._read: dict[str, Predictions] = {}

    def __getitem__(self, name: str) -> Predictions:
        if name not in self._sets:
            raise KeyError(name)
        if name not in self._read:
            self._read[name] = guard.read_only(self._task.predictions(name))
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._sets)

    def __len__(self) -> int:
        return len(self._sets)
