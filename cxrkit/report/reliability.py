"""Reliability diagrams: predicted probabilities against observed shares, drawn from the run directory's files."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import TYPE_CHECKING

from cxrkit.api import Calibrated
from cxrkit.report import palette
from cxrkit.report.drawing import SQUARE, WIDE, Drawing, name_lines, share_axes
from cxrkit.report.figures import OVERLAID, Curve, named
from cxrkit.report.palette import MUTED
from cxrkit.report.results import TaskResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

VARIANTS: Mapping[Calibrated | None, str] = {
    None: "as given",
    "temperature": "temperature-scaled",
    "prior": "prior-corrected",
}
ABSENT: Mapping[Calibrated | None, str] = {"temperature": "not fitted", "prior": "nothing to correct"}
ABREAST = 3  # panels in a row
MOST_ROWS = 3  # of a figure, so that it fits a page


def variants(tasks: Sequence[TaskResult], set_name: str) -> list[Calibrated | None]:
    """Name the recalibrations that any model has a reliability curve of."""
    return [one for one in VARIANTS if any(curve(task, set_name, one) for task in tasks)]


def curve(task: TaskResult, set_name: str, calibrated: Calibrated | None, *, mass: bool = False) -> Curve | None:
    """Read a model's reliability: bins of equal width, or of equal mass."""
    kind = "calibration" + ("_mass" if mass else "")
    return task.curve(set_name, kind if calibrated is None else f"{kind}_{calibrated}")


def diagrams(tasks: Sequence[TaskResult], set_name: str) -> list[Drawing]:
    """Draw predicted against observed shares, in as many figures as fit pages; none where there is no such curve.

    A few models that were not recalibrated share one panel; many have one each, and recalibrated ones a row each.
    """
    known = variants(tasks, set_name)
    drawn = [task for task in tasks if any(curve(task, set_name, one) for one in known)]
    if not drawn:
        return []
    if known == [None] and len(drawn) <= OVERLAID:
        return [_overlaid(drawn, set_name)]
    panels = [(task, one) for task in drawn for one in known]
    per_row = len(known) if len(known) > 1 else ABREAST
    rows = [panels[start : start + per_row] for start in range(0, len(panels), per_row)]
    parts = [rows[start : start + MOST_ROWS] for start in range(0, len(rows), MOST_ROWS)]
    return [_grid(part, set_name, alone=len(known) == 1) for part in parts]


def _grid(rows: Sequence[Sequence[tuple[TaskResult, Calibrated | None]]], set_name: str, *, alone: bool) -> Drawing:

    def paint(figure: "Figure") -> None:
        grid = figure.subplots(len(rows), ABREAST, squeeze=False)
        for line, row in zip(grid, rows, strict=True):
            for axes in line[len(row) :]:
                axes.set_visible(False)
            for axes, (task, one) in zip(line, row, strict=False):
                _panel(axes, task, set_name, one, alone=alone)

    return Drawing((WIDE[0], 2.3 * len(rows)), paint)


def _overlaid(tasks: Sequence[TaskResult], set_name: str) -> Drawing:

    def paint(figure: "Figure") -> None:
        axes = figure.subplots()
        share_axes(axes, "Predicted probability (mean of the bin)", "Observed share with the finding")
        _diagonal(axes)
        for task in tasks:
            _bins(axes, task, curve(task, set_name, None))
        name_lines(axes, [named(task, "brier", set_name) for task in tasks], "upper left")

    return Drawing(SQUARE, paint)


def _panel(axes: "Axes", task: TaskResult, set_name: str, calibrated: Calibrated | None, *, alone: bool) -> None:
    found = curve(task, set_name, calibrated)
    share_axes(axes, "Predicted probability", "Observed share")
    axes.set_title(task.name if alone else f"{task.name}, {VARIANTS[calibrated]}", color=palette.of_model(task.number))
    if found is None:
        axes.text(
            0.5, 0.5, ABSENT.get(calibrated, "not available"), ha="center", va="center", color=MUTED[0], fontsize=7.5
        )
        return
    _diagonal(axes)
    _bins(axes, task, found)
    by_mass = curve(task, set_name, calibrated, mass=True)
    if by_mass is not None:
        axes.plot(
            *_points(by_mass),
            color=palette.of_model(task.number),
            linestyle="none",
            marker="D",
            markersize=3.2,
            markerfacecolor="none",
            markeredgewidth=0.8,
        )


def _diagonal(axes: "Axes") -> None:
    axes.plot([0, 1], [0, 1], color=MUTED[0], linewidth=0.8, linestyle=(0, (2, 2)))


def _bins(axes: "Axes", task: TaskResult, found: Curve | None) -> None:
    if found is None:
        return
    colour = palette.of_model(task.number)
    for middle, low, high in zip(found["mean_predicted"], found["low"], found["high"], strict=True):
        if isfinite(low) and isfinite(high):
            axes.plot([middle, middle], [low, high], color=colour, linewidth=0.9, alpha=0.7)
    axes.plot(*_points(found), color=colour, linestyle=palette.dash(task.number), marker="o", markersize=4)


def _points(found: Curve) -> tuple[list[float], list[float]]:
    """Give the bins that hold images."""
    bins = [number for number, value in enumerate(found["observed"]) if isfinite(value)]
    return [found["mean_predicted"][number] for number in bins], [found["observed"][number] for number in bins]
