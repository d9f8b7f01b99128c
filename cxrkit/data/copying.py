"""Write a patient-wise split of a data set as folders."""

import shutil
from pathlib import Path, PurePosixPath

import pandas as pd

from cxrkit.config.schema import DataTable
from cxrkit.data import checks, patients
from cxrkit.data.folders import creating
from cxrkit.data.inspection import Progress, inspected
from cxrkit.data.manifest import FIRST, LAST, SPLITS, Manifest, arranged
from cxrkit.data.sources import folder_of, index
from cxrkit.data.splitting import divided
from cxrkit.errors import InputError
from cxrkit.files import digest
from cxrkit.registry import Registry


def split(
    table: DataTable,
    base: Path,
    datasets: Registry,
    target: Path,
    *,
    test: float,
    validation: float,
    seed: int,
    progress: Progress | None = None,
) -> Manifest:
    """Pool all images of a data set, divide them by patient, and copy them into train/ val/ test/ of class folders.

    A ``manifest.csv`` beside the folders keeps patients, subgroup columns and where each image came from.

    Args:
        table: names the source, and possibly its plugin and patient rule.
        base: folder that the source is relative to.
        datasets: the dataset plugins.
        target: new or empty folder.
        test: share of the images, above 0.
        validation: share of the images; 0 makes no val/.
        seed: of the split.
        progress: called with the images done and their total, first while reading.

    Returns:
        The new manifest; what was not copied is among its excluded rows.

    Raises:
        InputError: the source cannot be used, the shares leave nothing to train on, or the target is not empty.
        RunError: the target cannot be written.
    """
    if test + validation >= 1:
        raise InputError(f"test and validation: must sum to less than 1, got {test + validation:g}")
    where = table.root or table.manifest or ""
    source = folder_of(base / where)
    with creating(target) as folder:
        frame = index(table, base / where, datasets).assign(split="train")
        frame, looks = inspected(frame, {"train": source}, progress)
        frame, notes, rule = patients.assigned(frame, table.groups or patients.recognised(frame), frozenset(), where)
        frame = _divided(frame, {"val": validation, "test": test}, seed, where)
        frame = frame.assign(source=frame["image"], image=_places(frame))
        _copy(frame[frame["excluded"] == ""], source, folder)
        manifest = Manifest(arranged(frame, []), dict.fromkeys(SPLITS, target), tuple(notes), rule, looks)
        _listed(manifest.usable).to_csv(folder / "manifest.csv", index=False, lineterminator="\n", encoding="utf-8")
    return manifest


def _divided(frame: pd.DataFrame, shares: dict[str, float], seed: int, where: str) -> pd.DataFrame:
    used = frame[frame["excluded"] == ""]
    wanted = {name: share for name, share in shares.items() if share > 0}
    if len(used):
        frame.loc[used.index, "split"] = divided(used, {**wanted, "train": 1 - sum(wanted.values())}, seed)
    used = frame[frame["excluded"] == ""]
    problems = checks.missing_classes(used, where, needed=("train", *wanted))
    if problems:
        raise InputError(*problems)
    return frame


def _places(frame: pd.DataFrame) -> list[str]:
    """Choose where each image goes; two of one name get a part of their path's hash into it."""
    names = frame["split"] + "/" + frame["label"] + "/" + frame["image"].map(lambda image: PurePosixPath(image).name)
    taken = names.str.lower().duplicated(keep=False)  # some file systems take no notice of case
    return [
        _told_apart(name, image) if doubled else name
        for name, image, doubled in zip(names, frame["image"], taken, strict=True)
    ]


def _told_apart(name: str, image: str) -> str:
    path = PurePosixPath(name)
    return str(path.with_name(f"{path.stem}-{digest(image)[:8]}{path.suffix}"))


def _copy(used: pd.DataFrame, source: Path, folder: Path) -> None:
    for row in used.itertuples(index=False):
        place = folder / str(row.image)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / str(row.source), place)


def _listed(used: pd.DataFrame) -> pd.DataFrame:
    """Leave out what is computed anew, and masks, which stay where they are."""
    extra = [column for column in used if column not in (*FIRST, *LAST, "mask")]
    return used[[*FIRST, *extra]]
