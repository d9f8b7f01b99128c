"""Draw images of a set, blindly: by labels, patients and a seed, never by what a model said of them."""

import numpy as np
import pandas as pd

from cxrkit.api import IntArray


def draw(frame: pd.DataFrame, most: int | None, *, seed: int) -> tuple[list[str], str]:
    """Draw whole patients, with the class shares of the set.

    Args:
        frame: usable rows of a set, with columns ``image``, ``label`` and ``patient``.
        most: images at most; None for all.
        seed: of the draw.

    Returns:
        The images in the frame's order, and the rule in a sentence. A patient who no longer fits is passed over, so
        that a few images fewer than ``most`` may be drawn.
    """
    if most is None or most >= len(frame):
        return frame["image"].tolist(), f"all {len(frame)} images"
    rng = np.random.default_rng(seed)
    strata = frame.groupby("patient")["label"].agg(_kind)
    chosen: set[str] = set()
    for stratum, quota in _quotas(frame["patient"].map(strata).value_counts().sort_index(), most).items():
        patients = strata.index[strata == stratum].to_numpy(dtype=np.str_)
        chosen.update(_filling(frame, rng.permutation(patients).tolist(), quota))
    drawn = frame.loc[frame["patient"].isin(chosen), "image"].tolist()
    whole = "at random by whole patients, with the class shares of the set"
    return drawn, f"{len(drawn)} of {len(frame)} images, drawn {whole} (seed {seed})"


def draw_for_maps(frame: pd.DataFrame, most: int, *, seed: int) -> tuple[list[str], str]:
    """Draw images to check activation maps on: as many of each class, one of each patient as far as they reach.

    Args:
        frame: usable rows of a set, with columns ``image``, ``label``, ``patient`` and possibly ``mask`` (a path or
            empty); within a class, images with a mask come first, for without it a map cannot be scored.
        most: images at most.
        seed: of the draw.

    Returns:
        The images in the frame's order, and the rule in a sentence.
    """
    ordered = _by_preference(frame.iloc[np.random.default_rng(seed).permutation(len(frame))])
    counts = frame["label"].value_counts().sort_index()
    quotas = _evenly(np.asarray(counts, dtype=np.int64), most)
    rows = [ordered.index[ordered["label"] == label][:quota] for label, quota in zip(counts.index, quotas, strict=True)]
    drawn = frame.loc[frame.index.isin(np.concatenate(rows)), "image"].tolist()
    first = "" if ordered["unmasked"].all() else ", those with a mask first"
    each = f"as many of each class and of as many patients as can be{first}"
    return drawn, f"{len(drawn)} of {len(frame)} images, drawn at random, {each} (seed {seed})"


def draw_of_each_class(frame: pd.DataFrame, each: int, *, seed: int) -> dict[str, list[str]]:
    """Draw a few images of each class by patient: every patient is as likely, and a second image of one comes last.

    Args:
        frame: usable rows of a set, with columns ``image``, ``label`` and ``patient``.
        each: images of a class at most.
        seed: of the draw.

    Returns:
        Class → its images as they were drawn; classes by name.
    """
    rng = np.random.default_rng(seed)
    patients = sorted(set(frame["patient"]))
    turn = dict(zip(patients, rng.permutation(len(patients)).tolist(), strict=True))
    shuffled = frame.iloc[rng.permutation(len(frame))]
    earlier = shuffled.groupby(["label", "patient"]).cumcount()
    ordered = shuffled.assign(earlier=earlier, turn=shuffled["patient"].map(turn)).sort_values(["earlier", "turn"])
    return {str(label): rows["image"].head(each).tolist() for label, rows in ordered.groupby("label")}


def _by_preference(shuffled: pd.DataFrame) -> pd.DataFrame:
    """Put images with a mask before those without, and a patient's first before anyone's second."""
    unmasked = shuffled["mask"] == "" if "mask" in shuffled else True
    ordered = shuffled.assign(unmasked=unmasked).sort_values("unmasked", kind="stable")
    earlier = ordered.groupby("patient").cumcount()
    return ordered.assign(earlier=earlier).sort_values(["unmasked", "earlier"], kind="stable")


def _kind(labels: "pd.Series[str]") -> str:
    """Name a patient's stratum: the labels of the patient's images."""
    return "\n".join(sorted(set(labels)))


def _quotas(sizes: "pd.Series[int]", most: int) -> dict[str, int]:
    """Share out ``most`` images in proportion to the strata, what rounding leaves to the largest remainders."""
    exact = sizes * most / sizes.sum()
    quotas = exact.astype(int)
    largest = (exact - quotas).sort_values(ascending=False, kind="stable").index[: most - quotas.sum()]
    quotas[largest] += 1
    return {str(name): int(quota) for name, quota in quotas.items()}


def _filling(frame: pd.DataFrame, patients: list[str], quota: int) -> list[str]:
    """Take patients in their order, each if all of the patient's images fit into what is left of the quota."""
    sizes = frame["patient"].value_counts()
    taken = []
    for patient in patients:
        if sizes[patient] <= quota:
            quota -= int(sizes[patient])
            taken.append(patient)
    return taken


def _evenly(sizes: IntArray, most: int) -> IntArray:
    """Share out ``most`` images evenly; what a small class lacks goes to the others."""
    quotas = np.zeros_like(sizes)
    for _ in range(min(most, int(sizes.sum()))):
        quotas[np.where(quotas < sizes, quotas, most).argmin()] += 1
    return quotas
