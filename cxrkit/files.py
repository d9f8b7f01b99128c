"""Files written whole or not at all, and their hashes."""

import errno
import hashlib
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from cxrkit.errors import SurroundingsError

_GONE = "is its disk still mounted? mount it again, or choose another folder"
_NOT_ALLOWED = "get the right to it, or choose a folder that you may write to"
_REMEDIES: Mapping[int, str] = {
    getattr(errno, name): remedy
    for name, remedy in {
        "ENOSPC": "free space on that disk or choose another folder",
        "EDQUOT": "free space within your quota or choose another folder",
        "EFBIG": "its file system takes no larger files, choose another folder",
        "EROFS": "it is mounted for reading alone, choose another folder",
        "EACCES": _NOT_ALLOWED,
        "EPERM": _NOT_ALLOWED,
        "EIO": "the disk reports a fault, look after it or choose another folder",
        "EMFILE": "too many files are open, raise the limit (ulimit -n)",
        "ENFILE": "too many files are open on this machine, close programs",
        "EBUSY": "another program has it open, close that",
        "ETXTBSY": "another program has it open, close that",
        "ENAMETOOLONG": "choose a shorter name or folder",
        "ENOTDIR": "a file stands where a folder is needed, remove it or choose another folder",
        "EEXIST": "something else stands there, remove it or choose another folder",
        "ENOTEMPTY": "something else was written there meanwhile, choose another folder",
        "EISDIR": "a folder stands where a file is needed, remove it or choose another folder",
        "ENOENT": _GONE,
        "ESTALE": _GONE,
        "ENOTCONN": _GONE,
        "ENODEV": _GONE,
        "ENXIO": _GONE,
        "EHOSTDOWN": _GONE,
        "ETIMEDOUT": _GONE,
    }.items()
    if hasattr(errno, name)
}
_OF_WRITING = {getattr(errno, name) for name in ("ENOSPC", "EDQUOT", "EFBIG", "EROFS") if hasattr(errno, name)}
_NOT_FOR_FOLDERS = {
    getattr(errno, name, None) for name in ("EINVAL", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EBADF")
}  # what network drives say of a folder that is to be forced to disk
_KEPT_OF_NAME = 40  # characters: of four bytes each they leave room below a file system's 255
_OF_THE_PROGRAM = {"ENOENT", "EEXIST", "ENOTEMPTY", "ENOTDIR", "EISDIR"}  # as likely a fault of ours as of the disk


@contextmanager
def replacing(path: Path, *, private: bool = False) -> Iterator[Path]:
    """Give a temporary path beside ``path`` to write to; on success it takes the place of ``path``, else it is gone.

    Raises:
        SurroundingsError: the folder cannot be written (full, read-only, not allowed).
    """
    temporary = beside(path)
    try:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            # The system takes the user's umask off by itself; asking for it would set it for a moment, in every thread.
            os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o666))
            yield temporary
            _flush(temporary)
            temporary.replace(path)
            _flush_folder(path.parent)
    finally:
        with suppress(OSError):  # of a disk that is gone; what goes wrong is told already
            temporary.unlink(missing_ok=True)


def beside(path: Path) -> Path:
    """Name a hidden temporary file or folder in the same folder, that nobody else has: ``.NAME.….partial``."""
    return path.parent / f".{path.name[:_KEPT_OF_NAME]}.{secrets.token_hex(8)}.partial"


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Tell what the system refuses while ``path`` is written as one sentence, with the remedy that fits.

    Raises:
        SurroundingsError: full, quota, read-only, not allowed, vanished; of another file that is read for it, that is
            named.
    """
    try:
        yield
    except OSError as error:
        raise SurroundingsError(_told(path, error)) from error


def disk_fault(error: BaseException) -> str | None:
    """Say what a disk refused where nobody expected it, in one sentence; None where an error is of another kind.

    A file that is not there may as well be a fault of the program: it is none of these.
    """
    if not isinstance(error, OSError) or error.errno is None or error.errno not in _REMEDIES:
        return None
    if errno.errorcode.get(error.errno) in _OF_THE_PROGRAM:
        return None
    named = error.filename2 or error.filename
    if isinstance(named, str | bytes | os.PathLike):
        return _told(Path(os.fsdecode(named)), error)
    return f"a file cannot be written ({error.strerror}), {_REMEDIES[error.errno]}"


def _told(path: Path, error: OSError) -> str:
    why, remedy = error.strerror or error, _REMEDIES.get(error.errno or 0, "choose another folder")
    other = error.filename if error.errno not in _OF_WRITING else None
    if isinstance(other, str | bytes) and not _is_beside(Path(os.fsdecode(other)), path):
        return f"{os.fsdecode(other)}: cannot be read ({why}), {remedy}"
    return f"{path}: cannot be written ({why}), {remedy}"


def _is_beside(found: Path, path: Path) -> bool:
    """Say whether a file is ``path``, a temporary one of it, or in its folder or one above."""
    return found == path or path.parent in (found, *found.parents) or found in path.parents


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text with its line ends as they are, whole or not at all."""
    write_bytes(path, text.encode())


def write_private(path: Path, text: str) -> None:
    """Write UTF-8 text that nobody but its owner may read (mode 0600), whole or not at all."""
    with replacing(path, private=True) as temporary:
        temporary.write_bytes(text.encode())


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(text: str) -> str:
    """Return the SHA-256 of a text as hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows opens no folders
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NOT_FOR_FOLDERS:
            raise
    finally:
        os.close(descriptor)
