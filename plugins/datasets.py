"""The built-in ways to read a data set: class folders, a CSV manifest, the phantom."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath

import pandas as pd

from cxrkit import hookimpl
from cxrkit.api import DatasetIndex, ManifestRow
from cxrkit.errors import InputError, nearest

SPLIT_NAMES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
IMAGE_SUFFIXES = (".jpeg", ".jpg", ".png", ".tif", ".tiff", ".bmp", ".webp", ".dcm", ".dicom")
LEADS_OUT = "link that leads out of the folder"
SYSTEM_NAMES = ("__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini")
_TRAIN_OR_TEST = {name for name, split in SPLIT_NAMES.items() if split != "val"}
_DEEPEST = 4  # levels that are searched for the splits
COMPUTED = ("sha256", "width", "height")  # by cxrkit, also where a manifest that it wrote comes back


@hookimpl
def cxrkit_register_datasets() -> Mapping[str, DatasetIndex]:
    """Offer ``folder``, ``csv`` and ``phantom``."""
    return {"folder": folder, "csv": csv, "phantom": phantom}


# ── Class folders ─────────────────────────────────────────────────────────────────────────────────────────────────────


def folder(root: Path, *, masks: str = "masks", links: bool = False) -> Iterator[ManifestRow]:
    """List ``train/ val/ test/`` of class folders, also one level or more down, or class folders alone.

    Args:
        root: the folder; class folders without splits give rows whose split is empty.
        masks: subfolder that mirrors the images' paths with lesion masks, where there is one.
        links: whether links that lead out of the folder are followed; else what they are is excluded.

    Raises:
        InputError: there is no folder, or it holds no class folders, or several sets.
    """
    if not root.is_dir():
        raise InputError(f"{root}: no such folder, allowed is one with train/ and test/ of class folders")
    home = None if links else os.path.realpath(root)
    base = _set_folder(root, home)
    splits = _splits(base, home)
    found = _mask_files(base / masks, home)
    for path in _files(root, home):
        relative = path.relative_to(root)
        if _leads_out(path, home):
            yield ManifestRow(relative.as_posix(), "", "", excluded=LEADS_OUT)
            continue
        inside = path.relative_to(base).parts if path.is_relative_to(base) else None
        if inside and inside[0] == masks and found:
            continue  # comes with its image
        row = _row(relative, inside, splits)
        mask = found.get(Path(*inside).with_suffix("")) if inside else None
        columns = {"mask": mask.relative_to(root).as_posix()} if mask else {}
        yield ManifestRow(row.image, row.label, row.split, columns=columns, excluded=row.excluded)


def _set_folder(root: Path, home: str | None) -> Path:
    """Find the folder that has the splits: the root, or the only one below it (``chest_xray/chest_xray``)."""
    level = [root]
    for _ in range(_DEEPEST):
        holding = [place for place in level if _splits(place, home).keys() & _TRAIN_OR_TEST]
        if len(holding) > 1:
            places = ", ".join(str(place) for place in holding)
            raise InputError(f"{root}: {len(holding)} folders with train/ or test/, name one of {places}")
        if holding:
            return holding[0]
        level = [below for place in level for below in _folders(place, home)]
    if not _folders(root, home):
        beyond = any(_leads_out(place, home) for place in root.iterdir())
        hint = ' (links that lead out of it are followed with dataset = { use = "folder", links = true })'
        allowed = f"allowed is train/ and test/ of class folders{hint * beyond}"
        raise InputError(f"{root}: no folder in it, {allowed}")
    return root


def _splits(base: Path, home: str | None) -> dict[str, str]:
    """Map names of the split folders, in lower case, to train, val and test."""
    found = [place.name.lower() for place in _folders(base, home) if place.name.lower() in SPLIT_NAMES]
    splits = {name: SPLIT_NAMES[name] for name in found}
    if len(set(splits.values())) < len(found):
        raise InputError(f"{base}: {', '.join(sorted(found))} name one split twice, rename or remove one")
    return splits if splits.keys() & _TRAIN_OR_TEST else {}


def _row(relative: Path, inside: tuple[str, ...] | None, splits: Mapping[str, str]) -> ManifestRow:
    image = relative.as_posix()
    if any(_is_system_file(part) for part in relative.parts):
        return ManifestRow(image, "", "", excluded="system file, no image")
    if relative.suffix.lower() not in IMAGE_SUFFIXES:
        return ManifestRow(image, "", "", excluded="no image by its suffix")
    if inside is None or (splits and inside[0].lower() not in splits):
        return ManifestRow(image, "", "", excluded="outside train/, val/ and test/")
    split = splits.get(inside[0].lower(), "")
    label = inside[1 if splits else 0 : -1][:1]
    if not label:
        return ManifestRow(image, "", split, excluded="in no class folder")
    return ManifestRow(image, label[0], split)


def _files(root: Path, home: str | None) -> Iterator[Path]:
    """List all files below a folder, by name, through links to folders but not in circles; and links that lead out."""
    seen: set[str] = set()
    for place, folders, files in os.walk(root, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        beyond = [name for name in folders if _leads_out(Path(place, name), home)]
        folders[:] = sorted(set(folders) - set(beyond))
        yield from (Path(place, name) for name in sorted([*files, *beyond]))


def _leads_out(path: Path, home: str | None) -> bool:
    """Tell a link to what lies outside of a folder; None for a folder that links may lead out of."""
    if home is None or not path.is_symlink():
        return False
    return not Path(os.path.realpath(path)).is_relative_to(home)


def _folders(place: Path, home: str | None) -> list[Path]:
    found = (below for below in place.iterdir() if not _is_system_file(below.name) and not _leads_out(below, home))
    return sorted(below for below in found if below.is_dir())


def _mask_files(place: Path, home: str | None) -> dict[Path, Path]:
    """Map the path of an image without suffix to its mask."""
    if not place.is_dir() or _leads_out(place, home):
        return {}
    found = (path for path in _files(place, home) if not _leads_out(path, home))
    return {path.relative_to(place).with_suffix(""): path for path in found}


def _is_system_file(name: str) -> bool:
    return name in SYSTEM_NAMES or name.startswith("._")


# ── CSV ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def csv(root: Path, *, images: str = "", separator: str = ",") -> Iterator[ManifestRow]:
    """List the rows of a CSV file with the columns image, label, and possibly split, patient and others.

    Args:
        root: the CSV file.
        images: folder that the image column is relative to, itself relative to the file's folder.
        separator: between the columns.

    Raises:
        InputError: it is no CSV, a column is missing, or cells are wrong; all wrong rows are told at once.
    """
    table = _table(root, separator)
    problems = list(_bad_cells(table, root))
    if problems:
        raise InputError(*problems)
    extra = [column for column in table if column not in ("image", "label", "split", "patient", "excluded", *COMPUTED)]
    for cells in table.to_dict("records"):
        yield ManifestRow(
            image=_image_name(cells["image"], images),
            label=cells["label"],
            split=SPLIT_NAMES.get(cells.get("split", "").lower(), ""),
            patient=cells.get("patient") or None,
            columns={str(column): cells[column] for column in extra},
            excluded=cells.get("excluded") or None,
        )


def _table(path: Path, separator: str) -> pd.DataFrame:
    if not path.is_file():
        raise InputError(f"{path}: no such file, allowed is a CSV with the columns image, label, split, patient")
    try:
        table = pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (ValueError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: no CSV file in UTF-8 ({' '.join(str(error).split())})") from None
    if not isinstance(table.index, pd.RangeIndex):  # what pandas makes of surplus cells
        raise InputError(f"{path}: rows have more cells than the first line, allowed is one for each column name")
    table.columns = table.columns.str.strip()
    missing = [column for column in ("image", "label") if column not in table]
    if missing:
        raise InputError(*(f'{path}: no column "{column}", {nearest(column, table.columns)}' for column in missing))
    return pd.DataFrame({column: cells.str.strip() for column, cells in table.items()})


def _bad_cells(table: pd.DataFrame, path: Path) -> Iterator[str]:
    used = table[table.get("excluded", pd.Series("", table.index)) == ""]
    for column in ("image", "label"):
        yield from _told(used[used[column] == ""], path, f"{column} is empty", "allowed is a value in every row")
    doubled = table[table["image"].duplicated() & (table["image"] != "")]
    yield from _told(doubled, path, "image occurs twice", "allowed is one row for each image")
    if "split" in used:
        unknown = used[~used["split"].str.lower().isin(SPLIT_NAMES)]
        yield from _told(unknown, path, "split is none that is known", "allowed are train, val, test")


def _told(rows: pd.DataFrame, path: Path, what: str, allowed: str) -> Iterator[str]:
    if len(rows):
        lines = ", ".join(str(number + 2) for number in rows.index[:5])  # the head is line 1
        more = f" and {len(rows) - 5} more" if len(rows) > 5 else ""  # noqa: PLR2004 - as many as are named
        yield f"{path}: line {lines}{more}: {what}, {allowed}"


def _image_name(cell: str, images: str) -> str:
    path = PureWindowsPath(cell) if "\\" in cell else PurePosixPath(cell)
    return (PurePosixPath(images) / path.as_posix()).as_posix()


# ── Phantom ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def phantom(root: Path) -> Iterator[ManifestRow]:
    """List the images that ``cxrkit data phantom`` wrote, with patients, pathogens and lesion masks.

    Raises:
        InputError: the folder holds no phantom.
    """
    if not (root / "phantom.csv").is_file():
        raise InputError(f"{root}: no phantom.csv in it, make one with: cxrkit data phantom {root}")
    return csv(root / "phantom.csv")
