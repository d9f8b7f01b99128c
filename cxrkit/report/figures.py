"""The report's curves, drawn from the run directory's files."""

from collections.abc import Sequence
from math import isfinite
from typing import TYPE_CHECKING

from cxrkit.records import Record
from cxrkit.report import palette, wording
from cxrkit.report.drawing import SQUARE, WIDE, Drawing, name_lines, share_axes
from cxrkit.report.palette import INK, MUTED
from cxrkit.report.results import TaskResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Curve = dict[str, list[float]]
ABREAST = 2  # histograms in a row
OVERLAID = 3  # models whose bands and reliability fit into one figure
BINS = 20


def roc(tasks: Sequence[TaskResult], set_name: str) -> Drawing | None:
    """Draw the ROC curves with each task's operating point; None where no task has a curve."""
    curves = [(task, curve) for task in tasks if (curve := task.curve(set_name, "roc"))]
    if not curves:
        return None

    def paint(figure: "Figure") -> None:
        axes = figure.subplots()
        share_axes(axes, "1 \N{MINUS SIGN} specificity (false alarms)", "Sensitivity (found)")
        axes.plot([0, 1], [0, 1], color=MUTED[0], linewidth=0.8, linestyle=(0, (2, 2)))
        for task, curve in curves:
            if len(curves) <= OVERLAID:
                _band(axes, task, curve)
            line(axes, task, curve["fpr"], curve["tpr"])
            specificity, sensitivity = (_value(task, name, set_name) for name in ("specificity", "sensitivity"))
            if specificity is not None and sensitivity is not None:
                point(axes, task, 1 - specificity, sensitivity)
        name_lines(axes, [named(task, "roc_auc", set_name) for task, _ in curves], "lower right")

    return Drawing(SQUARE, paint)


def precision_recall(tasks: Sequence[TaskResult], set_name: str) -> Drawing | None:
    """Draw the precision-recall curves with each task's operating point; None where no task has a curve."""
    curves = [(task, curve) for task in tasks if (curve := task.curve(set_name, "pr"))]
    if not curves:
        return None

    def paint(figure: "Figure") -> None:
        axes = figure.subplots()
        share_axes(axes, "Recall (= sensitivity)", "Precision (= PPV)")
        prevalence = _value(curves[0][0], "prevalence", set_name)
        if prevalence is not None:
            axes.axhline(prevalence, color=MUTED[0], linewidth=0.8, linestyle=(0, (2, 2)))
        for task, curve in curves:
            line(axes, task, curve["recall"], curve["precision"])
            sensitivity, ppv = (_value(task, name, set_name) for name in ("sensitivity", "ppv"))
            if sensitivity is not None and ppv is not None:
                point(axes, task, sensitivity, ppv)
        name_lines(axes, [named(task, "average_precision", set_name) for task, _ in curves], "lower left")

    return Drawing(SQUARE, paint)


def training(tasks: Sequence[TaskResult]) -> Drawing | None:
    """Draw loss and validation figure by epoch; None where no task was trained here."""
    trained = [task for task in tasks if any(seed.history for seed in task.seeds)]
    if not trained:
        return None
    measure = selection_column(trained)

    def paint(figure: "Figure") -> None:
        loss, selection = figure.subplots(1, 2)
        loss.set(xlabel="Epoch", title="Loss: validation solid, training dotted")
        selection.set(xlabel="Epoch", title=f"Validation {wording.inside(measure.removeprefix('val_'))}")
        for task in trained:
            _history(loss, task, "val_loss", "-")
            _history(loss, task, "train_loss", ":")
            _history(selection, task, measure, "-")
            _mark_selected(loss, task, "val_loss")
            _mark_selected(selection, task, measure)
        for axes in (loss, selection):
            axes.xaxis.get_major_locator().set_params(integer=True)
            axes.margins(x=0.03)
        legend_above(figure, trained)

    return Drawing(WIDE, paint)


def selection_column(tasks: Sequence[TaskResult]) -> str:
    """Name the validation figure that is drawn: the one that chose the epoch, where that is the same for all."""
    select = {(task.info.options.get("trainer") or {}).get("select", "val_roc_auc") for task in tasks}
    columns = {column for task in tasks for seed in task.seeds for row in seed.history[:1] for column in row}
    known = (*(select if len(select) == 1 else ()), "val_roc_auc", "val_balanced_accuracy", "val_accuracy")
    return next((column for column in known if column in columns), "val_loss")


def scores(tasks: Sequence[TaskResult], set_name: str) -> Drawing:
    """Draw how the probabilities of both classes are distributed by each model, with its threshold."""
    rows = -(-len(tasks) // ABREAST)
    columns = min(len(tasks), ABREAST)

    def paint(figure: "Figure") -> None:
        alike = all(task.info.scale == "probability" for task in tasks)
        grid = figure.subplots(rows, columns, squeeze=False, sharex=alike, sharey=True).ravel()
        for axes, task in zip(grid, tasks, strict=False):
            _histogram(axes, task, set_name)
        for axes in grid[len(tasks) :]:
            axes.set_visible(False)
        kinds = {task.info.scale.capitalize() for task in tasks}
        what = wording.listed(sorted(kinds), "or")
        figure.supxlabel(f"{what} of {tasks[0].metrics.positive}", fontsize=8)
        figure.supylabel("Images", fontsize=8)

    return Drawing((WIDE[0], 0.35 + 1.75 * rows), paint)


def _histogram(axes: "Axes", task: TaskResult, set_name: str) -> None:
    found = task.predictions(set_name)
    good = found.status == "ok"
    colour = palette.of_model(task.number)
    seen = found.score[good]
    low, high = (0.0, 1.0) if found.scale == "probability" or not len(seen) else (seen.min(), seen.max())
    edges = [low + (high - low) * edge / BINS for edge in range(BINS + 1)]
    axes.hist(found.score[good & found.truth], bins=edges, color=colour, alpha=0.5)
    axes.hist(found.score[good & ~found.truth], bins=edges, histtype="step", color=INK[0], linewidth=1)
    if task.info.threshold is not None:
        axes.axvline(task.info.threshold.value, color=INK[0], linewidth=1, linestyle=(0, (4, 2)))
    axes.set(xlim=(low, high), title=task.name)
    axes.tick_params(labelbottom=True)


def line(axes: "Axes", task: TaskResult, x: list[float], y: list[float]) -> None:
    """Draw a model's curve."""
    axes.plot(x, y, color=palette.of_model(task.number), linestyle=palette.dash(task.number))


def _band(axes: "Axes", task: TaskResult, curve: Curve) -> None:
    if "tpr_low" in curve:
        colour = palette.of_model(task.number)
        axes.fill_between(curve["fpr"], curve["tpr_low"], curve["tpr_high"], color=colour, alpha=0.1, linewidth=0)


def point(axes: "Axes", task: TaskResult, x: float, y: float) -> None:
    """Mark a point of a model's curve."""
    axes.plot([x], [y], marker="o", markersize=6.5, color=palette.of_model(task.number), markeredgecolor=INK[0])


def _history(axes: "Axes", task: TaskResult, column: str, style: str) -> None:
    for seed in task.seeds:
        points = [(row["epoch"], row[column]) for row in seed.history if isfinite(row.get(column, float("nan")))]
        if points:
            axes.plot(*zip(*points, strict=True), color=palette.of_model(task.number), linestyle=style, linewidth=1.3)


def _mark_selected(axes: "Axes", task: TaskResult, column: str) -> None:
    for seed in task.seeds:
        row = seed.selected_row
        if row is not None and column in row:
            point(axes, task, row["epoch"], row[column])


def legend_above(figure: "Figure", tasks: Sequence[TaskResult]) -> None:
    """Name the models above the panels of a figure."""
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], color=palette.of_model(task.number), linewidth=2.5, label=task.name) for task in tasks]
    figure.legend(handles=handles, loc="outside upper left", ncols=4, frameon=False, fontsize=8)


def named(task: TaskResult, metric: str, set_name: str) -> tuple[str, str]:
    """Give a model's name with a figure, and its colour."""
    record: Record | None = task.figure(metric, set_name)
    text = task.name
    if record is not None:
        short = {"average_precision": "AP", "brier": "Brier"}.get(metric, wording.label(metric))
        text += f"  {short} {wording.number(record.value, metric)}"
    return text, palette.of_model(task.number)


def _value(task: TaskResult, metric: str, set_name: str) -> float | None:
    record = task.figure(metric, set_name)
    return record.value if record else None
