"""Pictures that come from outside: told by their content, never by their name."""

import io
import warnings
from xml.etree import ElementTree as ET

MOST_BYTES = 2 * 2**20
ALLOWED = "allowed are PNG, JPEG and SVG files of at most 2 MB"
RASTER = {"PNG": "image/png", "JPEG": "image/jpeg", "MPO": "image/jpeg"}  # MPO: JPEG as phones write it
SVG = "image/svg+xml"
SVG_ROOT = "{http://www.w3.org/2000/svg}svg"
LINK = ("href", "{http://www.w3.org/1999/xlink}href")


class UnusablePictureError(ValueError):
    """What keeps a picture from being shown, as what follows its name in a sentence."""


def media_type(content: bytes) -> str:
    """Tell the media type of a PNG, JPEG or SVG file that is whole and needs no other file.

    Raises:
        UnusablePictureError: it is none of these, damaged, too large, or made of other files.
    """
    if len(content) > MOST_BYTES:
        raise UnusablePictureError(f"is too large, {ALLOWED}")
    is_text = not content.startswith((b"\x89PNG", b"\xff\xd8")) and b"svg" in content.replace(b"\0", b"")  # or UTF-16
    return _svg(content) if is_text else _raster(content)


def _raster(content: bytes) -> str:
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as picture:
                picture.load()
                return RASTER[str(picture.format)]
    except UnidentifiedImageError:
        raise UnusablePictureError(f"is no such picture, {ALLOWED}") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnusablePictureError(f"is damaged or far too large ({error}), {ALLOWED}") from None


def _svg(content: bytes) -> str:
    """Check an SVG; as an image it can run no script and load no file, so one that is made of others is told here."""
    try:
        root = ET.fromstring(content)  # noqa: S314 - expat loads nothing from outside and limits what entities grow to
    except (ET.ParseError, LookupError, ValueError) as error:  # the last two of an encoding that cannot be read
        raise UnusablePictureError(f"is no well-formed SVG ({error}), {ALLOWED}") from None
    if root.tag != SVG_ROOT:
        raise UnusablePictureError(f"has the root {root.tag}, an SVG's is svg of http://www.w3.org/2000/svg")
    for element in root.iter():
        for link in [element.get(name) for name in LINK if not str(element.tag).endswith("}a")]:
            if link is not None and not link.startswith(("#", "data:")):
                raise UnusablePictureError(f'shows another file, "{link}", which the report cannot load, embed it')
    return SVG
