"""Labels that stand apart from the predictions: in the manifest, or in a file of their own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from cxrkit.errors import InputError
from cxrkit.evaluation.cells import check_names
from cxrkit.evaluation.table import Sheet, read_sheet

if TYPE_CHECKING:
    from pandas import DataFrame

Join = Literal["image", "study"]


class LabelFile(NamedTuple):
    """A CSV file of labels.

    Attributes:
        path: the file.
        columns: cxrkit's column name → the file's own.
        join: the column that its labels are joined with predictions by.
    """

    path: Path
    columns: Mapping[str, str]
    join: Join = "image"


@dataclass(frozen=True)
class Labels:
    """What is known of the images or studies of a set.

    Attributes:
        join: what a row is of.
        names: of the images or studies, each once.
        cells: their labels as they are written.
        patients: their patients, or None where the predictions alone may tell.
        sheet: the file that it comes from; None for the manifest.
    """

    join: Join
    names: Sequence[str]
    cells: Sequence[str]
    patients: Sequence[str] | None
    sheet: Sheet | None = None


def known(given: "DataFrame | LabelFile") -> Labels:
    """Read the labels of a set.

    Args:
        given: the manifest's rows of the set, with columns ``image``, ``label`` and ``patient``; or a file.

    Raises:
        InputError: the file lacks a column, or an image or study is there twice; with the rows.
    """
    if isinstance(given, LabelFile):
        return _of_file(given)
    image, label, patient = (given[name].astype(str).tolist() for name in ("image", "label", "patient"))
    return Labels("image", image, label, patient)


def _of_file(file: LabelFile) -> Labels:
    sheet = read_sheet(file.path, file.columns)
    for name in (file.join, "label"):
        if name not in sheet.columns:
            sheet.missing(name)
    sheet.stop_if_wrong()
    if not sheet.rows:
        raise InputError(f"{file.path}: has no rows, one for each {file.join} is needed")
    check_names(sheet, file.join)
    patients = sheet.columns.get("patient")
    for row, cell in enumerate(patients or ()):
        if not cell:
            sheet.complain(row, "patient", f"is empty, give every {file.join} a patient or leave the column out")
    sheet.stop_if_wrong()
    return Labels(file.join, sheet.columns[file.join], sheet.columns["label"], patients, sheet)
