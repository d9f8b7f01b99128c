"""The report as one self-contained HTML page; laid out for paper, the same page becomes the PDF."""

import json
from base64 import b64encode
from pathlib import Path
from traceback import extract_tb

from jinja2 import (
    BaseLoader,
    ChoiceLoader,
    FileSystemLoader,
    PackageLoader,
    PrefixLoader,
    StrictUndefined,
    TemplateError,
    TemplateNotFound,
)
from jinja2.sandbox import ImmutableSandboxedEnvironment, SandboxedEnvironment
from markupsafe import Markup

from cxrkit.errors import InputError
from cxrkit.report.chapters import explorer
from cxrkit.report.content import Block, Explorer, Logo, Picture, Report
from cxrkit.report.drawn import palette
from cxrkit.report.drawn.drawing import within_page
from cxrkit.report.formats.paging import on_pages, on_paper
from cxrkit.report.one_line import in_lines

OURS = "cxrkit"
"""What cxrkit's own templates can be called with, also where the user has one of the same name."""


def render(report: Report, *, printed: bool = False, templates: Path | None = None) -> str:
    """Render the page.

    Args:
        report: what it says.
        printed: for paper: the light theme, contents with page numbers, figures as images.
        templates: a folder whose files take the place of cxrkit's own of the same name, which they can extend or
            include as ``cxrkit/…``.

    Returns:
        HTML that asks for nothing outside of itself.

    Raises:
        InputError: a template of the user's fails; names its file and line.
    """
    try:
        template = environment(templates).get_template("report.html.j2")
        shown = in_lines(on_pages(on_paper(report) if printed else report))
        return template.render(report=shown, printed=printed, theme=palette.THEME)
    except Exception as error:  # a template is code of a stranger's and may raise anything
        place = None if templates is None else _place(error, templates)
        if place is None:
            raise
        raise InputError(f"{place}: {_reason(error)}; docs/templates.md says what a template is given") from error


def own_names() -> list[str]:
    """List the names of cxrkit's own templates, style sheets and scripts that a report is made of."""
    return [name for name in _ours().list_templates() if name.endswith((".html.j2", ".css", ".js"))]


def _place(error: BaseException, templates: Path) -> str | None:
    """Find the innermost line of the user's templates that an error came through."""
    lines = [
        f"{frame.filename}: line {frame.lineno}"
        for frame in extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(templates)
    ]
    return lines[-1] if lines else None


def _reason(error: Exception) -> str:
    if isinstance(error, TemplateNotFound):
        return f'no template "{error.name}"'
    kind = "" if isinstance(error, TemplateError) else f"{type(error).__name__}: "
    return " ".join(f"{kind}{error}".split()).rstrip(".")


def _ours() -> PackageLoader:
    return PackageLoader("cxrkit_templates", "")


def environment(templates: Path | None) -> SandboxedEnvironment:
    """Prepare Jinja; a template of the user's is a stranger's, hence the sandbox."""
    ours = _ours()
    loaders: list[BaseLoader] = [ours, PrefixLoader({OURS: ours})]
    if templates is not None:
        loaders.insert(0, FileSystemLoader(templates))
    environment = ImmutableSandboxedEnvironment(
        loader=ChoiceLoader(loaders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "kind": _kind,
        "embedded": _embedded,
        "jpeg": _jpeg,
        "data_uri": _data_uri,
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


def _embedded(block: Explorer) -> Markup:
    """Give the explorer's data as JSON that cannot end the script element that holds it."""
    text = json.dumps(explorer.embedded(block), separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))  # noqa: S704 - JSON in ASCII, without a single "<"


def _jpeg(content: bytes) -> str:
    return f"data:image/jpeg;base64,{b64encode(content).decode()}"


def _data_uri(picture: Logo | Picture) -> str:
    return f"data:{picture.media_type};base64,{b64encode(picture.content).decode()}"


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
    assert environment.loader is not None  # noqa: S101 - see environment
    return Markup(environment.loader.get_source(environment, name)[0])  # noqa: S704 - CSS and JavaScript, not names
