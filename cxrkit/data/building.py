"""Make the manifest of a configured data set."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from cxrkit.config.schema import DataTable, NamedRule, ValidationTable
from cxrkit.data import checks, patients
from cxrkit.data.inspection import Progress, inspected
from cxrkit.data.manifest import SPLITS, Manifest, arranged
from cxrkit.data.sources import Sources, collect
from cxrkit.data.splitting import divided
from cxrkit.errors import InputError, nearest
from cxrkit.registry import Registry

SEARCHED = ("train", "val")  # what a search of hyper-parameters may look at
VAL_NOT_USED = "the folder val/ is not used, as validation is taken from train"


def build(
    table: DataTable,
    base: Path,
    datasets: Registry,
    *,
    seed: int,
    progress: Progress | None = None,
    training: bool = True,
    searching: bool = False,
) -> Manifest:
    """Find, hash, decode, group, split and check all images.

    Args:
        table: ``[data]``.
        base: folder that the table's relative paths start from.
        datasets: the dataset plugins.
        seed: of the validation split.
        progress: called with the images done and their total.
        training: whether something is trained; else train and validation may be missing.
        searching: whether the test set and the external ones are left out: none of their files is opened.

    Raises:
        InputError: the data cannot be used; every problem is told.
    """
    where = table.root or table.manifest or "data"
    found = collect(table, base, datasets)
    found = _without_tests(found) if searching else found
    frame, looks = inspected(found.frame, found.roots, progress)
    external = frozenset(table.external)
    frame, notes, rule = patients.assigned(frame, table.groups, external, where)
    frame = _with_validation(frame, table, seed) if training else frame
    needed = SEARCHED if searching else SPLITS if training else ("test",)
    notes += _check(frame, table, where, needed)
    return Manifest(arranged(frame, list(found.roots)), found.roots, tuple(notes), rule, looks)


def classes(manifest: Manifest, table: DataTable) -> tuple[tuple[str, ...], str]:
    """Name the classes, in the order of the models' outputs, and the one whose detection is evaluated.

    Returns:
        Class names in alphabetical order, and the positive one: as configured, else PNEUMONIA in any case, else of two
        classes the one that is not the normal one.

    Raises:
        InputError: the positive class is unknown or must be given.
    """
    frame = manifest.usable
    reference = "train" if (frame["split"] == "train").any() else "test"
    names = tuple(sorted(set(frame.loc[frame["split"] == reference, "label"])))
    return names, positive_class(names, table.positive, "data.positive")


NORMAL_NAMES = ("normal", "negative", "healthy", "no finding", "control", "no", "false", "0")


def positive_class(names: Sequence[str], configured: str | None, where: str) -> str:
    """Choose the class whose detection is evaluated, see :func:`classes`.

    Args:
        names: of the classes.
        configured: as it was asked for, or None.
        where: it was asked for, for messages.

    Raises:
        InputError: it is unknown or must be given.
    """
    if configured is not None:
        if configured not in names:
            raise InputError(f'{where}: no class "{configured}" in the data, {nearest(configured, names)}')
        return configured
    told = recognised_positive(names)
    if told is None:
        raise InputError(f"{where}: missing, and not to be told from the classes; allowed are {', '.join(names)}")
    return told


def recognised_positive(names: Sequence[str]) -> str | None:
    """Tell the positive class by its name: pneumonia, else the only one that is not normal; None in doubt."""
    diseased = [name for name in names if name.lower() == "pneumonia"] or [
        name for name in names if name.lower() not in NORMAL_NAMES
    ]
    return diseased[0] if len(diseased) == 1 else None


def _without_tests(found: Sources) -> Sources:
    kept = found.frame["split"].isin(SEARCHED)
    return Sources(found.frame[kept].reset_index(drop=True), {name: found.roots[name] for name in SEARCHED})


def _with_validation(frame: pd.DataFrame, table: DataTable, seed: int) -> pd.DataFrame:
    if not isinstance(table.validation, ValidationTable):
        return frame
    frame = frame.copy()
    used = frame["excluded"] == ""
    frame.loc[used & (frame["split"] == "val"), "excluded"] = VAL_NOT_USED
    train = frame[used & (frame["split"] == "train")]
    fraction = table.validation.fraction
    if len(train):
        frame.loc[train.index, "split"] = divided(train, {"val": fraction, "train": 1 - fraction}, seed)
    return frame


def _check(frame: pd.DataFrame, table: DataTable, where: str, needed: Sequence[str]) -> list[str]:
    """Raise what is wrong, return what is to be noted."""
    used = frame[frame["excluded"] == ""]
    problems = checks.missing_classes(used, where, needed=needed)
    shared = checks.leaks(used, where, compared=comparable(table))
    if problems or (shared and not table.allow_shared_patients):
        raise InputError(*problems, *([] if table.allow_shared_patients else shared))
    told = [sentence.partition("; ")[0].removeprefix(f"{where}: ") for sentence in shared]
    return [f"Allowed by the configuration: {sentence}." for sentence in told] + checks.duplicates(used)


def comparable(table: DataTable) -> list[str]:
    """Name the sets whose patient keys mean the same: the splits; with Kermany's file names external sets as well.

    Another hospital's patient 12 is someone else.
    """
    named = isinstance(table.groups, NamedRule) and table.groups.rule == "kermany"
    return [*SPLITS, *table.external] if named else [*SPLITS]
