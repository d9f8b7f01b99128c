"""What makes a manifest unusable, and what is to be noted: shared patients, identical files, missing classes."""

from collections.abc import Iterator, Sequence
from itertools import combinations

import pandas as pd

from cxrkit.data.manifest import SPLITS
from cxrkit.errors import nearest

_LEAK_REMEDY = 'split by patient with "cxrkit data split", or go on with data.allow_shared_patients = true'


def leaks(frame: pd.DataFrame, where: str, *, compared: Sequence[str]) -> list[str]:
    """Tell, pair by pair, of sets that share patients or identical files.

    Args:
        frame: the usable rows.
        where: named in the sentences.
        compared: the sets whose patient keys mean the same; files are compared between all sets.

    Returns:
        A sentence with the remedy for each pair and kind.
    """
    sets = list(dict.fromkeys(frame["split"]))
    told: list[str] = []
    for one, other in combinations(sets, 2):
        if one in compared and other in compared:
            told += _shared(frame, one, other, "patient", "patients", where)
        told += _shared(frame, one, other, "sha256", "identical files", where)
    return told


def _shared(frame: pd.DataFrame, one: str, other: str, column: str, what: str, where: str) -> Iterator[str]:
    first, second = (frame[frame["split"] == name] for name in (one, other))
    shared = sorted(set(first[column]) & set(second[column]))
    if shared:
        files = " and ".join(_image(rows, column, shared[0]) for rows in (first, second))
        example = f"{shared[0]} ({files})" if column == "patient" else files
        yield f"{where}: {one} and {other} share {len(shared)} {what}, e.g. {example}; {_LEAK_REMEDY}"


def _image(rows: pd.DataFrame, column: str, value: str) -> str:
    return str(rows.loc[rows[column] == value, "image"].iloc[0])


def duplicates(frame: pd.DataFrame) -> list[str]:
    """Note identical files within a set, and those among all that carry two labels."""
    notes = []
    for name, rows in frame.groupby("split", sort=False):
        copies = int(rows["sha256"].duplicated().sum())
        if copies:
            first = rows[rows["sha256"].duplicated(keep=False)].sort_values(["sha256", "image"])["image"].iloc[:2]
            notes.append(f"{name}: {copies} files are identical copies of others in it, e.g. {' and '.join(first)}.")
    return notes + [f"The same file carries two labels: {' and '.join(images)}." for images in label_conflicts(frame)]


def label_conflicts(frame: pd.DataFrame) -> list[list[str]]:
    """List the groups of identical files that carry different labels, as image names."""
    several = frame.groupby("sha256")["label"].transform("nunique") > 1
    return [sorted(rows["image"]) for _, rows in frame[several].groupby("sha256")]


def missing_classes(frame: pd.DataFrame, where: str, *, training: bool) -> list[str]:
    """Tell of sets without images, of classes that a set lacks or alone has, and of one class alone."""
    sets = dict.fromkeys(frame["split"])
    needed = SPLITS if training else ("test",)
    told = [f"{where}: no usable image in {name}, {_MISSING_SET[name]}" for name in needed if name not in sets]
    reference = "train" if "train" in sets else "test"
    classes = set(frame.loc[frame["split"] == reference, "label"])
    if len(classes) == 1:
        told.append(f'{where}: {reference} holds the class "{min(classes)}" alone, at least two classes are needed')
    for name in sets:
        present = set(frame.loc[frame["split"] == name, "label"])
        told += [
            f'{where}: {name} has the class "{extra}", which {reference} lacks, {nearest(extra, classes)}'
            for extra in sorted(present - classes)
        ]
        if name in SPLITS:
            told += [
                f'{where}: {name} has no image of the class "{lacking}", {_LACKING[name]}'
                for lacking in sorted(classes - present)
            ]
    return told


_MISSING_SET = {
    "train": "add a folder train/ or rows of that split",
    "val": 'set data.validation = { from = "train" } to take it from train',
    "test": "add a folder test/ or rows of that split",
}
_LACKING = {
    "train": "add some",
    "val": "take it from train with data.validation, where the class needs two patients at least",
    "test": "without it nothing can be evaluated",
}
