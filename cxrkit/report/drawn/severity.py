"""Figures of robustness: how a figure falls as the images get worse."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cxrkit.records import ChangeRecord, Condition
from cxrkit.report import wording
from cxrkit.report.drawn import palette
from cxrkit.report.drawn.drawing import WIDE, Drawing, grid, percent, rows_at, shown
from cxrkit.report.drawn.marks import DOTTED, key_above
from cxrkit.report.drawn.palette import MUTED
from cxrkit.report.drawn.ranking import OVERLAID
from cxrkit.report.results import TaskResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ABREAST = 4  # panels in a row
Changes = Mapping[tuple[int, str], ChangeRecord]
"""(number of the model, name of the condition) → what became of the figure."""


def falls(
    tasks: Sequence[TaskResult],
    corruptions: Mapping[str, Sequence[Condition]],
    changes: Changes,
    metric: str,
) -> Drawing:
    """Draw a panel for each corruption: the figure against severity, 0 being the images as they are."""

    def height(width: float) -> float:
        return 0.4 + 1.55 * rows_at(width, len(corruptions), ABREAST)

    def paint(figure: "Figure") -> None:
        panels = grid(figure, len(corruptions), ABREAST, sharex=True, sharey=True)
        for axes, (corruption, conditions) in zip(panels, corruptions.items(), strict=True):
            axes.set_title(shown(corruption))
            for task in tasks:
                _fall(axes, task, conditions, changes, spread=len(tasks) <= OVERLAID)
        panels[0].set_xticks(range(6))
        if wording.is_percent(metric):
            percent(panels[0], "y")
        figure.supxlabel("Severity, 0 (as it is) to 5", fontsize=8)
        figure.supylabel(wording.label(metric), fontsize=8)
        key_above(figure, tasks)

    return Drawing((WIDE[0], height(WIDE[0])), paint, height)


def _fall(axes: "Axes", task: TaskResult, conditions: Sequence[Condition], changes: Changes, *, spread: bool) -> None:
    """Draw a model's line; the bars are the intervals of the change, set at the figure without it."""
    found = [
        (condition.severity, change)
        for condition in conditions
        if condition.severity is not None and (change := changes.get((task.number, condition.name)))
    ]
    known = [
        (severity, change) for severity, change in sorted(found, key=lambda pair: pair[0]) if change.after is not None
    ]
    if not known:
        return
    colour = palette.of_model(task.number)
    before = known[0][1].before
    if before is not None:
        axes.axhline(before, color=MUTED[0] if spread else colour, linewidth=0.6, linestyle=DOTTED)
    start = [(0, before)] if before is not None else []
    points = [*start, *((severity, change.after) for severity, change in known)]
    look: Any = {"linestyle": palette.dash(task.number), "marker": palette.marker(task.number), "markersize": 3}
    axes.plot(*zip(*points, strict=True), color=colour, **look)
    for severity, change in known:
        if spread and before is not None and change.low is not None and change.high is not None:
            axes.plot([severity, severity], [before + change.low, before + change.high], color=colour, linewidth=0.9)
