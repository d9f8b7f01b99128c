"""Predictions joined with the images that they should be of."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cxrkit.api import FloatArray, IntArray, Predictions
from cxrkit.errors import InputError, nearest

if TYPE_CHECKING:
    from pandas import DataFrame

NOT_IN_FILE = "not in the prediction file"


def join(found: Predictions, frame: "DataFrame", path: Path) -> Predictions:
    """Give predictions the labels, patients and order of a set; images that they lack have no result.

    Args:
        found: the predictions; a label of -1 is unknown.
        frame: the set's images, with columns ``image``, ``label`` and ``patient``.
        path: the prediction file, for messages.

    Raises:
        InputError: the file has images that the set lacks, or other labels.
    """
    images = frame["image"].astype(str).tolist()
    _check_known(found, images, path)
    place = {image: row for row, image in enumerate(found.images.tolist())}
    rows = np.array([place.get(image, -1) for image in images], dtype=np.int64)
    labels = _labels(found, frame, path)
    _check_labels(found, labels, rows, images, path)
    present = rows >= 0
    return Predictions(
        task=found.task,
        set=found.set,
        condition=found.condition,
        class_names=found.class_names,
        positive=found.positive,
        images=np.array(images, dtype=np.str_),
        patients=np.array(frame["patient"].astype(str).tolist(), dtype=np.str_),
        labels=labels,
        status=np.where(present, found.status[rows], NOT_IN_FILE),
        probabilities=_spread(found.probabilities, rows),
        logits=None if found.logits is None else _spread(found.logits, rows),
    )


def _check_known(found: Predictions, images: list[str], path: Path) -> None:
    strange = sorted(set(found.images.tolist()) - set(images))
    if not strange:
        return
    hint = nearest(strange[0], images) if len(images) <= 2000 else f'images there are named like "{images[0]}"'  # noqa: PLR2004  # a nearest match among more takes seconds
    if not hint.startswith("did"):
        hint = f'images there are named like "{images[0]}"'
    raise InputError(
        f'{path}: {len(strange)} of {len(found.images)} images are not in the set "{found.set}", '
        f'e.g. "{strange[0]}", {hint}'
    )


def _labels(found: Predictions, frame: "DataFrame", path: Path) -> IntArray:
    index = {name: number for number, name in enumerate(found.class_names)}
    names = frame["label"].astype(str).tolist()
    unknown = sorted(set(names) - set(index))
    if unknown:
        raise InputError(
            f'{path}: the set "{found.set}" has label "{unknown[0]}" and the file no column p_{unknown[0]}, '
            f"its classes are {', '.join(found.class_names)}"
        )
    return np.array([index[name] for name in names], dtype=np.int64)


def _check_labels(found: Predictions, labels: IntArray, rows: IntArray, images: list[str], path: Path) -> None:
    own = np.where(rows >= 0, found.labels[rows], -1)
    wrong = np.flatnonzero((own >= 0) & (own != labels)).tolist()
    if wrong:
        one, names = wrong[0], found.class_names
        raise InputError(
            f'{path}: {len(wrong)} labels differ from those of the set "{found.set}", e.g. "{images[one]}" is '
            f'"{names[own[one]]}" here and "{names[labels[one]]}" there, they must be the same'
        )


def _spread(values: FloatArray, rows: IntArray) -> FloatArray:
    spread = values[rows].copy()
    spread[rows < 0] = np.nan
    return spread
