"""Near duplicates and label conflicts of a data set."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from cxrkit.data import checks
from cxrkit.data.images import Look
from cxrkit.data.measures import thumbnails
from cxrkit.data.similarity import MOST_PAIRS, RULE, similar
from cxrkit.records import LabelConflict, NearDuplicate, NearDuplicateCount, NearDuplicates

MOST_LISTED = 50


class Pairs(NamedTuple):
    """Pairs of different files that show nearly the same picture.

    Attributes:
        frame: one row a pair: ``image_x``, ``split_x``, ``label_x``, the same with ``_y``, ``distance``,
            ``correlation``, ``across`` (sets), ``conflict`` (of labels), ``same_patient``; what matters most is first.
        searched: different files.
        complete: whether these are all pairs.
    """

    frame: pd.DataFrame
    searched: int
    complete: bool


def near_duplicates(used: pd.DataFrame, looks: Mapping[str, Look], compared: Sequence[str]) -> Pairs:
    """Find near duplicates within and across sets; copies of a file are represented by the first.

    Args:
        used: usable rows, sets in order.
        looks: file hash → what the image looks like.
        compared: the sets whose patient keys mean the same.
    """
    files = used.drop_duplicates("sha256")[["image", "split", "label", "patient", "sha256"]]
    found = similar(thumbnails(files["sha256"], looks))
    sides = [
        files.iloc[index].add_suffix(suffix).reset_index(drop=True)
        for index, suffix in ((found.first, "_x"), (found.second, "_y"))
    ]
    pairs = pd.concat(sides, axis=1).assign(distance=found.distance, correlation=found.correlation)
    return Pairs(_judged(pairs, compared), len(files), found.complete)


def _judged(pairs: pd.DataFrame, compared: Sequence[str]) -> pd.DataFrame:
    across = pairs["split_x"] != pairs["split_y"]
    comparable = ~across | (pairs["split_x"].isin(compared) & pairs["split_y"].isin(compared))
    judged = pairs.assign(
        across=across,
        conflict=pairs["label_x"] != pairs["label_y"],
        same_patient=comparable & (pairs["patient_x"] == pairs["patient_y"]),
    )
    order = {"across": False, "conflict": False, "same_patient": True, "correlation": False, "image_x": True}
    return judged.sort_values([*order, "image_y"], ascending=[*order.values(), True], ignore_index=True)


def recorded(found: Pairs) -> NearDuplicates:
    """Record all counts, and the first pairs by name."""
    counts = [
        NearDuplicateCount(
            splits=(str(one), str(other)),
            pairs=len(rows),
            of_different_patients=int((~rows["same_patient"]).sum()),
            of_different_labels=int(rows["conflict"].sum()),
        )
        for (one, other), rows in found.frame.groupby(["split_x", "split_y"], sort=False)
    ]
    rule = RULE if found.complete else f"{RULE} The search ended after {MOST_PAIRS} pairs, there are more."
    pairs = [_pair(row) for row in found.frame.head(MOST_LISTED).itertuples(index=False)]
    return NearDuplicates(rule=rule, searched=found.searched, counts=counts, pairs=pairs)


def _pair(row: Any) -> NearDuplicate:
    return NearDuplicate(
        images=(row.image_x, row.image_y),
        splits=(row.split_x, row.split_y),
        labels=(row.label_x, row.label_y),
        same_patient=bool(row.same_patient),
        distance=int(row.distance),
        correlation=round(float(row.correlation), 4),
    )


def label_conflicts(used: pd.DataFrame, found: Pairs) -> list[LabelConflict]:
    """List identical files of different labels, then at most 50 near duplicates of different labels."""
    identical = [
        LabelConflict(images=list(rows["image"]), labels=list(rows["label"]), identical=True)
        for rows in checks.label_conflicts(used)
    ]
    near = found.frame[found.frame["conflict"]].head(MOST_LISTED)
    return identical + [
        LabelConflict(images=[row.image_x, row.image_y], labels=[row.label_x, row.label_y], identical=False)
        for row in near.itertuples(index=False)
    ]
