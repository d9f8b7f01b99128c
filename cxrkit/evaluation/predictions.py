"""Prediction files: the one input of evaluation and report, whoever made them."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import nan
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cxrkit.api import FloatArray, Predictions, TextArray
from cxrkit.errors import InputError
from cxrkit.evaluation.classes import Classes, find_classes, read_labels
from cxrkit.evaluation.joining import join
from cxrkit.evaluation.table import Sheet, read_sheet
from cxrkit.files import write_text

if TYPE_CHECKING:
    from pandas import DataFrame

SUM_TOLERANCE = 0.0101  # vendors round to two decimals
EXACT_SUM = 1e-6  # sums nearer to 1 are left as they are, so that our own files come back bit by bit
OK = "ok"


def read(
    path: Path,
    *,
    task: str,
    set_name: str,
    condition: str | None = None,
    columns: Mapping[str, str] | None = None,
    class_names: Sequence[str] | None = None,
    positive: str | None = None,
    labels: "DataFrame | None" = None,
) -> Predictions:
    """Read the predictions of one task on one set.

    Args:
        path: CSV with ``image``, ``p_<CLASS>`` for each class (for two classes the positive one's is enough) and, where
            there are any, ``label``, ``patient``, ``status`` and ``logit_<CLASS>``. Labels are class names, or 0 and 1.
        task: name that the predictions get.
        set_name: ``val``, ``test`` or an external set.
        condition: what was done to the images, or None.
        columns: cxrkit's column name → the file's own.
        class_names: the classes in their order; by default the ``p_`` columns in theirs.
        positive: the class that is detected; by default PNEUMONIA, or the only class that has a column.
        labels: the set's images with columns ``image``, ``label`` and ``patient``: gives labels and patients, decides
            the order, and what the file lacks of it becomes an image without a result.

    Raises:
        InputError: every bad cell, with its row and column; every missing column.
    """
    sheet = read_sheet(path, columns or {})
    if "image" not in sheet.columns:
        sheet.missing("image")
        sheet.stop_if_wrong()
    if not sheet.rows:
        raise InputError(f"{path}: has no rows, one for each image is needed")
    known_labels = None if labels is None else labels["label"].astype(str).tolist()
    classes = find_classes(sheet, class_names, positive, known_labels)
    _check_images(sheet)
    status = _status(sheet)
    has_result = status == OK
    probabilities = _probabilities(sheet, classes, has_result)
    logits = _logits(sheet, classes, has_result)
    own_labels = read_labels(sheet, classes, needed=labels is None)
    patients = _patients(sheet, needed=labels is None)
    sheet.stop_if_wrong()
    found = Predictions(
        task=task,
        set=set_name,
        condition=condition,
        class_names=classes.names,
        positive=classes.positive,
        images=_text(sheet.columns["image"]),
        patients=patients,
        labels=own_labels,
        status=status,
        probabilities=probabilities,
        logits=logits,
    )
    return found if labels is None else join(found, labels, path)


def write(path: Path, predictions: Predictions) -> None:
    """Write predictions so that reading them gives the same bits.

    Args:
        path: the CSV file; written whole or not at all.
        predictions: an image without a result gets empty cells.
    """
    header = ["image", "patient", "label", "status"]
    names = predictions.class_names
    columns: list[Sequence[str]] = [
        predictions.images.tolist(),
        predictions.patients.tolist(),
        [names[label] for label in predictions.labels.tolist()],
        predictions.status.tolist(),
    ]
    for prefix, values in (("logit_", predictions.logits), ("p_", predictions.probabilities)):
        if values is not None:
            header += [prefix + name for name in names]
            columns += [[_shortest(value) for value in column] for column in values.T.tolist()]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(zip(*columns, strict=True))
    write_text(path, text.getvalue())


def combine(members: Sequence[Predictions], task: str) -> Predictions:
    """Average the logits of several trainings on the same images.

    Args:
        members: one for each seed; without logits the logarithms of the probabilities stand in.
        task: name of what comes out.

    Returns:
        The softmax of the mean logit, in the first member's order; an image that any member has no result for has
        none. A single member comes back as it is.

    Raises:
        InputError: the members' images or classes differ.
    """
    first = members[0]
    if len(members) == 1:
        return replace(first, task=task)
    aligned = [aligned_to(first, member) for member in members]
    logits = np.mean([_log_scores(member) for member in aligned], axis=0)
    status = first.status
    for member in aligned[1:]:
        status = np.where(status == OK, member.status, status)
    logits[status != OK] = np.nan
    return replace(first, task=task, status=status, logits=logits, probabilities=softmax(logits))


def aligned_to(first: Predictions, other: Predictions) -> Predictions:
    """Bring the rows of ``other`` into the order of ``first``.

    Raises:
        InputError: images or classes differ; says how many and which.
    """
    where = f'tasks "{first.task}" and "{other.task}" on {first.set}'
    if first.class_names != other.class_names:
        raise InputError(f"{where}: classes are {first.class_names} and {other.class_names}, they must be the same")
    if np.array_equal(first.images, other.images):
        return other
    ours, theirs = set(first.images.tolist()), set(other.images.tolist())
    lone = sorted(ours ^ theirs)
    if lone:
        owner = first.task if lone[0] in ours else other.task
        raise InputError(
            f'{where}: {len(lone)} images are in one alone, e.g. "{lone[0]}" in "{owner}", they must be the same'
        )
    place = {image: row for row, image in enumerate(other.images.tolist())}
    return taken(other, np.array([place[image] for image in first.images.tolist()]))


def taken(predictions: Predictions, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Predictions:
    """Take some rows: by index, or where a mask is true."""
    return replace(
        predictions,
        images=predictions.images[rows],
        patients=predictions.patients[rows],
        labels=predictions.labels[rows],
        status=predictions.status[rows],
        probabilities=predictions.probabilities[rows],
        logits=None if predictions.logits is None else predictions.logits[rows],
    )


def softmax(logits: FloatArray) -> FloatArray:
    """Turn float64[n, num_classes] logits into probabilities; rows of NaN stay so."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: FloatArray = shifted / shifted.sum(axis=1, keepdims=True)
    return probabilities


def _log_scores(member: Predictions) -> FloatArray:
    if member.logits is not None:
        return member.logits
    return np.log(np.clip(member.probabilities, np.finfo(float).tiny, None))


def _shortest(value: float) -> str:
    return "" if value != value else repr(value)  # noqa: PLR0124  # the fastest test for NaN, on every cell of a file


def _text(cells: Sequence[str]) -> TextArray:
    return np.array(cells, dtype=np.str_)


def _check_images(sheet: Sheet) -> None:
    first: dict[str, int] = {}
    for row, image in enumerate(sheet.columns["image"]):
        if not image:
            sheet.complain(row, "image", "is empty, every row needs the name of its image")
        elif image in first:
            sheet.complain(row, "image", f'"{image}" stands in row {first[image] + 2} already, once is allowed')
        else:
            first[image] = row


def _status(sheet: Sheet) -> TextArray:
    cells = sheet.columns.get("status", [OK] * sheet.rows)
    for row, cell in enumerate(cells):
        if not cell:
            sheet.complain(row, "status", 'is empty, allowed are "ok" and the reason why there is no result')
    return _text(cells)


def _patients(sheet: Sheet, *, needed: bool) -> TextArray:
    cells = sheet.columns.get("patient")
    if cells is None:
        return _text(sheet.columns["image"])
    for row, cell in enumerate(cells):
        if needed and not cell:
            sheet.complain(row, "patient", "is empty, give every image a patient or leave the column out")
    return _text(cells)


def _probabilities(sheet: Sheet, classes: Classes, has_result: NDArray[np.bool_]) -> FloatArray:
    values = np.full((sheet.rows, len(classes.names)), np.nan)
    before = len(sheet.problems)
    for index, name in enumerate(classes.names):
        if f"p_{name}" in sheet.columns:
            values[:, index] = _numbers(sheet, f"p_{name}", has_result)
            for row in np.flatnonzero((values[:, index] < 0) | (values[:, index] > 1)).tolist():
                sheet.complain(row, f"p_{name}", f"{values[row, index]} is no probability, allowed is 0 to 1")
    if classes.given_alone is not None:
        values[:, 1 - classes.given_alone] = 1 - values[:, classes.given_alone]
        return values
    if len(sheet.problems) == before:
        _check_sums(sheet, classes, values)
    return values


def _check_sums(sheet: Sheet, classes: Classes, values: FloatArray) -> None:
    sums = values.sum(axis=1)
    for row in np.flatnonzero(np.abs(sums - 1) > SUM_TOLERANCE).tolist():
        sheet.complain(row, f"p_{classes.names[0]}", f"the classes' probabilities sum to {sums[row]:.6g}, 1 is needed")
    rounded = np.abs(sums - 1) > EXACT_SUM
    values[rounded] /= sums[rounded, None]


def _logits(sheet: Sheet, classes: Classes, has_result: NDArray[np.bool_]) -> FloatArray | None:
    given = [f"logit_{name}" for name in classes.names if f"logit_{name}" in sheet.columns]
    if len(given) < len(classes.names):
        return None
    return np.stack([_numbers(sheet, name, has_result) for name in given], axis=1)


def _numbers(sheet: Sheet, name: str, has_result: NDArray[np.bool_]) -> FloatArray:
    values = np.full(sheet.rows, np.nan)
    cells = sheet.columns[name]
    for row in np.flatnonzero(has_result).tolist():
        values[row] = _number(cells[row])
    for row in np.flatnonzero(has_result & ~np.isfinite(values)).tolist():
        _complain_of_number(sheet, row, name, cells[row])
    return values


def _number(cell: str) -> float:
    """Read a number as spreadsheets write it; what is none becomes NaN (Python alone would take ``1_0`` for ten)."""
    try:
        return nan if "_" in cell else float(cell)
    except ValueError:
        return nan


def _complain_of_number(sheet: Sheet, row: int, name: str, cell: str) -> None:
    found = f'"{cell}" is no finite number' if cell else "is empty"
    sheet.complain(row, name, f'{found}, give a number, or say in a column "status" why there is no result')
