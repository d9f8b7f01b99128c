"""Divide images by patient, each class and pathogen in its share."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from cxrkit.files import digest


def divided(frame: pd.DataFrame, fractions: Mapping[str, float], seed: int) -> "pd.Series[str]":
    """Assign images to parts so that no patient is in two of them.

    Patients who share an identical file are kept together. Within each stratum (the classes, and pathogens where they
    are known, that a patient's images show) patients are put into an order that depends on ``seed`` and their names
    alone, and each part takes those that bring it nearest to its share of the images. Every class that has enough
    patients is in every part.

    Args:
        frame: usable rows with ``image``, ``label``, ``patient``, ``sha256``, and possibly ``pathogen``.
        fractions: part → its share of the images, each in 0 … 1; a part named last takes what is left, so the shares
            of the others must sum to less than 1.
        seed: of the order.

    Returns:
        The name of each row's part, on the frame's index.
    """
    *parts, rest = fractions
    units = _units(frame)
    taken = pd.Series(rest, index=frame.index, dtype="object")
    for part in parts:
        free = frame[(taken == rest).to_numpy()]
        chosen = _take(free.assign(unit=units[free.index]), _wanted(frame, fractions[part]), seed)
        taken[units.isin(chosen) & (taken == rest)] = part
    return taken.astype(str)


def _units(frame: pd.DataFrame) -> "pd.Series[str]":
    """Name for each row what may not be divided: its patient, joined with those who share an identical file."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    patients, names = pd.factorize(frame["patient"])
    files, hashes = pd.factorize(frame["sha256"])
    size = len(names) + len(hashes)
    links = coo_array((np.ones(len(frame)), (patients, files + len(names))), shape=(size, size))
    component = connected_components(links, directed=False)[1][patients]
    return frame.groupby(component)["patient"].transform("min")


def _wanted(frame: pd.DataFrame, fraction: float) -> "pd.Series[float]":
    return frame["label"].value_counts() * fraction


def _take(free: pd.DataFrame, wanted: "pd.Series[float]", seed: int) -> set[str]:
    """Choose the units of one part; ``wanted`` is the number of images of each class."""
    strata = _strata(free)
    share = wanted / free["label"].value_counts()
    chosen: set[str] = set()
    for _, members in strata.groupby("stratum", sort=True):
        sizes = _ordered(members, seed)
        target = float((members["images"] * members["label"].map(share)).sum())
        chosen |= _nearest(sizes, target)
    return chosen | _for_empty_classes(strata, chosen, seed)


def _strata(free: pd.DataFrame) -> pd.DataFrame:
    """One row a unit: its stratum, its first class, its number of images."""
    kind = free["label"] + ("/" + free["pathogen"] if "pathogen" in free else "")
    grouped = free.assign(kind=kind).groupby("unit")
    return pd.DataFrame(
        {
            "stratum": grouped["kind"].agg(lambda kinds: " + ".join(sorted(set(kinds)))),
            "label": grouped["label"].min(),
            "labels": grouped["label"].agg(frozenset),
            "images": grouped.size(),
        }
    )


def _ordered(members: pd.DataFrame, seed: int) -> "pd.Series[int]":
    return members["images"].loc[sorted(members.index, key=lambda unit: digest(f"{seed}:{unit}"))]


def _nearest(sizes: "pd.Series[int]", target: float) -> set[str]:
    """Go through the units in order and take each that brings the number of images nearer to the target."""
    chosen, count = set(), 0
    for unit, size in sizes.items():
        if abs(count + size - target) < abs(count - target):
            chosen.add(str(unit))
            count += size
    return chosen


def _for_empty_classes(strata: pd.DataFrame, chosen: set[str], seed: int) -> set[str]:
    """Take one more unit of each class that has got none and can spare one."""
    more: set[str] = set()
    for label in sorted(frozenset().union(*strata["labels"])):
        of_class = strata[[label in labels for labels in strata["labels"]]]
        if len(of_class) > 1 and not of_class.index.isin(chosen | more).any():
            more.add(str(_ordered(of_class, seed).index[0]))
    return more
