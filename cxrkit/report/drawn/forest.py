"""Forest plots: values with their intervals, one below the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cxrkit.records import Record
from cxrkit.report import wording
from cxrkit.report.drawn import palette
from cxrkit.report.drawn.drawing import WIDE, Drawing, shown, width_of
from cxrkit.report.drawn.palette import INK, MUTED, PAPER
from cxrkit.report.phrases import is_few

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW = 0.2  # inches
BESIDE = 0.04  # share of the span that is left beside the outermost values


@dataclass(frozen=True)
class ForestRow:
    """A row: a model's figures by metric; rows of one group of images stand below its name."""

    label: str
    number: int
    figures: dict[str, Record]
    group: str | None = None


def forest(rows: Sequence[ForestRow], metrics: Sequence[str]) -> Drawing:
    """Draw a panel for each metric, rows alike in all; figures that rest on few patients are hollow."""
    places, headings = _places(rows)
    height = 0.75 + ROW * (len(rows) + len(headings))

    def paint(figure: "Figure") -> None:
        panels = figure.subplots(1, len(metrics), squeeze=False, sharey=True).ravel()
        for axes, metric in zip(panels, metrics, strict=True):
            _panel(axes, rows, places, metric)
            for place in [*headings][1:]:
                axes.axhline(place - 0.5, color=MUTED[0], linewidth=0.4)
        panels[0].set(yticks=places, yticklabels=[shown(row.label, 24) for row in rows])
        panels[0].set_ylim(max(places) + 0.6, -0.6)
        panels[0].set_zorder(1)  # names of groups reach over the next panels
        for place, group in headings.items():
            _heading(panels[0], place, group)

    return Drawing((WIDE[0], height), paint, lambda _: height)


def _places(rows: Sequence[ForestRow]) -> tuple[list[int], dict[int, str]]:
    """Number the lines: those of the rows, and those of the names of their groups."""
    places: list[int] = []
    headings: dict[int, str] = {}
    group = None
    for row in rows:
        if row.group != group:
            group = row.group
            headings[len(places) + len(headings)] = group or ""
        places.append(len(places) + len(headings))
    return places, headings


def _heading(axes: "Axes", place: int, group: str) -> None:
    """Write a group's name in its line, from the left edge on, over the panels that have nothing there."""
    axes.annotate(
        shown(group, 60),
        (0, place),
        xycoords=("axes fraction", "data"),
        va="center",
        fontweight="bold",
        fontsize=7.5,
        bbox={"facecolor": PAPER[0], "edgecolor": "none", "pad": 0.8},
        annotation_clip=False,
        in_layout=False,
    )


def _panel(axes: "Axes", rows: Sequence[ForestRow], places: Sequence[int], metric: str) -> None:
    scale = 100 if wording.is_percent(metric) else 1
    axes.grid(visible=False, axis="y")
    for place, row in zip(places, rows, strict=True):
        if (record := row.figures.get(metric)) is not None and record.value is not None:
            _draw(axes, place, record, row.number, scale)
    axes.set_xlabel(wording.label(metric) + (", %" if scale > 1 else ""))
    axes.locator_params(axis="x", nbins=5 if width_of(axes) >= WIDE[0] else 3)
    axes.tick_params(axis="y", length=0, labelcolor=INK[0])
    axes.spines["left"].set_visible(False)
    axes.margins(x=BESIDE)


def _draw(axes: "Axes", place: int, record: Record, number: int, scale: int) -> None:
    colour = palette.of_model(number)
    if record.low is not None and record.high is not None:
        axes.plot([scale * record.low, scale * record.high], [place, place], color=colour, linewidth=1.5)
    axes.plot(
        *([scale * (record.value or 0)], [place]),
        marker=palette.marker(number),
        color=colour,
        markersize=4.8,
        markerfacecolor=PAPER[0] if is_few(record) else colour,
        zorder=3,
    )
