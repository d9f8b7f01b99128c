"""The report as one self-contained HTML page; laid out for paper, the same page becomes the PDF."""

from base64 import b64encode
from pathlib import Path

from jinja2 import BaseLoader, ChoiceLoader, FileSystemLoader, PackageLoader, PrefixLoader, StrictUndefined
from jinja2.sandbox import SandboxedEnvironment
from markupsafe import Markup

from cxrkit.report import palette
from cxrkit.report.content import Block, Report
from cxrkit.report.drawing import within_page


def render(report: Report, *, printed: bool = False, templates: Path | None = None) -> str:
    """Render the page.

    Args:
        report: what it says.
        printed: for paper: the light theme, contents with page numbers, figures as images.
        templates: a folder whose files take the place of cxrkit's own of the same name, which they can extend or
            include as ``cxrkit/…``.

    Returns:
        HTML that asks for nothing outside of itself.
    """
    environment = _environment(templates)
    template = environment.get_template("report.html.j2")
    return template.render(report=report, printed=printed, theme=palette.THEME)


def _environment(templates: Path | None) -> SandboxedEnvironment:
    """Prepare Jinja; a template of the user's is a stranger's, hence the sandbox."""
    ours = PackageLoader("cxrkit_templates", "")
    loaders: list[BaseLoader] = [ours, PrefixLoader({"cxrkit": ours})]
    if templates is not None:
        loaders.insert(0, FileSystemLoader(templates))
    environment = SandboxedEnvironment(
        loader=ChoiceLoader(loaders),
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
    environment.globals["source"] = lambda name: _source(environment, name)
    return environment


def _kind(block: Block) -> str:
    """Name the template of a block: ``blocks/<kind>.html.j2``."""
    return type(block).__name__.lower()


def _jpeg(content: bytes) -> str:
    return f"data:image/jpeg;base64,{b64encode(content).decode()}"


def _svg_image(svg: str, name: str) -> str:
    return f"data:image/svg+xml;base64,{b64encode(within_page(svg, name).encode()).decode()}"


def _svg_inline(svg: str, name: str) -> Markup:
    return Markup(palette.themed(within_page(svg, name)))  # noqa: S704 - matplotlib has escaped the names in it


def _tint(share: float | None, model: int) -> str:
    """Shade a cell with the model's colour, as strongly as its share is large."""
    colour = palette.of_model(model).lstrip("#")
    red, green, blue = (int(colour[place : place + 2], 16) for place in (0, 2, 4))
    return f"rgba({red}, {green}, {blue}, {0.55 * (share or 0):.3f})"


def _source(environment: SandboxedEnvironment, name: str) -> Markup:
    """Give a style sheet or script as it is written, the user's where there is one."""
    assert environment.loader is not None  # noqa: S101 - see _environment
    return Markup(environment.loader.get_source(environment, name)[0])  # noqa: S704 - CSS and JavaScript, not names
