"""Reliability diagrams: predicted probabilities against observed shares, drawn from the run directory's files."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any

from cxrkit.api import Calibrated
from cxrkit.report.drawn import palette
from cxrkit.report.drawn.drawing import SQUARE, WIDE, Drawing, grid, rows_at, share_axes, shown, width_of
from cxrkit.report.drawn.marks import DOTTED, key_within
from cxrkit.report.drawn.palette import MUTED
from cxrkit.report.drawn.ranking import OVERLAID, Curve, named
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


def diagrams(tasks: Sequence[TaskResult], set_name: str) -> list[tuple[Drawing, list[TaskResult]]]:
    """Draw predicted against observed shares, in as many figures as fit pages, each with the models that it shows.

    A few models that were not recalibrated share one panel; many have one each, and recalibrated ones a row each.
    """
    known = variants(tasks, set_name)
    drawn = [task for task in tasks if any(curve(task, set_name, one) for one in known)]
    if not drawn:
        return []
    if known == [None] and len(drawn) <= OVERLAID:
        return [(_overlaid(drawn, set_name), drawn)]
    panels = [(task, one) for task in drawn for one in known]
    per_row = len(known) if len(known) > 1 else ABREAST
    rows = [panels[start : start + per_row] for start in range(0, len(panels), per_row)]
    parts = [rows[start : start + MOST_ROWS] for start in range(0, len(rows), MOST_ROWS)]
    return [(_grid(part, set_name, alone=len(known) == 1), _shown_in(part)) for part in parts]


def _shown_in(rows: Sequence[Sequence[tuple[TaskResult, Calibrated | None]]]) -> list[TaskResult]:
    return [*{task.number: task for row in rows for task, _ in row}.values()]


def _grid(rows: Sequence[Sequence[tuple[TaskResult, Calibrated | None]]], set_name: str, *, alone: bool) -> Drawing:

    panels = [panel for row in rows for panel in row]
    abreast = max(len(row) for row in rows)

    def height(width: float) -> float:
        count = rows_at(width, len(panels), abreast)
        columns = -(-len(panels) // count)
        return count * min(2.9, 0.45 + 0.87 * width / columns)

    def paint(figure: "Figure") -> None:
        for axes, (task, one) in zip(grid(figure, len(panels), abreast), panels, strict=True):
            _panel(axes, task, set_name, one, alone=alone)

    return Drawing((WIDE[0], height(WIDE[0])), paint, height)


def _overlaid(tasks: Sequence[TaskResult], set_name: str) -> Drawing:

    def paint(figure: "Figure") -> None:
        axes = figure.subplots()
        share_axes(axes, "Predicted probability, mean of the bin", f"Observed share of {_positive(tasks[0])}")
        _diagonal(axes)
        for task in tasks:
            _bins(axes, task, curve(task, set_name, None))
        key_within(axes, [(named(task, "brier", set_name), task.number) for task in tasks], "upper left")

    return Drawing(SQUARE, paint)


def _panel(axes: "Axes", task: TaskResult, set_name: str, calibrated: Calibrated | None, *, alone: bool) -> None:
    found = curve(task, set_name, calibrated)
    share_axes(axes, "Predicted probability", f"Observed {_positive(task)}")
    if width_of(axes) < WIDE[0]:
        axes.set(xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
    axes.set_title(shown(task.name) if alone else f"{shown(task.name, 20)}\n{VARIANTS[calibrated]}")
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
            marker=palette.marker(task.number),
            markersize=5,
            clip_on=False,
            markerfacecolor="none",
            markeredgewidth=0.8,
        )


def _positive(task: TaskResult) -> str:
    return shown(task.metrics.positive, 18)


def _diagonal(axes: "Axes") -> None:
    axes.plot([0, 1], [0, 1], color=MUTED[0], linewidth=0.8, linestyle=DOTTED)


def _bins(axes: "Axes", task: TaskResult, found: Curve | None) -> None:
    if found is None:
        return
    colour = palette.of_model(task.number)
    for middle, low, high in zip(found["mean_predicted"], found["low"], found["high"], strict=True):
        if isfinite(low) and isfinite(high):
            axes.plot([middle, middle], [low, high], color=colour, linewidth=0.9, alpha=0.7)
    look: Any = {
        "linestyle": palette.dash(task.number),
        "marker": palette.marker(task.number),
        "markersize": 4,
        "clip_on": False,
    }
    axes.plot(*_points(found), color=colour, **look)


def _points(found: Curve) -> tuple[list[float], list[float]]:
    """Give the bins that hold images."""
    bins = [number for number, value in enumerate(found["observed"]) if isfinite(value)]
    return [found["mean_predicted"][number] for number in bins], [found["observed"][number] for number in bins]
