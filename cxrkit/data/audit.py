"""Look a folder or CSV file over before anything is trained on it, and tell what was found."""

from collections import Counter
from pathlib import Path

import pandas as pd
from pydantic import BaseModel, ConfigDict

from cxrkit.config.schema import DataTable, NamedRule
from cxrkit.data import checks, patients
from cxrkit.data.inspection import Progress, inspected
from cxrkit.data.manifest import SPLITS
from cxrkit.data.sources import folder_of, index
from cxrkit.errors import InputError
from cxrkit.registry import Registry

EXAMPLES = 3
UNSPLIT = "no split"
_RECOGNISED = 0.5  # share of names from which on Kermany's rule is taken to be meant


class Exclusion(BaseModel):
    """Files that are not used for one reason."""

    model_config = ConfigDict(extra="forbid")

    reason: str
    files: int
    examples: list[str]


class Shared(BaseModel):
    """What two splits have in common."""

    model_config = ConfigDict(extra="forbid")

    splits: tuple[str, str]
    count: int
    example: str


class Audit(BaseModel):
    """The audit of a data set; ``cxrkit data check --json`` prints it."""

    model_config = ConfigDict(extra="forbid")

    source: str
    found: int
    usable: int
    excluded: list[Exclusion]
    counts: dict[str, dict[str, int]]  # split → class → images
    patients: dict[str, int]  # split → patients
    patient_rule: str
    most_images_of_a_patient: int
    shared_patients: list[Shared]
    shared_patients_by_naive_key: list[Shared] | None  # of Kermany's names: by personN alone, which is wrong
    identical_across_splits: list[Shared]
    identical_within_splits: dict[str, int]  # split → files that are copies of others in it
    label_conflicts: list[list[str]]  # groups of identical files with different labels
    width: tuple[int, int]  # pixels, least and most
    height: tuple[int, int]
    modes: dict[str, int]  # Pillow's pixel format → images
    notes: list[str]
    problems: list[str]  # what keeps the data from being used


def audit(table: DataTable, base: Path, datasets: Registry, progress: Progress | None = None) -> Audit:
    """Index, hash, decode, group and compare all images of a data set as it is split now.

    Args:
        table: names the source, and possibly its plugin and patient rule; without a rule, Kermany's file names and a
            column ``patient`` are recognised.
        base: folder that the source is relative to.
        datasets: the dataset plugins.
        progress: called with the images done and their total.

    Raises:
        InputError: there is nothing to look at: no such folder, no images.
    """
    where = table.root or table.manifest or ""
    source = base / where
    frame = index(table, source, datasets)
    if not (frame["excluded"] == "").any():
        raise InputError(f"{where}: {_nothing(frame)}, allowed are train/ and test/ of class folders")
    frame["split"] = frame["split"].where(frame["split"] != "", UNSPLIT)
    frame = inspected(frame, dict.fromkeys([*SPLITS, UNSPLIT], folder_of(source)), progress)
    rule = table.groups or recognised(frame)
    frame, notes, told = patients.assigned(frame, rule, frozenset(), where)
    return _written(frame, where, notes, told, named=isinstance(rule, NamedRule) and rule.rule == "kermany")


def recognised(frame: pd.DataFrame) -> patients.PatientRule | None:
    """Take Kermany's rule where most usable names follow it and no patients are given."""
    used = frame[frame["excluded"] == ""]
    if len(used) == 0 or (used["patient"] != "").any():
        return None
    known = sum(patients.kermany(image) is not None for image in used["image"])
    return NamedRule(rule="kermany", unmatched="own") if known / len(used) >= _RECOGNISED else None


def _nothing(frame: pd.DataFrame) -> str:
    reasons = Counter(frame["excluded"])
    return "no image in it" + "".join(f", {count} files: {reason}" for reason, count in reasons.most_common())


def _written(frame: pd.DataFrame, where: str, notes: list[str], rule: str, *, named: bool) -> Audit:
    used = frame[frame["excluded"] == ""]
    sets = used.groupby("split")
    naive = used.assign(patient=used["image"].map(patients.naive_kermany_key)) if named else None
    return Audit(
        source=where,
        found=len(frame),
        usable=len(used),
        excluded=_exclusions(frame),
        counts={str(name): dict(sorted(Counter(rows["label"]).items())) for name, rows in sets},
        patients={str(name): int(rows["patient"].nunique()) for name, rows in sets},
        patient_rule=rule,
        most_images_of_a_patient=max(Counter(used["patient"]).values(), default=0),
        shared_patients=_shared(used, "patient"),
        shared_patients_by_naive_key=None if naive is None else _shared(naive, "patient"),
        identical_across_splits=_shared(used, "sha256"),
        identical_within_splits={str(name): int(rows["sha256"].duplicated().sum()) for name, rows in sets},
        label_conflicts=checks.label_conflicts(used),
        width=_range(used["width"]),
        height=_range(used["height"]),
        modes=dict(Counter(used["mode"]).most_common()),
        notes=notes,
        problems=_problems(used, where),
    )


def _exclusions(frame: pd.DataFrame) -> list[Exclusion]:
    groups = frame[frame["excluded"] != ""].groupby("excluded", sort=True)
    found = [
        Exclusion(reason=str(reason), files=len(rows), examples=list(rows["image"][:EXAMPLES]))
        for reason, rows in groups
    ]
    return sorted(found, key=lambda exclusion: -exclusion.files)


def _shared(used: pd.DataFrame, column: str) -> list[Shared]:
    return [
        Shared(splits=(found.one, found.other), count=found.number, example=_example(column, found.example))
        for found in checks.overlaps(used, column)
    ]


def _example(column: str, example: tuple[str, str, str]) -> str:
    value, *images = example
    return f"{value}: {' and '.join(images)}" if column == "patient" else " and ".join(images)


def _range(values: "pd.Series[int]") -> tuple[int, int]:
    return (int(values.min()), int(values.max())) if len(values) else (0, 0)


def _problems(used: pd.DataFrame, where: str) -> list[str]:
    if used.empty:
        return [f"{where}: no readable image, see what was excluded"]
    if (used["split"] == UNSPLIT).all():
        return [f"{where}: no train and test in it, make them with: cxrkit data split {where} NEW_FOLDER"]
    # Validation may come from train, so that val need not be there.
    without_val = used[used["split"] != "val"]
    missing = checks.missing_classes(without_val, where, needed=("train", "test"))
    return missing + checks.leaks(used, where, compared=[*SPLITS])
