"""Which chapters, tables and figures a report has, in their order: written down in ``structure/*.txt``.

Where a report is meant to have changed, ``CXRKIT_RENEW=1 pytest tests/report/blocks/test_structure.py`` writes them
anew.
"""

import os
from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path

import pytest

from cxrkit.report.compose import compose
from cxrkit.report.content import (
    Block,
    Bullets,
    ColourBar,
    Explorer,
    Flow,
    Gallery,
    Heading,
    Matrices,
    Pictures,
    Plots,
    Report,
    Table,
    Terms,
    Text,
    Tiles,
)
from cxrkit.report.reading import read

FOLDER = Path(__file__).parent / "structure"


def outline(report: Report) -> str:
    """A line for each chapter, heading, table, figure and list."""
    lines = [report.head.title]
    for section in report.sections:
        lines += ["", f"{section.title}  #{section.name}"]
        lines += [f"    {line}" for block in section.blocks for line in told(block)]
    return "\n".join(lines) + "\n"


def told(block: Block) -> Iterator[str]:  # noqa: C901, PLR0912 - one for each kind
    match block:
        case Heading(title=title):
            yield f"-- {title}"
        case Table(caption=caption, rows=rows):
            yield f"table: {caption}" if rows else f"table without rows: {caption}"
        case Matrices(matrices=matrices):
            yield f"confusion matrices: {', '.join(one.task for one in matrices)}"
        case Plots(plots=plots):
            yield from (f"figure {plot.name}: {plot.caption.split('. ')[0].split(', n ')[0]}" for plot in plots)
        case Pictures(pictures=pictures):
            yield from (f"picture: {picture.caption}" for picture in pictures)
        case Tiles(name=name, rows=rows):
            yield f"small pictures {name}: {', '.join(f'{row.title} ({len(row.tiles)})' for row in rows)}"
        case Gallery(title=title):
            yield f"cases: {title}"
        case Explorer(title=title, models=models):
            yield f"explorer: {title}: {', '.join(one.task for one in models)}"
        case Bullets(title=title, caution=caution):
            yield f"{'caution' if caution else 'list'}: {title or '(no title)'}"
        case Terms():
            yield "terms"
        case Flow():
            yield "flow diagram"
        case ColourBar():
            yield "colour bar"
        case Text():
            return


@pytest.mark.parametrize("name", ["full", "imported"])
def test_a_report_has_the_chapters_tables_and_figures_that_are_written_down(name, request):
    found = outline(compose(read([request.getfixturevalue(f"{name}_run")])))
    path = FOLDER / f"{name}.txt"
    if os.environ.get("CXRKIT_RENEW"):
        path.write_text(found, encoding="utf-8")
    known = path.read_text(encoding="utf-8")
    if found != known:
        changes = "\n".join(unified_diff(known.splitlines(), found.splitlines(), str(path), "found", n=1, lineterm=""))
        pytest.fail(
            f"The report has changed:\n{changes}\nIf it was meant to, renew the file: CXRKIT_RENEW=1 pytest {__file__}"
        )
