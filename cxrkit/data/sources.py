"""Index the configured data set and its external sets through the dataset plugins."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from cxrkit import options
from cxrkit.api import ManifestRow
from cxrkit.config.schema import DataTable
from cxrkit.data.manifest import FIRST, SPLITS
from cxrkit.errors import InputError
from cxrkit.registry import Registry


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
        given = options.check(registered.factory, chosen.options, "data.dataset")
        return _frame(registered.factory(source, **given))
    registered = datasets.get("csv" if source.is_file() or source.suffix.lower() == ".csv" else "folder", "data")
    return _frame(registered.factory(source))


def _frame(rows: Iterable[ManifestRow]) -> pd.DataFrame:
    records = [
        {
            **row.columns,
            "image": row.image,
            "split": row.split,
            "label": row.label,
            "patient": row.patient or "",
            "excluded": row.excluded or "",
        }
        for row in rows
    ]
    names = dict.fromkeys([*FIRST, "excluded", *(name for record in records for name in record)])
    return pd.DataFrame(records, columns=list(names)).fillna("").astype(str)


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
