"""What all figures have in common: one look, and SVG that fits into a page."""

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cxrkit.report.palette import INK, MUTED, RULE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FONTS = '"Inter", "Segoe UI", "Helvetica Neue", Arial, "Liberation Sans", "DejaVu Sans", sans-serif'
SQUARE = (3.45, 3.3)  # inches: two of them side by side fill an A4 page's width
WIDE = (6.95, 2.9)

STYLE: Any = {
    "svg.fonttype": "none",  # text stays text: searchable, and in the page's own font
    "svg.hashsalt": "cxrkit",
    "text.parse_math": False,  # names may hold dollar signs
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.labelsize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": MUTED[0],
    "axes.labelcolor": INK[0],
    "axes.titlecolor": INK[0],
    "axes.linewidth": 0.6,
    "axes.grid": True,
    "grid.color": RULE[0],
    "grid.linewidth": 0.5,
    "text.color": INK[0],
    "xtick.color": MUTED[0],
    "ytick.color": MUTED[0],
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 1.5,
    "lines.solid_capstyle": "round",
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
}


@dataclass(frozen=True)
class Drawing:
    """A figure that is drawn only where a format shows it.

    Attributes:
        size: width and height in inches.
        paint: draws into an empty figure in the report's look.
    """

    size: tuple[float, float]
    paint: Callable[["Figure"], None]

    @cached_property
    def svg(self) -> str:
        """The figure as an SVG element in the colours of the light theme, its text as text."""
        from matplotlib import rc_context
        from matplotlib.figure import Figure

        buffer = io.StringIO()
        with rc_context(STYLE):
            figure = Figure(figsize=self.size, layout="constrained")
            self.paint(figure)
            figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
        text = buffer.getvalue()
        return re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)


def within_page(svg: str, name: str) -> str:
    """Make an SVG element fit into a page beside others: identifiers that hold ``name``, the page's own fonts."""
    text = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', svg)
    text = re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', text)
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", text)
    text = re.sub(r"font-family: [^;\"]+", f"font-family: {FONTS.replace(chr(34), chr(39))}", text)
    return re.sub(r"font: ([^;\"]*?)'DejaVu Sans'[^;\"]*", rf"font: \1{FONTS.replace(chr(34), chr(39))}", text)


def share_axes(axes: "Axes", x_label: str, y_label: str) -> None:
    """Prepare a square whose sides are shares from 0 to 100 %."""
    from matplotlib.ticker import PercentFormatter

    axes.set(xlim=(-0.015, 1.015), ylim=(-0.015, 1.015), xlabel=x_label, ylabel=y_label, aspect="equal")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1, decimals=0))
        axis.set_ticks([0, 0.2, 0.4, 0.6, 0.8, 1])


def name_lines(axes: "Axes", lines: list[tuple[str, str]], corner: str) -> None:
    """Write each model's name and figure in its colour into a corner, such as ``lower right``."""
    step = 0.068
    vertical, horizontal = corner.split()
    ordered = lines if vertical == "upper" else lines[::-1]
    for place, (text, colour) in enumerate(ordered):
        axes.text(
            0.97 if horizontal == "right" else 0.03,
            0.97 - step * place if vertical == "upper" else 0.04 + step * place,
            text,
            color=colour,
            ha=horizontal,
            va="top" if vertical == "upper" else "bottom",
            fontsize=7.5,
            fontweight="bold",
            transform=axes.transAxes,
        )
