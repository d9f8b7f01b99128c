"""Names as they may be shown: whatever they hold, they stay within their line and their place."""

import re

UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")
"""Line ends and other control characters, what turns the direction of writing, and halves of characters."""


def one_line(text: str) -> str:
    """Make spaces of what would break a line, turn the direction of writing or control a terminal."""
    return UNSEEN.sub(" ", text)


def encodable(text: str) -> str:
    """Make escapes of halves of characters, as Python has of names that are no UTF-8: nothing else can hold them."""
    return text.encode("utf-8", "backslashreplace").decode()
