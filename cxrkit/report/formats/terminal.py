"""Tables of the report in a terminal."""

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from cxrkit.one_line import one_line
from cxrkit.report import wording
from cxrkit.report.chapters import summary
from cxrkit.report.chapters.differences import differences
from cxrkit.report.content import Cell, Table
from cxrkit.report.one_line import in_lines
from cxrkit.report.phrases import set_title
from cxrkit.report.results import Results
from cxrkit.report.tables import explained, figures_tables


def show(results: Results, console: Console) -> None:
    """Print the most important figures of each set and the differences."""
    for set_name in results.sets:
        for table in map(in_lines, map(explained, _tables(results, set_name))):
            console.print(_rich(table))
            for note in table.notes:
                console.print(Text(note, style="dim"))
            console.print()
    for one in results.unfinished:
        console.print(Text(one_line(f"Task {one.name} gave no result: {one.reason}"), style="yellow"))


def _tables(results: Results, set_name: str) -> Iterator[Table]:
    caption = f"{wording.capitalised(set_title(set_name))}, {wording.level(results.level)} intervals"
    yield from figures_tables(results, set_name, summary.HEADLINE, caption, in_short=True)
    for block in differences(results, set_name):
        if isinstance(block, Table):
            yield block


def _rich(table: Table) -> RichTable:
    shown = RichTable(title=Text(table.caption), title_justify="left", title_style="bold", box=None, pad_edge=False)
    for column in table.columns:
        shown.add_column(Text(column.title), justify="right" if column.numeric else "left", overflow="fold")
    for row in table.rows:
        shown.add_row(*(_cell(cell) for cell in row))
    return shown


def _cell(cell: Cell) -> Text:
    text = Text(cell.marked_text, style="bold" if cell.mark else "")
    return text.append(f"\n{cell.detail}", style="dim") if cell.detail else text
