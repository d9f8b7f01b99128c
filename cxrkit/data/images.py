"""Read image files as grey values, and say of any other file why it is none."""

import hashlib
import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from cxrkit.data import dicom
from cxrkit.errors import InputError

SUFFIXES = frozenset({".jpeg", ".jpg", ".png", ".tif", ".tiff", ".bmp", ".webp"}) | dicom.SUFFIXES
FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "WEBP")  # no others: some of Pillow's readers start programs
MOST_PIXELS = 100_000_000  # radiographs have up to about 25 million
FEWEST_PIXELS = 8  # on a side
THUMBNAIL = 32  # pixels, height and width
_ORIENTATION = 0x0112  # EXIF tag; from 5 on, width and height are swapped
_WHITE_12_BIT, _WHITE_16_BIT = 4095, 65535
_SIXTEEN_BIT = ("I;16", "I;16B", "I;16L", "I;16N", "I")
logging.getLogger("PIL").addHandler(logging.NullHandler())  # else damaged TIFF files speak on stderr
_TOO_LARGE = f"more than {MOST_PIXELS // 1_000_000} megapixels"
_readers_lock = threading.Lock()
_readers: list[ExitStack] = []  # one a thread; the first, closed last, holds the silence


class UnreadableImage(InputError):  # noqa: N818 - named for what it tells of a file, which is excluded rather than fatal
    """A file that cannot be used as an image.

    Attributes:
        reason: why, in the same words for every such file, so that they can be counted.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}, only readable images can be used")
        self.path = path
        self.reason = reason

    def __reduce__(self) -> tuple[type, tuple[Path, str]]:
        """Pass through a process boundary with both arguments."""
        return type(self), (self.path, self.reason)


class Look(NamedTuple):
    """What an image looks like, in few bytes: what an audit compares.

    Attributes:
        mode: Pillow's name of the pixel format (``L``, ``RGB``, ``I;16``).
        thumbnail: the grey values of 32 x 32 pixels, row by row, whatever the image's aspect ratio.
    """

    mode: str
    thumbnail: bytes


@dataclass(frozen=True)
class Inspection:
    """What a file turned out to be.

    Attributes:
        sha256: of the file's bytes, hexadecimal; empty where it cannot be opened.
        width, height: pixels as displayed (EXIF orientation applied); 0 where unreadable.
        look: of the image as displayed; None where unreadable.
        reason: why it cannot be used, or None.
    """

    sha256: str = ""
    width: int = 0
    height: int = 0
    look: Look | None = None
    reason: str | None = None


def read_grey(path: Path) -> NDArray[np.uint8]:
    """Read an image as grey values, whatever its format.

    Colour becomes luma (``L``), EXIF orientation is applied. Values of 16 bits are scaled by their full range, those
    that stay within 12 bits by that of 12 bits, so that detectors' usual 12-bit exports are not nearly black. DICOM is
    recognised by its content and shown as it asks to be (:func:`cxrkit.data.dicom.opened`).

    Returns:
        uint8[height, width].

    Raises:
        UnreadableImage: the file is missing, empty, truncated, no image, too large or too small.
    """
    with _reading(path), path.open("rb") as file:
        image = _opened(file, path)
        return np.asarray(ImageOps.exif_transpose(_as_grey(image, path)))


def probe(path: Path) -> tuple[int, int]:
    """Decode an image to its end to know that it can be read.

    Returns:
        width and height in pixels, as displayed.

    Raises:
        UnreadableImage: see :func:`read_grey`.
    """
    with _reading(path):
        width, height, _ = _probed(path.read_bytes(), path)
    return width, height


def inspect(path: Path) -> Inspection:
    """Hash a file and decode it to its end; never raises for what is wrong with the file."""
    try:
        with _reading(path):
            content = path.read_bytes()
    except UnreadableImage as error:
        return Inspection(reason=error.reason)
    digest = hashlib.sha256(content).hexdigest()
    try:
        with _reading(path):
            width, height, look = _probed(content, path)
    except UnreadableImage as error:
        return Inspection(digest, reason=error.reason)
    return Inspection(digest, width, height, look)


def burned_in(path: Path) -> bool:
    """Tell whether a readable DICOM file says that its pixels hold text of the patient (BurnedInAnnotation).

    Raises:
        UnreadableImage: see :func:`read_grey`.
    """
    with _reading(path), path.open("rb") as file:
        return dicom.is_dicom(file) and dicom.burned_in(file)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        with _without_warnings():
            yield
    except UnreadableImage:
        raise
    except FileNotFoundError:
        raise UnreadableImage(path, "missing file") from None
    except (PermissionError, IsADirectoryError):
        raise UnreadableImage(path, "cannot be opened") from None
    except UnidentifiedImageError:
        raise UnreadableImage(path, "no image by its content") from None
    except dicom.UnusableDicomError as error:
        raise UnreadableImage(path, str(error)) from None
    except Image.DecompressionBombError:
        raise UnreadableImage(path, _TOO_LARGE) from None
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - Pillow's readers raise whatever a damaged file makes them stumble over
        raise UnreadableImage(path, "truncated or damaged") from None


def _opened(file: IO[bytes], path: Path) -> Image.Image:
    if not file.read(1):
        raise UnreadableImage(path, "empty file")
    if dicom.is_dicom(file):
        return dicom.opened(file, partial(_check_size, path))
    image = Image.open(file, formats=FORMATS)
    _check_size(path, image.size)
    return image


def _check_size(path: Path, size: tuple[int, int]) -> None:
    if size[0] * size[1] > MOST_PIXELS:
        raise UnreadableImage(path, _TOO_LARGE)
    if min(size) < FEWEST_PIXELS:
        raise UnreadableImage(path, f"less than {FEWEST_PIXELS} pixels wide or high")


def _as_grey(image: Image.Image, path: Path) -> Image.Image:
    if image.mode == "F":
        raise UnreadableImage(path, "floating-point pixels, of which no white is known")
    if image.mode not in _SIXTEEN_BIT:
        return image.convert("L")
    values = np.asarray(image).astype(np.float64)
    if values.min() < 0 or values.max() > _WHITE_16_BIT:
        raise UnreadableImage(path, "32-bit pixels, of which no white is known")
    white = _WHITE_16_BIT if values.max() > _WHITE_12_BIT else _WHITE_12_BIT
    grey = Image.fromarray(np.round(values * (255 / white)).astype(np.uint8))
    grey.info.update(image.info)
    grey.getexif()[_ORIENTATION] = image.getexif().get(_ORIENTATION, 1)
    return grey


def _probed(content: bytes, path: Path) -> tuple[int, int, Look]:
    image = _opened(BytesIO(content), path)
    (width, height), mode = image.size, image.mode
    small = (THUMBNAIL, THUMBNAIL)
    image.draft("L", small)  # a JPEG is then read to its end, but its transform made at an eighth of the size
    thumbnail = _as_grey(image, path).resize(small, Image.Resampling.BILINEAR)
    if (orientation := image.getexif().get(_ORIENTATION, 1)) != 1:
        thumbnail = ImageOps.exif_transpose(thumbnail)
    width, height = (height, width) if orientation in range(5, 9) else (width, height)
    return width, height, Look(mode, thumbnail.tobytes())


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Silence Pillow and pydicom, for all threads at once: ``catch_warnings`` itself must not be entered by two."""
    with _readers_lock:
        silence = ExitStack()
        if not _readers:
            silence.enter_context(warnings.catch_warnings())
            warnings.filterwarnings("ignore", module=r"(PIL|pydicom|cxrkit\.data\.dicom)\b")
        _readers.append(silence)
    try:
        yield
    finally:
        with _readers_lock:
            _readers.pop().close()
