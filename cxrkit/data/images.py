"""Read image files as grey values, and say of any other file why it is none."""

import errno
import hashlib
import logging
import os
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from cxrkit import bounded
from cxrkit.data import dicom, headers, libtiff
from cxrkit.data.measured import Measured, TooMuchError
from cxrkit.errors import InputError, SurroundingsError

SUFFIXES = frozenset({".jpeg", ".jpg", ".png", ".tif", ".tiff", ".bmp", ".webp"}) | dicom.SUFFIXES
FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "WEBP")  # no others: some of Pillow's readers start programs
MOST_PIXELS = 100_000_000  # radiographs have up to about 25 million
FEWEST_PIXELS = 8  # on a side
MOST_ELONGATED = 20  # longer side by the shorter one; of a narrow strip a resized copy would be huge
LARGE = 30_000_000  # pixels; images of more are decoded one at a time
LARGE_FILE = 50_000_000  # bytes; the same
MOST_BYTES = 1_000_000_000  # of a file; the largest image without compression has fewer
MOST_PACKED_BYTES = 200_000_000  # of a file in a format that is always compressed, which may be held in memory twice
MOST_EXIF = 5_000_000  # bytes; each may take 30 in memory
THUMBNAIL = 32  # pixels, height and width
_ORIENTATION, _PHOTOMETRIC, _SAMPLE_FORMAT = 0x0112, 0x0106, 0x0153  # tags of EXIF and TIFF
_SIGNED, _MOST_SIGNED = 2, 127  # the sample format, which Pillow does not heed of 8 bits, and what these reach to
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SWAPPING = frozenset({5, 6, 7, 8})  # width and height
_JPEG = ("JPEG", "MPO")
_ROOMY = (b"II", b"MM", b"BM")  # how TIFF and BMP begin
_WHITE_12_BIT, _WHITE_16_BIT = 4095, 65535
_SIXTEEN_BIT = ("I;16", "I;16B", "I;16L", "I;16N", "I")
logging.getLogger("PIL").addHandler(logging.NullHandler())  # else damaged TIFF files speak on stderr
_BELOW_ZERO = "pixels below zero, of which no black is known"
_TOO_LARGE = f"more than {MOST_PIXELS // 1_000_000} megapixels"
_NO_FILE = "pipe, socket or device, no file"
_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (FileNotFoundError, "missing file"),
    (bounded.NoRegularFileError, _NO_FILE),
    (PermissionError, "cannot be opened"),
    (IsADirectoryError, "cannot be opened"),
    (UnidentifiedImageError, "no image by its content"),
    (Image.DecompressionBombError, _TOO_LARGE),
    (TooMuchError, "made to take long or much memory"),
    (MemoryError, "needs more memory than is free"),
)
Check = Callable[[tuple[int, int]], None]
_large = threading.RLock()
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


class ImageChangedError(SurroundingsError):
    """An image that is no longer what the manifest says: it was changed, or has vanished."""

    def __init__(self, text: str) -> None:
        """Take the sentence; torch hands it on from its processes with a traceback around it, which ends with it."""
        super().__init__(text.strip().rpartition(f"{type(self).__name__}: ")[2])

    @classmethod
    def of(cls, path: Path, what: str) -> "ImageChangedError":
        """Say what has become of a file."""
        return cls(
            f"{path}: is not as it was when the manifest was made ({what}), put it back (is its disk mounted?) and the "
            "same command goes on, or begin again with --fresh on what is there now"
        )


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


def read_grey(path: Path, sha256: str = "") -> NDArray[np.uint8]:
    """Read an image as grey values, whatever its format.

    Colour becomes luma (``L``), EXIF orientation is applied. Values of 16 bits are scaled by their full range, those
    that stay within 12 bits by that of 12 bits, so that detectors' usual 12-bit exports are not nearly black. DICOM is
    recognised by its content and shown as it asks to be (:func:`cxrkit.data.dicom.opened`).

    Args:
        path: of the file.
        sha256: that the manifest has of it, checked on the bytes that are decoded; empty where none is known.

    Returns:
        uint8[height, width].

    Raises:
        UnreadableImage: the file is missing, empty, truncated, no image, too large or too small, or holds several.
        ImageChangedError: with ``sha256``: any of that, or other bytes.
    """
    try:
        with _reading(path) as file, _checking(file, path) as check:
            if sha256 and hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                raise ImageChangedError.of(path, "its SHA-256 is another")
            image = _opened(file, path, check)
            grey = _as_grey(image, path)
            return np.asarray(_upright(grey, _orientation(image)))
    except UnreadableImage as error:
        if sha256:
            raise ImageChangedError.of(path, error.reason) from None
        raise


def probe(path: Path) -> tuple[int, int]:
    """Decode an image to its end to know that it can be read.

    Returns:
        width and height in pixels, as displayed.

    Raises:
        UnreadableImage: see :func:`read_grey`.
    """
    with _reading(path) as file:
        width, height, _ = _probed(file, path)
    return width, height


def inspect(path: Path) -> Inspection:
    """Hash a file and decode it to its end; never raises for what is wrong with the file."""
    digest = ""
    try:
        with _reading(path) as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            width, height, look = _probed(file, path)
    except UnreadableImage as error:
        return Inspection(digest, reason=error.reason)
    return Inspection(digest, width, height, look)


def sha256(path: Path) -> str | None:
    """Hash a file that may be an image; None where it cannot be opened as one."""
    with suppress(UnreadableImage), _reading(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
    return None


def burned_in(path: Path) -> bool:
    """Tell whether a readable DICOM file says that its pixels hold text of the patient (BurnedInAnnotation).

    Raises:
        UnreadableImage: see :func:`read_grey`.
    """
    with _reading(path) as file:
        return dicom.is_dicom(file) and dicom.burned_in(file)


@contextmanager
def _reading(path: Path) -> Iterator[BufferedReader]:
    """Open an image file, and turn whatever its content makes the readers stumble over into a reason."""
    try:
        with _without_warnings(), bounded.opened(path) as file:
            _check_length(file, path, MOST_BYTES)
            yield file
    except (UnreadableImage, ImageChangedError):
        raise
    except Exception as error:  # noqa: BLE001 - Pillow's readers raise whatever a damaged file makes them stumble over
        raise UnreadableImage(path, _reason(error)) from None


def _check_length(file: BufferedReader, path: Path, most: int) -> None:
    if _length(file) > most:
        raise UnreadableImage(path, f"file of more than {most // bounded.MEGABYTE} MB")


def _length(file: BufferedReader) -> int:
    """Tell how many bytes a file has; it is left at its beginning."""
    length = file.seek(0, os.SEEK_END)
    file.seek(0)
    return length


def _reason(error: Exception) -> str:
    if isinstance(error, dicom.UnusableDicomError):
        return str(error)
    if isinstance(error, OSError) and error.errno == errno.ENXIO:  # sockets cannot even be opened
        return _NO_FILE
    return next((reason for kind, reason in _REASONS if isinstance(error, kind)), "truncated or damaged")


@contextmanager
def _checking(file: BufferedReader, path: Path) -> Iterator[Check]:
    """Give what refuses an image by its size before it is decoded; a large one, or file, has its turn to itself."""
    with ExitStack() as turn:
        if _length(file) > LARGE_FILE:
            turn.enter_context(_large)

        def check(size: tuple[int, int]) -> None:
            if size[0] * size[1] > MOST_PIXELS:
                raise UnreadableImage(path, _TOO_LARGE)
            if min(size) < FEWEST_PIXELS:
                raise UnreadableImage(path, f"less than {FEWEST_PIXELS} pixels wide or high")
            if max(size) > MOST_ELONGATED * min(size):
                raise UnreadableImage(path, f"more than {MOST_ELONGATED} times as long as wide")
            if size[0] * size[1] > LARGE:
                turn.enter_context(_large)

        yield check


def _opened(file: BufferedReader, path: Path, check: Check) -> Image.Image:
    """Open an image whose pixels are still to be decoded, but for DICOM, whose are."""
    file.seek(0)
    if not file.read(1):
        raise UnreadableImage(path, "empty file")
    if dicom.is_dicom(file):
        return dicom.opened(file, check)
    if _beginning(file) not in _ROOMY:
        _check_length(file, path, MOST_PACKED_BYTES)
    canvas = headers.webp_canvas(file)
    if canvas is not None:  # Pillow takes memory for it when it opens the file
        check(canvas)
    measured = Measured(file) if canvas is None else Measured(file, most=None)
    image = Image.open(cast(BinaryIO, measured), formats=FORMATS)
    check(image.size)
    if image.format == "TIFF":
        libtiff.silence()
    if headers.too_large_tiles(image, MOST_PIXELS) or (image.format in _JPEG and headers.too_many_scans(file)):
        raise TooMuchError
    if headers.has_several(image):
        raise UnreadableImage(path, "several pictures in one file, allowed is one")
    if image.format == "TIFF":
        headers.read_tags(image)
    measured.come_to_pixels()
    return image


def _beginning(file: BufferedReader) -> bytes:
    file.seek(0)
    return file.read(2)


def _as_grey(image: Image.Image, path: Path) -> Image.Image:
    if image.mode == "F":
        raise UnreadableImage(path, "floating-point pixels, of which no white is known")
    if image.mode == "LAB":  # its lightness is no luma
        raise UnreadableImage(path, "colours of a kind that is not read")
    if image.mode not in _SIXTEEN_BIT:
        if _is_signed(image) and np.asarray(image).max() > _MOST_SIGNED:
            raise UnreadableImage(path, _BELOW_ZERO)
        return image.convert("L")
    values = np.asarray(image)
    if values.min() < 0 and _is_signed(image):
        raise UnreadableImage(path, _BELOW_ZERO)
    if values.min() < 0 or values.max() > _WHITE_16_BIT:
        raise UnreadableImage(path, "32-bit pixels, of which no white is known")
    white = _WHITE_16_BIT if values.max() > _WHITE_12_BIT else _WHITE_12_BIT
    table = np.round(np.arange(white + 1) * (255 / white)).astype(np.uint8)
    if getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == 0:  # WhiteIsZero, which Pillow heeds of 8 bits alone
        table = 255 - table
    return Image.fromarray(table[values])


def _is_signed(image: Image.Image) -> bool:
    return _SIGNED in getattr(image, "tag_v2", {}).get(_SAMPLE_FORMAT, ())


def _orientation(image: Image.Image) -> int:
    """Tell how an image whose pixels have been decoded is to be turned; a TIFF has been already."""
    if len(image.info.get("exif") or b"") > MOST_EXIF:
        raise TooMuchError
    found = image.getexif().get(_ORIENTATION, 1)
    return found if found in _TURNS else 1


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    return image.transpose(_TURNS[orientation]) if orientation in _TURNS else image


def _probed(file: BufferedReader, path: Path) -> tuple[int, int, Look]:
    with _checking(file, path) as check:
        image = _opened(file, path, check)
        size, mode = image.size, image.mode
        small = (THUMBNAIL, THUMBNAIL)
        if mode in {"L", "RGB"}:
            image.draft("L", small)  # a JPEG is read to its end, but its transform made at an eighth of the size
        thumbnail = _as_grey(image, path).resize(small, Image.Resampling.BILINEAR)
        orientation = _orientation(image)
    width, height = image.size if image.format == "TIFF" else size
    if orientation in _SWAPPING:
        width, height = height, width
    return width, height, Look(mode, _upright(thumbnail, orientation).tobytes())


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Silence Pillow and pydicom, for all threads at once: ``catch_warnings`` itself must not be entered by two."""
    with _readers_lock:
        silence = ExitStack()
        if not _readers:
            silence.enter_context(warnings.catch_warnings())
            warnings.filterwarnings("ignore", module=r"(PIL|pydicom|cxrkit\.data\.(dicom|images))\b")
        _readers.append(silence)
    try:
        yield
    finally:
        with _readers_lock:
            _readers.pop().close()
