"""The figure of trainings: loss and validation figure by epoch."""

from collections.abc import Sequence
from math import isfinite
from typing import TYPE_CHECKING

from cxrkit.report import wording
from cxrkit.report.drawn.drawing import WIDE, Drawing, grid, rows_at
from cxrkit.report.drawn.marks import Line, key_above, line, name_lines, point
from cxrkit.report.results import SeedResult, TaskResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANELS = 2
UNITS = {"loss": "Loss, nats per image", "roc_auc": "AUC"}


def training(tasks: Sequence[TaskResult]) -> Drawing | None:
    """Draw loss and validation figure by epoch; None where no task was trained here."""
    trained = [task for task in tasks if any(seed.history for seed in task.seeds)]
    if not trained:
        return None
    measure = selection_column(trained)
    metric = measure.removeprefix("val_")

    def height(width: float) -> float:
        return WIDE[1] * rows_at(width, PANELS, PANELS)

    def paint(figure: "Figure") -> None:
        loss, selection = grid(figure, PANELS, PANELS)
        loss.set(xlabel="Epoch", ylabel=UNITS["loss"], title="Loss: validation solid, training dotted")
        told = UNITS.get(metric, wording.label(metric))
        selection.set(xlabel="Epoch", ylabel=told, title=f"Validation {wording.inside(metric)}")
        for axes, column in ((loss, "val_loss"), (selection, measure)):
            _draw(axes, trained, column)
        for task in trained:
            for seed in task.seeds:
                line(loss, task, *_points(seed, "train_loss"), linestyle=":", linewidth=1.2)
        if not name_lines(selection, _lines(trained, measure)):
            key_above(figure, trained)

    return Drawing((WIDE[0], height(WIDE[0])), paint, height)


def _draw(axes: "Axes", tasks: Sequence[TaskResult], column: str) -> None:
    """Draw a figure of every training, with a point at the epoch that was chosen."""
    axes.locator_params(axis="x", integer=True)
    axes.margins(x=0.03)
    for one in _lines(tasks, column):
        line(axes, one.task, one.x, one.y, linewidth=1.3)
    for task in tasks:
        for seed in task.seeds:
            if seed.selected_row is not None and isfinite(seed.selected_row.get(column, float("nan"))):
                point(axes, task, seed.selected_row["epoch"], seed.selected_row[column])


def _lines(tasks: Sequence[TaskResult], column: str) -> list[Line]:
    points = [(task, _points(seed, column)) for task in tasks for seed in task.seeds]
    return [Line(task, *one) for task, one in points if one[0]]


def _points(seed: SeedResult, column: str) -> tuple[list[float], list[float]]:
    rows = [row for row in seed.history if isfinite(row.get(column, float("nan")))]
    return [row["epoch"] for row in rows], [row[column] for row in rows]


def selection_column(tasks: Sequence[TaskResult]) -> str:
    """Name the validation figure that is drawn: the one that chose the epoch, where that is the same for all."""
    select = {(task.info.options.get("trainer") or {}).get("select", "val_roc_auc") for task in tasks}
    columns = {column for task in tasks for seed in task.seeds for row in seed.history[:1] for column in row}
    known = (*(select if len(select) == 1 else ()), "val_roc_auc", "val_balanced_accuracy", "val_accuracy")
    return next((column for column in known if column in columns), "val_loss")
