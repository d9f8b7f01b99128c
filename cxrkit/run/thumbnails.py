"""Small greyscale copies of the images that the report shows, named by the hash of their file."""

from collections.abc import Iterable
from io import BytesIO

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
            source = Image.fromarray(read_grey(manifest.roots[set_name] / image))
            source.thumbnail((LONGER_SIDE, LONGER_SIDE), Image.Resampling.LANCZOS)
            buffer = BytesIO()
            source.save(buffer, "JPEG", quality=85)
            write_bytes(target, buffer.getvalue())
