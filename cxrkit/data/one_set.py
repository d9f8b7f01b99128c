"""One set of images by itself, to be tested on: class folders, or one split of a data set."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from cxrkit.config.schema import DataTable
from cxrkit.data import checks, patients
from cxrkit.data.inspection import Progress, inspected
from cxrkit.data.manifest import Manifest, arranged
from cxrkit.data.patients import recognised
from cxrkit.data.sources import folder_of, index
from cxrkit.errors import InputError, nearest
from cxrkit.registry import Registry

TEST = "test"


class Listed(NamedTuple):
    """The files of a set, not yet looked into.

    Attributes:
        frame: as a manifest's, all rows of the set ``test``, patients filled in.
        root: the folder that its images' names are relative to.
        notes: sentences that the report repeats.
        patient_rule: how patients were told apart, in words.
    """

    frame: pd.DataFrame
    root: Path
    notes: list[str]
    patient_rule: str

    @property
    def used(self) -> pd.DataFrame:
        """The rows that are not excluded."""
        return self.frame[self.frame["excluded"] == ""]

    @property
    def labels(self) -> list[str]:
        """The classes that are there, in alphabetical order."""
        return sorted(set(self.used["label"]))


def listed(source: Path, split: str | None, groups: patients.PatientRule | None, datasets: Registry) -> Listed:
    """List the files of one set.

    Args:
        source: class folders; or a folder with train/, val/ and test/ of them; or a CSV file of images and labels.
        split: which of its splits; by default test, or all images where there are no splits.
        groups: how patients are told apart; by default Kermany's file names and a column ``patient`` are recognised.
        datasets: the dataset plugins.

    Raises:
        InputError: there are no such images, or patients cannot be told apart as asked.
    """
    frame = index(DataTable(), source, datasets)
    used = frame["excluded"] == ""
    if not used.any():
        raise InputError(f"{source}: no image in it, allowed are class folders, or test/ of class folders")
    present = sorted(set(frame.loc[used, "split"]) - {""})
    if split is not None and split not in present:
        what = f"allowed are {', '.join(present)}" if present else "it has no splits, leave --split out"
        raise InputError(f'--split: {source} has no "{split}", {what}')
    chosen = split or TEST
    if present and chosen not in present:
        raise InputError(f"{source}: has no test, choose one of {', '.join(present)} with --split")
    if present:
        other = used & (frame["split"] != chosen)
        frame.loc[other, "excluded"] = f"not of {chosen}, which alone is tested on"
    rule = groups or recognised(frame)
    frame, notes, told = patients.assigned(frame.assign(split=TEST), rule, frozenset(), str(source))
    return Listed(frame, folder_of(source), notes, told)


def unfit(found: Listed, source: Path, class_names: Sequence[str], positive: str) -> list[str]:
    """Say why a set cannot be tested on with models of these classes: classes that they lack, or that it lacks."""
    present = set(found.labels)
    problems = [
        f'{source}: has the class "{extra}", which the model lacks, {nearest(extra, class_names)}'
        for extra in sorted(present - set(class_names))
    ]
    if positive not in present:
        problems.append(f'{source}: has no image of the class "{positive}", without it nothing can be evaluated')
    if not present - {positive}:
        problems.append(
            f'{source}: has images of the class "{positive}" alone, without others nothing can be evaluated'
        )
    return problems


def read(found: Listed, source: Path, class_names: Sequence[str], positive: str, progress: Progress | None) -> Manifest:
    """Hash and decode the images of a set.

    Returns:
        Their manifest, of the one set ``test``.

    Raises:
        InputError: what can be read of it cannot be tested on.
    """
    frame, looks = inspected(found.frame, {TEST: found.root}, progress)
    whole = found._replace(frame=frame)
    problems = unfit(whole, source, class_names, positive)
    if problems:
        raise InputError(*problems)
    notes = [*found.notes, *checks.duplicates(whole.used)]
    return Manifest(arranged(frame, [TEST]), {TEST: found.root}, notes, found.patient_rule, looks)


def renamed(manifest: Manifest, name: str) -> Manifest:
    """Give the set another name."""
    return replace(manifest, frame=manifest.frame.assign(split=name), roots={name: manifest.roots[TEST]})
