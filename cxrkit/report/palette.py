"""The colours of the report: one for each model everywhere, told apart by colour-blind readers too.

The hues follow Okabe and Ito (2008), darkened on white and lightened on black until text in them is readable.
"""

from typing import NamedTuple


class Theme(NamedTuple):
    """Colours of the light and the dark appearance by the name of their CSS variable."""

    light: dict[str, str]
    dark: dict[str, str]


MODELS = (
    ("#0069a8", "#62b8ee"),
    ("#c24e00", "#ff9c5b"),
    ("#00825f", "#3dcca0"),
    ("#a2498a", "#e59ac8"),
    ("#8f6a00", "#e6c34a"),
    ("#4f5d75", "#a9b6cc"),
)
INK = ("#1a1d21", "#e8eaed")
MUTED = ("#5a636e", "#a3acb8")
RULE = ("#d9dee4", "#3a424c")
PAPER = ("#ffffff", "#15181c")
DASHES = ("-", (0, (5, 2)), (0, (1.5, 1.5)))  # beyond six models the colours come again, dashed

THEME = Theme(
    light={"ink": INK[0], "muted": MUTED[0], "rule": RULE[0], "paper": PAPER[0]}
    | {f"m{n}": pair[0] for n, pair in enumerate(MODELS)},
    dark={"ink": INK[1], "muted": MUTED[1], "rule": RULE[1], "paper": PAPER[1]}
    | {f"m{n}": pair[1] for n, pair in enumerate(MODELS)},
)


def of_model(number: int) -> str:
    """Give a model's colour on white."""
    return MODELS[number % len(MODELS)][0]


def variable(number: int) -> str:
    """Name the CSS variable of a model's colour."""
    return f"m{number % len(MODELS)}"


def dash(number: int) -> str | tuple[float, tuple[float, ...]]:
    """Give a model's line style for matplotlib."""
    return DASHES[number // len(MODELS) % len(DASHES)]


def themed(svg: str) -> str:
    """Replace the light theme's colours of a drawing by CSS variables, so that it follows the reader's theme."""
    for name, colour in THEME.light.items():
        svg = svg.replace(colour, f"var(--{name})")
    return svg
