"""What makes a manifest unusable, and what is to be noted: shared patients, identical files, missing classes."""

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import pandas as pd

from cxrkit.data.manifest import SPLITS
from cxrkit.errors import nearest

_LEAK_REMEDY = 'split by patient with "cxrkit data split", or go on with data.allow_shared_patients = true'


class Overlap(NamedTuple):
    """What two sets have in common.

    Attributes:
        one: a set.
        other: another.
        number: of values of the column that both hold.
        example: one of the values, with an image of it from either set.
    """

    one: str
    other: str
    number: int
    example: tuple[str, str, str]


def overlaps(frame: pd.DataFrame, column: str) -> list[Overlap]:
    """Compare every pair of sets by a column of the usable rows: ``patient``, ``sha256``."""
    sets = [(name, frame[frame["split"] == name].drop_duplicates(column)) for name in _sets(frame)]
    found = []
    for (one, first), (other, second) in combinations(sets, 2):
        both = first.merge(second, on=column).sort_values(column)
        if len(both):
            top = both.iloc[0]
            example = str(top[column]), str(top["image_x"]), str(top["image_y"])
            found.append(Overlap(one, other, len(both), example))
    return found


def _sets(frame: pd.DataFrame) -> list[str]:
    present = dict.fromkeys(frame["split"])
    return [name for name in dict.fromkeys((*SPLITS, *present)) if name in present]


def leaks(frame: pd.DataFrame, where: str, *, compared: Sequence[str]) -> list[str]:
    """Tell, pair by pair, of sets that share patients or identical files.

    Args:
        frame: the usable rows.
        where: named in the sentences.
        compared: the sets whose patient keys mean the same; files are compared between all sets.

    Returns:
        A sentence with the remedy for each pair and kind.
    """
    told = [
        f"{one} and {other} share {number} {'patient' if number == 1 else 'patients'}, e.g. {patient} ({a} and {b})"
        for one, other, number, (patient, a, b) in overlaps(frame[frame["split"].isin(compared)], "patient")
    ]
    told += [
        f"{one} and {other} share {number} identical {'file' if number == 1 else 'files'}, e.g. {a} and {b}"
        for one, other, number, (_, a, b) in overlaps(frame, "sha256")
    ]
    return [f"{where}: {sentence}; {_LEAK_REMEDY}" for sentence in told]


def duplicates(frame: pd.DataFrame) -> list[str]:
    """Note identical files within a set, and those among all that carry two labels."""
    notes = []
    for name, rows in frame.groupby("split", sort=False):
        copies = int(rows["sha256"].duplicated().sum())
        if copies:
            first = rows[rows["sha256"].duplicated(keep=False)].sort_values(["sha256", "image"])["image"].iloc[:2]
            notes.append(f"{name}: {copies} files are identical copies of others in it, e.g. {' and '.join(first)}.")
    conflicts = label_conflicts(frame)
    return notes + [f"The same file carries two labels: {' and '.join(rows['image'])}." for rows in conflicts]


def label_conflicts(frame: pd.DataFrame) -> list[pd.DataFrame]:
    """List the groups of identical files that carry different labels, each the rows by image name."""
    several = frame.groupby("sha256")["label"].transform("nunique") > 1
    return [rows for _, rows in frame[several].sort_values("image", kind="stable").groupby("sha256")]


def missing_classes(frame: pd.DataFrame, where: str, *, needed: Sequence[str]) -> list[str]:
    """Tell of needed sets without images, of classes that a set lacks or alone has, and of one class alone."""
    sets = _sets(frame)
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
