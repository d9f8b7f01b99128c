"""Files of strangers: opened without waiting for anyone, read only as far as such a file may reach."""

import errno
import os
import stat
from gzip import GzipFile
from io import BufferedReader
from pathlib import Path
from typing import IO

from cxrkit.errors import InputError

MEGABYTE = 1_000_000


class NoRegularFileError(OSError):
    """A pipe, socket or device, whose reading may wait for ever or never end."""

    def __init__(self) -> None:
        super().__init__(errno.EINVAL, "is no regular file")


class LimitedReads:
    """A file that is not read in one huge piece, which a forged header makes a reader of archives ask for."""

    def __init__(self, file: IO[bytes] | GzipFile, most: int) -> None:
        self._read, self._most = file.read, most
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        """Read so many bytes, or all the rest.

        Raises:
            ValueError: they are more than may be read at once.
        """
        if size is None or size < 0:
            place = self.tell()
            size = self.seek(0, os.SEEK_END) - place
            self.seek(place)
        if size > self._most:
            raise ValueError(f"a header of {size} bytes")
        return self._read(size)


def opened(path: Path) -> BufferedReader:
    """Open a regular file to read its bytes; a pipe without a writer keeps nobody waiting.

    Raises:
        NoRegularFileError: there is something else that can be opened.
        OSError: it cannot be opened.
    """
    file = path.open("rb") if os.name == "nt" else open(path, "rb", opener=_without_waiting)  # noqa: SIM115
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise NoRegularFileError
    return file


def content(path: Path, most: int, missing: str) -> bytes:
    """Read a whole file.

    Args:
        path: the file.
        most: bytes that it may have.
        missing: what is said of a file that is not there, after its path.

    Raises:
        InputError: it is missing, too large, or cannot be read.
    """
    try:
        with opened(path) as file:
            found = file.read(most + 1)
    except FileNotFoundError:
        raise InputError(f"{path}: {missing}") from None
    except IsADirectoryError:
        raise InputError(f"{path}: cannot be read (it is a folder), a file is needed") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}), a readable file is needed") from None
    if len(found) > most:
        raise InputError(f"{path}: is larger than {most // MEGABYTE} MB, which no such file needs")
    return found


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)
