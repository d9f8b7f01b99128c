"""Figures of what a model is worth in use: predictive values over prevalence, and decision curves."""

from collections.abc import Sequence
from math import isfinite
from typing import TYPE_CHECKING

from cxrkit.report import palette
from cxrkit.report.drawing import WIDE, Drawing
from cxrkit.report.figures import OVERLAID, Curve, legend_above, line
from cxrkit.report.palette import INK, MUTED
from cxrkit.report.results import TaskResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

KINDS = {"decision": "Probabilities as given", "decision_prior": "Prior-corrected probabilities"}
ROOM = 1.12  # of the highest curve, so that it does not touch the frame
BELOW = 0.25  # share of the height that losses are shown to
PREVALENCES = (0.001, 0.01, 0.05, 0.2, 0.9)


def predictive(tasks: Sequence[TaskResult], set_name: str, marked: Sequence[float]) -> Drawing | None:
    """Draw PPV and NPV over prevalence, with lines at the marked prevalences; None where no task has such a curve."""
    curves = [(task, curve) for task in tasks if (curve := task.curve(set_name, "predictive"))]
    if not curves:
        return None

    def paint(figure: "Figure") -> None:
        for axes, metric in zip(figure.subplots(1, 2), ("ppv", "npv"), strict=True):
            _predictive_panel(axes, curves, metric, marked)
        legend_above(figure, [task for task, _ in curves])

    return Drawing(WIDE, paint)


def _predictive_panel(
    axes: "Axes", curves: Sequence[tuple[TaskResult, Curve]], metric: str, marked: Sequence[float]
) -> None:
    from matplotlib.ticker import PercentFormatter

    axes.set(xscale="log", ylim=(-0.015, 1.015), xlabel="Prevalence", title=metric.upper())
    axes.set_xticks(PREVALENCES, [f"{100 * one:g}%" for one in PREVALENCES])
    axes.minorticks_off()
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    for prevalence in marked:
        axes.axvline(prevalence, color=MUTED[0], linewidth=0.8, linestyle=(0, (2, 2)))
    for task, curve in curves:
        if len(curves) <= OVERLAID:
            _band(axes, task, curve["prevalence"], curve[f"{metric}_low"], curve[f"{metric}_high"])
        line(axes, task, curve["prevalence"], curve[metric])


def decision(tasks: Sequence[TaskResult], set_name: str) -> Drawing | None:
    """Draw net benefit over threshold probability, with treat all and treat none; None where there is no curve."""
    kinds = [kind for kind in KINDS if any(task.curve(set_name, kind) for task in tasks)]
    if not kinds:
        return None

    def paint(figure: "Figure") -> None:
        panels = figure.subplots(1, len(kinds), squeeze=False, sharey=True).ravel()
        for axes, kind in zip(panels, kinds, strict=True):
            _decision_panel(axes, tasks, set_name, kind)
            axes.set_title(KINDS[kind] if len(kinds) > 1 else "")
        panels[0].set_ylabel("Net benefit")
        legend_above(figure, [task for task in tasks if any(task.curve(set_name, kind) for kind in kinds)])

    return Drawing(WIDE if len(kinds) > 1 else (WIDE[0], 3.0), paint)


def _decision_panel(axes: "Axes", tasks: Sequence[TaskResult], set_name: str, kind: str) -> None:
    from matplotlib.ticker import PercentFormatter

    curves = [(task, curve) for task in tasks if (curve := task.curve(set_name, kind))]
    first = curves[0][1]
    highest = max(
        value for _, curve in curves for value in (*curve["net_benefit"], *curve["treat_all"]) if isfinite(value)
    )
    axes.set(xlim=(0, 1), ylim=(-BELOW * highest, ROOM * highest), xlabel="Threshold probability")
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.plot(first["threshold_probability"], first["treat_all"], color=MUTED[0], linewidth=1)
    axes.plot([0, 1], [0, 0], color=INK[0], linewidth=1)
    for task, curve in curves:
        if len(curves) <= OVERLAID:
            _band(axes, task, curve["threshold_probability"], curve["low"], curve["high"])
        line(axes, task, curve["threshold_probability"], curve["net_benefit"])


def _band(axes: "Axes", task: TaskResult, x: list[float], low: list[float], high: list[float]) -> None:
    axes.fill_between(x, low, high, color=palette.of_model(task.number), alpha=0.12, linewidth=0)
