"""The colours of the report: one for each model everywhere, told apart by colour-blind readers too.

The six differ in lightness as well as in hue, so that they stay apart where red and green, or blue and green, do not
(simulated after Machado et al. 2009), and stand out from white and from dark paper. A shape for each model says the
same once more, for print in grey.
"""

import re
from typing import NamedTuple


class Theme(NamedTuple):
    """Colours of the light and the dark appearance by the name of their CSS variable."""

    light: dict[str, str]
    dark: dict[str, str]


MODELS = (
    ("#1f45b5", "#a2b6fc"),
    ("#dd6100", "#f0700f"),
    ("#138f7f", "#3fe6c8"),
    ("#5a2360", "#ad6196"),
    ("#9c7343", "#ead98a"),
    ("#7f6ca7", "#8660dc"),
)
"""Colour of a model in light and in dark, by its number."""
MARKERS = ("o", "s", "^", "D", "v", "P")
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


def marker(number: int) -> str:
    """Give the shape of a model's points for matplotlib."""
    return MARKERS[number % len(MARKERS)]


def themed(svg: str) -> str:
    """Replace the light theme's colours of a drawing by CSS variables, so that it follows the reader's theme.

    Only tags are changed: a name that looks like a colour stays a name.
    """
    variables = {colour: f"var(--{name})" for name, colour in THEME.light.items()}
    colours = re.compile("|".join(variables))
    return re.sub(r"<[^<>]*>", lambda tag: colours.sub(lambda found: variables[found[0]], tag[0]), svg)
