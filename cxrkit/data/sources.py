"""Index the configured data set and its external sets through the dataset plugins."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from unicodedata import category

import pandas as pd

from cxrkit import guard, options
from cxrkit.api import ManifestRow
from cxrkit.config.schema import DataTable
from cxrkit.data.manifest import FIRST, SPLITS
from cxrkit.errors import InputError, RunError
from cxrkit.registry import Registered, Registry


class Sources(NamedTuple):
    """What was found, not yet looked into: a frame of text columns, and the folder of each split or set."""

    frame: pd.DataFrame
    roots: dict[str, Path]


def collect(table: DataTable, base: Path, datasets: Registry) -> Sources:
    """List every file of the data set and of the external sets.

    Args:
        table: ``[data]``.
        base: what its paths are relative to.
        datasets: the dataset plugins.

    Raises:
        InputError: a source cannot be read, or its rows belong to no split.
    """
    source = base / (table.root or table.manifest or "")
    need_folder(table, source)
    frames = [_of_splits(index(table, source, datasets), source)]
    roots = dict.fromkeys(SPLITS, folder_of(source))
    for name, place in table.external.items():
        frames.append(_of_external(index(table, base / place, datasets), name, base / place))
        roots[name] = folder_of(base / place)
    frame = pd.concat(frames, ignore_index=True)
    return Sources(frame.fillna(""), roots)


def need_folder(table: DataTable, source: Path) -> None:
    """Refuse a folder of images that does not exist, and tell where images come from.

    Raises:
        InputError: with the command that fetches Kermany's chest X-rays to it.
    """
    if table.root is not None and table.dataset is None and not source.exists():
        raise InputError(
            f"{source}: no such folder, allowed is one with train/ and test/ of class folders; "
            f"Kermany's chest X-rays come with: cxrkit data download --output {source}"
        )


def folder_of(source: Path) -> Path:
    """Return the folder that a source's image names are relative to: itself, or that of the CSV file."""
    return source if source.is_dir() else source.parent


def index(table: DataTable, source: Path, datasets: Registry) -> pd.DataFrame:
    """List the files of one source through its dataset plugin: as configured, else by what ``source`` is.

    Raises:
        InputError: it cannot be read.
    """
    chosen = table.dataset
    if chosen is not None and source.is_dir() == (table.root is not None):
        registered = datasets.get(chosen.use, "data.dataset")
        return _frame(_asked(registered, source, options.check(registered.factory, chosen.options, "data.dataset")))
    if (source / "run.json").is_file() and not (source / "train").is_dir():
        raise InputError(f"{source}: is a run directory, allowed is a folder of images or a CSV file that lists them")
    registered = datasets.get("csv" if source.is_file() or source.suffix.lower() == ".csv" else "folder", "data")
    return _frame(_asked(registered, source, {}))


def _asked(dataset: Registered, source: Path, given: Mapping[str, Any]) -> list[ManifestRow]:
    """Take every row of a data set, so that what goes wrong on the way is the plugin's."""
    rows = guard.call(dataset.origin, lambda: list(dataset.factory(source, **guard.options(given))))
    for number, row in enumerate(rows, start=1):
        if wrong := _fault(row):
            raise RunError(f"{dataset.origin}: row {number} {wrong}")
    return rows


def _fault(row: Any) -> str | None:
    if not isinstance(row, ManifestRow):
        return f"is {type(row).__name__}, a ManifestRow is needed"
    if not isinstance(row.columns, Mapping) or not all(isinstance(name, str) for name in row.columns):
        return f"has the columns {row.columns!r}, a mapping of name to text is needed"
    texts = {name: getattr(row, name) for name in ("image", "split", "label", "patient", "excluded")}
    wrong = [name for name, value in texts.items() if not isinstance(value, str | None)]
    wrong += [name for name in ("image", "split", "label") if texts[name] is None]
    return f"has the {wrong[0]} {texts[wrong[0]]!r}, a text is needed" if wrong else None


def _frame(rows: Iterable[ManifestRow]) -> pd.DataFrame:
    records = [
        {
            **row.columns,
            "image": _written(row.image),
            "split": row.split,
            "label": _written(row.label),
            "patient": row.patient or "",
            "excluded": row.excluded or _unusable(row) or "",
        }
        for row in rows
    ]
    names = dict.fromkeys([*FIRST, "excluded", *(name for record in records for name in record)])
    return pd.DataFrame(records, columns=list(names)).fillna("").astype(str)


def _unusable(row: ManifestRow) -> str | None:
    """Say why a name would come back from a table as another one."""
    for name in (row.image, row.label):
        if not _is_text(name):
            return "name that is no text in UTF-8"
        if name != _written(name):
            return "name with a control character"
        if name != name.strip():
            return "name that begins or ends with a space"
    return None


def _is_text(name: str) -> bool:
    """Tell names of files whose bytes are no UTF-8, which Python keeps as surrogates."""
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def _written(name: str) -> str:
    """Spell what would break a line of a table, or cannot be written at all, as an escape."""
    if name.isprintable():
        return name
    return "".join(
        letter if category(letter) not in {"Cc", "Cs", "Zl", "Zp"} else ascii(letter)[1:-1] for letter in name
    )


def _of_splits(frame: pd.DataFrame, source: Path) -> pd.DataFrame:
    used = frame[frame["excluded"] == ""]
    if used.empty:
        raise InputError(f"{source}: no image in it, allowed are train/ and test/ of class folders")
    if (used["split"] == "").all():
        raise InputError(f"{source}: no train and test in it, make them with: cxrkit data split {source} NEW_FOLDER")
    unknown = used[~used["split"].isin(SPLITS)]
    if len(unknown):
        first = unknown.iloc[0]
        raise InputError(f'{source}: "{first["image"]}" is of split "{first["split"]}", allowed are train, val, test')
    return frame


def _of_external(frame: pd.DataFrame, name: str, source: Path) -> pd.DataFrame:
    """Take the images without split or of test; an external set is for testing alone."""
    used = frame["excluded"] == ""
    other = used & ~frame["split"].isin(("", "test"))
    frame.loc[other, "excluded"] = "not of test/, which alone an external set is tested on"
    if not (frame["excluded"] == "").any():
        raise InputError(f"{source}: no image to test on, allowed are class folders or test/ of class folders")
    return frame.assign(split=name)
