"""Takes the picture of a report's first page that the README shows: ``docs/report.png``.

Usage: ``python docs/picture.py [REPORT.html]``; without a report it runs ``cxrkit demo``. It needs playwright, which is
in the extra ``test``, and a Chromium or Chrome.
"""

import os
import shutil
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from playwright.sync_api import sync_playwright

PICTURE = Path(__file__).parent / "report.png"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SIZE = {"width": 1100, "height": 1280}  # of the page, in its own pixels
LARGEST = 250_000  # bytes


def main() -> None:
    """Write the picture."""
    with TemporaryDirectory() as folder:
        report = Path(sys.argv[1]) if len(sys.argv) > 1 else demo(Path(folder))
        content = reduced(first_screen(report))
    if len(content) > LARGEST:
        raise SystemExit(f"{PICTURE}: would have {len(content):,} bytes, at most {LARGEST:,} are wanted")
    PICTURE.write_bytes(content)
    sys.stdout.write(f"{PICTURE}\n")


def demo(folder: Path) -> Path:
    """Run the demo into a folder."""
    subprocess.run([sys.executable, "-m", "cxrkit", "demo", str(folder)], check=True)
    return next(folder.rglob("report.html"))


def first_screen(report: Path) -> bytes:
    """Photograph what a reader sees first, in the light theme."""
    program = os.environ.get("CXRKIT_CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    root = hasattr(os, "geteuid") and os.geteuid() == 0  # Chromium refuses its sandbox to root
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, chromium_sandbox=not root)
        page = browser.new_page(viewport=SIZE, device_scale_factor=2, color_scheme="light")
        page.goto(report.resolve().as_uri())
        taken = page.screenshot()
        browser.close()
    return taken


def reduced(picture: bytes) -> bytes:
    """Reduce a picture to a palette that keeps the rare colours, such as the models'."""
    image = (
        Image.open(BytesIO(picture)).convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    )
    written = BytesIO()
    image.save(written, "PNG", optimize=True)
    return written.getvalue()


if __name__ == "__main__":
    main()
