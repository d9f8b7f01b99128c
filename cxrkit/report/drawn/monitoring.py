"""Figures of monitoring: control charts, scores then and now, and performance by period."""

from collections.abc import Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any

from cxrkit.records import MonitoredImages, MonitoringRecord
from cxrkit.report.drawn import palette
from cxrkit.report.drawn.drawing import WIDE, Drawing, grid, percent, rows_at, shown
from cxrkit.report.drawn.marks import DOTTED
from cxrkit.report.drawn.palette import INK, MUTED, PAPER, RULE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ABREAST = 2
SMALL_ABREAST = 4
MOST_TICKS = 7
LETTERS = 12  # of a period's name along an axis
ROOM = 0.12  # of the height that charts leave above and below what they show
NOW, ALARM = palette.of_model(0), palette.of_model(1)
Panels = Sequence[tuple[str, Sequence[MonitoringRecord], bool]]
"""Title, records of successive periods, and whether they are shares."""


def control(panels: Panels, periods: Sequence[str]) -> Drawing:
    """Draw a control chart for each figure: its share by period, the reference's, and the limits around it."""

    def paint(axes: "Axes", records: Sequence[MonitoringRecord]) -> None:
        places = [periods.index(one.period) for one in records]
        for side in ("lower_limit", "upper_limit"):
            limits = [getattr(one, side) for one in records]
            for place, limit in zip(places, limits, strict=True):
                axes.plot([place - 0.5, place + 0.5], [limit, limit], color=MUTED[0], linewidth=0.9)
        _centre(axes, records)
        values = [float("nan")] * len(periods)  # a period without the figure breaks the line
        for place, one in zip(places, records, strict=True):
            values[place] = one.value or 0.0
        axes.plot(range(len(periods)), values, color=NOW, linewidth=1.0, zorder=2)
        for place, one in zip(places, records, strict=True):
            _point(axes, place, one.value or 0.0, alarm=one.alarm)

    return _panels(panels, periods, paint)


def by_period(panels: Panels, periods: Sequence[str]) -> Drawing:
    """Draw performance by period with its intervals; what is estimated without labels is hollow."""

    def paint(axes: "Axes", records: Sequence[MonitoringRecord]) -> None:
        _centre(axes, records)
        for one in records:
            if one.value is None:
                continue
            estimated = one.kind == "estimate"
            place = periods.index(one.period) + (0.16 if estimated else -0.16)
            if one.low is not None and one.high is not None:
                axes.plot([place, place], [one.low, one.high], color=ALARM if one.alarm else NOW, linewidth=0.9)
            _point(axes, place, one.value, alarm=one.alarm, hollow=estimated)

    return _panels(panels, periods, paint)


def _panels(panels: Panels, periods: Sequence[str], paint_one: Any) -> Drawing:
    def height(width: float) -> float:
        return 2.3 * rows_at(width, len(panels), ABREAST)

    def paint(figure: "Figure") -> None:
        for axes, (title, records, share) in zip(grid(figure, len(panels), ABREAST), panels, strict=True):
            axes.set_title(title)
            paint_one(axes, records)
            _scale(axes, records, share=share)
            _periods(axes, periods)

    return Drawing((WIDE[0], height(WIDE[0])), paint, height)


def _centre(axes: "Axes", records: Sequence[MonitoringRecord]) -> None:
    centre = next((one.reference for one in records if one.reference is not None), None)
    if centre is not None:
        axes.axhline(centre, color=MUTED[0], linewidth=0.9, linestyle=DOTTED, zorder=1)


def _point(axes: "Axes", place: float, value: float, *, alarm: bool, hollow: bool = False) -> None:
    colour = ALARM if alarm else NOW
    axes.plot(
        *([place], [value]),
        marker="s" if alarm else "o",
        markersize=6.2 if alarm else 4.4,
        color=colour,
        markerfacecolor=PAPER[0] if hollow else colour,
        markeredgecolor=colour if hollow else PAPER[0],
        markeredgewidth=1.1 if hollow else 0.6,
        zorder=4,
        clip_on=False,
    )


def _scale(axes: "Axes", records: Sequence[MonitoringRecord], *, share: bool) -> None:
    """Leave room around everything that is shown, within 0 and 1."""
    names = ("value", "low", "high", "lower_limit", "upper_limit", "reference")
    given = [getattr(one, name) for one in records for name in names]
    values = [float(value) for value in given if value is not None and isfinite(value)]
    low, high = min(values, default=0.0), max(values, default=1.0)
    room = max(0.01, ROOM * (high - low))
    axes.set_ylim(max(-0.02, low - room), min(1.02, high + room))
    if share:
        percent(axes, "y")


def _periods(axes: "Axes", periods: Sequence[str]) -> None:
    """Name some of the periods along the axis."""
    step = -(-len(periods) // MOST_TICKS)
    places = list(range(0, len(periods), step))
    long = max(len(name) for name in periods) > LETTERS / 2 and len(places) > 2  # noqa: PLR2004 - two have room
    axes.set_xticks(
        places,
        [shown(periods[place], 2 * LETTERS) for place in places],
        rotation=30 if long else 0,
        ha="right" if long else "center",
    )
    axes.set_xlim(-0.6, len(periods) - 0.4)
    axes.grid(visible=False, axis="x")


def scores(
    reference: MonitoredImages, periods: Sequence[MonitoredImages], edges: Sequence[float], threshold: float, name: str
) -> Drawing:
    """Draw how the scores of each period are distributed, in front of those of the reference."""
    width = edges[1] - edges[0]

    def height(across: float) -> float:
        return 0.4 + 1.5 * rows_at(across, len(periods), SMALL_ABREAST)

    def paint(figure: "Figure") -> None:
        for axes, one in zip(grid(figure, len(periods), SMALL_ABREAST, sharex=True, sharey=True), periods, strict=True):
            axes.bar(edges[:-1], _shares(reference.scores), width=width, align="edge", color=RULE[0], linewidth=0)
            axes.stairs(_shares(one.scores), edges, color=NOW, linewidth=1.2)
            axes.axvline(threshold, color=INK[0], linewidth=0.8, linestyle=DOTTED)
            axes.set_title(shown(one.name, 2 * LETTERS))
            percent(axes, "y")
        figure.supxlabel(name, fontsize=8)
        figure.supylabel("Share of the images", fontsize=8)

    return Drawing((WIDE[0], height(WIDE[0])), paint, height)


def _shares(counts: Sequence[int]) -> list[float]:
    total = max(1, sum(counts))
    return [count / total for count in counts]
