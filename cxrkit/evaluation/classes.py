"""Which classes a prediction file speaks of, which is the positive one, and what its labels mean."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cxrkit.api import IntArray, Scale
from cxrkit.errors import InputError, nearest
from cxrkit.evaluation.table import Sheet

USUAL_POSITIVE = "PNEUMONIA"
BINARY = ("0", "1")
PAIR = 2


@dataclass(frozen=True)
class Classes:
    """The classes of a file.

    Attributes:
        names: in the order of the columns of logits and probabilities.
        positive: the one that is detected.
        given_alone: index of the only class of two that has a probability column, or None.
    """

    names: tuple[str, ...]
    positive: str
    given_alone: int | None


def find_scale(sheet: Sheet) -> Scale:
    """Tell what a file gives by its columns: ``p_<CLASS>`` before ``score`` before ``decision``.

    What the user mapped goes before what only happens to be there.
    """
    for names in (sheet.given, sheet.columns):
        if _classes_with_probabilities(names):
            return "probability"
        if "score" in names:
            return "score"
        if "decision" in names:
            return "decision"
    return "probability"  # none is there, and a column of probabilities is missed


def find_classes(
    sheet: Sheet,
    scale: Scale,
    class_names: Sequence[str] | None,
    positive: str | None,
    known_labels: Sequence[str] | None,
) -> Classes:
    """Find the classes from what is configured, the probability columns, the labels and the decisions.

    Args:
        sheet: the prediction file.
        scale: what it gives.
        class_names: the configured classes in their order, or None.
        positive: the configured positive class, or None.
        known_labels: labels from elsewhere (the manifest, a file of labels), or None.

    Raises:
        InputError: a class has no probability column, a score has more than two classes, or the positive class cannot
            be told.
    """
    labels = known_labels if known_labels is not None else sheet.columns.get("label", [])
    if scale == "probability":
        return _of_probabilities(sheet, class_names, positive, labels)
    names = class_names if class_names is not None else _names_in_labels(sheet, scale, positive, labels)
    if scale == "score" and len(names) != PAIR:
        raise InputError(
            f"{sheet.path}: a score ranks two classes alone, and there are {', '.join(names)}, "
            "give a column p_<CLASS> for each"
        )
    return Classes(tuple(names), _positive(sheet, names, positive), None)


def _of_probabilities(
    sheet: Sheet, class_names: Sequence[str] | None, positive: str | None, labels: Sequence[str]
) -> Classes:
    columns = _classes_with_probabilities(sheet.columns)
    if not columns:
        sheet.missing(f"p_{positive or USUAL_POSITIVE}", "as are score and decision")
        sheet.stop_if_wrong()
    if class_names is None:
        class_names = _names_in_columns(sheet, columns, positive, labels)
    alone = columns[0] if len(columns) == 1 and columns[0] in class_names else None
    chosen = _positive(sheet, class_names, positive, alone)
    missing = [name for name in class_names if name not in columns]
    one_of_two = len(class_names) == PAIR and len(missing) == 1  # the other's is 1 minus it
    if missing and not one_of_two:
        for name in missing:
            sheet.missing(f"p_{name}")
        sheet.stop_if_wrong()
    given = next(index for index, name in enumerate(class_names) if name in columns)
    return Classes(tuple(class_names), chosen, given if one_of_two else None)


def _classes_with_probabilities(columns: Iterable[str]) -> list[str]:
    return [name.removeprefix("p_") for name in columns if name.startswith("p_") and name != "p_"]


def _names_in_columns(sheet: Sheet, columns: list[str], positive: str | None, labels: Sequence[str]) -> Sequence[str]:
    if len(columns) > 1:
        return columns
    others = [name for name in _named(labels) if name != columns[0]]
    if len(others) > 1:
        raise InputError(
            f"{sheet.path}: there are labels {', '.join(others)} and {columns[0]}, but only a column p_{columns[0]}, "
            "give a p_ column for each class"
        )
    other = others[0] if others else stand_in(columns[0])
    return [other, columns[0]] if positive in (None, columns[0]) else [columns[0], other]


def _names_in_labels(sheet: Sheet, scale: Scale, positive: str | None, labels: Sequence[str]) -> Sequence[str]:
    """Take the classes from the labels; the decisions have a say only where the labels name fewer than two."""
    names = _named(labels)
    if scale == "decision" and len({*names, positive} - {None}) < PAIR:
        names = sorted({*names, *_named(sheet.columns["decision"])})
    one = positive or (USUAL_POSITIVE if USUAL_POSITIVE in names else None)
    if one is None:
        raise _untold(sheet, names or BINARY)
    others = [name for name in names if name != one]
    if len(others) > 1:
        return names
    return [others[0] if others else stand_in(one), one]


def stand_in(positive: str) -> str:
    """Name the other one of two classes where nothing says what it is called."""
    return f"no {positive}"


def _named(cells: Iterable[str]) -> list[str]:
    return sorted(set(cells) - {"", *BINARY})


def _positive(sheet: Sheet, names: Sequence[str], positive: str | None, alone: str | None = None) -> str:
    if positive is not None:
        if positive not in names:
            raise InputError(f'{sheet.path}: there is no positive class "{positive}", {nearest(positive, names)}')
        return positive
    if alone is not None:
        return alone
    if USUAL_POSITIVE in names:
        return USUAL_POSITIVE
    raise _untold(sheet, names)


def _untold(sheet: Sheet, names: Sequence[str]) -> InputError:
    who = "say under [data] or by --positive"
    if tuple(names) == BINARY:
        return InputError(f"{sheet.path}: labels of 0 and 1 name no class, {who} which one 1 is")
    return InputError(f"{sheet.path}: the positive class is not told, {who} which of {', '.join(names)} it is")


def read_labels(sheet: Sheet, classes: Classes, *, needed: bool) -> IntArray:
    """Read the label column: class names, or 1 for the positive class and 0 for the other.

    Returns:
        int64[n], class indices; -1 where there is none and none is needed.
    """
    cells = sheet.columns.get("label")
    if cells is None:
        if needed:
            sheet.missing("label")
        return np.full(sheet.rows, -1, dtype=np.int64)
    labels = indices(cells, classes)
    told: set[str] = set()
    for row in np.flatnonzero(labels < 0).tolist():
        if needed and not cells[row]:
            sheet.complain(row, "label", "is empty, every row needs its true class")
        elif cells[row] and cells[row] not in told:
            told.add(cells[row])
            others = cells.count(cells[row]) - 1
            also = f" (so have {others} more rows)" if others else ""
            sheet.complain(row, "label", f'unknown label "{cells[row]}"{also}, {nearest(cells[row], classes.names)}')
    check_one_form(sheet, "label", classes, labels >= 0)
    return labels


def indices(cells: Sequence[str], classes: Classes) -> IntArray:
    """Turn cells that hold a class into int64[n] class indices, -1 where one holds none."""
    meaning = {name: index for index, name in enumerate(classes.names)}
    if _takes_0_and_1(classes):
        positive = meaning[classes.positive]
        meaning |= {"0": 1 - positive, "1": positive}
    return np.array([meaning.get(cell, -1) for cell in cells], dtype=np.int64)


def check_one_form(sheet: Sheet, column: str, classes: Classes, known: NDArray[np.bool_]) -> None:
    """Note where a class is written as its name in some rows and as 0 or 1 in others: they mean different things.

    Args:
        sheet: the file.
        column: that holds classes.
        classes: of the file.
        known: bool[n], the rows to look at.
    """
    if not _takes_0_and_1(classes):
        return
    cells = sheet.columns[column]
    binary = np.array([cell in BINARY for cell in cells], dtype=np.bool_)
    first = [np.flatnonzero(known & form)[:1].tolist() for form in (binary, ~binary)]
    if all(first):
        row = max(*first[0], *first[1])
        found = f'"{cells[row]}" is of another form than those above'
        sheet.complain(row, column, f"{found}, use class names or 0 and 1 throughout")


def _takes_0_and_1(classes: Classes) -> bool:
    """Say whether 1 means the positive class and 0 the other: of two classes that are not called so themselves."""
    return len(classes.names) == PAIR and not set(BINARY) & set(classes.names)
