"""Names inside archives: which are files of the user's, which are junk, and which are refused."""

import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath, PureWindowsPath

JUNK = ("__macosx", ".ds_store", "thumbs.db", "desktop.ini")
"""What systems leave in archives and folders, in lower case; ``._`` in front is macOS's too."""

_SHOWN = 100


def refused(raw: str) -> str | None:
    """Say why the name of an entry may lead out of the folder it is extracted to, or is no name on some system.

    Args:
        raw: as it stands in the archive, with slashes or backslashes.

    Returns:
        What it is, as the end of a sentence; None for a harmless name.
    """
    name = raw.replace("\\", "/")
    if "\0" in name:
        return "has a NUL in its name"
    if not all(character.isprintable() for character in name):
        return "has a control character in its name"
    if name.startswith("/"):
        return "is an absolute path"
    if PureWindowsPath(name).anchor:
        return "begins with a drive letter"
    if ".." in name.split("/"):
        return "leads upwards with .."
    return None


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
    for name in names:
        folders = [parent.as_posix() for parent in PurePosixPath(name).parents][:-1]
        for path in (*folders, name):
            known = spelled.setdefault(_folded(path), path)
            if known != path:
                return f'holds "{shown(known)}" and "{shown(path)}", which differ only in how they are spelled'
        if name in files:
            return f'holds "{shown(name)}" twice'
        files.add(name)
    both = min((name for name in _parents(files) if name in files), default=None)
    return f'holds "{shown(both)}" as a file and as a folder' if both else None


def _parents(files: Iterable[str]) -> set[str]:
    return {parent.as_posix() for name in files for parent in PurePosixPath(name).parents}


def _folded(path: str) -> str:
    """Take together what Windows and macOS do: case, Unicode's forms, dots and blanks at the end of a name."""
    parts = unicodedata.normalize("NFC", path).casefold().split("/")
    return "/".join(part.rstrip(". ") for part in parts)


def shown(name: str) -> str:
    """Make a name safe to print: no control characters, not too long."""
    safe = "".join(character if character.isprintable() else "?" for character in name)
    return safe if len(safe) <= _SHOWN else f"{safe[:_SHOWN]}…"
