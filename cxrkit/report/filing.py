"""Where the files of a report lie, and which of them are an earlier report's."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from cxrkit.files import sha256, write_bytes
from cxrkit.formats import FORMATS, Format
from cxrkit.records import ReportFiles

NAMES: dict[Format, str] = {
    "html": "report.html",
    "pdf": "report.pdf",
    "txt": "comparison_report.txt",
    "json": "report.json",
}
"""Format of one file → its name."""

FOLDERS: dict[Format, str] = {"md": "model_cards", "latex": "tables", "csv": "tables"}
"""Format of several files → their folder."""

SUFFIXES: dict[Format, str] = {"md": ".md", "latex": ".tex", "csv": ".csv"}

RECORD = "files.json"
"""Which files of several of one kind cxrkit has written."""

Files = Mapping[str, bytes]
"""Name within the folder of the report, with ``/`` → content."""


def put(folder: Path, made: Mapping[Format, Files]) -> tuple[list[Path], list[str]]:
    """Write the files of a report, and remove those of an earlier one of the same formats that it no longer has.

    Returns:
        What to open, HTML first: files, of several of one kind their folder; and a sentence for each file of an earlier
        report that stays because it was changed since.

    Raises:
        RunError: a file cannot be written.
    """
    several = {name: files for name, files in made.items() if name in FOLDERS}
    before = _recorded(folder)
    now = before | {
        name: {path: _digest(content) for path, content in files.items()} for name, files in several.items()
    }
    if several:  # noted before they are written, so that nothing is forgotten in an interruption
        _note(folder, {name: before.get(name, {}) | files for name, files in now.items()})
    for path, content in (pair for files in made.values() for pair in files.items()):
        write_bytes(folder / path, content)
    kept = list(_remove(folder, before, several))
    if several:
        _note(folder, now)
    return _shown(folder, made), [f"{path}: is no longer part of the report; it was changed and stays" for path in kept]


def places(folder: Path, formats: Iterable[Format]) -> list[Path] | None:
    """Find what :func:`put` left, as it tells of it; None where a file is missing."""
    wanted = set(formats)
    recorded = _recorded(folder) if wanted & FOLDERS.keys() else {}
    if any(name not in recorded for name in wanted & FOLDERS.keys()):
        return None
    files = [NAMES[name] for name in wanted & NAMES.keys()]
    files += [path for name in wanted & FOLDERS.keys() for path in recorded[name]]
    return _shown(folder, wanted) if all((folder / path).is_file() for path in files) else None


def _shown(folder: Path, formats: Iterable[Format]) -> list[Path]:
    wanted = set(formats)
    return list(dict.fromkeys(folder / (NAMES.get(name) or FOLDERS[name]) for name in FORMATS if name in wanted))


def _remove(
    folder: Path, before: Mapping[Format, Mapping[str, str]], several: Mapping[Format, Files]
) -> Iterator[Path]:
    """Remove what is no longer part of the report; name what was changed and is left."""
    for name, files in several.items():
        for gone in before.get(name, {}).keys() - files.keys():
            path = folder / gone
            if not _is_own(gone, name) or not path.is_file():
                continue
            if sha256(path) == before[name][gone]:
                path.unlink()
            else:
                yield path


def _is_own(path: str, name: Format) -> bool:
    """Say whether a recorded path is one that this format has: nothing outside of its folder is ever removed."""
    place = PurePosixPath(path)
    return place.parts == (FOLDERS[name], place.name) and place.suffix == SUFFIXES[name] and "\\" not in path


def _recorded(folder: Path) -> dict[Format, dict[str, str]]:
    path = folder / RECORD
    return ReportFiles.read(path).formats if path.is_file() else {}


def _note(folder: Path, formats: dict[Format, dict[str, str]]) -> None:
    ReportFiles(formats=formats).write(folder / RECORD)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
