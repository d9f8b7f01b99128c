"""The images that checks are made on: a small phantom, made once in a process and removed at its end."""

import atexit
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from cxrkit.data import phantom

IMAGES = 40
SIZE = 64


@cache
def folder() -> Path:
    """Give the folder of the phantom: train/, val/ and test/ of class folders, masks/ and phantom.csv."""
    kept = TemporaryDirectory(prefix="cxrkit-")
    atexit.register(kept.cleanup)
    made = Path(kept.name) / "phantom"
    phantom.write(made, images=IMAGES, size=SIZE)
    return made
