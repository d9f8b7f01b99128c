"""Data sets fetched, checked, extracted and counted: ``cxrkit data download``."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ValidationError

from cxrkit import files, locking
from cxrkit.config.schema import DataTable
from cxrkit.data import archives, kaggle, published, transfers
from cxrkit.data.archive_names import is_junk
from cxrkit.data.archives import Extracted
from cxrkit.data.building import recognised_positive
from cxrkit.data.folders import creating
from cxrkit.data.lifting import Lifted, lift
from cxrkit.data.manifest import SPLITS
from cxrkit.data.origins import Origin
from cxrkit.data.patients import recognised
from cxrkit.data.published import Counts
from cxrkit.data.sources import index
from cxrkit.data.watching import Watch
from cxrkit.errors import InputError, RunError
from cxrkit.registry import Registry

_CONTENT = ".content"
_EXAMPLES = 3


class Record(BaseModel):
    """What is kept beside the folder, ``DIR.download.json``: where it came from, and the hash of every file."""

    source: str
    downloaded: datetime
    archive_sha256: str | None
    junk: int
    copies: int
    files: dict[str, str]


class Downloaded(NamedTuple):
    """The outcome.

    Attributes:
        record: what was fetched, now or earlier.
        already_there: nothing was fetched; the files are those of the record.
        counts: images by split and class, as a run will find them.
        differences: from the published numbers of images; None where none are known for such a set.
        lacking: what must be done before a run can use the folder.
        table: the lines of ``[data]`` for a ``tasks.toml``.
    """

    record: Record
    already_there: bool
    counts: Counts
    differences: list[str] | None
    lacking: str | None
    table: str


def download(origin: Origin, output: Path, datasets: Registry, watch: Watch) -> Downloaded:
    """Fetch a data set into a folder, which comes into being whole or not at all.

    Args:
        origin: where from.
        output: new or empty, or filled by an earlier call from the same origin: then its files are checked.
        datasets: the dataset plugins, which count the images.
        watch: hears of bytes, files and whatever is out of the ordinary.

    Raises:
        InputError: the origin gives nothing usable, or ``output`` holds something else or was changed.
        RunError: it cannot be fetched, is not what its hash says, or the disk is full.
    """
    place = Path(os.path.abspath(output))  # noqa: PTH100 - without "..", and links are left as they are
    earlier = _read(_record_path(place)) if place.is_dir() and any(place.iterdir()) else None
    if earlier is not None:
        _check_same(origin, earlier, output, place, watch)
        return _outcome(origin, output, earlier, datasets, already_there=True)
    _refuse_other(output, place)
    record = _fetch_folder(origin, place, watch) if origin.handle else _fetch_archive(origin, place, watch)
    return _outcome(origin, output, record, datasets, already_there=False)


@contextmanager
def fetching_alone(output: Path, *, wait: bool, say: Callable[[str], None]) -> Iterator[None]:
    """Keep others from fetching into the same folder, whose parts lie beside it; none is needed for one that is there.

    Args:
        output: as for :func:`download`.
        wait: for another process, instead of refusing.
        say: is told what is waited for.

    Raises:
        InputError: another process is fetching into it.
        RunError: the place cannot be written.
    """
    place = Path(os.path.abspath(output))  # noqa: PTH100 - as in download
    if place.is_file() or (place.is_dir() and any(place.iterdir())):
        yield
        return
    with locking.held(
        place.with_name(f".{place.name}.fetching"), "cxrkit data download", wait=wait, say=say, told=output
    ):
        yield


def _refuse_other(output: Path, place: Path) -> None:
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise InputError(f"{output}: exists and is not of this command, allowed is a new or empty folder")


def _fetch_folder(origin: Origin, place: Path, watch: Watch) -> Record:
    found = kaggle.fetch(origin.handle or "", watch)
    with creating(place) as folder:
        taken = kaggle.copy(found, folder / _CONTENT, watch)
        record = _settle(origin, folder, place, None, taken, watch)
    transfers.forget(_fetched(place))
    watch.say(f"kagglehub keeps a copy of its own in {found}")
    return record


def _fetch_archive(origin: Origin, place: Path, watch: Watch) -> Record:
    fetched = _fetched(place)
    archive = origin.archive or fetched
    if origin.url:
        transfers.fetch(origin.url, fetched, watch)
    found = _check_hash(origin, archive, watch)
    try:
        with creating(place) as folder:
            (folder / _CONTENT).mkdir()
            taken = archives.extract(archive, folder / _CONTENT, watch)
            record = _settle(origin, folder, place, found, taken, watch)
    except InputError:  # the same archive would fail again
        transfers.forget(fetched)
        raise
    transfers.forget(fetched)
    return record


def _fetched(place: Path) -> Path:
    return place.with_name(f".{place.name}.archive")


def _check_hash(origin: Origin, archive: Path, watch: Watch) -> str:
    size = archive.stat().st_size
    watch.progress("Hashing", 0, size)
    found = files.sha256(archive)
    watch.progress("Hashing", size, size)
    if origin.sha256 and found != origin.sha256:
        if origin.url:
            transfers.forget(archive)
        raise RunError(
            f"{origin.name}: has SHA-256 {found}, expected is {origin.sha256}; nothing was extracted; "
            "if its publisher names the first one, give it with --sha256"
        )
    return found


def _settle(
    origin: Origin, folder: Path, place: Path, archive_sha256: str | None, taken: Extracted, watch: Watch
) -> Record:
    """Bring the files to where they belong and write the record, just before the folder gets its name."""
    if not taken.files:
        raise InputError(f"{origin.name}: holds no file, nothing was kept")
    lifted = lift(folder / _CONTENT, folder)
    for note in _notes(lifted):
        watch.say(note)
    record = Record(
        source=origin.name,
        downloaded=datetime.now(UTC).replace(microsecond=0),
        archive_sha256=archive_sha256,
        junk=taken.junk,
        copies=lifted.copies,
        files=_hashes(folder, watch),
    )
    files.write_text(_record_path(place), record.model_dump_json(indent=1))
    return record


def _notes(lifted: Lifted) -> list[str]:
    notes = []
    if lifted.differing:
        notes.append(f"{lifted.differing} files of a nested copy of the set differ from it and were kept beside it")
    if lifted.left_out:
        notes.append(f"{len(lifted.left_out)} files around the set were left out, e.g. {lifted.left_out[0]}")
    return notes


def _hashes(folder: Path, watch: Watch) -> dict[str, str]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    paths = [path for path in paths if not is_junk(path.relative_to(folder).parts)]
    total, done, found = sum(path.stat().st_size for path in paths), 0, {}
    for path in paths:
        found[path.relative_to(folder).as_posix()] = files.sha256(path)
        done += path.stat().st_size
        watch.progress("Checking", done, total)
    return found


def _check_same(origin: Origin, earlier: Record, output: Path, place: Path, watch: Watch) -> None:
    if earlier.source != origin.name:
        raise InputError(f"{output}: holds the data of {earlier.source}, allowed is another --output")
    if origin.sha256 and earlier.archive_sha256 and earlier.archive_sha256 != origin.sha256:
        raise InputError(
            f"{output}: is of an archive of SHA-256 {earlier.archive_sha256}, not {origin.sha256}, "
            "allowed is another --output"
        )
    found = _hashes(place, watch)
    problems = [
        *_told("missing", [name for name in earlier.files if name not in found]),
        *_told("changed", [name for name, was in earlier.files.items() if found.get(name, was) != was]),
    ]
    if problems:
        raise InputError(
            f"{output}: is not as it was downloaded: {'; '.join(problems)}; remove the folder to fetch it anew"
        )
    for note in _told("added since", [name for name in found if name not in earlier.files]):
        watch.say(note)


def _told(what: str, names: list[str]) -> list[str]:
    if not names:
        return []
    more = f" and {len(names) - _EXAMPLES} more" if len(names) > _EXAMPLES else ""
    return [f"{what}: {', '.join(names[:_EXAMPLES])}{more}"]


def _outcome(origin: Origin, output: Path, record: Record, datasets: Registry, *, already_there: bool) -> Downloaded:
    try:
        frame = index(DataTable(root=str(output)), output, datasets)
    except InputError as error:  # a set that needs work before it can be used; its files are there all the same
        return Downloaded(record, already_there, {}, None, str(error), _table(output, None, named=False))
    used = frame[frame["excluded"] == ""]
    counts = {
        str(split): {str(label): len(rows) for label, rows in of_split.groupby("label")}
        for split, of_split in sorted(used.groupby("split"), key=lambda group: ("", *SPLITS).index(str(group[0])))
    }
    known = origin.published or published.expected(counts)
    different = None if known is None else published.differences(counts, known)
    positive = recognised_positive(sorted(set(used["label"])))
    table = _table(output, positive, named=recognised(frame) is not None)
    return Downloaded(record, already_there, counts, different, _lacking(output, counts), table)


def _lacking(output: Path, counts: Counts) -> str | None:
    if not counts:
        return f"{output}: no image in class folders"
    if "" in counts:
        return f"{output}: no train and test in it, make them with: cxrkit data split {output} NEW_FOLDER"
    return None


def _table(output: Path, positive: str | None, *, named: bool) -> str:
    lines = ["[data]", f"root = {_quoted(output.as_posix())}"]
    lines.append(f"positive = {_quoted(positive)}" if positive else '# positive = "…"   # the class to be detected')
    lines.append('groups = "kermany"' if named else "# groups = …         # how file names tell patients apart")
    return "\n".join(lines)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # a JSON string is a TOML string


def _record_path(place: Path) -> Path:
    return place.with_name(f"{place.name}.download.json")


def _read(path: Path) -> Record | None:
    try:
        return Record.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
