"""Forest plots: values with their intervals, one below the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cxrkit.records import Record
from cxrkit.report import palette, wording
from cxrkit.report.drawing import WIDE, Drawing
from cxrkit.report.palette import INK, MUTED, PAPER
from cxrkit.report.phrases import is_few

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BESIDE = 0.04  # share of the span that is left beside the outermost values


@dataclass(frozen=True)
class ForestRow:
    """A row: a group of images and a model, with its figures by metric; ``first`` of its group."""

    label: str
    number: int
    figures: dict[str, Record]
    first: bool = False


def forest(rows: Sequence[ForestRow], metrics: Sequence[str]) -> Drawing:
    """Draw a panel for each metric, rows alike in all; figures that rest on few patients are hollow."""

    def paint(figure: "Figure") -> None:
        panels = figure.subplots(1, len(metrics), squeeze=False, sharey=True).ravel()
        for axes, metric in zip(panels, metrics, strict=True):
            _panel(axes, rows, metric)
        panels[0].set(yticks=range(len(rows)), yticklabels=[row.label for row in rows])
        panels[0].set_ylim(len(rows) - 0.4, -0.6)

    return Drawing((WIDE[0], 0.75 + 0.21 * len(rows)), paint)


def _panel(axes: "Axes", rows: Sequence[ForestRow], metric: str) -> None:
    scale = 100 if wording.is_percent(metric) else 1
    axes.grid(visible=False, axis="y")
    for place, row in enumerate(rows):
        if row.first and place:
            axes.axhline(place - 0.5, color=MUTED[0], linewidth=0.4)
        if (record := row.figures.get(metric)) is not None and record.value is not None:
            _draw(axes, place, record, palette.of_model(row.number), scale)
    axes.set_xlabel(wording.label(metric) + (", %" if scale > 1 else ""))
    axes.tick_params(axis="y", length=0, labelcolor=INK[0])
    axes.spines["left"].set_visible(False)
    axes.margins(x=BESIDE)


def _draw(axes: "Axes", place: int, record: Record, colour: str, scale: int) -> None:
    if record.low is not None and record.high is not None:
        axes.plot([scale * record.low, scale * record.high], [place, place], color=colour, linewidth=1.5)
    value = scale * (record.value or 0)
    filled = PAPER[0] if is_few(record) else colour
    axes.plot([value], [place], marker="o", color=colour, markersize=4.6, markerfacecolor=filled, zorder=3)
