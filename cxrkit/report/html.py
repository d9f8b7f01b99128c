"""The report as one self-contained HTML page; laid out for paper, the same page becomes the PDF."""

from base64 import b64encode
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from cxrkit.report import palette
from cxrkit.report.content import Block, Report
from cxrkit.report.drawing import within_page


def render(report: Report, *, printed: bool = False) -> str:
    """Render the page.

    Args:
        report: what it says.
        printed: for paper: the light theme, contents with page numbers, figures as images.

    Returns:
        HTML that asks for nothing outside of itself.
    """
    template = _environment().get_template("report.html.j2")
    return template.render(
        report=report,
        printed=printed,
        theme=palette.THEME,
        style=Markup(_style("report.css") + _style("print.css" if printed else "screen.css")),  # noqa: S704 - ours
    )


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("cxrkit_templates", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "kind": _kind,
        "jpeg": _jpeg,
        "svg_image": _svg_image,
        "svg_inline": _svg_inline,
        "colour": palette.variable,
        "tint": _tint,
    }
    return environment


def _kind(block: Block) -> str:
    return type(block).__name__


def _jpeg(content: bytes) -> str:
    return f"data:image/jpeg;base64,{b64encode(content).decode()}"


def _svg_image(svg: str, name: str) -> str:
    svg = within_page(svg, name)
    return f"data:image/svg+xml;base64,{b64encode(svg.encode()).decode()}"


def _svg_inline(svg: str, name: str) -> Markup:
    return Markup(palette.themed(within_page(svg, name)))  # noqa: S704 - matplotlib has escaped the names in it


def _tint(share: float | None, model: int) -> str:
    """Shade a cell with the model's colour, as strongly as its share is large."""
    colour = palette.of_model(model).lstrip("#")
    red, green, blue = (int(colour[place : place + 2], 16) for place in (0, 2, 4))
    return f"rgba({red}, {green}, {blue}, {0.55 * (share or 0):.3f})"


def _style(name: str) -> str:
    return files("cxrkit_templates").joinpath(name).read_text(encoding="utf-8")
