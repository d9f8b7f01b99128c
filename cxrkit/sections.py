"""What a plugin's section of the report must be."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from cxrkit.api import ReportFigure, ReportSection
from cxrkit.one_line import encodable
from cxrkit.pictures import UnusablePictureError, media_type


def fault(section: Any) -> str | None:
    """Say what, if anything, keeps something that a plugin returned from being shown as a section."""
    if not isinstance(section, ReportSection):
        return f"returned {type(section).__name__}, a ReportSection is needed"
    return next(_faults(section), None)


def _faults(section: ReportSection) -> Iterator[str]:
    if not _is_text(section.title) or not section.title.strip():
        yield f"returned a section with the title {section.title!r}, a text is needed"
    for name in ("paragraphs", "columns"):
        if not _are_texts(getattr(section, name)):
            yield f"returned a section whose {name} are {getattr(section, name)!r}, a tuple of texts is needed"
    for name in ("rows", "figures"):
        if not isinstance(getattr(section, name), list | tuple):  # a generator would be used up by looking at it
            yield f"returned a section whose {name} are {type(getattr(section, name)).__name__}, a tuple is needed"
    for number, row in enumerate(section.rows, start=1):
        if not _are_texts(row) or len(row) != len(section.columns):
            yield f"returned a table whose row {number} is {row!r}, {len(section.columns)} texts are needed"
    for number, figure in enumerate(section.figures, start=1):
        yield from (f"returned a section whose figure {number} {what}" for what in _faults_of_figure(figure))


def _are_texts(values: Iterable[Any]) -> bool:
    return isinstance(values, list | tuple) and all(map(_is_text, values))


def _is_text(value: Any) -> bool:
    """Tell what can be written (no halves of characters) and is shown as it is, as texts of other classes may not be.

    One with ``__html__`` would become a part of the page, and any may run a stranger's code wherever it is used.
    """
    return type(value) in (str, np.str_) and encodable(value) == value


def _faults_of_figure(figure: Any) -> Iterator[str]:
    if not isinstance(figure, ReportFigure):
        yield f"is {type(figure).__name__}, a ReportFigure is needed"
        return
    for name in ("caption", "alt"):
        text = getattr(figure, name)
        if not _is_text(text) or not text.strip():
            yield f"has the {name} {text!r}, a text is needed"
    try:
        media_type(figure.image if isinstance(figure.image, bytes) else b"")
    except UnusablePictureError as unusable:
        yield str(unusable)
