"""Figures of what a model is worth in use: predictive values over prevalence, and decision curves."""

from collections.abc import Sequence
from math import isfinite
from typing import TYPE_CHECKING

from cxrkit.report.drawn.drawing import WIDE, Drawing, grid, percent, rows_at
from cxrkit.report.drawn.marks import BANDED, DOTTED, Line, band, key_above, line, name_lines
from cxrkit.report.drawn.palette import INK, MUTED
from cxrkit.report.drawn.ranking import OVERLAID, Curve
from cxrkit.report.results import TaskResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

KINDS = {"decision": "Probabilities as given", "decision_prior": "Prior-corrected probabilities"}
ROOM = 1.12  # of the highest curve, so that it does not touch the frame
PANELS = {"ppv": "PPV: positive calls that are right", "npv": "NPV: negative calls that are right"}
BELOW = 0.25  # share of the height that losses are shown to
PREVALENCES = (0.001, 0.01, 0.05, 0.2, 0.9)


def predictive(tasks: Sequence[TaskResult], set_name: str, marked: Sequence[float]) -> Drawing | None:
    """Draw PPV and NPV over prevalence, with lines at the marked prevalences; None where no task has such a curve."""
    curves = [(task, curve) for task in tasks if (curve := task.curve(set_name, "predictive"))]
    if not curves:
        return None

    def paint(figure: "Figure") -> None:
        panels = grid(figure, len(PANELS), len(PANELS))
        for axes, metric in zip(panels, PANELS, strict=True):
            _predictive_panel(axes, curves, metric, marked)
        lines = {
            metric: [Line(task, curve["prevalence"], curve[metric]) for task, curve in curves] for metric in PANELS
        }
        named = [name_lines(axes, lines[metric]) for axes, metric in zip(panels, PANELS, strict=True)]
        if not any(named):
            key_above(figure, [task for task, _ in curves])

    return Drawing((WIDE[0], _height(WIDE[0], len(PANELS))), paint, lambda width: _height(width, len(PANELS)))


def _height(width: float, panels: int) -> float:
    return WIDE[1] * rows_at(width, panels, len(PANELS))


def _predictive_panel(
    axes: "Axes", curves: Sequence[tuple[TaskResult, Curve]], metric: str, marked: Sequence[float]
) -> None:
    axes.set(xscale="log", ylim=(-0.015, 1.015), xlabel="Prevalence (logarithmic)", ylabel=PANELS[metric])
    axes.set_xticks(PREVALENCES, [f"{100 * one:g}%" for one in PREVALENCES])
    axes.minorticks_off()
    percent(axes, "y")
    for prevalence in marked:
        axes.axvline(prevalence, color=MUTED[0], linewidth=0.8, linestyle=DOTTED)
    for task, curve in curves:
        if len(curves) <= BANDED:
            band(
                axes,
                task,
                curve["prevalence"],
                curve[f"{metric}_low"],
                curve[f"{metric}_high"],
                few=len(curves) <= OVERLAID,
            )
    for task, curve in curves:
        line(axes, task, curve["prevalence"], curve[metric])


def decision(tasks: Sequence[TaskResult], set_name: str) -> Drawing | None:
    """Draw net benefit over threshold probability, with treat all and treat none; None where there is no curve."""
    kinds = [kind for kind in KINDS if any(task.curve(set_name, kind) for task in tasks)]
    if not kinds:
        return None

    def paint(figure: "Figure") -> None:
        panels = grid(figure, len(kinds), len(PANELS), sharey=True)
        named: set[int] = set()
        for axes, kind in zip(panels, kinds, strict=True):
            _decision_panel(axes, tasks, set_name, kind)
            axes.set(title=KINDS[kind] if len(kinds) > 1 else "", ylabel="Net benefit, true positives per image")
            lines = _lines(tasks, set_name, kind)
            named |= {one.task.number for one in lines} if name_lines(axes, lines) else set()
        drawn = [task for task in tasks if any(task.curve(set_name, kind) for kind in kinds)]
        if not named >= {task.number for task in drawn}:
            key_above(figure, drawn)

    return Drawing((WIDE[0], _height(WIDE[0], len(kinds))), paint, lambda width: _height(width, len(kinds)))


def _lines(tasks: Sequence[TaskResult], set_name: str, kind: str) -> list[Line]:
    curves = [(task, curve) for task in tasks if (curve := task.curve(set_name, kind))]
    return [Line(task, curve["threshold_probability"], curve["net_benefit"]) for task, curve in curves]


def _decision_panel(axes: "Axes", tasks: Sequence[TaskResult], set_name: str, kind: str) -> None:
    curves = [(task, curve) for task in tasks if (curve := task.curve(set_name, kind))]
    first = curves[0][1]
    highest = max(
        value for _, curve in curves for value in (*curve["net_benefit"], *curve["treat_all"]) if isfinite(value)
    )
    axes.set(xlim=(0, 1), ylim=(-BELOW * highest, ROOM * highest), xlabel="Threshold probability")
    percent(axes, "x")
    axes.plot(first["threshold_probability"], first["treat_all"], color=MUTED[0], linewidth=1)
    axes.plot([0, 1], [0, 0], color=INK[0], linewidth=1)
    _name_references(axes, first)
    for task, curve in curves:
        if len(curves) <= BANDED:
            band(axes, task, curve["threshold_probability"], curve["low"], curve["high"], few=len(curves) <= OVERLAID)
    for task, curve in curves:
        line(axes, task, curve["threshold_probability"], curve["net_benefit"])


def _name_references(axes: "Axes", curve: Curve) -> None:
    """Name what a model has to beat, on the lines themselves."""
    bottom = axes.get_ylim()[0]
    pairs = zip(curve["threshold_probability"], curve["treat_all"], strict=True)
    at = next((x for x, y in pairs if y < bottom * 0.6), None)
    if at is not None:
        axes.annotate(" treat all", (at, bottom * 0.6), va="center", fontsize=7, color=MUTED[0])
    axes.annotate("treat none", (0.99, 0), (0, -3), textcoords="offset points", ha="right", va="top", fontsize=7)
