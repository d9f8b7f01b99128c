"""Small greyscale copies of the images that the report shows, named by the hash of their file."""

from collections.abc import Iterable
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cxrkit.data.images import read_grey
from cxrkit.data.manifest import Manifest
from cxrkit.files import write_bytes
from cxrkit.rundir import RunDirectory

LONGER_SIDE = 320
"""Pixels: what the report shows is at most this large."""


def write(run: RunDirectory, manifest: Manifest, set_name: str, images: Iterable[str]) -> None:
    """Write the thumbnails of some images of a set, in their aspect ratio; those that exist already stay."""
    rows = manifest.of(set_name).set_index("image")
    for image in images:
        row = rows.loc[image]
        target = run.thumbnail(str(row["sha256"]))
        if not target.is_file():
            write_bytes(target, jpeg(read_grey(manifest.roots[set_name] / image, str(row["sha256"])), LONGER_SIDE))


def jpeg(grey: NDArray[np.uint8], longer_side: int) -> bytes:
    """Write grey values, uint8[height, width], as a JPEG of at most so many pixels on the longer side."""
    picture = Image.fromarray(grey)
    picture.thumbnail((longer_side, longer_side), Image.Resampling.LANCZOS)
    buffer = BytesIO()
    picture.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()
