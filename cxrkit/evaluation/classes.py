"""Which classes a prediction file speaks of, which is the positive one, and what its labels mean."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cxrkit.api import IntArray
from cxrkit.errors import InputError, nearest
from cxrkit.evaluation.table import Sheet

USUAL_POSITIVE = "PNEUMONIA"
BINARY = ("0", "1")


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


def find_classes(
    sheet: Sheet, class_names: Sequence[str] | None, positive: str | None, known_labels: Sequence[str] | None
) -> Classes:
    """Find the classes from what is configured, the probability columns and the labels.

    Args:
        sheet: the prediction file.
        class_names: the configured classes in their order, or None.
        positive: the configured positive class, or None.
        known_labels: labels from elsewhere (the manifest), or None.

    Raises:
        InputError: a class has no probability column, or the positive class cannot be told.
    """
    columns = [name.removeprefix("p_") for name in sheet.columns if name.startswith("p_") and name != "p_"]
    if not columns:
        sheet.missing(f"p_{positive or USUAL_POSITIVE}")
        sheet.stop_if_wrong()
    if class_names is None:
        class_names = _names_in(sheet, columns, positive, known_labels)
    chosen = _positive(sheet, class_names, columns, positive)
    missing = [name for name in class_names if name not in columns]
    alone = len(class_names) == 2 and len(missing) == 1  # noqa: PLR2004  # two classes: one is 1 minus the other
    if missing and not alone:
        for name in missing:
            sheet.missing(f"p_{name}")
        sheet.stop_if_wrong()
    given = next(index for index, name in enumerate(class_names) if name in columns)
    return Classes(tuple(class_names), chosen, given if alone else None)


def _names_in(
    sheet: Sheet, columns: list[str], positive: str | None, known_labels: Sequence[str] | None
) -> Sequence[str]:
    if len(columns) > 1:
        return columns
    cells = sheet.columns.get("label") if known_labels is None else known_labels
    labels = sorted(set(cells or ()) - {"", columns[0], *BINARY})
    if len(labels) > 1:
        raise InputError(
            f"{sheet.path}: there are labels {', '.join(labels)} and {columns[0]}, but only a column p_{columns[0]}, "
            "give a p_ column for each class"
        )
    other = labels[0] if labels else f"no {columns[0]}"
    return [other, columns[0]] if positive in (None, columns[0]) else [columns[0], other]


def _positive(sheet: Sheet, names: Sequence[str], columns: list[str], positive: str | None) -> str:
    if positive is not None:
        if positive not in names:
            raise InputError(f'{sheet.path}: there is no positive class "{positive}", {nearest(positive, names)}')
        return positive
    if len(columns) == 1 and columns[0] in names:
        return columns[0]
    if USUAL_POSITIVE in names:
        return USUAL_POSITIVE
    raise InputError(
        f"{sheet.path}: the positive class is not told, say under [data] or by --positive which of "
        f"{', '.join(names)} it is"
    )


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
    meaning = _meaning(classes)
    labels = np.array([meaning.get(cell, -1) for cell in cells], dtype=np.int64)
    allowed = [name for name in meaning if name not in BINARY or name in classes.names]
    for row in np.flatnonzero(labels < 0).tolist():
        if needed or cells[row]:
            sheet.complain(row, "label", f'unknown label "{cells[row]}", {nearest(cells[row], allowed)}')
    return labels


def _meaning(classes: Classes) -> dict[str, int]:
    meaning = {name: index for index, name in enumerate(classes.names)}
    positive = meaning[classes.positive]
    if len(classes.names) == 2 and not set(BINARY) & set(classes.names):  # noqa: PLR2004  # 0 and 1 mean two classes
        meaning |= {"0": 1 - positive, "1": positive}
    return meaning
