"""Read DICOM radiographs as grey values: of all their tags only those that say what the pixels mean.

What a file tells of a patient is never read, and no reason quotes a tag.
"""

import struct
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cxrkit.data import headers
from cxrkit.data.measured import Measured, TooMuchError

if TYPE_CHECKING:
    from pydicom import Dataset

SUFFIXES = frozenset({".dcm", ".dicom"})
PREAMBLE, PREFIX = 128, b"DICM"
KINDS = ("MONOCHROME1", "MONOCHROME2", "RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
MOST_BITS = 16
TWELVE_BITS = 4095
LONGEST_RUN, SKIPPED = 64, 128  # of run lengths: bytes that a byte can stand for, and the code that stands for none
SURELY_SMALL = 1 << 30  # bytes
MOST_PIXEL_BYTES = 3 * MOST_BITS // 8  # of one pixel
DECODERS = "pylibjpeg pylibjpeg-libjpeg pylibjpeg-openjpeg"
SPACINGS = ("PixelAspectRatio", "PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
LONGEST_ELEMENT = 1 << 20  # bytes, but for the pixels; a table of 16 bits has an eighth
HEADER = 8  # bytes that pydicom reads of every element
PIXELS = (b"\xe0\x7f\x10\x00", b"\x7f\xe0\x00\x10")  # their tag, in either byte order
FRAGMENT, MOST_FRAGMENTS = b"\xfe\xff\x00\xe0", 50_000  # the tag of each, of one image
TAGS = [
    *("Rows", "Columns", "SamplesPerPixel", "PlanarConfiguration", "PhotometricInterpretation", "NumberOfFrames"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelData"),
    *("ModalityLUTSequence", "RescaleSlope", "RescaleIntercept"),
    *("VOILUTSequence", "WindowCenter", "WindowWidth", "VOILUTFunction"),
    *SPACINGS,
]
Values = NDArray[np.float64]


class UnusableDicomError(Exception):
    """A DICOM file that is no radiograph to be read; its text is the reason."""


class _Elements(Measured):
    """DICOM of which no element but the pixels is long, however long it claims to be: pydicom keeps each as it is."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file, most=None)
        self._in_pixels = False

    def read(self, size: int | None = -1) -> bytes:
        """Read so many bytes; all the rest at once is what pydicom asks for to inflate it, which has no bound."""
        if size is None or size < 0:
            raise UnusableDicomError("DICOM that is deflated as a whole")
        if size > LONGEST_ELEMENT and not self._in_pixels:
            raise UnusableDicomError("DICOM with an element longer than an image needs")
        try:
            found = super().read(size)
        except TooMuchError:
            raise UnusableDicomError("DICOM of more elements than an image needs") from None
        if size == HEADER:
            self._in_pixels = found[:4] in PIXELS
        return found


def is_dicom(file: BinaryIO) -> bool:
    """Tell whether a file says by its first bytes that it is DICOM; it is left at its beginning."""
    file.seek(0)
    head = file.read(PREAMBLE + len(PREFIX))
    file.seek(0)
    return head[PREAMBLE:] == PREFIX


def opened(file: BinaryIO, check_size: Callable[[tuple[int, int]], None]) -> Image.Image:
    """Read a radiograph as it is meant to be shown (DICOM PS3.3, C.11.1, C.11.2, C.7.6.3).

    Stored values go through the modality table, or slope and intercept; then through the first VOI table, else the
    first window. Where there is neither, black and white are the ends of the stored bits (of 12 bits where no value is
    beyond them), of signed values the smallest and the largest. MONOCHROME1 is inverted, colour becomes luma, and
    pixels that are not square are made so.

    Args:
        file: DICOM, at its beginning.
        check_size: raises where an image of this width and height is not to be decoded.

    Returns:
        Mode ``L``.

    Raises:
        UnusableDicomError: it has no image, several frames, or pixels that cannot be decoded here.
    """
    tags = _tags(file)
    check_size((int(tags.Columns), int(tags.Rows)))
    return _square(Image.fromarray(_grey(_stored(tags), tags)), tags, check_size)


def burned_in(file: BinaryIO) -> bool:
    """Tell whether a DICOM file, at its beginning, says that its pixels hold text (BurnedInAnnotation)."""
    found = _library().dcmread(_Elements(file), specific_tags=["BurnedInAnnotation"], stop_before_pixels=True)
    return str(found.get("BurnedInAnnotation", "")).strip().upper() == "YES"


def _library() -> Any:
    try:
        import pydicom
    except ModuleNotFoundError:
        raise UnusableDicomError('DICOM, which needs: pip install "cxrkit[dicom]"') from None
    return pydicom


def _tags(file: BinaryIO) -> "Dataset":
    library = _library()
    tags: Dataset = library.dcmread(_Elements(file), specific_tags=TAGS)
    if "PixelData" not in tags:
        raise UnusableDicomError("DICOM without an image")
    if int(tags.get("NumberOfFrames") or 1) > 1:
        raise UnusableDicomError("DICOM with several frames, allowed is one")
    if tags.PhotometricInterpretation not in KINDS:
        raise UnusableDicomError("DICOM in colours of a kind that is not read")
    if tags.BitsAllocated > MOST_BITS:
        raise UnusableDicomError(f"DICOM of more than {MOST_BITS} bits, of which no white is known")
    if "HighBit" in tags and "BitsStored" in tags and tags.HighBit != tags.BitsStored - 1:
        raise UnusableDicomError("DICOM whose stored bits are not the lowest ones")
    return tags


def _stored(tags: "Dataset") -> NDArray[Any]:
    """Decode the pixels: [height, width], of colour [height, width, 3] in RGB."""
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.pixels.utils import pixel_array

    syntax = tags.file_meta.TransferSyntaxUID
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError:
        raise UnusableDicomError("DICOM in a transfer syntax that holds no still image") from None
    if not syntax.is_compressed:
        return pixel_array(tags)
    _check_frame(tags)
    if decoder.is_available:
        with suppress(Exception):  # decoders raise whatever they stumble over, such as 12 bits in a JPEG
            return pixel_array(tags)
    what = f"compressed DICOM ({syntax.name}) that cannot be decoded here"
    raise UnusableDicomError(f"{what}; more decoders come with: pip install {DECODERS}")


def _check_frame(tags: "Dataset") -> None:
    """Refuse compressed pixels that grow to another size than the tags say, or take long; decoders notice too late."""
    from pydicom.encaps import get_frame
    from pydicom.uid import RLELossless

    table = int.from_bytes(tags.PixelData[4:8], "little")  # bytes of where frames begin
    if table > LONGEST_ELEMENT or tags.PixelData.count(FRAGMENT) > MOST_FRAGMENTS:
        raise TooMuchError
    frame = get_frame(tags.PixelData, 0, number_of_frames=1)
    size = (int(tags.Columns), int(tags.Rows))
    if tags.file_meta.TransferSyntaxUID == RLELossless:
        wrong = _grows_beyond(frame, 2 * MOST_PIXEL_BYTES * size[0] * size[1])
    else:
        wrong = _own_size(frame, size) != size
    if wrong:
        raise UnusableDicomError("DICOM whose compressed pixels are of another size than it says")


def _own_size(frame: bytes, size: tuple[int, int]) -> tuple[int, int]:
    """Read the size of a JPEG from itself; where it is of a kind that Pillow does not know, ``size`` is believed."""
    if headers.too_many_scans(BytesIO(frame)):
        raise TooMuchError
    try:
        return Image.open(cast(BinaryIO, Measured(BytesIO(frame))), formats=("JPEG", "JPEG2000")).size
    except TooMuchError:
        raise
    except Exception:  # noqa: BLE001 - whatever it stumbles over
        return size


def _grows_beyond(frame: bytes, most: int) -> bool:
    """Tell whether run lengths (DICOM PS3.5, annex G) stand for more bytes than ``most``, or are more themselves."""
    if len(frame) > most:
        return True
    if len(frame) * LONGEST_RUN <= SURELY_SMALL:
        return False
    number, *starts = struct.unpack_from("<16L", frame)
    ends = [*starts[1:number], len(frame)]
    total = 0
    for place, end in zip(starts, ends, strict=False):
        total += _unpacked(frame[place:end], most - total)
        if total > most:
            return True
    return False


def _unpacked(runs: bytes, most: int) -> int:
    """Count the bytes that run lengths stand for, until they are more than ``most``."""
    total = place = 0
    while place < len(runs) and total <= most:
        code = runs[place]
        if code < SKIPPED:  # so many bytes as they are, and one more
            total, place = total + code + 1, place + code + 2
        elif code > SKIPPED:  # one byte, repeated
            total, place = total + 257 - code, place + 2
        else:
            place += 1
    return total


# ── Grey values ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _grey(stored: NDArray[Any], tags: "Dataset") -> NDArray[np.uint8]:
    """Turn stored values into uint8[height, width], by a table of all values between the smallest and the largest."""
    if stored.ndim > 2:  # noqa: PLR2004 - height, width, and colour
        white = (1 << tags.BitsStored) - 1
        shades = np.round(np.arange(int(stored.max()) + 1) * (255 / white)).clip(0, 255).astype(np.uint8)
        return np.asarray(Image.fromarray(shades[stored]).convert("L"))
    least = int(stored.min())
    shown = _shown(np.arange(least, int(stored.max()) + 1, dtype=np.float64), tags)
    if not np.isfinite(shown).all():
        raise UnusableDicomError("DICOM whose rescaling or window is no number")
    table = np.round(shown.clip(0, 1) * 255).astype(np.uint8)
    if tags.PhotometricInterpretation == "MONOCHROME1":  # its smallest value is white
        table = 255 - table
    place = stored.astype(np.int32)
    place -= least
    return table[place]


def _shown(values: Values, tags: "Dataset") -> Values:
    """Turn stored values into shades, 0 black and 1 white."""
    rescaled, black, white = _rescaled(values, tags)
    if tags.get("VOILUTSequence"):
        rescaled, black, white = _looked_up(rescaled, tags.VOILUTSequence[0], tags)
    elif "WindowCenter" in tags and "WindowWidth" in tags:
        return _windowed(rescaled, tags)
    return (rescaled - black) / max(white - black, np.finfo(np.float64).tiny)


def _rescaled(values: Values, tags: "Dataset") -> tuple[Values, float, float]:
    """Apply the modality's table or line; give the ends of its range too."""
    if tags.get("ModalityLUTSequence"):
        return _looked_up(values, tags.ModalityLUTSequence[0], tags)
    slope, intercept = float(tags.get("RescaleSlope") or 1), float(tags.get("RescaleIntercept") or 0)
    black, white = sorted(end * slope + intercept for end in _ends(values, tags))
    return values * slope + intercept, black, white


def _ends(values: Values, tags: "Dataset") -> tuple[float, float]:
    if tags.PixelRepresentation == 1:
        return values[0], values[-1]
    white = (1 << tags.BitsStored) - 1
    return 0, TWELVE_BITS if values[-1] <= TWELVE_BITS < white else white


def _looked_up(values: Values, item: "Dataset", tags: "Dataset") -> tuple[Values, float, float]:
    """Look values up in a table; what lies outside of it has its first or last entry.

    pydicom's own functions fail at tables of 12 bits and wrap at those of 8.
    """
    entries, first, bits = item.LUTDescriptor
    entries = entries or 1 << MOST_BITS  # 0 stands for what 16 bits cannot say
    data = item.LUTData
    if isinstance(data, bytes):
        words = "<u2" if tags.file_meta.TransferSyntaxUID.is_little_endian else ">u2"
        data = np.frombuffer(data, words if len(data) >= 2 * entries else "u1")
    table = np.atleast_1d(np.asarray(data, dtype=np.float64))[:entries]
    place = np.clip(np.round(values) - first, 0, len(table) - 1).astype(np.int64)
    return table[place], 0, (1 << bits) - 1


def _windowed(values: Values, tags: "Dataset") -> Values:
    """Apply the first window, as a function of the file's choice, in 0 … 1."""
    from pydicom import Dataset
    from pydicom.pixels.processing import apply_windowing

    window = Dataset()  # pydicom takes the range to be shown from the stored bits: here 0 … 1
    window.PhotometricInterpretation, window.BitsStored, window.PixelRepresentation = "MONOCHROME2", 1, 0
    window.WindowCenter, window.WindowWidth = _first(tags.WindowCenter), _first(tags.WindowWidth)
    window.VOILUTFunction = tags.get("VOILUTFunction") or "LINEAR"
    try:
        return np.asarray(apply_windowing(values, window), dtype=np.float64)
    except ValueError:
        raise UnusableDicomError("DICOM with a window of a kind that is not read") from None


def _first(value: Any) -> Any:
    return value if np.isscalar(value) else value[0]


# ── Pixels that are not square ────────────────────────────────────────────────────────────────────────────────────────


def _square(image: Image.Image, tags: "Dataset", check_size: Callable[[tuple[int, int]], None]) -> Image.Image:
    """Stretch an image in the direction in which its pixels are longer."""
    ratio = _ratio(tags)
    width, height = image.size
    size = (width, round(height * ratio)) if ratio > 1 else (round(width / ratio), height)
    if size == image.size:
        return image
    check_size(size)
    return image.resize(size, Image.Resampling.BICUBIC)


def _ratio(tags: "Dataset") -> float:
    """Return a pixel's height divided by its width."""
    for name in SPACINGS:
        if tags.get(name):
            vertical, horizontal = map(float, tags[name].value)
            if vertical > 0 and horizontal > 0:
                return vertical / horizontal
    return 1.0
