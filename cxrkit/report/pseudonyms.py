"""Pseudonyms of patients and images: a keyed hash, so that only who has the key can tell who is meant.

HMAC-SHA-256 (RFC 2104) of the patient's key or the image's name. One key gives one pseudonym: the same in every report
of a run, and in those of every run that shares the key.
"""

import csv
import hmac
import io
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from cxrkit import bounded
from cxrkit.config.schema import ReportTable
from cxrkit.errors import InputError
from cxrkit.evaluation.table import records
from cxrkit.files import write_private
from cxrkit.records import RunInfo
from cxrkit.report.formats.spreadsheets import harmless
from cxrkit.report.naming import AS_THEY_ARE, Names
from cxrkit.rundir import RunDirectory

LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's alphabet of 32: no I, L, O, U, so that none is read for another."""

LENGTH = 8
"""Letters of a pseudonym: 40 bits. Of 100,000 names two are alike in one run of two hundred; these get more letters."""

KEY_BYTES = 32
LEAST_KEY_BYTES = 16
MOST_KEY_BYTES = 4096
PREFIXES = {"image": "I-", "patient": "P-"}


def of_runs(runs: Sequence[RunDirectory], wanted: bool | None, key: Path | None = None) -> Names:
    """Name the images and patients of a report as the command line asks, else as the runs' configurations do.

    A report of several runs needs one key: the first run's, unless one is given.

    Args:
        runs: of the report.
        wanted: whether pseudonyms are; None where the runs say.
        key: file of the key; None for the runs' own.

    Raises:
        InputError: the file of the key cannot be used.
        RunError: the key or the list of pseudonyms cannot be written.
    """
    tables = [_recorded(run) for run in runs]
    if not (any(table.get("pseudonyms") for table in tables) if wanted is None else wanted):
        return AS_THEY_ARE
    folders = [(run.root / (RunInfo.read(run.info).folder or ".")).resolve() for run in runs]
    named = [
        folder / table["pseudonym_key"]
        for folder, table in zip(folders, tables, strict=True)
        if table.get("pseudonym_key")
    ]
    return made(runs, key or next(iter(named), None))


def of_table(table: ReportTable, run: RunDirectory) -> Names:
    """Name the images and patients of a run as a ``[report]`` with absolute paths asks; see :func:`of_runs`."""
    if not table.pseudonyms:
        return AS_THEY_ARE
    return made([run], None if table.pseudonym_key is None else Path(table.pseudonym_key))


def of_preview(
    table: ReportTable, run: RunDirectory, images: Sequence[str], patients: Sequence[str], words: Iterable[str]
) -> Names:
    """Name images that are looked at before a run, whose folder is only read: as its report will, if it has a key.

    Args:
        table: ``[report]`` with absolute paths.
        run: whose key is used; where it has none yet and none is given, these pseudonyms are good for this once.
        images: names.
        patients: keys.
        words: that are nobody's key: classes, sets.

    Raises:
        InputError: the file of the key cannot be used.
    """
    if not table.pseudonyms:
        return AS_THEY_ARE
    key = run.pseudonym_key if table.pseudonym_key is None else Path(table.pseudonym_key)
    is_new = table.pseudonym_key is None and not key.exists()
    secret = secrets.token_bytes(KEY_BYTES) if is_new else read_key(key, str(key))
    return Names(
        images=_hashed(secret, "image", sorted({*images} - {""})),
        patients=_hashed(secret, "patient", sorted({*patients} - {""})),
        words=frozenset(words),
        shown=frozenset(),
    )


def made(runs: Sequence[RunDirectory], key: Path | None) -> Names:
    """Make the pseudonyms of everything that the runs name, and list them in the first run's ``pseudonyms.csv``."""
    secret = _own_key(runs[0]) if key is None else read_key(key, str(key))
    images, patients = _named(runs)
    names = Names(
        images=_hashed(secret, "image", images),
        patients=_hashed(secret, "patient", patients),
        words=frozenset(_words(runs)),
        shown=frozenset(column for run in runs for column in _subgroups(run)),
    )
    write_private(runs[0].pseudonyms, _listed(names))
    return names


def check_key(path: Path | None) -> None:
    """Check a key of the command line before any work; see :func:`read_key`."""
    if path is not None:
        read_key(path, f"--pseudonym-key: {path}")


def read_key(path: Path, where: str) -> bytes:
    """Read a key.

    Args:
        path: of a file of 16 to 4096 bytes; white space around them does not count.
        where: it was named, for messages.

    Raises:
        InputError: it is not there, or no key; nothing is told of what it holds, as a stranger may have named it.
    """
    remedy = "a copy of another run's pseudonym.key can stand there"
    try:
        with bounded.opened(path) as file:
            secret = file.read(MOST_KEY_BYTES + 1).strip()
    except OSError as error:
        raise InputError(f"{where}: the key cannot be read ({error.strerror}), {remedy}") from None
    if not LEAST_KEY_BYTES <= len(secret) <= MOST_KEY_BYTES:
        raise InputError(f"{where}: holds no key, which has {LEAST_KEY_BYTES} to {MOST_KEY_BYTES} bytes; {remedy}")
    return secret


def _own_key(run: RunDirectory) -> bytes:
    if not run.pseudonym_key.exists():
        if run.pseudonyms.exists():  # with another key, nobody could tell any more whom the earlier reports mean
            raise InputError(
                f"{run.pseudonym_key}: missing, while {run.pseudonyms.name} lists what a key gave to reports; put it "
                "back, name it (--pseudonym-key or [report] pseudonym_key), or move the list away to begin anew"
            )
        write_private(run.pseudonym_key, f"{secrets.token_hex(KEY_BYTES)}\n")
    return read_key(run.pseudonym_key, str(run.pseudonym_key))


def _hashed(secret: bytes, kind: str, names: Sequence[str]) -> dict[str, str]:
    """Give each name its pseudonym; those of one beginning are told apart by as many letters more as that takes."""
    letters = {name: _letters(hmac.digest(secret, f"{kind}\0{name}".encode(), sha256)) for name in names}
    length = dict.fromkeys(names, LENGTH)
    while True:
        alike: dict[str, list[str]] = {}
        for name in names:
            alike.setdefault(letters[name][: length[name]], []).append(name)
        doubled = [name for group in alike.values() if len(group) > 1 for name in group]
        if not doubled:
            return {name: PREFIXES[kind] + letters[name][: length[name]] for name in names}
        length |= {name: length[name] + 1 for name in doubled}


def _letters(code: bytes) -> str:
    number = int.from_bytes(code, "big")
    return "".join(LETTERS[number >> shift & 31] for shift in range(8 * len(code) - 5, -1, -5))


# ── What is named ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _named(runs: Sequence[RunDirectory]) -> tuple[list[str], list[str]]:
    """List every image and every patient of the runs: those of the manifest and those of predictions."""
    images: dict[str, None] = {}
    patients: dict[str, None] = {}
    for run in runs:
        for path in (run.manifest, *sorted(run.root.glob("tasks/*/predictions/*.csv"))):
            for row in records(path) if path.is_file() else ():
                images[row.get("image") or ""] = None
                patients[row.get("patient") or ""] = None
    images.pop("", None)
    patients.pop("", None)
    return sorted(images), sorted(patients)


def _words(runs: Sequence[RunDirectory]) -> Iterator[str]:
    for run in runs:
        info = RunInfo.read(run.info)
        yield from (*info.class_names, *info.tasks, run.root.resolve().name)
        yield from info.data.counts if info.data is not None else ()


def _subgroups(run: RunDirectory) -> Sequence[str]:
    table: Mapping[str, Any] = RunInfo.read(run.info).configuration.get("evaluation") or {}
    return table.get("subgroups") or ()


def _recorded(run: RunDirectory) -> Mapping[str, Any]:
    table: Mapping[str, Any] = RunInfo.read(run.info).configuration.get("report") or {}
    return table


def _listed(names: Names) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("kind", "original", "pseudonym"))
    for kind, pseudonyms in (("patient", names.patients), ("image", names.images)):
        writer.writerows((kind, harmless(name), pseudonym) for name, pseudonym in pseudonyms.items())
    return text.getvalue()
