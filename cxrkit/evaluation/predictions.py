"""Prediction files: the one input of evaluation and report, whoever made them."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cxrkit.api import FloatArray, Predictions
from cxrkit.calibration import log_probabilities
from cxrkit.errors import InputError
from cxrkit.evaluation import cells
from cxrkit.evaluation.classes import find_classes, find_scale, read_labels
from cxrkit.evaluation.joining import join
from cxrkit.evaluation.labels import LabelFile, known
from cxrkit.evaluation.table import Sheet, read_sheet
from cxrkit.files import write_text

if TYPE_CHECKING:
    from pandas import DataFrame

OK = cells.OK


def read(  # noqa: PLR0913 - each is a choice of its own
    path: Path,
    *,
    task: str,
    set_name: str,
    condition: str | None = None,
    columns: Mapping[str, str] | None = None,
    class_names: Sequence[str] | None = None,
    positive: str | None = None,
    labels: "DataFrame | LabelFile | None" = None,
    labels_needed: bool = True,
) -> Predictions:
    """Read the predictions of one task on one set.

    Args:
        path: CSV with ``image`` and what the model gives: ``p_<CLASS>`` for each class (for two classes the positive
            one's is enough); or ``score``, a number that is the larger the more suspicious of two classes; or
            ``decision``, a class. Where there are any, also ``label``, ``study``, ``patient``, ``status`` and
            ``logit_<CLASS>``. Labels and decisions are class names, or 0 and 1.
        task: name that the predictions get.
        set_name: ``val``, ``test`` or an external set.
        condition: what was done to the images, or None.
        columns: cxrkit's column name → the file's own.
        class_names: the classes in their order; by default the ``p_`` columns in theirs, or those of the labels.
        positive: the class that is detected; by default PNEUMONIA, or the only class that has a column.
        labels: of the set, where they stand apart: the manifest's rows with columns ``image``, ``label`` and
            ``patient``, or a file of labels. What the predictions lack of it becomes an image without a result.
        labels_needed: whether every image must have a label; else one without has the label -1.

    Returns:
        The predictions; ``scale`` says what the file gives. Where it has several, ``p_<CLASS>`` goes before ``score``
        and that before ``decision``, but what ``columns`` names goes before what it does not.

    Raises:
        InputError: every bad cell, with its row and column; every missing column.
    """
    sheet = _of_images(path, columns or {})
    apart = None if labels is None else known(labels)
    scale = find_scale(sheet)
    classes = find_classes(sheet, scale, class_names, positive, None if apart is None else apart.cells)
    cells.check_names(sheet, "image")
    status = cells.status(sheet)
    has_result = status == OK
    studies = cells.studies(sheet)
    found = Predictions(
        task=task,
        set=set_name,
        condition=condition,
        class_names=classes.names,
        positive=classes.positive,
        images=cells.text(sheet.columns["image"]),
        patients=cells.patients(sheet, needed=apart is None or apart.patients is None),
        labels=read_labels(sheet, classes, needed=labels_needed and apart is None),
        status=status,
        probabilities=cells.figures(sheet, scale, classes, has_result),
        logits=cells.logits(sheet, classes, has_result) if scale == "probability" else None,
        scale=scale,
    )
    sheet.stop_if_wrong()
    return found if apart is None else join(found, apart, studies, path)


def _of_images(path: Path, columns: Mapping[str, str]) -> Sheet:
    sheet = read_sheet(path, columns)
    if "image" not in sheet.columns:
        sheet.missing("image")
        sheet.stop_if_wrong()
    if not sheet.rows:
        raise InputError(f"{path}: has no rows, one for each image is needed")
    return sheet


def write(path: Path, predictions: Predictions) -> None:
    """Write predictions so that reading them gives the same bits.

    Args:
        path: the CSV file; written whole or not at all.
        predictions: of any scale; an image without a result gets empty cells.
    """
    names = predictions.class_names
    columns: dict[str, Sequence[str]] = {
        "image": predictions.images.tolist(),
        "patient": predictions.patients.tolist(),
        "label": [names[label] for label in predictions.labels.tolist()],
        "status": predictions.status.tolist(),
    }
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns |= _figures(predictions)
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    write_text(path, text.getvalue())


def _figures(predictions: Predictions) -> dict[str, list[str]]:
    """Lay out what a model gave, in columns that tell its scale."""
    if predictions.scale == "score":
        return {"score": _shortest(predictions.score)}
    if predictions.scale == "decision":
        called = np.where(np.isnan(predictions.probabilities), -1, predictions.probabilities).argmax(axis=1)
        has_result = predictions.status == OK
        return {
            "decision": [
                predictions.class_names[index] if known else ""
                for index, known in zip(called.tolist(), has_result.tolist(), strict=True)
            ]
        }
    return {
        prefix + name: _shortest(column)
        for prefix, values in (("logit_", predictions.logits), ("p_", predictions.probabilities))
        if values is not None
        for name, column in zip(predictions.class_names, values.T, strict=True)
    }


def _shortest(values: FloatArray) -> list[str]:
    # A number that differs from itself is NaN: the fastest test, on every cell of a file.
    return ["" if value != value else repr(value) for value in values.tolist()]  # noqa: PLR0124


def combine(members: Sequence[Predictions], task: str) -> Predictions:
    """Average the logits of several trainings on the same images.

    Args:
        members: one for each seed; without logits the logarithms of the probabilities stand in.
        task: name of what comes out.

    Returns:
        The softmax of the mean logit, in the first member's order; an image that any member has no result for has
        none. A single member comes back as it is.

    Raises:
        InputError: the members' images or classes differ, or they are no probabilities.
    """
    first = members[0]
    if len(members) == 1:
        return replace(first, task=task)
    for member in members:
        if member.scale != "probability":
            raise InputError(
                f'task "{member.task}" on {member.set}: gives a {member.scale}, only probabilities can be averaged'
            )
    aligned = [aligned_to(first, member) for member in members]
    logits = np.mean([log_scores(member) for member in aligned], axis=0)
    status = first.status
    for member in aligned[1:]:
        status = np.where(status == OK, member.status, status)
    logits[status != OK] = np.nan
    return replace(first, task=task, status=status, logits=logits, probabilities=softmax(logits))


def aligned_to(first: Predictions, other: Predictions) -> Predictions:
    """Bring the rows of ``other`` into the order of ``first``.

    Raises:
        InputError: images, their labels or the classes differ; says how many and which.
    """
    where = f'tasks "{first.task}" and "{other.task}" on {first.set}'
    if first.class_names != other.class_names:
        raise InputError(f"{where}: classes are {first.class_names} and {other.class_names}, they must be the same")
    aligned = other if np.array_equal(first.images, other.images) else _in_order(first, other, where)
    differing = np.flatnonzero(first.labels != aligned.labels)
    if len(differing):
        raise InputError(
            f'{where}: {len(differing)} labels differ, e.g. of "{first.images[differing[0]]}", they must be the same'
        )
    return aligned


def _in_order(first: Predictions, other: Predictions, where: str) -> Predictions:
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


def log_scores(member: Predictions) -> FloatArray:
    """Return the logits, or the logarithms of the probabilities where only these are known: float64[n, num_classes]."""
    return member.logits if member.logits is not None else log_probabilities(member.probabilities)
