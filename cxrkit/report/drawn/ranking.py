"""ROC and precision-recall curves and the distribution of probabilities, drawn from the run directory's files."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from cxrkit.api import FloatArray
from cxrkit.evaluation.cells import LARGEST_SCORE
from cxrkit.records import Record
from cxrkit.report import wording
from cxrkit.report.drawn import palette
from cxrkit.report.drawn.drawing import SQUARE, WIDE, Drawing, grid, percent, rows_at, share_axes, shown
from cxrkit.report.drawn.marks import BANDED, DOTTED, band, cross, key_within, line
from cxrkit.report.drawn.palette import INK, MUTED, PAPER
from cxrkit.report.phrases import class_sizes
from cxrkit.report.results import TaskResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Curve = dict[str, list[float]]
ABREAST = 2  # histograms in a row
OVERLAID = 3  # models whose bands and reliability fit into one figure
BINS = 20
CROWDED = 0.95  # from this area on, all curves lie in one corner
CORNERS = (0.05, 0.1, 0.15, 0.2, 0.3)  # sides of the corner that is enlarged
BESIDE = 1.15  # times the farthest interval's end
DISTINCT = 1e-12  # of the largest score: what lies closer together has no room for an axis between
INVISIBLE = 1e-280  # below, matplotlib takes every number for 0
SMALLEST = 0.3  # side of the enlarged corner, a share of the axes; less shows nothing


class Plane(NamedTuple):
    """Where a curve lies: its columns, the figures of its operating point, its area and the corner it strives for."""

    kind: str
    x: str
    y: str
    point: tuple[str, str]
    area: str
    turned: bool  # x is 1 minus its figure


ROC = Plane("roc", "fpr", "tpr", ("specificity", "sensitivity"), "roc_auc", turned=True)
PR = Plane("pr", "recall", "precision", ("sensitivity", "ppv"), "average_precision", turned=False)


def roc(tasks: Sequence[TaskResult], set_name: str) -> Drawing | None:
    """Draw the ROC curves with bands and operating points; None where no task has a curve."""
    sizes = class_sizes(tasks, set_name)
    positive = shown(tasks[0].metrics.positive, 18) if tasks else ""
    with_it, without = (f" of {wording.count(n)}" for n in sizes) if sizes else (" of those", "")
    labels = (f"1 \N{MINUS SIGN} specificity: false alarms{without} without", f"Sensitivity: found{with_it} {positive}")

    def extra(axes: "Axes") -> tuple[str, None]:
        axes.plot([0, 1], [0, 1], color=MUTED[0], linewidth=0.8, linestyle=DOTTED)
        return "guessing, AUC 0.5", None

    return _curves(tasks, set_name, ROC, labels, extra)


def precision_recall(tasks: Sequence[TaskResult], set_name: str) -> Drawing | None:
    """Draw the precision-recall curves with bands and operating points; None where no task has a curve."""
    sizes = class_sizes(tasks, set_name)
    positive = shown(tasks[0].metrics.positive, 18) if tasks else ""
    with_it = f" of {wording.count(sizes[0])}" if sizes else " of those"
    labels = (f"Recall (sensitivity): found{with_it} {positive}", "Precision (PPV): right of all positive calls")
    prevalence = next((one.value for task in tasks if (one := task.figure("prevalence", set_name))), None)

    def extra(axes: "Axes") -> tuple[str, None] | None:
        if prevalence is None:
            return None
        axes.axhline(prevalence, color=MUTED[0], linewidth=0.8, linestyle=DOTTED)
        return f"prevalence {wording.number(prevalence, 'prevalence')}", None

    return _curves(tasks, set_name, PR, labels, extra)


def _curves(
    tasks: Sequence[TaskResult],
    set_name: str,
    plane: Plane,
    labels: tuple[str, str],
    extra: Callable[["Axes"], tuple[str, None] | None],
) -> Drawing | None:
    """Draw curves of the unit square, with their crowded corner enlarged where all lie in it."""
    curves = [(task, curve) for task in tasks if (curve := task.curve(set_name, plane.kind))]
    if not curves:
        return None

    def paint(figure: "Figure") -> None:
        axes = figure.subplots()
        share_axes(axes, *labels)
        dotted = extra(axes)
        rows = [(named(task, plane.area, set_name), task.number) for task, _ in curves]
        corner = "lower right" if plane.turned else "lower left"
        height = key_within(axes, [*rows, *([dotted] if dotted else [])], corner)
        _draw_curves(axes, curves, set_name, plane)
        side = _corner(curves, set_name, plane)
        room = 0.93 - height - 0.09
        if side and room >= SMALLEST:
            inset = _enlarged(axes, side, min(room, 0.6), height + 0.09, plane)
            _draw_curves(inset, curves, set_name, plane, side)

    return Drawing(SQUARE, paint)


def _draw_curves(
    axes: "Axes", curves: Sequence[tuple[TaskResult, Curve]], set_name: str, plane: Plane, side: float = 1.0
) -> None:
    """Draw bands below lines below operating points; ``side``: of the corner that is shown."""
    for task, curve in curves:
        kept = _seen(curve[plane.x], side, plane)
        if f"{plane.y}_low" in curve and len(curves) <= BANDED:
            columns = (curve[name][kept] for name in (plane.x, f"{plane.y}_low", f"{plane.y}_high"))
            band(axes, task, *columns, few=len(curves) <= OVERLAID)
    for task, curve in curves:
        kept = _seen(curve[plane.x], side, plane)
        line(axes, task, curve[plane.x][kept], curve[plane.y][kept])
    for task, _ in curves:
        x, y = (task.figure(name, set_name) for name in plane.point)
        if x is not None and y is not None:
            cross(axes, task, x, y, turned=plane.turned)


def _seen(x: Sequence[float], side: float, plane: Plane) -> slice:
    """Find the points of a curve, ordered by x, that lie in the corner's columns, and a neighbour on each side."""
    inside = [place for place, one in enumerate(x) if (one <= side if plane.turned else one >= 1 - side)]
    return slice(max(inside[0] - 1, 0), inside[-1] + 2) if inside else slice(None)


def _corner(curves: Sequence[tuple[TaskResult, Curve]], set_name: str, plane: Plane) -> float | None:
    """Choose how much of the corner is enlarged: all operating points; None where the curves are not crowded."""
    areas = [record for task, _ in curves if (record := task.figure(plane.area, set_name))]
    if len(areas) < len(curves) or any((one.value or 0) < CROWDED for one in areas):
        return None
    points = [record for task, _ in curves for name in plane.point if (record := task.figure(name, set_name))]
    farthest = max((BESIDE * (1 - _least(record)) for record in points), default=CORNERS[0])
    return next((side for side in CORNERS if side >= farthest), None)


def _least(record: Record) -> float:
    return record.low if record.low is not None else (1.0 if record.value is None else record.value)


def _enlarged(axes: "Axes", side: float, size: float, bottom: float, plane: Plane) -> "Axes":
    """Put a panel for the corner in which the curves lie into the empty part of the square."""
    left = 0.985 - size if plane.turned else 0.16
    inset = axes.inset_axes((left, bottom, size, size), facecolor=PAPER[0])
    x_limits = (0.0, side) if plane.turned else (1 - side, 1.0)
    edge = side / 40
    inset.set(xlim=(x_limits[0] - edge, x_limits[1] + edge), ylim=(1 - side - edge, 1 + edge), aspect="equal")
    percent(inset)
    inset.set(xticks=[x_limits[0], sum(x_limits) / 2, x_limits[1]], yticks=[1 - side, 1 - side / 2, 1.0])
    inset.tick_params(labelsize=6.5, pad=1.5)
    for label in inset.get_yticklabels():
        label.set_bbox({"facecolor": PAPER[0], "edgecolor": "none", "pad": 0.4})
    for spine in inset.spines.values():
        spine.set_visible(True)
    axes.indicate_inset_zoom(inset, edgecolor=MUTED[0], linewidth=0.5, alpha=0.7)
    return inset


# ── Probabilities ─────────────────────────────────────────────────────────────────────────────────────────────────────


def scores(tasks: Sequence[TaskResult], set_name: str) -> Drawing:
    """Draw how the probabilities of both classes are distributed by each model, with its threshold."""

    def height(width: float) -> float:
        return 0.6 + 1.6 * rows_at(width, len(tasks), ABREAST)

    def paint(figure: "Figure") -> None:
        alike = all(task.info.scale == "probability" for task in tasks)
        panels = grid(figure, len(tasks), ABREAST, sharex=alike, sharey=True)
        for axes, task in zip(panels, tasks, strict=True):
            _histogram(axes, task, set_name)
        kinds = {task.info.scale.capitalize() for task in tasks}
        what = wording.listed(sorted(kinds), "or")
        figure.supxlabel(f"{what} of {shown(tasks[0].metrics.positive)}", fontsize=8)
        figure.supylabel("Images", fontsize=8)
        _key_of_classes(figure, tasks, set_name)

    return Drawing((WIDE[0], height(WIDE[0])), paint, height)


def _histogram(axes: "Axes", task: TaskResult, set_name: str) -> None:
    from matplotlib.ticker import StrMethodFormatter

    found = task.predictions(set_name)
    good, colour = found.status == "ok", palette.of_model(task.number)
    seen = found.score[good]
    threshold = None if task.info.threshold is None else task.info.threshold.value
    if threshold is not None and abs(threshold) > LARGEST_SCORE:  # no axis reaches there
        threshold = None
    low, high = (0.0, 1.0) if found.scale == "probability" or not len(seen) else _range(seen, threshold)
    edges = [low + (high - low) * edge / BINS for edge in range(BINS + 1)]
    axes.hist(found.score[good & found.truth], bins=edges, histtype="stepfilled", color=colour, alpha=0.6)
    axes.hist(found.score[good & ~found.truth], bins=edges, histtype="step", color=INK[0], linewidth=1)
    axes.set(xlim=(low, high), title=shown(task.name))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    if threshold is not None:
        _threshold(axes, threshold, (low, high))


def _range(seen: FloatArray, threshold: float | None) -> tuple[float, float]:
    """Choose what an axis of scores shows: all of them and the threshold, with room around where these are one."""
    low, high = float(seen.min()), float(seen.max())
    if threshold is not None and threshold < low:
        low = threshold - (high - threshold) / BINS
    elif threshold is not None and threshold > high:
        high = threshold + (threshold - low) / BINS
    largest = max(abs(low), abs(high))
    if high - low > max(DISTINCT * largest, INVISIBLE):
        return low, high
    room = largest / 10 if largest > INVISIBLE else 1.0
    return low - room, high + room


def _threshold(axes: "Axes", value: float, span: tuple[float, float]) -> None:
    axes.axvline(value, color=INK[0], linewidth=1, linestyle=(0, (4, 2)))
    left = value > sum(span) / 2
    axes.annotate(
        f"threshold {wording.threshold(value)}",
        (value, 0.98),
        (-4 if left else 4, 0),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        ha="right" if left else "left",
        va="top",
        fontsize=7,
        color=MUTED[0],
    )


def _key_of_classes(figure: "Figure", tasks: Sequence[TaskResult], set_name: str) -> None:
    from matplotlib.patches import Patch

    sizes = class_sizes(tasks, set_name)
    with_it, without = (f", n = {wording.count(n)}" for n in sizes) if sizes else ("", "")
    colour = palette.of_model(tasks[0].number) if len(tasks) == 1 else MUTED[0]
    key = figure.legend(
        handles=[Patch(color=colour), Patch(facecolor="none", edgecolor=INK[0], linewidth=1)],
        labels=["filled", "outlined"],
        loc="outside upper left",
        ncols=2,
        frameon=False,
    )
    names = (f"{shown(tasks[0].metrics.positive, 24)}{with_it}", f"without{without}")
    for text, name in zip(key.get_texts(), names, strict=True):
        text.set_text(name)


def named(task: TaskResult, metric: str, set_name: str) -> str:
    """Give a model's name with a figure."""
    record: Record | None = task.figure(metric, set_name)
    text = shown(task.name, 24)
    if record is not None:
        short = {"average_precision": "AP", "brier": "Brier"}.get(metric, wording.label(metric))
        text += f", {short} {wording.number(record.value, metric)}"
    return text
