"""What figures draw of a model: its line, its band, its points with their intervals, and its name beside them."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

from cxrkit.records import Record
from cxrkit.report.drawn import palette
from cxrkit.report.drawn.drawing import shown, size_of
from cxrkit.report.drawn.palette import INK, MUTED, PAPER
from cxrkit.report.results import TaskResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BANDED = 6  # models whose bands can be told apart in one panel
DOTTED: Any = (0, (2, 2))
RESOLUTION = 500  # parts of an axis that a thinned line is true to a ninth of; print at 300 dpi shows fewer
PLACES = 90  # along an axis, where a name may stand
LETTER, LINE = 4.6, 12.0  # points that a letter of a name is wide, and a line is high
ROOM = 0.6  # of a line's height, from the middle of a name to the nearest other line
FAINT = {True: 0.13, False: 0.08}  # opacity of bands, of a few and of many


@dataclass(frozen=True)
class Line:
    """A model's line in a panel."""

    task: TaskResult
    x: Sequence[float]
    y: Sequence[float]


def line(axes: "Axes", task: TaskResult, x: Sequence[float], y: Sequence[float], **style: Any) -> None:
    """Draw a model's line."""
    look = {"linestyle": palette.dash(task.number), **style}
    axes.plot(x, y, color=palette.of_model(task.number), **look)


def band(
    axes: "Axes",
    task: TaskResult,
    x: Sequence[float],
    low: Sequence[float],
    high: Sequence[float],
    *,
    few: bool = True,
) -> None:
    """Fill what lies between the bounds of a model's line, fainter where there are more than a ``few`` bands."""
    known = [place for place, pair in enumerate(zip(low, high, strict=True)) if all(map(isfinite, pair))]
    if not known:
        return
    lower, upper = (thinned([x[one] for one in known], [side[one] for one in known]) for side in (low, high))
    corners = [*zip(*lower, strict=True), *reversed([*zip(*upper, strict=True)])]
    axes.fill(*zip(*corners, strict=True), color=palette.of_model(task.number), alpha=FAINT[few], linewidth=0)


def thinned(x: Sequence[float], y: Sequence[float]) -> tuple[list[float], list[float]]:
    """Leave out points of a line within the unit square that nobody can miss; the ends stay."""
    import numpy as np
    from matplotlib.path import Path

    given = np.column_stack([x, y])
    drawn: Any = Path(given * RESOLUTION).cleaned(simplify=True, remove_nans=False)
    kept = drawn.vertices[drawn.codes != Path.STOP] / RESOLUTION
    ends = np.concatenate([given[:1], kept[1:-1], given[-1:]]) if len(kept) > 1 else given
    return ends[:, 0].tolist(), ends[:, 1].tolist()


def point(axes: "Axes", task: TaskResult, x: float, y: float) -> None:
    """Mark a point of a model's line in the model's shape."""
    axes.plot(
        *([x], [y]),
        marker=palette.marker(task.number),
        markersize=5.2,
        color=palette.of_model(task.number),
        markeredgecolor=PAPER[0],
        markeredgewidth=0.7,
        zorder=4,
        clip_on=False,
    )


def cross(axes: "Axes", task: TaskResult, x: Record, y: Record, *, turned: bool = False) -> None:
    """Mark an operating point with the intervals of both its figures; ``turned``: x is drawn as 1 minus itself."""
    if x.value is None or y.value is None:
        return
    place = 1 - x.value if turned else x.value
    style: Any = {"color": palette.of_model(task.number), "linewidth": 1.0, "zorder": 3, "solid_capstyle": "butt"}
    if x.low is not None and x.high is not None:
        axes.plot([1 - x.low, 1 - x.high] if turned else [x.low, x.high], [y.value, y.value], **style)
    if y.low is not None and y.high is not None:
        axes.plot([place, place], [y.low, y.high], **style)
    point(axes, task, place, y.value)


# ── Names ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def key_above(figure: "Figure", tasks: Sequence[TaskResult]) -> None:
    """Name the models above the panels of a figure, where their lines have no room for names."""
    columns = max(1, min(len(tasks), round(figure.get_figwidth() * 0.65)))
    key = figure.legend(
        handles=[_sample(task.number) for task in tasks],
        labels=[str(place) for place in range(len(tasks))],
        loc="outside upper left",
        ncols=columns,
        frameon=False,
    )
    _write(key, [task.name for task in tasks])


def key_within(axes: "Axes", rows: Sequence[tuple[str, int | None]], corner: str) -> float:
    """Name lines in a corner, a model's by its number, what is dotted by None; give the height, a share of the axes."""
    samples = [_sample(number) for _, number in rows]
    place: Any = corner
    key = axes.legend(
        samples,
        [str(number) for number in range(len(rows))],
        loc=place,
        frameon=False,
        handlelength=2.2,
        labelspacing=0.3,
        borderaxespad=0.2,
    )
    _write(key, [text for text, _ in rows], 48)
    return (len(rows) * LINE + 4) / size_of(axes)[1]


def name_lines(axes: "Axes", lines: Sequence[Line]) -> bool:
    """Write each model's name on its line, where that lies far from the others; False where one has no such place."""
    import numpy as np

    lines = [one for one in lines if _known(one)]  # one may have no figure at all
    axes.get_xlim(), axes.get_ylim()  # matplotlib finds limits of its own only when asked for them
    wide, high = size_of(axes)
    across = np.linspace(0, 1, PLACES)
    levels = np.array([_levels(axes, one, across) for one in lines])
    taken: list[tuple[int, float, int]] = []
    for number, task in {one.task.number: one.task for one in lines}.items():
        own = next(place for place, one in enumerate(lines) if one.task.number == number)
        others = [place for place, one in enumerate(lines) if one.task.number != number]
        reach = max(1, round(LETTER * len(shown(task.name)) / 2 / wide * PLACES))
        room = _room(levels, own, others, reach) * high
        for place, level, taken_reach in taken:
            near = np.abs(np.arange(PLACES) - place) <= reach + taken_reach
            room[near & (np.abs(levels[own] - level) * high < LINE)] = -1
        best = int(np.argmax(room))
        if room[best] < LINE * ROOM:
            return False
        taken.append((best, levels[own, best], reach))
    names = {one.task.number: shown(one.task.name) for one in lines}.values()
    for (place, level, _), name in zip(taken, names, strict=True):
        _name(axes, across[place], level, name)
    return True


def _name(axes: "Axes", x: float, y: float, name: str) -> None:
    axes.text(
        *(x, y, name),
        transform=axes.transAxes,
        ha="center",
        va="center",
        fontsize=7.5,
        bbox={"facecolor": PAPER[0], "edgecolor": "none", "pad": 0.6},
        zorder=5,
    )


def _levels(axes: "Axes", one: Line, places: Any) -> Any:
    """Find how high a line is at places along the axes, both as shares of them; NaN where it is not."""
    import numpy as np

    seen = (axes.transScale + axes.transLimits).transform(np.array(_known(one)))
    return np.interp(places, seen[:, 0], seen[:, 1], left=np.nan, right=np.nan)


def _known(one: Line) -> list[tuple[float, float]]:
    return [pair for pair in zip(one.x, one.y, strict=True) if all(map(isfinite, pair))]


def _room(levels: Any, name: int, others: Sequence[int], reach: int) -> Any:
    """Find, for each place, how far a name on its line is from every other line along the name's length."""
    import numpy as np

    room = np.full(levels.shape[1], -1.0)
    for place in range(reach + 2, levels.shape[1] - reach - 1):
        level = levels[name, place]
        if np.isfinite(level):
            beside = levels[others, place - reach : place + reach + 1]
            apart = np.abs(beside - level)
            room[place] = min(np.min(apart[np.isfinite(apart)], initial=0.5), 2 * level, 2 * (1 - level))
    return room


def _sample(number: int | None) -> Any:
    from matplotlib.lines import Line2D

    if number is None:
        return Line2D([], [], color=MUTED[0], linewidth=0.8, linestyle=DOTTED)
    style: Any = palette.dash(number)
    return Line2D(
        *([], []),
        color=palette.of_model(number),
        linestyle=style,
        marker=palette.marker(number),
        markersize=4.4,
    )


def _write(key: Any, names: Sequence[str], most: int = 32) -> None:
    """Write names into a key; given as labels, those that begin with an underscore would be left out."""
    for text, name in zip(key.get_texts(), names, strict=True):
        text.set_text(shown(name, most))
        text.set_color(INK[0])
