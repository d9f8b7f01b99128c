"""Predictions joined with the images or studies that they should be of."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from cxrkit.api import FloatArray, IntArray, Predictions, TextArray
from cxrkit.errors import InputError, nearest
from cxrkit.evaluation.classes import Classes, read_labels
from cxrkit.evaluation.labels import Labels

NOT_IN_FILE = "not in the prediction file"
FEW = 2000  # a nearest match among more names takes seconds


def join(found: Predictions, known: Labels, studies: TextArray | None, path: Path) -> Predictions:
    """Give predictions the labels and patients of a set; what they lack of it has no result.

    Args:
        found: the predictions; a label of -1 is unknown.
        known: the set's labels. Joined by image, they decide the order. Joined by study, the images keep theirs, and
            each study without any image follows as a row of its own name.
        studies: str[n], the study of each image; None where the file does not say.
        path: the prediction file, for messages.

    Raises:
        InputError: the file has images or studies that the set lacks, or other labels.
    """
    labels = _labels(found, known, path)
    if known.join == "image":
        _check_known(found, found.images.tolist(), known, path)
        place = _places(found.images.tolist())
        rows = np.array([place.get(image, -1) for image in known.names], dtype=np.int64)
        return _laid_out(found, known, rows, np.arange(len(known.names)), known.names, labels, path)
    if studies is None:
        raise InputError(f'{path}: column "study" is missing, labels are joined by it')
    _check_known(found, studies.tolist(), known, path)
    present = set(studies.tolist())
    absent = [study for study in known.names if study not in present]
    place = _places(known.names)
    sources = np.array([place[study] for study in [*studies.tolist(), *absent]], dtype=np.int64)
    rows = np.concatenate([np.arange(len(studies)), np.full(len(absent), -1)])
    names = [*found.images.tolist(), *_unlike(found.images.tolist(), absent)]
    return _laid_out(found, known, rows, sources, names, labels, path)


def _places(names: Sequence[str]) -> dict[str, int]:
    return {name: row for row, name in enumerate(names)}


def _unlike(images: Sequence[str], studies: Sequence[str]) -> list[str]:
    """Name studies as themselves, unless an image is called so."""
    taken = set(images)
    return [f"study {study}" if study in taken else study for study in studies]


def _laid_out(
    found: Predictions,
    known: Labels,
    rows: IntArray,
    sources: IntArray,
    names: Sequence[str],
    labels: IntArray,
    path: Path,
) -> Predictions:
    """Bring predictions and labels together.

    Args:
        found: the predictions.
        known: the labels.
        rows: int64[m], the row of each result in ``found``, -1 for none.
        sources: int64[m], its row in ``known``.
        names: of the m images.
        labels: of the rows of ``known``.
        path: for messages.
    """
    labels = labels[sources]
    _check_labels(found, labels, rows, names, _where(found, known), path)
    present = rows >= 0
    if known.patients is None:
        lone = np.array(known.names, dtype=np.str_)[sources]
        patients = np.where(present, found.patients[rows], lone)
    else:
        patients = np.array(known.patients, dtype=np.str_)[sources]
    return replace(
        found,
        images=np.array(names, dtype=np.str_),
        patients=patients,
        labels=labels,
        status=np.where(present, found.status[rows], NOT_IN_FILE),
        probabilities=_spread(found.probabilities, rows),
        logits=None if found.logits is None else _spread(found.logits, rows),
    )


def _check_known(found: Predictions, given: Sequence[str], known: Labels, path: Path) -> None:
    """Check that the set has all that the file is of."""
    there = set(known.names)
    strange = sorted(set(given) - there)
    if not strange:
        return
    what = "images" if known.join == "image" else "studies"
    hint = nearest(strange[0], there) if len(there) <= FEW else ""
    if not hint.startswith("did"):
        hint = f'{what} there are named like "{known.names[0]}"'
    lack = f"have no label in {known.sheet.path}" if known.sheet else f'are not in the set "{found.set}"'
    raise InputError(f'{path}: {len(strange)} of {len(set(given))} {what} {lack}, e.g. "{strange[0]}", {hint}')


def _labels(found: Predictions, known: Labels, path: Path) -> IntArray:
    classes = Classes(found.class_names, found.positive, None)
    if known.sheet is not None:
        labels = read_labels(known.sheet, classes, needed=True)
        known.sheet.stop_if_wrong()
        return labels
    index = {name: number for number, name in enumerate(found.class_names)}
    unknown = sorted(set(known.cells) - set(index))
    if unknown:
        lacks = f"the file no column p_{unknown[0]}, its" if found.scale == "probability" else "the"
        raise InputError(
            f'{path}: the set "{found.set}" has label "{unknown[0]}" and {lacks} classes are '
            f"{', '.join(found.class_names)}"
        )
    return np.array([index[name] for name in known.cells], dtype=np.int64)


def _check_labels(
    found: Predictions, labels: IntArray, rows: IntArray, images: Sequence[str], where: str, path: Path
) -> None:
    own = np.where(rows >= 0, found.labels[rows], -1)
    wrong = np.flatnonzero((own >= 0) & (own != labels)).tolist()
    if wrong:
        one, names = wrong[0], found.class_names
        raise InputError(
            f'{path}: {len(wrong)} labels differ from those of {where}, e.g. "{images[one]}" is '
            f'"{names[own[one]]}" here and "{names[labels[one]]}" there, they must be the same'
        )


def _where(found: Predictions, known: Labels) -> str:
    return f'the set "{found.set}"' if known.sheet is None else str(known.sheet.path)


def _spread(values: FloatArray, rows: IntArray) -> FloatArray:
    spread = values[rows].copy()
    spread[rows < 0] = np.nan
    return spread
