"""Figures of robustness: how a figure falls as the images get worse."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cxrkit.records import ChangeRecord, Condition
from cxrkit.report import palette, wording
from cxrkit.report.drawing import WIDE, Drawing
from cxrkit.report.figures import OVERLAID, legend_above
from cxrkit.report.palette import MUTED
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
    rows = -(-len(corruptions) // ABREAST)

    def paint(figure: "Figure") -> None:
        columns = min(ABREAST, len(corruptions))
        grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
        for axes, (corruption, conditions) in zip(grid, corruptions.items(), strict=False):
            axes.set_title(corruption)
            axes.tick_params(labelbottom=True)
            for task in tasks:
                _fall(axes, task, conditions, changes, spread=len(tasks) <= OVERLAID)
        for axes in grid[len(corruptions) :]:
            axes.set_visible(False)
        grid[0].set_xticks(range(6))
        if wording.is_percent(metric):
            from matplotlib.ticker import PercentFormatter

            grid[0].yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        figure.supxlabel("Severity (0: as it is)", fontsize=8)
        figure.supylabel(wording.label(metric), fontsize=8)
        legend_above(figure, tasks)

    return Drawing((WIDE[0], 0.4 + 1.55 * rows), paint)


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
        axes.axhline(before, color=MUTED[0] if spread else colour, linewidth=0.6, linestyle=(0, (2, 2)))
    start = [(0, before)] if before is not None else []
    points = [*start, *((severity, change.after) for severity, change in known)]
    axes.plot(*zip(*points, strict=True), color=colour, linestyle=palette.dash(task.number), marker="o", markersize=3)
    for severity, change in known:
        if spread and before is not None and change.low is not None and change.high is not None:
            axes.plot([severity, severity], [before + change.low, before + change.high], color=colour, linewidth=0.9)
