"""Files in the hands of readers that believe what a file says of itself: given out in bounded pieces."""

from typing import BinaryIO

MOST_READS = 200_000  # of one file; sound ones take some thousands
MOST_BEFORE_PIXELS = 20_000_000  # bytes; each may take 30 in memory, where it is a number of its own
_SURELY_THERE = 1 << 16  # bytes


class TooMuchError(Exception):
    """A file that is made to take long, or much memory."""


class Measured:
    """A file of which a reader gets no more than is there, in so many pieces, and so many bytes before the pixels.

    Pillow and pydicom keep what they read: every comment, every tag, whatever it claims to be long of.
    """

    def __init__(self, file: BinaryIO, most: int | None = MOST_BEFORE_PIXELS) -> None:
        """Begin with the limit of what is not yet pixels; None for readers that take a file as a whole."""
        self._file, self._reads, self._left = file, MOST_READS, most
        self.seek, self.tell, self.fileno = file.seek, file.tell, file.fileno

    def read(self, size: int | None = -1) -> bytes:
        """Read so many bytes, or all the rest.

        Raises:
            TooMuchError: no reader of a sound file asks for as much.
        """
        self._reads -= 1
        if self._reads < 0:
            raise TooMuchError
        if size is None or size < 0 or size > _SURELY_THERE:
            size = self._there(size)
        if self._left is not None:
            self._left -= size
            if self._left < 0:
                raise TooMuchError
        return self._file.read(size)

    def come_to_pixels(self) -> None:
        """Give out as many bytes as are asked for from now on: what is not pixels has been read."""
        self._left = None

    def _there(self, size: int | None) -> int:
        place = self._file.tell()
        rest = max(self._file.seek(0, 2) - place, 0)
        self._file.seek(place)
        return rest if size is None or size < 0 else min(size, rest)
