"""Pictures are told by their content: what is whole and needs no other file is taken, anything else is named."""

import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from cxrkit.pictures import UnusablePictureError, media_type

SVG = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">{}</svg>'


def raster(kind, mode="RGB"):
    buffer = BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (30, 40, 3), np.uint8)).convert(mode).save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (raster("PNG"), "image/png"),
        (raster("PNG", "RGBA"), "image/png"),
        (raster("JPEG"), "image/jpeg"),
        (SVG.format("").encode(), "image/svg+xml"),
        (b'<?xml version="1.0" encoding="UTF-8"?><!-- ours -->' + SVG.format("<g/>").encode(), "image/svg+xml"),
        (
            SVG.format('<g id="a"/><use xlink:href="#a"/><a href="https://example.org"><g/></a>').encode(),
            "image/svg+xml",
        ),
        (SVG.format('<image href="data:image/png;base64,AAAA"/>').encode(), "image/svg+xml"),
        (SVG.format("<text>Ashf\u00f6rd</text>").encode("utf-16"), "image/svg+xml"),
    ],
)
def test_png_jpeg_and_svg_are_taken(content, expected):
    assert media_type(content) == expected


def huge():
    """A PNG that says it has 40,000 by 40,000 pixels."""
    content = bytearray(raster("PNG"))
    content[16:24] = (40_000).to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is no such picture, allowed are PNG, JPEG and SVG files of at most 2 MB"),
        (b"title,authors", "is no such picture"),
        (raster("GIF"), "is no such picture"),
        (raster("PNG")[:-900], "is damaged or far too large"),
        (raster("JPEG")[:200], "is damaged or far too large"),
        (huge(), "is damaged or far too large"),
        (bytes(2 * 2**20 + 1), "is too large, allowed are PNG, JPEG and SVG files of at most 2 MB"),
        (SVG.format("<g>").encode(), "is no well-formed SVG"),
        (b"<html><svg></svg></html>", "has the root html"),
        (b"<svg></svg>", "has the root svg"),
        (b'<?xml version="1.0" encoding="none-such"?>' + SVG.format("").encode(), "is no well-formed SVG"),
        (b'<?xml version="1.0" encoding="shift_jis"?>' + SVG.format("").encode(), "is no well-formed SVG"),
        (
            SVG.format('<image href="part.png"/>').encode(),
            'shows another file, "part.png", which the report cannot load',
        ),
        (SVG.format('<use xlink:href="file:///etc/x#a"/>').encode(), 'shows another file, "file:///etc/x#a"'),
        (SVG.format('<script href="https://example.org/x.js"/>').encode(), "shows another file"),
    ],
)
def test_anything_else_is_told(content, reason):
    with pytest.raises(UnusablePictureError) as error:
        media_type(content)
    assert str(error.value).startswith(reason)
