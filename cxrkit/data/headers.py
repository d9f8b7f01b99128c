"""What the headers of image files say that keeps them from being decoded; Pillow itself does not look at it."""

import struct
from contextlib import suppress
from typing import BinaryIO

from PIL import Image, TiffTags

MOST_SCANS = 200  # of a JPEG; progressive ones have about ten, and each costs a pass over all pixels
_SCAN = b"\xff\xda"
_PIECE = 1 << 20
_REDUCED, _TILE_WIDTH, _TILE_LENGTH = 254, 322, 323  # tags of TIFF
Size = tuple[int, int]


def webp_canvas(file: BinaryIO) -> Size | None:
    """Read the width and height of a WebP file (RFC 9649); None of any other file. It is left at its beginning.

    Raises:
        ValueError: it begins as WebP does, and goes on as it does not.
    """
    file.seek(0)
    head = file.read(30)
    file.seek(0)
    if head[:4] != b"RIFF" or head[8:12] != b"WEBP":
        return None
    kind = head[12:16].ljust(4)
    if len(head) == 30 and kind == b"VP8X":  # noqa: PLR2004 - as many as were asked for
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    if len(head) == 30 and kind == b"VP8 ":  # noqa: PLR2004
        width, height = struct.unpack("<HH", head[26:30])
        return width & 0x3FFF, height & 0x3FFF
    if len(head) >= 25 and kind == b"VP8L":  # noqa: PLR2004
        bits = int.from_bytes(head[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    raise ValueError("no WebP")


def too_many_scans(file: BinaryIO) -> bool:
    """Tell a JPEG that is made to take long: hardly any bytes, and thousands of passes over its pixels."""
    place, scans, last = file.tell(), 0, b""
    file.seek(0)
    while piece := file.read(_PIECE):
        scans += (last + piece).count(_SCAN)
        last = piece[-1:]
    file.seek(place)
    return scans > MOST_SCANS


def too_large_tiles(image: Image.Image, most: int) -> bool:
    """Tell a TIFF whose tiles, each of which is decoded as a whole, have more than ``most`` pixels."""
    tags = getattr(image, "tag_v2", {})
    return bool(tags.get(_TILE_WIDTH, 0) * tags.get(_TILE_LENGTH, 0) > most)


def has_several(image: Image.Image) -> bool:
    """Tell animations and TIFF files of several pages; a second page that is a smaller copy of the first is none.

    Phones write JPEGs with a second picture that stands in for the first on small screens, which is none either.
    """
    if image.format != "TIFF":
        return image.format != "MPO" and bool(getattr(image, "is_animated", False))
    several = False
    with suppress(Exception):  # EOFError where there is none; anything where what follows is no page
        image.seek(1)
        several = not getattr(image, "tag_v2", {}).get(_REDUCED, 0) & 1
    image.seek(0)
    return several


def read_tags(image: Image.Image) -> None:
    """Have a TIFF of one page read what else it says before its pixels are decoded, which it would do afterwards."""
    if getattr(image, "is_animated", False):
        return
    exif = image.getexif()
    for group in TiffTags.TAGS_V2_GROUPS:
        if group in exif:
            exif.get_ifd(group)
