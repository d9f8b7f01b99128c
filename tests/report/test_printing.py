"""What the PDF may load: nothing but what the page holds."""

import subprocess
import sys
from base64 import b64encode
from io import BytesIO

from PIL import Image
from pypdf import PdfReader

PAGE = """<!DOCTYPE html><html lang="en"><head><title>T</title><link rel="stylesheet" href="{css}"></head>
<body><p>Text</p><img src="{outside}" alt="outside"><img src="{inside}" alt="inside"><img src="{svg}" alt="svg"></body>
</html>"""


def png(colour):
    buffer = BytesIO()
    Image.new("RGB", (7, 5), colour).save(buffer, format="PNG")
    return buffer.getvalue()


def test_pictures_come_from_the_page_alone(tmp_path):
    (tmp_path / "secret.png").write_bytes(png("red"))
    (tmp_path / "big.css").write_text("@page { size: 99mm 99mm }", encoding="utf-8")
    outside = (tmp_path / "secret.png").as_uri()
    image = f'<image href="{outside}" width="9" height="9"/>'
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">{image}</svg>'
    page = PAGE.format(
        css=(tmp_path / "big.css").as_uri(),
        outside=outside,
        inside=f"data:image/png;base64,{b64encode(png('blue')).decode()}",
        svg=f"data:image/svg+xml;base64,{b64encode(svg.encode()).decode()}",
    )
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    command = [sys.executable, "-m", "cxrkit.printing", str(tmp_path / "page.html"), str(tmp_path / "page.pdf")]
    subprocess.run(command, check=True)  # a process of its own, as WeasyPrint makes Pillow lenient
    (sheet,) = PdfReader(tmp_path / "page.pdf").pages
    assert round(float(sheet.mediabox.width)) == 595  # A4: the style sheet of the file was not read
    assert [image.image.convert("RGB").getpixel((0, 0)) for image in sheet.images] == [(0, 0, 255)]
