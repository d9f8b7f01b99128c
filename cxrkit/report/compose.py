"""Puts the chapters of a report together, in the order in which a reader asks."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from cxrkit import __version__
from cxrkit.report import checklists, wording
from cxrkit.report.chapters import (
    added,
    calibration,
    cover,
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
)
from cxrkit.report.content import Logo, Report, Section, Table, TitleBlock
from cxrkit.report.results import Results
from cxrkit.report.tables import explained

DEFAULT_TITLE = "Comparison of chest X-ray classifiers"


def compose(results: Results, *, logo: Logo | None = None, of_plugins: Sequence[Section] = ()) -> Report:
    """Make the content of a report; every format shows this.

    Args:
        results: finished runs.
        logo: of the institution.
        of_plugins: sections that plugins made of the results.
    """
    chapters = [section for section in _sections(results, of_plugins) if section is not None]
    chapters.append(glossary.section(results, chapters))
    chapters += checklists.sections(results, chapters)
    return Report(
        head=_head(results, logo),
        sections=tuple(_explained(section) for section in chapters),
        models=tuple(task.name for task in results.tasks),
    )


def _sections(results: Results, of_plugins: Sequence[Section]) -> Sequence[Section | None]:
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
        *added.of_reporters(results),
        *of_plugins,
        data.section(results),
        models.section(results),
        making.training_section(results),
        making.compute_section(results),
        limits.section(results),
    ]


def _explained(section: Section) -> Section:
    """Say under each table what its flags mean."""
    blocks = tuple(explained(block) if isinstance(block, Table) else block for block in section.blocks)
    return replace(section, blocks=blocks)


def _head(results: Results, logo: Logo | None) -> TitleBlock:
    tables: list[dict[str, Any]] = [source.info.configuration.get("report") or {} for source in results.sources]
    authors = dict.fromkeys(author for table in tables for author in table.get("authors", ()))
    created = max(source.info.finished or source.info.started for source in results.sources)
    return TitleBlock(
        title=next((table["title"] for table in tables if table.get("title")), DEFAULT_TITLE),
        authors=tuple(authors),
        institution=next((table["institution"] for table in tables if table.get("institution")), None),
        date=wording.date(created),
        created=created,
        made_with=f"cxrkit {__version__}",
        subtitle=cover.subtitle(results),
        facts=cover.facts(results),
        notice=cover.NOTICE,
        logo=logo,
    )
