"""Statistics of the images themselves: of the reference's and of the new ones."""

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from cxrkit.api import Predictions, TextArray
from cxrkit.data import listing
from cxrkit.data.inspection import Progress, inspected
from cxrkit.data.manifest import Manifest
from cxrkit.data.measures import STATISTICS, measured
from cxrkit.errors import InputError
from cxrkit.evaluation.cells import check_names
from cxrkit.evaluation.table import read_sheet
from cxrkit.files import write_text
from cxrkit.monitoring.reference import Reference
from cxrkit.report.formats.spreadsheets import as_it_was, harmless

WITHOUT_PIXELS = ("width", "height", "aspect")
SET = "images"  # of frames that inspection is given


class Measures(NamedTuple):
    """Statistics of images.

    Attributes:
        images: str[n], names.
        values: float64[n], columns among ``cxrkit.data.measures.STATISTICS``.
        notes: sentences on what could not be measured.
    """

    images: TextArray
    values: pd.DataFrame
    notes: tuple[str, ...] = ()

    def of(self, found: Predictions) -> pd.DataFrame:
        """Take one image of each patient, the first by name, as images of one patient are not independent."""
        frame = self.values.assign(image=self.images)
        wanted = pd.DataFrame({"image": found.images, "patient": found.patients}).sort_values("image", kind="stable")
        merged = wanted.merge(frame, on="image").drop_duplicates("patient")
        return merged.drop(columns=["image", "patient"])


def of_folders(images: Sequence[str], folders: Sequence[Path], progress: Progress | None = None) -> Measures | None:
    """Measure images that lie in folders.

    An image is found by its name from the folder on, else by its path as it stands, else by its file's name where no
    other file there has it.

    Args:
        images: their names.
        folders: where to look.
        progress: called with the images done and their total.

    Returns:
        None where no image can be read.
    """
    places = _places(images, folders)
    frame = pd.DataFrame(
        {
            "image": [str(place or name) for name, place in zip(images, places, strict=True)],
            "split": SET,
            "excluded": ["" if place else "not found" for place in places],
        }
    )
    frame, looks = inspected(frame, {SET: Path()}, progress)
    used = frame[frame["excluded"] == ""]
    notes = [f"{n} of {len(frame)} images could not be measured: {why}." for why, n in _reasons(frame).items()]
    if used.empty:
        return None
    rows = used.index.to_numpy()
    values = measured(used, looks).reset_index(drop=True)
    return Measures(np.array(images, dtype=np.str_)[rows], values, tuple(notes))


def _reasons(frame: pd.DataFrame) -> dict[str, int]:
    lacking = frame.loc[frame["excluded"] != "", "excluded"]
    return {str(reason): int(n) for reason, n in lacking.value_counts().items()}


def _places(names: Sequence[str], folders: Sequence[Path]) -> list[Path | None]:
    there = [image.path for image in listing.images(folders) if image.refused is None]
    by_name: dict[str, list[Path]] = {}
    for path in there:
        by_name.setdefault(path.name, []).append(path)
    known = {os.path.realpath(path) for path in there}
    return [_place(name, folders, known, by_name) for name in names]


def _place(name: str, folders: Sequence[Path], known: set[str], by_name: dict[str, list[Path]]) -> Path | None:
    for path in (*(folder / name for folder in folders), Path(name)):
        if os.path.realpath(path) in known:  # of links that lead in a circle, resolve() of Python 3.11 makes an error
            return path
    alike = by_name.get(Path(name).name, [])
    return alike[0] if len(alike) == 1 else None


# ── Of the reference ──────────────────────────────────────────────────────────────────────────────────────────────────


def of_reference(
    reference: Reference, folders: Sequence[Path], table: Path | None, progress: Progress | None = None
) -> Measures | None:
    """Measure the reference's images, or take what is known of them.

    Args:
        reference: whose.
        folders: of its images; else those of the run, where they are still there.
        table: what :func:`write` wrote of it earlier.
        progress: called with the images done and their total.

    Returns:
        From a run whose images are gone, the sizes that its manifest has; None where nothing is known.

    Raises:
        InputError: the table is none; no image is in the folders.
    """
    found = reference.batch.found
    if table is not None:
        return _read(table, found)
    if folders:
        measures = of_folders(found.images.tolist(), folders, progress)
        if measures is None:
            raise InputError(
                f'{folders[0]}: none of the reference\'s images can be read there, e.g. "{found.images[0]}"'
            )
        return measures
    measures = None
    if reference.images is not None:
        measures = of_folders(found.images.tolist(), [reference.images], progress)
    return measures or _of_manifest(reference)


def _of_manifest(reference: Reference) -> Measures | None:
    if reference.manifest is None or reference.set is None:
        return None
    rows = Manifest.read(reference.manifest, {}).of(reference.set)
    if rows.empty:
        return None
    values = pd.DataFrame({"width": rows["width"], "height": rows["height"], "aspect": rows["width"] / rows["height"]})
    note = "The reference's images are no longer where the run read them: of images their size alone is compared."
    return Measures(rows["image"].to_numpy(dtype=np.str_), values.astype(np.float64), (note,))


def write(path: Path, measures: Measures) -> None:
    """Write statistics, so that the reference's images need not be read again."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", *measures.values.columns])
    for image, row in zip(measures.images.tolist(), measures.values.to_numpy(), strict=True):
        writer.writerow([harmless(image), *map(repr, row.tolist())])
    write_text(path, text.getvalue())


def _read(path: Path, found: Predictions) -> Measures:
    """Read what :func:`write` wrote.

    Raises:
        InputError: it is no such table, or is of other images.
    """
    sheet = read_sheet(path, {})
    for name in ("image", *WITHOUT_PIXELS):
        if name not in sheet.columns:
            sheet.missing(name)
    sheet.stop_if_wrong()
    check_names(sheet, "image")
    names = [name for name in STATISTICS if name in sheet.columns]
    values = pd.DataFrame({name: pd.to_numeric(pd.Series(sheet.columns[name]), errors="coerce") for name in names})
    for row, place in zip(*np.nonzero(~np.isfinite(values.to_numpy(dtype=np.float64))), strict=True):
        sheet.complain(
            int(row), names[int(place)], f'"{sheet.columns[names[int(place)]][int(row)]}" is no finite number'
        )
    sheet.stop_if_wrong()
    images = np.array([as_it_was(name) for name in sheet.columns["image"]], dtype=np.str_)
    if not np.isin(images, found.images).any():
        raise InputError(f'{path}: is of other images than the reference, e.g. "{images[0]}", write it again')
    return Measures(images, values.astype(np.float64))
