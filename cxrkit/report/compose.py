"""Puts the chapters of a report together, in the order in which a reader asks."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from cxrkit import __version__
from cxrkit.report import (
    calibration,
    curves,
    data,
    elsewhere,
    failures,
    glossary,
    limits,
    making,
    maps,
    models,
    operating,
    overview,
    performance,
    summary,
    utility,
    wording,
)
from cxrkit.report.content import Report, Section, Table, TitleBlock
from cxrkit.report.results import Results
from cxrkit.report.tables import explained

DEFAULT_TITLE = "Comparison of chest X-ray classifiers"


def compose(results: Results) -> Report:
    """Make the content of a report; every format shows this."""
    return Report(
        head=_head(results),
        sections=tuple(_explained(section) for section in _sections(results) if section is not None),
        models=tuple(task.name for task in results.tasks),
    )


def _sections(results: Results) -> Sequence[Section | None]:
    return [
        summary.section(results),
        overview.section(results),
        *(
            part
            for name in results.sets
            for part in (
                performance.section(results, name),
                curves.section(results, name),
                operating.section(results, name),
                calibration.section(results, name),
                utility.section(results, name),
            )
        ),
        elsewhere.external_section(results),
        elsewhere.robustness_section(results),
        failures.section(results),
        maps.section(results),
        *performance.added_sections(results),
        data.section(results),
        models.section(results),
        making.training_section(results),
        making.compute_section(results),
        limits.section(results),
        glossary.section(results),
    ]


def _explained(section: Section) -> Section:
    """Say under each table what its flags mean."""
    blocks = tuple(explained(block) if isinstance(block, Table) else block for block in section.blocks)
    return replace(section, blocks=blocks)


def _head(results: Results) -> TitleBlock:
    tables: list[dict[str, Any]] = [source.info.configuration.get("report") or {} for source in results.sources]
    authors = dict.fromkeys(author for table in tables for author in table.get("authors", ()))
    info = results.sources[-1].info
    return TitleBlock(
        title=next((table["title"] for table in tables if table.get("title")), DEFAULT_TITLE),
        authors=tuple(authors),
        institution=next((table["institution"] for table in tables if table.get("institution")), None),
        date=wording.date(info.finished or info.started),
        made_with=f"cxrkit {__version__}",
    )
