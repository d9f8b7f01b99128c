"""A panel of cases for a paper: each image and the maps of each model, with the bar of their colours."""

from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any

from cxrkit.overlay_colours import bar
from cxrkit.report import wording
from cxrkit.report.content import Case, Gallery, Plot, Report, View
from cxrkit.report.drawn import palette
from cxrkit.report.drawn.drawing import TALLEST, WIDE, Drawing, shown
from cxrkit.report.drawn.map_colours import LEAST
from cxrkit.report.drawn.map_colours import MOST as GREATEST

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = 5  # cases of a panel
MODELS = 4  # whose maps stand beside the image
ABREAST = 6  # pictures in a line of a figure as wide as a page
APART = 0.15  # of a picture's width, between cases side by side
LETTER = 3.7  # points that a letter is wide
ABOVE = 0.45  # inches above each row, for its texts
BAR = 0.14  # inches of the bar


def plots(report: Report) -> Iterator[Plot]:
    """Draw the first errors of the report that have maps, with as many models as a page is wide; none without any."""
    shown_cases = [case for case in _cases(report) if any(view.overlay for view in case.views) and case.picture]
    wrong = _fitting([case for case in shown_cases if any(view.wrong for view in case.views)][:MOST])
    if wrong:
        told = "; ".join(f"{case.image}, shows {case.truth}: {case.verdict.lower()}" for case in wrong)
        yield Plot(
            "maps",
            drawing(wrong),
            f"The first {wording.counted(len(wrong), 'error')} with their activation maps. ✓ right, ✗ wrong; colours: "
            "from no evidence to each map's own greatest value, over the image.",
            "A map shows which regions influenced the result, not why, and it does not locate a lesion.",
            f"Radiographs beside the activation maps of each model. {told}.",
            wide=True,
        )


def _cases(report: Report) -> Iterator[Case]:
    for section in report.sections:
        for block in section.blocks:
            if isinstance(block, Gallery):
                yield from block.cases


def _fitting(cases: Sequence[Case]) -> Sequence[Case]:
    """Take the first cases, as many as a page has room for, one at least."""
    while len(cases) > 1 and drawing(cases).size[1] > TALLEST:
        cases = cases[:-1]
    return cases


def drawing(cases: Sequence[Case]) -> Drawing:
    """Draw the pictures of each case in a row, in their aspect ratio; cases of few pictures stand side by side."""
    models = _models(cases)
    views = [[view for view in case.views if view.model in models] for case in cases]
    of_case = 1 + len(models)
    pictures = [
        [_opened(case.picture), *(_opened(view.overlay) for view in of)] for case, of in zip(cases, views, strict=True)
    ]
    tallest: float = max(
        picture.shape[0] / picture.shape[1] for row in pictures for picture in row if picture is not None
    )

    def side(width: float) -> float:
        abreast = _abreast(width, of_case, len(cases))
        return width / (abreast * (of_case + APART) - APART)

    def height(width: float) -> float:
        rows = -(-len(cases) // _abreast(width, of_case, len(cases)))
        return BAR + ABOVE + rows * (ABOVE + tallest * side(width))

    def paint(figure: "Figure") -> None:
        width = figure.get_figwidth()
        abreast = _abreast(width, of_case, len(cases))
        rows = -(-len(cases) // abreast)
        grid = figure.add_gridspec(
            rows + 1,
            abreast * (of_case + 1) - 1,
            height_ratios=[tallest * side(width)] * rows + [BAR],
            width_ratios=([1] * of_case + [APART]) * (abreast - 1) + [1] * of_case,
        )
        for number, (case, line) in enumerate(zip(cases, pictures, strict=True)):
            row, first = number // abreast, number % abreast * (of_case + 1)
            for column, picture in enumerate(line):
                view = views[number][column - 1] if column else None
                most = int(side(width) * 72 / LETTER)
                title = [shown(one, most) for one in _title(case, view)]
                _picture(figure.add_subplot(grid[row, first + column]), picture, "\n".join(title), view)
        _bar(figure.add_subplot(grid[rows, :]))

    return Drawing((WIDE[0], height(WIDE[0])), paint, lambda width: min(TALLEST, height(width)))


def _abreast(width: float, of_case: int, cases: int) -> int:
    """Say how many cases of so many pictures stand side by side."""
    return max(1, min(cases, round(ABREAST * width / WIDE[0]) // of_case))


def _models(cases: Sequence[Case]) -> list[int]:
    """Name the models that have a map of any of the cases, as many as there is room for; ensembles have none."""
    return sorted({view.model for case in cases for view in case.views if view.overlay})[:MODELS]


def _opened(content: bytes | None) -> Any:
    import numpy as np
    from PIL import Image

    if content is None:
        return None
    with Image.open(BytesIO(content)) as picture:
        return np.asarray(picture.convert("RGB"))


def _title(case: Case, view: View | None) -> tuple[str, str, str]:
    """Name the image and what it shows, or the model and what it said."""
    if view is None:
        return case.image.rsplit("/", 1)[-1], "shows", case.truth
    return view.task, f"{'✗' if view.wrong else '✓'} {view.call}", view.figure or ""


def _picture(axes: "Axes", picture: Any, title: str, view: View | None) -> None:
    """Show the image itself, or a model's map."""
    if picture is not None:
        axes.imshow(picture, interpolation="lanczos")
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_title(title, fontsize=6.5, fontweight="normal")
    if view is not None:
        axes.plot([0, 1], [1, 1], transform=axes.transAxes, color=palette.of_model(view.model), linewidth=2)


def _bar(axes: "Axes") -> None:
    """Draw the colours of the maps from end to end, with what the ends mean."""
    axes.imshow(bar(256)[None], aspect="auto", extent=(0, 1, 0, 1))
    axes.set(xlim=(0, 1), xticks=[], yticks=[])
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    for place, text, side in ((0, LEAST, "left"), (1, GREATEST, "right")):
        axes.annotate(text, (place, 0), (0, -3), textcoords="offset points", ha=side, va="top", fontsize=7)
