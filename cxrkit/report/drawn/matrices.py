"""Confusion matrices as figures: the report shows them as tables."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from cxrkit.report import wording
from cxrkit.report.content import Matrices, Matrix, Plot, Report
from cxrkit.report.drawn import palette
from cxrkit.report.drawn.drawing import SQUARE, WIDE, Drawing, shown, width_of
from cxrkit.report.drawn.palette import INK, RULE
from cxrkit.report.phrases import anchor, set_title
from cxrkit.report.results import Results
from cxrkit.rundir import harmless

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FEW = 3  # classes of a matrix that fits twice into one column of a page
SHADE = 0.55  # opacity of a cell that holds a whole row, as in the report
LETTERS, LETTER = 14, 4.6  # of a class name, and the points that one is wide


def plots(report: Report, results: Results) -> Iterator[Plot]:
    """Draw every confusion matrix of the report, counts beside shares."""
    sets = {anchor(results, "results", name): name for name in results.sets}
    for section in report.sections:
        for block in section.blocks:
            if isinstance(block, Matrices) and section.name in sets:
                yield from (_plot(one, results, sets[section.name]) for one in block.matrices)


def _plot(matrix: Matrix, results: Results, set_name: str) -> Plot:
    diagonal = [
        f"{wording.number(row[place], 'sensitivity')} of {name}"
        for place, (name, row) in enumerate(zip(matrix.class_names, matrix.shares, strict=True))
    ]
    rows = zip(matrix.class_names, matrix.counts, strict=True)
    counts = "; ".join(f"of {name}: {_told(row, matrix.class_names)}" for name, row in rows)
    return Plot(
        f"{anchor(results, 'confusion', set_name)}-{harmless(matrix.task)}",
        drawing(matrix),
        f"Confusion matrix of {matrix.task} on the {set_title(set_name)}, {matrix.caption}: counts, and shares of what "
        "the images show.",
        "Rows are what the image shows, columns what the model called it: the diagonal is right.",
        f"{matrix.task} calls {wording.listed(diagonal)} rightly. Images {counts}.",
        wide=len(matrix.class_names) > FEW,
    )


def _told(row: Sequence[int], names: Sequence[str]) -> str:
    return ", ".join(f"{wording.count(n)} called {called}" for n, called in zip(row, names, strict=True))


def drawing(matrix: Matrix) -> Drawing:
    """Draw counts and shares side by side, shaded by share in the model's colour."""
    classes = len(matrix.class_names)
    width = SQUARE[0] if classes <= FEW else WIDE[0]

    def height(inches: float) -> float:
        return 0.9 + min(0.42 * classes, _side(inches))

    def paint(figure: "Figure") -> None:
        counts, shares = figure.subplots(1, 2, sharey=True)
        _panel(counts, matrix, [[wording.count(n) for n in row] for row in matrix.counts])
        _panel(shares, matrix, [[_share(one) for one in row] for row in matrix.shares])
        counts.set_title("Images")
        shares.set_title("Share of the row")
        counts.set_ylabel("shows")

    return Drawing((width, height(width)), paint, height)


def _side(inches: float) -> float:
    """Give the side of a matrix in a figure of a width."""
    return (inches - 0.95) / 2


def _share(share: float | None) -> str:
    return wording.NONE if share is None else wording.number(share, "sensitivity")


def _panel(axes: "Axes", matrix: Matrix, texts: Sequence[Sequence[str]]) -> None:
    from matplotlib.patches import Rectangle

    colour, names = palette.of_model(matrix.model), [shown(name, LETTERS) for name in matrix.class_names]
    for row, line in enumerate(texts):
        for column, text in enumerate(line):
            share = matrix.shares[row][column] or 0.0
            axes.add_patch(Rectangle((column, row), 1, 1, facecolor=colour, alpha=SHADE * share, linewidth=0))
            axes.add_patch(Rectangle((column, row), 1, 1, fill=False, edgecolor=RULE[0], linewidth=0.6))
            axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=7.5)
    middle = [place + 0.5 for place in range(len(names))]
    axes.set(xlim=(0, len(names)), ylim=(len(names), 0), xlabel="called")
    room = _side(width_of(axes)) * 72 / len(names)
    fits = max(map(len, names)) * LETTER <= room
    axes.set_xticks(middle, names, rotation=0 if fits else 35, ha="center" if fits else "right", rotation_mode="anchor")
    axes.set_yticks(middle, names)
    axes.tick_params(length=0, labelcolor=INK[0], labelsize=7)
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
