"""What all figures have in common: one look, SVG that fits into a page, and files in the widths of journals."""

import io
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from cxrkit.report.drawn.palette import INK, MUTED, PAPER, RULE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Format: TypeAlias = Literal["png", "svg", "pdf"]
FONTS = '"Inter", "Segoe UI", "Helvetica Neue", Arial, "Liberation Sans", "DejaVu Sans", sans-serif'
OF_JOURNALS = ("Arial", "Helvetica", "Liberation Sans")  # what journals ask for; DejaVu Sans comes with matplotlib
SQUARE = (3.45, 3.3)  # inches: two of them side by side fill an A4 page's width
WIDE = (6.95, 2.9)
TALLEST = 9.0  # inches: what a page of a journal holds of a figure above its caption
NAME_LENGTH = 32

STYLE: Any = {
    "svg.fonttype": "none",  # text stays text: searchable, and in the page's own font
    "svg.hashsalt": "cxrkit",
    "pdf.fonttype": 42,  # whole TrueType fonts: text that can be searched and edited
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
    "axes.axisbelow": True,
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
    "legend.fontsize": 7.5,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
}
METADATA: dict[Format, Any] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None, "Format": None, "Type": None},
    "pdf": {"CreationDate": None},
}


@dataclass(frozen=True)
class Drawing:
    """A figure that is drawn only where a format shows it.

    Attributes:
        size: width and height in inches, in the report.
        paint: draws into an empty figure in the report's look.
        height: of a figure of another width, in inches; None where both grow alike.
    """

    size: tuple[float, float]
    paint: Callable[["Figure"], None]
    height: Callable[[float], float] | None = None

    @cached_property
    def svg(self) -> str:
        """The figure as an SVG element in the colours of the light theme, its text as text."""
        text = self._drawn(self.size, "svg", STYLE).decode()
        return re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)

    def file(self, kind: Format, width: float, dpi: int) -> bytes:
        """Draw the figure anew for a file of its own: on white, letters as large as in the report at every width.

        Args:
            kind: ``png``, ``svg`` or ``pdf``.
            width: in millimetres.
            dpi: pixels per inch of a PNG, and of photographs within the others.
        """
        inches = width / 25.4
        height = self.size[1] * inches / self.size[0] if self.height is None else self.height(inches)
        style = STYLE | {"font.family": fonts(), "savefig.facecolor": PAPER[0]}
        content = self._drawn((inches, height), kind, style, dpi)
        return in_tags(content.decode(), _with_fonts).encode() if kind == "svg" else content

    def _drawn(self, size: tuple[float, float], kind: Format, style: Any, dpi: int = 300) -> bytes:
        from matplotlib import rc_context
        from matplotlib.figure import Figure

        buffer = io.BytesIO()
        with rc_context(style), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=r"Glyph .* missing from")  # letters that no font here has
            figure = Figure(figsize=size, layout="constrained")
            self.paint(figure)
            figure.savefig(buffer, format=kind, dpi=dpi, metadata=METADATA[kind])
        return buffer.getvalue()


@cache
def fonts() -> list[str]:
    """Name the fonts of files: what journals ask for where it is installed, and one that has most letters."""
    from matplotlib.font_manager import get_font_names

    installed = set(get_font_names())
    return [*[name for name in OF_JOURNALS if name in installed][:1], "DejaVu Sans"]


def within_page(svg: str, name: str) -> str:
    """Make an SVG element fit into a page beside others: identifiers that hold ``name``, the page's own fonts."""

    def change(tag: str) -> str:
        tag = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', tag)
        tag = re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', tag)
        return _with_fonts(re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", tag))

    return in_tags(svg, change)


def in_tags(svg: str, change: Callable[[str], str]) -> str:
    """Change an SVG's tags and leave what is written between them."""
    return re.sub(r"<[^<>]*>", lambda tag: change(tag[0]), svg)


def _with_fonts(tag: str) -> str:
    names = FONTS.replace('"', "'")
    tag = re.sub(r"font-family: [^;\"]+", f"font-family: {names}", tag)
    return re.sub(r"(font: [^;\"']*?)'[^;\"]*", rf"\1{names}", tag)


def shown(name: str, most: int = NAME_LENGTH) -> str:
    """Write a name in one line of a figure: whatever it holds, and shortened where it is long."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in name).split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


# ── Panels ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def rows_at(width: float, panels: int, abreast: int) -> int:
    """Say how many rows of panels a figure of a width has, in inches, where so many stand abreast in the report."""
    return -(-panels // _columns(width, panels, abreast))


def _columns(width: float, panels: int, abreast: int) -> int:
    return max(1, min(panels, abreast, round(abreast * width / WIDE[0])))


def grid(figure: "Figure", panels: int, abreast: int, **shared: Any) -> list["Axes"]:
    """Give a figure its panels, as many in a row as its width has room for."""
    columns = _columns(figure.get_figwidth(), panels, abreast)
    cells = figure.subplots(-(-panels // columns), columns, squeeze=False, **shared).ravel()
    for axes in cells[panels:]:
        axes.set_visible(False)
    for axes in cells[:panels]:
        axes.tick_params(labelbottom=True)
    return list(cells[:panels])


def share_axes(axes: "Axes", x_label: str, y_label: str) -> None:
    """Prepare a square whose sides are shares from 0 to 100 %."""
    axes.set(xlim=(-0.015, 1.015), ylim=(-0.015, 1.015), xlabel=x_label, ylabel=y_label, aspect="equal")
    percent(axes)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks([0, 0.2, 0.4, 0.6, 0.8, 1])


def width_of(axes: "Axes") -> float:
    """Give the width of the figure that a panel belongs to, in inches."""
    figure = axes.get_figure(root=True)
    return figure.get_figwidth() if figure is not None else WIDE[0]


def size_of(axes: "Axes") -> tuple[float, float]:
    """Give about how wide and high a panel is, in points: its share of the figure before texts take theirs."""
    box, figure = axes.get_position(), axes.get_figure(root=True)
    width, height = figure.get_size_inches() if figure is not None else SQUARE
    return float(width) * box.width * 72, float(height) * box.height * 72


def percent(axes: "Axes", which: str = "xy") -> None:
    """Write shares along the axes as percent."""
    for name in which:
        axis = axes.xaxis if name == "x" else axes.yaxis
        axis.set_major_formatter(lambda value, _: f"{100 * value:.4g}%")
