"""Puts the chapters of a report together, in the order in which a reader asks."""

from collections.abc import Sequence
from typing import Any

from cxrkit import __version__
from cxrkit.report import curves, data, failures, limits, making, overview, performance, summary, wording
from cxrkit.report.content import Report, Section, TitleBlock
from cxrkit.report.results import Results

DEFAULT_TITLE = "Comparison of chest X-ray classifiers"


def compose(results: Results) -> Report:
    """Make the content of a report; every format shows this."""
    return Report(
        head=_head(results),
        sections=tuple(section for section in _sections(results) if section is not None),
        models=tuple(task.name for task in results.tasks),
    )


def _sections(results: Results) -> Sequence[Section | None]:
    return [
        summary.section(results),
        overview.section(results),
        *(
            part
            for name in results.sets
            for part in (performance.section(results, name), curves.section(results, name))
        ),
        failures.section(results),
        *performance.added_sections(results),
        data.section(results),
        data.models_section(results),
        making.training_section(results),
        making.compute_section(results),
        limits.limitations_section(results),
        limits.glossary_section(results),
    ]


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
