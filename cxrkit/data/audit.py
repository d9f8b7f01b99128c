"""Look a data set over before anything is trained on it, and tell what was found."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from cxrkit.config.schema import DataTable
from cxrkit.data import checks, duplicates, patients
from cxrkit.data.baseline import baselines
from cxrkit.data.building import recognised_positive
from cxrkit.data.drift import drift
from cxrkit.data.inspection import Progress, inspected
from cxrkit.data.manifest import SPLITS, Manifest, arranged
from cxrkit.data.measures import described, measured, modes
from cxrkit.data.sources import folder_of, index, need_folder
from cxrkit.errors import InputError
from cxrkit.records import Baseline, DataAudit, Exclusion, Shared
from cxrkit.registry import Registry

EXAMPLES = 3
UNSPLIT = "no split"
LEVEL = 0.95


def audit(table: DataTable, base: Path, datasets: Registry, progress: Progress | None = None) -> DataAudit:
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
    manifest = as_it_is(table, base, datasets, progress)
    found = audit_of(manifest, where=where)
    return found.model_copy(update={"problems": _problems(manifest.usable, where)})


def as_it_is(table: DataTable, base: Path, datasets: Registry, progress: Progress | None = None) -> Manifest:
    """Make the manifest of a data set as it is split now, whatever it lacks; see :func:`audit`."""
    where = table.root or table.manifest or ""
    source = base / where
    need_folder(table, source)
    frame = index(table, source, datasets)
    if not (frame["excluded"] == "").any():
        raise InputError(f"{where}: {_nothing(frame)}, allowed are train/ and test/ of class folders")
    frame["split"] = frame["split"].where(frame["split"] != "", UNSPLIT)
    roots = dict.fromkeys([*SPLITS, UNSPLIT], folder_of(source))
    frame, looks = inspected(frame, roots, progress)
    frame, notes, rule = patients.assigned(frame, table.groups or patients.recognised(frame), frozenset(), where)
    return Manifest(arranged(frame, [UNSPLIT]), roots, tuple(notes), rule, looks)


def audit_of(manifest: Manifest, *, where: str, positive: str | None = None, level: float = LEVEL) -> DataAudit:
    """Compare all images of a manifest whose files have just been read: splits and external sets.

    Args:
        manifest: as it was built; one that was read from its file lacks the images' looks.
        where: the source, as it is to be named.
        positive: the class that is to be told from all others; without one, it is guessed from the names, else every
            class is told from the others.
        level: of confidence intervals.
    """
    used, sets = manifest.usable, manifest.sets
    named = patients.by_kermany(used)
    compared = [name for name in sets if named or name in (*SPLITS, UNSPLIT)]
    comparable = used[used["split"].isin(compared)]
    naive = comparable.assign(patient=comparable["image"].map(patients.naive_kermany_key)) if named else None
    near = duplicates.near_duplicates(used, manifest.looks, compared)
    measures = measured(used, manifest.looks)
    by_set = {name: used[used["split"] == name] for name in sets}
    return DataAudit(
        source=where,
        found=len(manifest.frame),
        usable=len(used),
        excluded=_exclusions(manifest.frame),
        counts={name: dict(sorted(Counter(rows["label"]).items())) for name, rows in by_set.items()},
        patients={name: int(rows["patient"].nunique()) for name, rows in by_set.items()},
        patient_rule=manifest.patient_rule or "",
        most_images_of_a_patient=max(Counter(used["patient"]).values(), default=0),
        shared_patients=_shared(comparable, "patient"),
        shared_patients_by_naive_key=None if naive is None else _shared(naive, "patient"),
        identical_across_splits=_shared(used, "sha256"),
        identical_within_splits={name: int(rows["sha256"].duplicated().sum()) for name, rows in by_set.items()},
        near_duplicates=duplicates.recorded(near),
        label_conflicts=duplicates.label_conflicts(used, near),
        width=_range(used["width"]),
        height=_range(used["height"]),
        modes=modes(used, manifest.looks, sets),
        statistics=described(used, measures, sets),
        drift=drift(used, measures, _comparisons(sets)),
        baselines=_baselines(used, measures, sets, positive, level),
        notes=list(manifest.notes),
    )


def _comparisons(sets: Sequence[str]) -> list[tuple[str, str]]:
    """Pair what figures are carried between: from validation and training to test, from test to external sets."""
    external = [name for name in sets if name not in (*SPLITS, UNSPLIT)]
    pairs = [("val", "test"), ("train", "test"), *(("test", name) for name in external)]
    return [(one, other) for one, other in pairs if one in sets and other in sets]


def _baselines(
    used: pd.DataFrame, measures: pd.DataFrame, sets: Sequence[str], positive: str | None, level: float
) -> list[Baseline]:
    """Fit on train and validation, or where there are none on what there is."""
    fitted = [name for name in ("train", "val") if name in sets] or list(sets[:1])
    tested = [name for name in sets if name not in fitted]
    classes = tuple(sorted(set(used["label"])))
    chosen = positive or recognised_positive(classes)
    if len(classes) < 2:  # noqa: PLR2004  # there is nothing to tell apart
        return []
    positives = [chosen] if chosen else list(classes)
    return [found for name in positives for found in baselines(used, measures, name, (fitted, tested), level)]


def _nothing(frame: pd.DataFrame) -> str:
    reasons = Counter(frame["excluded"])
    return "no image in it" + "".join(f", {count} files: {reason}" for reason, count in reasons.most_common())


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
