"""Rows of small pictures as a figure: the report shows them one by one."""

from collections.abc import Iterator
from io import BytesIO
from typing import TYPE_CHECKING, Any

from cxrkit.report.content import Plot, Report, Tile, TileRow, Tiles
from cxrkit.report.drawn.drawing import TALLEST, WIDE, Drawing, shown
from cxrkit.report.drawn.palette import INK, MUTED

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ABREAST = 8  # pictures in a line of a figure as wide as a page
TITLE, CAPTION = 0.2, 0.16  # inches: above each row, below each picture
GAP, APART = 0.06, 0.2  # inches: between pictures, between rows side by side
LETTER = 3.7  # points that a letter is wide
UPRIGHT = 1.3  # height by width of a picture that fills its place


def plots(report: Report) -> Iterator[Plot]:
    """Draw the small pictures of a report."""
    for section in report.sections:
        for block in section.blocks:
            if isinstance(block, Tiles):
                yield plot(block)


def plot(block: Tiles) -> Plot:
    """Make a figure of rows of small pictures."""
    return Plot(block.name, drawing(block.rows), block.caption, block.reading, block.alt, wide=True)


def drawing(rows: tuple[TileRow, ...]) -> Drawing:
    """Draw the rows, short ones beside each other as far as the width allows, no higher than a page."""
    pictures = [[_opened(tile) for tile in row.tiles] for row in rows]
    longest = max(len(row.tiles) for row in rows)
    tallest: float = min(UPRIGHT, max(picture.shape[0] / picture.shape[1] for row in pictures for picture in row))

    def height(width: float) -> float:
        lines = -(-len(rows) // _abreast(width, longest))
        return min(TALLEST, lines * (TITLE + CAPTION + GAP + tallest * _side(width, longest)))

    def paint(figure: "Figure") -> None:
        figure.set_layout_engine("none")
        width, high = figure.get_size_inches()
        abreast, side = _abreast(width, longest), _side(width, longest)
        group = longest * (side + GAP) - GAP
        line = high / -(-len(rows) // abreast)
        for number, (row, images) in enumerate(zip(rows, pictures, strict=True)):
            left, top = (number % abreast) * (group + APART), high - (number // abreast) * line
            letters = int(group * 72 / LETTER)
            _write(figure, left, top - TITLE / 2, shown(row.title, letters), fontsize=7.5, color=INK[0])
            for place, (tile, image) in enumerate(zip(row.tiles, images, strict=True)):
                x, y = left + place * (side + GAP), top - line + CAPTION + GAP
                _picture(figure, image, (x, y, side, line - TITLE - CAPTION - GAP))
                below = shown(tile.caption, int(side * 72 / LETTER))
                _write(figure, x, top - line + GAP + CAPTION / 2, below, fontsize=6.5, color=MUTED[0])

    return Drawing((WIDE[0], height(WIDE[0])), paint, height)


def _abreast(width: float, longest: int) -> int:
    """Say how many rows of so many pictures stand side by side."""
    return max(1, round(ABREAST * width / WIDE[0]) // longest)


def _side(width: float, longest: int) -> float:
    """Give the width of a picture, in inches."""
    abreast = _abreast(width, longest)
    return ((width + APART) / abreast - APART + GAP) / longest - GAP


def _write(figure: "Figure", x: float, y: float, text: str, **look: Any) -> None:
    width, height = figure.get_size_inches()
    figure.text(x / width, y / height, text, ha="left", va="center", **look)


def _picture(figure: "Figure", image: Any, box: tuple[float, float, float, float]) -> None:
    """Show a picture in a box of inches from the lower left, in its aspect ratio."""
    width, height = figure.get_size_inches()
    axes = figure.add_axes((box[0] / width, box[1] / height, box[2] / width, box[3] / height))
    axes.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="lanczos")
    axes.set_anchor("SW")
    axes.set_axis_off()


def _opened(tile: Tile) -> Any:
    import numpy as np
    from PIL import Image

    with Image.open(BytesIO(tile.picture)) as picture:
        return np.asarray(picture.convert("L"))
