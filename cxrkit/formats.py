"""The formats that a report is written in."""

from typing import Literal, TypeAlias, get_args

Format: TypeAlias = Literal["html", "pdf", "txt", "json", "md", "latex", "csv"]

FORMATS: tuple[Format, ...] = get_args(Format)
"""All of them, in the order in which they are written: what a reader opens first."""

USUAL: tuple[Format, ...] = ("html", "pdf", "txt")
"""What is written where nothing else is asked for."""
