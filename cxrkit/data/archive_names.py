"""Names inside archives: which are files of the user's, which are junk, and which are refused."""

import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile
from pathlib import PurePosixPath, PureWindowsPath

JUNK = ("__macosx", ".ds_store", "thumbs.db", "desktop.ini")
"""What systems leave in archives and folders, in lower case; ``._`` in front is macOS's too."""

LONGEST = 1024  # bytes of a name with its folders
LONGEST_PART = 255  # bytes of a file's or folder's own name, which is as far as file systems go
MOST_FOLDERS = 1_000_000
DEVICES = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]) *(?:\..*)?", re.IGNORECASE)
"""Names that Windows takes for a device, whatever their suffix."""

_SHOWN = 100


def refused(raw: str, *, windows: bool = os.name == "nt") -> str | None:
    """Say why the name of an entry may lead out of the folder it is extracted to, or is no name on some system.

    Args:
        raw: as it stands in the archive, with slashes or backslashes.
        windows: whether it is to be a name there.

    Returns:
        What it is, as the end of a sentence; None for a harmless name.
    """
    name = raw.replace("\\", "/")
    if len(name.encode(errors="surrogatepass")) > LONGEST:
        return f"has a name of more than {LONGEST} bytes"
    if any(len(part.encode(errors="surrogatepass")) > LONGEST_PART for part in name.split("/")):
        return f"has a file's or folder's name of more than {LONGEST_PART} bytes"
    if "\0" in name:
        return "has a NUL in its name"
    if not all(character.isprintable() for character in name):
        return "has a control character in its name"
    return _leading_out(name) or (_no_name_on_windows(name) if windows else None)


def _leading_out(name: str) -> str | None:
    if name.startswith("/"):
        return "is an absolute path"
    if PureWindowsPath(name).anchor:
        return "begins with a drive letter"
    return "leads upwards with .." if ".." in name.split("/") else None


def _no_name_on_windows(name: str) -> str | None:
    """Refuse what would be written to a device, or into a stream behind another file, and be lost."""
    if ":" in name:
        return "has a colon in its name, which Windows does not allow"
    is_device = any(DEVICES.fullmatch(part) for part in name.split("/"))
    return "has a name that Windows keeps for a device" if is_device else None


def relative(raw: str) -> str:
    """Return a name that is not refused as a POSIX path without ``.``; empty for the folder itself."""
    path = PurePosixPath(raw.replace("\\", "/"))
    return "" if path == PurePosixPath() else path.as_posix()


def is_junk(parts: Sequence[str]) -> bool:
    """Tell what systems leave behind: ``__MACOSX``, ``.DS_Store``, ``._*``, ``Thumbs.db``, ``desktop.ini``."""
    return any(part.lower() in JUNK or part.startswith("._") for part in parts)


def conflict(names: Iterable[str]) -> str | None:
    """Find two names that some file system takes for one, or one that is both a file and a folder.

    Args:
        names: relative POSIX paths of files.

    Returns:
        What is wrong, as the end of a sentence; None where all names are apart everywhere.
    """
    spelled: dict[str, str] = {}
    files: set[str] = set()
    folders: set[str] = set()
    for name in names:
        if name in files:
            return f'holds "{shown(name)}" twice'
        files.add(name)
        new = list(takewhile(lambda folder: folder not in folders, _folders(name)))
        folders.update(new)
        for path in (*reversed(new), name):
            known = spelled.setdefault(_folded(path), path)
            if known != path:
                return f'holds "{shown(known)}" and "{shown(path)}", which differ only in how they are spelled'
        if len(folders) > MOST_FOLDERS:
            return f"holds more than {MOST_FOLDERS:,} folders"
    both = min(files & folders, default=None)
    return f'holds "{shown(both)}" as a file and as a folder' if both else None


def _folders(name: str) -> Iterator[str]:
    """Name the folders around a file, the innermost first."""
    while name := name.rpartition("/")[0]:
        yield name


def _folded(path: str) -> str:
    """Take together what Windows and macOS do: case, Unicode's forms, dots and blanks at the end of a name."""
    parts = unicodedata.normalize("NFC", path).casefold().split("/")
    return "/".join(part.rstrip(". ") for part in parts)


def shown(name: str) -> str:
    """Make a name safe to print: no control characters, not too long."""
    safe = "".join(character if character.isprintable() else "?" for character in name)
    return safe if len(safe) <= _SHOWN else f"{safe[:_SHOWN]}…"
