"""What of a report a page can hold: nothing that needs a screen, and long tables by their first rows."""

from dataclasses import replace

from cxrkit.report.content import Explorer, Report, Section, Table


def on_paper(report: Report) -> Report:
    """Leave out what needs a screen, and the chapters in which nothing else stands."""
    kept = (
        replace(section, blocks=tuple(block for block in section.blocks if not isinstance(block, Explorer)))
        for section in report.sections
    )
    return replace(report, sections=tuple(section for section in kept if section.blocks))


def on_pages(report: Report) -> Report:
    """Cut off the tables of which a page shows the first rows alone, and say so below them."""
    return replace(report, sections=tuple(_on_pages(section) for section in report.sections))


def _on_pages(section: Section) -> Section:
    return replace(
        section, blocks=tuple(_cut(block) if isinstance(block, Table) else block for block in section.blocks)
    )


def _cut(table: Table) -> Table:
    if table.most is None or len(table.rows) <= table.most:
        return table
    note = (
        f"The first {table.most:,} of {len(table.rows):,} rows; comparison_report.txt, report.json and the CSV tables "
        "have all of them."
    )
    return replace(table, rows=table.rows[: table.most], notes=(*table.notes, note))
