"""Breaking of text into lines of a width: figures keep their marks, paths break after a slash."""

import re
from textwrap import TextWrapper

from cxrkit.report import wording
from cxrkit.report.content import FEW_MARK

GLUED = re.compile(rf"(?<=[\d%p]) (?=[✗▲▼{FEW_MARK}])|(?<=\d) (?=pp\b)|(?<=[\d%]) (?=to [\d+{wording.MINUS}])")
"""Spaces at which no line ends: before a mark or unit, and within an interval before its ``to``."""

BREAKS = re.compile(r"([ \t\n]+|(?<=/)(?=\S)|(?<=[^\W\d_]{2}-)(?=[^\W\d_]))")
"""Where a line may end: at a space, after a slash, after a hyphen within a word."""


def wrapped(text: str, width: int, *, first: str = "", rest: str = "") -> list[str]:
    """Break a text into lines; a word that is longer than a line is cut.

    Args:
        text: in one line or several.
        width: letters of a line.
        first: indentation of the first line.
        rest: indentation of the others.
    """
    wrapper = TextWrapper(width, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)
    wrapper.wordsep_simple_re = BREAKS
    return wrapper.wrap(_glued(text))


def longest_piece(text: str) -> int:
    """Measure the longest piece of a text that no line end divides."""
    return max((len(piece) for piece in BREAKS.split(_glued(text)) if piece.strip(" \t\n")), default=0)


def _glued(text: str) -> str:
    return GLUED.sub("\N{NO-BREAK SPACE}", text)
