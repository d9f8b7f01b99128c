"""Archives taken apart safely: everything in one is looked over before its first file is written."""

import gzip
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, NamedTuple, Protocol

from cxrkit import bounded
from cxrkit.bounded import LimitedReads
from cxrkit.data import archive_names
from cxrkit.data.archive_names import shown
from cxrkit.data.watching import Watch, need_space
from cxrkit.errors import InputError

MOST_ENTRIES = 500_000
MOST_TIMES_LARGER = 100
"""Images hardly shrink in an archive; what grows to more than this is made to fill a disk."""

_SMALL = 10_000_000  # bytes that are extracted whatever their ratio
_CHUNK = 1 << 20
_MOST_AT_ONCE = 16 << 20  # no header is as long
_LONGEST_LIST = 64 << 20  # of a zip, which names all its entries at its end: read at once, and ten times as large then
_BLOCK = 512

Container = zipfile.ZipFile | tarfile.TarFile
Entry = zipfile.ZipInfo | tarfile.TarInfo

_DAMAGED = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError)
"""What the readers raise on broken or forged archives; ``RuntimeError`` of encryption, methods and recursion."""


class Member(NamedTuple):
    """A file in an archive: its relative POSIX path, bytes as declared, and the archive's own entry."""

    name: str
    size: int
    entry: Entry


class Extracted(NamedTuple):
    """How many files were written, and how many were left out as junk."""

    files: int
    junk: int


class _Reader(Protocol):
    def read(self, size: int, /) -> bytes: ...


def extract(archive: Path, target: Path, watch: Watch) -> Extracted:
    """Extract a zip, tar or tar.gz file, junk left out, after all its entries have been checked.

    Args:
        archive: the file; its kind is told by its first bytes.
        target: an empty folder of our own.
        watch: hears of the bytes written.

    Raises:
        InputError: it is no archive or damaged; an entry is a link or a device, or would be written outside of
            ``target``, or over another; it holds too many files or grows out of proportion.
        RunError: there is no room for it.
        OSError: a file cannot be written.
    """
    with _opened(archive) as container:
        members, junk = _checked(archive, container)
        total = sum(member.size for member in members)
        need_space(target, total, f"to extract {archive.name}")
        done = 0
        for member in members:
            for written in _write(archive, container, member, target / member.name):
                done += written
                watch.progress("Extracting", done, total)
    return Extracted(len(members), junk)


@contextmanager
def _opened(archive: Path) -> Iterator[Container]:
    with ExitStack() as stack:
        with _reading(archive):
            raw = stack.enter_context(bounded.opened(archive))
            start = raw.read(_BLOCK)
            raw.seek(0)
            if start[:4] in (b"PK\3\4", b"PK\5\6"):
                container: Container = _zip(raw)
            elif start[:2] == b"\x1f\x8b":
                packed = gzip.GzipFile(fileobj=raw)
                stack.callback(packed.close)
                container = _tar(packed)
            elif start[257:262] == b"ustar" or (start and not start.strip(b"\0")):
                container = _tar(raw)
            else:
                raise InputError(f"{archive}: {_instead(start)}, allowed is a zip, tar or tar.gz file")
            stack.enter_context(container)
        yield container


def _tar(file: IO[bytes] | gzip.GzipFile) -> tarfile.TarFile:
    limited = LimitedReads(file, _MOST_AT_ONCE)
    return tarfile.open(fileobj=limited, mode="r:")  # type: ignore[call-overload, no-any-return]


def _zip(file: IO[bytes]) -> zipfile.ZipFile:
    return zipfile.ZipFile(LimitedReads(file, _LONGEST_LIST))


def _instead(start: bytes) -> str:
    if not start:
        return "is empty"
    return "is a web page" if start.lstrip()[:1] == b"<" else "is no archive"


def _checked(archive: Path, container: Container) -> tuple[list[Member], int]:
    """List the files in the order in which they lie; the whole of a tar.gz is read once for it."""
    members, seen, junk, total = [], 0, 0, 0
    most = max(MOST_TIMES_LARGER * archive.stat().st_size, _SMALL)
    for entry in _entries(archive, container):
        seen += 1
        _refuse_name(archive, entry)
        name = archive_names.relative(_raw_name(entry))
        if archive_names.is_junk(name.split("/")):
            junk += not _is_folder(entry)
            continue
        _refuse_kind(archive, entry)
        total += _size(entry)
        if seen > MOST_ENTRIES or total > most:
            what = f"{MOST_ENTRIES:,} entries" if seen > MOST_ENTRIES else f"{most:,} bytes"
            told = f"holds more than {what}, too many for an archive of its size"
            raise InputError(f"{archive}: {told}, nothing was extracted")
        if not _is_folder(entry):
            members.append(Member(name, _size(entry), entry))
    problem = archive_names.conflict(member.name for member in members)
    if problem:
        raise InputError(f"{archive}: {problem}, nothing was extracted")
    return members, junk


def _entries(archive: Path, container: Container) -> Iterator[Entry]:
    with _reading(archive):
        if isinstance(container, zipfile.ZipFile):
            yield from container.infolist()
        else:
            yield from container
            _read_to_the_end(container)


def _read_to_the_end(container: tarfile.TarFile) -> None:
    """Meet the end that tarfile takes any broken header for, and the check sum behind it in a tar.gz."""
    assert container.fileobj is not None  # noqa: S101 - opened with one
    container.fileobj.seek(container.offset)
    end = container.fileobj.read(_BLOCK)
    if len(end) < _BLOCK or end.strip(b"\0"):
        raise tarfile.ReadError("no end where one is due")
    for _ in range(_MOST_AT_ONCE // _BLOCK):  # padding is short
        if not container.fileobj.read(_BLOCK):
            return
    raise tarfile.ReadError("more behind its end")


def _raw_name(entry: Entry) -> str:
    return entry.orig_filename if isinstance(entry, zipfile.ZipInfo) else entry.name


def _size(entry: Entry) -> int:
    return entry.file_size if isinstance(entry, zipfile.ZipInfo) else entry.size


def _is_folder(entry: Entry) -> bool:
    return entry.is_dir() if isinstance(entry, zipfile.ZipInfo) else entry.isdir()


def _refuse_name(archive: Path, entry: Entry) -> None:
    raw = _raw_name(entry)
    why = archive_names.refused(raw)
    if why is None and not _is_folder(entry) and not archive_names.relative(raw):
        why = "has no name"
    if why:
        raise InputError(f'{archive}: "{shown(raw)}" {why}, nothing was extracted')


def _refuse_kind(archive: Path, entry: Entry) -> None:
    why = _kind_of_zip(entry) if isinstance(entry, zipfile.ZipInfo) else _kind_of_tar(entry)
    if why:
        raise InputError(f'{archive}: "{shown(_raw_name(entry))}" {why}, nothing was extracted')


def _kind_of_zip(entry: zipfile.ZipInfo) -> str | None:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if entry.flag_bits & 1:
        return "is encrypted"
    if kind == stat.S_IFLNK:
        return "is a link"
    return None if kind in (0, stat.S_IFREG, stat.S_IFDIR) else "is a device"


def _kind_of_tar(entry: tarfile.TarInfo) -> str | None:
    if entry.issym() or entry.islnk():
        return "is a link"
    if entry.issparse():
        return "has holes that are not stored"
    if entry.size < 0:
        return "has a size below 0"
    return None if entry.isreg() or entry.isdir() else "is a device"


def _write(archive: Path, container: Container, member: Member, place: Path) -> Iterator[int]:
    """Write one file and yield the size of each piece; what is more or less than declared is an error."""
    place.parent.mkdir(parents=True, exist_ok=True)
    left = member.size
    with _stream(archive, container, member) as stream, place.open("xb") as file:
        while piece := _piece(archive, stream):
            left -= len(piece)
            if left < 0:
                break
            file.write(piece)
            yield len(piece)
    if left:
        raise InputError(f'{archive}: "{shown(member.name)}" is not as long as declared, nothing was kept')


@contextmanager
def _stream(archive: Path, container: Container, member: Member) -> Iterator[_Reader]:
    with _reading(archive):
        if isinstance(member.entry, zipfile.ZipInfo):
            assert isinstance(container, zipfile.ZipFile)  # noqa: S101 - entry and container are of one kind
            stream: IO[bytes] | None = container.open(member.entry)
        else:
            assert isinstance(container, tarfile.TarFile)  # noqa: S101
            stream = container.extractfile(member.entry)
    assert stream is not None  # noqa: S101 - a regular file
    with stream:
        yield stream


def _piece(archive: Path, stream: _Reader) -> bytes:
    with _reading(archive):
        return stream.read(_CHUNK)


@contextmanager
def _reading(archive: Path) -> Iterator[None]:
    """Tell what goes wrong while the archive is read, and only then, as a fault of the archive."""
    try:
        yield
    except FileNotFoundError:
        raise InputError(f"{archive}: no such file, allowed is a zip, tar or tar.gz file") from None
    except _DAMAGED as error:
        why = " ".join(str(getattr(error, "strerror", None) or error).split()) or type(error).__name__
        raise InputError(f"{archive}: is damaged or cannot be read ({shown(why)}), nothing was extracted") from None
