"""The cells of a prediction file, turned into arrays; every bad one is noted with its row and column."""

from collections.abc import Sequence
from itertools import compress
from math import nan

import numpy as np
from numpy.typing import NDArray

from cxrkit.api import FloatArray, Scale, TextArray
from cxrkit.errors import nearest
from cxrkit.evaluation.classes import Classes, check_one_form, indices
from cxrkit.evaluation.table import Sheet

PERCENT = 100
MOST = 0.5  # of a column, above 1: it is on another scale, and not a few cells are wrong
SUM_TOLERANCE = 0.0101  # vendors round to two decimals
EXACT_SUM = 1e-6  # sums nearer to 1 are left as they are, so that our own files come back bit by bit
LARGEST_SCORE = 1e300  # in size: differences of such numbers, and sums of millions, are still numbers
OK = "ok"

BoolArray = NDArray[np.bool_]


def text(cells: Sequence[str]) -> TextArray:
    """Turn cells into str[n]."""
    return np.array(cells, dtype=np.str_)


# ── Whose figures ─────────────────────────────────────────────────────────────────────────────────────────────────────


def check_names(sheet: Sheet, column: str) -> None:
    """Note the rows whose name (of an image, of a study) is empty or stands there already."""
    first: dict[str, int] = {}
    for row, name in enumerate(sheet.columns[column]):
        if not name:
            sheet.complain(row, column, f"is empty, every row needs the name of its {column}")
        elif name in first:
            sheet.complain(row, column, f'"{name}" stands in row {first[name] + 2} already, once is allowed')
        else:
            first[name] = row


def studies(sheet: Sheet) -> TextArray | None:
    """Read the column ``study``: str[n], or None where there is none."""
    if "study" not in sheet.columns:
        return None
    _check_filled(sheet, "study", "give every image a study or leave the column out")
    return text(sheet.columns["study"])


def patients(sheet: Sheet, *, needed: bool) -> TextArray:
    """Read the patients: str[n]; without the column the images of one study are one patient's.

    Args:
        sheet: the prediction file.
        needed: nothing else tells the patients, so that none may be empty.
    """
    if "patient" not in sheet.columns:
        return text(sheet.columns.get("study", sheet.columns["image"]))
    if needed:
        _check_filled(sheet, "patient", "give every image a patient or leave the column out")
    return text(sheet.columns["patient"])


def status(sheet: Sheet) -> TextArray:
    """Read the column ``status``: str[n], ``ok`` where there is none."""
    if "status" not in sheet.columns:
        return np.full(sheet.rows, OK)
    _check_filled(sheet, "status", f'allowed are "{OK}" and the reason why there is no result')
    return text(sheet.columns["status"])


def _check_filled(sheet: Sheet, column: str, what: str) -> None:
    for row, cell in enumerate(sheet.columns[column]):
        if not cell:
            sheet.complain(row, column, f"is empty, {what}")


# ── Figures ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def figures(sheet: Sheet, scale: Scale, classes: Classes, has_result: BoolArray) -> FloatArray:
    """Read what the model gave: float64[n, num_classes] as :class:`cxrkit.api.Predictions` has it for the scale."""
    if scale == "score":
        return _scores(sheet, classes, has_result)
    if scale == "decision":
        return _decisions(sheet, classes, has_result)
    return _probabilities(sheet, classes, has_result)


def logits(sheet: Sheet, classes: Classes, has_result: BoolArray) -> FloatArray | None:
    """Read the logits: float64[n, num_classes], or None where a class has none."""
    given = [f"logit_{name}" for name in classes.names if f"logit_{name}" in sheet.columns]
    if len(given) < len(classes.names):
        return None
    return np.stack([_numbers(sheet, name, has_result) for name in given], axis=1)


def _probabilities(sheet: Sheet, classes: Classes, has_result: BoolArray) -> FloatArray:
    values = np.full((sheet.rows, len(classes.names)), np.nan)
    before = len(sheet.problems)
    for index, name in enumerate(classes.names):
        if f"p_{name}" in sheet.columns:
            values[:, index] = _numbers(sheet, f"p_{name}", has_result)
            _check_range(sheet, f"p_{name}", values[:, index])
    if classes.given_alone is not None:
        values[:, 1 - classes.given_alone] = 1 - values[:, classes.given_alone]
        return values
    if len(sheet.problems) == before:
        _check_sums(sheet, classes, values)
    return values


def _check_range(sheet: Sheet, name: str, values: FloatArray) -> None:
    if _are_percentages(values):
        found = f"numbers from {np.nanmin(values):g} to {np.nanmax(values):g}"
        sheet.problems.append(
            f"{sheet.path}: column {sheet.shown(name)}: {found}, allowed are probabilities from 0 to 1; if these are "
            "percentages, divide them by 100"
        )
        return
    for row in np.flatnonzero((values < 0) | (values > 1)).tolist():
        sheet.complain(row, name, f"{values[row]} is no probability, allowed is 0 to 1")


def _are_percentages(values: FloatArray) -> bool:
    """Tell a column that is on another scale from one with a few wrong cells."""
    given = values[np.isfinite(values)]
    return bool(given.size > 1 and given.min() >= 0 and given.max() <= PERCENT and np.mean(given > 1) > MOST)


def _check_sums(sheet: Sheet, classes: Classes, values: FloatArray) -> None:
    sums = values.sum(axis=1)
    for row in np.flatnonzero(np.abs(sums - 1) > SUM_TOLERANCE).tolist():
        sheet.complain(row, f"p_{classes.names[0]}", f"the classes' probabilities sum to {sums[row]:.6g}, 1 is needed")
    rounded = np.abs(sums - 1) > EXACT_SUM
    values[rounded] /= sums[rounded, None]


def _scores(sheet: Sheet, classes: Classes, has_result: BoolArray) -> FloatArray:
    positive = classes.names.index(classes.positive)
    score = _numbers(sheet, "score", has_result)
    _check_size(sheet, score)
    values = np.stack([score, score], axis=1)
    values[:, 1 - positive] *= -1
    return values


def _check_size(sheet: Sheet, score: FloatArray) -> None:
    """Note the first score that is too large, as others mostly are so as well."""
    rows = np.flatnonzero(np.isfinite(score) & (np.abs(score) > LARGEST_SCORE)).tolist()
    if rows:
        also = f" (so are {len(rows) - 1} more)" if len(rows) > 1 else ""
        found = f"{score[rows[0]]:g} is too large{also}"
        sheet.complain(
            rows[0], "score", f"{found}, allowed is -{LARGEST_SCORE:g} to {LARGEST_SCORE:g}; divide all scores"
        )


def _decisions(sheet: Sheet, classes: Classes, has_result: BoolArray) -> FloatArray:
    cells = sheet.columns["decision"]
    called = indices(cells, classes)
    for row in np.flatnonzero(has_result & (called < 0)).tolist():
        _complain_of_decision(sheet, row, cells[row], classes)
    check_one_form(sheet, "decision", classes, has_result & (called >= 0))
    values: FloatArray = np.eye(len(classes.names))[called]
    values[~has_result] = np.nan
    return values


def _complain_of_decision(sheet: Sheet, row: int, cell: str, classes: Classes) -> None:
    if cell:
        sheet.complain(row, "decision", f'unknown decision "{cell}", {nearest(cell, classes.names)}')
    else:
        sheet.complain(row, "decision", 'is empty, give a class, or say in a column "status" why there is no result')


# ── Numbers ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _numbers(sheet: Sheet, name: str, has_result: BoolArray) -> FloatArray:
    cells = sheet.columns[name]
    values = np.full(sheet.rows, np.nan)
    values[has_result] = _read_numbers(list(compress(cells, has_result.tolist())))
    for row in np.flatnonzero(has_result & ~np.isfinite(values)).tolist():
        _complain_of_number(sheet, row, name, cells[row])
    return values


def _read_numbers(cells: Sequence[str]) -> list[float]:
    """Read numbers as spreadsheets write them; what is none becomes NaN.

    Python alone would take ``1_0`` for ten, and digits of any script.
    """
    try:
        if all(map(_is_plain, cells)):
            return list(map(float, cells))
    except ValueError:
        pass
    return [_number(cell) for cell in cells]


def _number(cell: str) -> float:
    try:
        return float(cell) if _is_plain(cell) else nan
    except ValueError:
        return nan


def _is_plain(cell: str) -> bool:
    return cell.isascii() and "_" not in cell


def _complain_of_number(sheet: Sheet, row: int, name: str, cell: str) -> None:
    found = f'"{cell}" is no finite number' if cell else "is empty"
    sheet.complain(row, name, f'{found}, give a number, or say in a column "status" why there is no result')
