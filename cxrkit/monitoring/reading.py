"""Prediction files as monitoring meets them: with or without labels, of any toolkit or of ``cxrkit predict``."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from cxrkit.api import Predictions
from cxrkit.errors import InputError, nearest
from cxrkit.evaluation import predictions
from cxrkit.evaluation.classes import Classes, read_labels
from cxrkit.evaluation.joining import FEW
from cxrkit.evaluation.labels import Join, LabelFile, known
from cxrkit.evaluation.table import Sheet, read_sheet
from cxrkit.monitoring.dates import Dates, read_dates
from cxrkit.records import PredictedImages, PredictingModel
from cxrkit.report.formats.spreadsheets import as_it_was

RAW, RAW_OF_CLASS = "raw_probability", "raw_p_"
DOCUMENT = "predictions.json"  # of cxrkit predict, beside its table
PAIR = 2


@dataclass(frozen=True)
class Reading:
    """How prediction files are to be read.

    Attributes:
        columns: cxrkit's column → the files' own.
        labels: a file of labels that came later, or None.
        task: which model of a ``cxrkit predict`` file with several.
        date_column: the column of dates, or None.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    labels: LabelFile | None = None
    task: str | None = None
    date_column: str | None = None


@dataclass(frozen=True)
class Model:
    """What the reference fixes: classes in their order, the positive one, and the model's name."""

    task: str
    class_names: tuple[str, ...]
    positive: str


@dataclass(frozen=True)
class Batch:
    """Images and what a model said of them.

    Attributes:
        found: the results; a label of -1 is not known (yet).
        dates: of the images, in their order; None where the file has none.
        decisions: what the file itself says was decided, str[n]; None where it does not.
    """

    found: Predictions
    dates: Dates | None = None
    decisions: Sequence[str] | None = None


def read(path: Path, reading: Reading, model: Model | None, *, positive: str | None = None) -> Batch:
    """Read one prediction file.

    Args:
        path: the format of :func:`cxrkit.evaluation.predictions.read`, or a table of ``cxrkit predict``.
        reading: how.
        model: what the reference fixed; None where this file is the reference.
        positive: the positive class, where this file is the reference and tells it not.

    Raises:
        InputError: what is wrong with the file; it is of other classes than the reference.
    """
    sheet = read_sheet(path, reading.columns)
    of_predict = RAW in _heads(sheet) and not any(name.startswith("p_") for name in sheet.columns)
    if of_predict:
        _check_task(sheet, reading.task)
    made_by = _made_by(path, sheet, reading.task) if of_predict and model is None else None
    names, chosen = _classes(sheet, made_by, model, positive)
    columns = {**_columns_of_predict(sheet, names, chosen, reading.task), **reading.columns}
    if model is not None:
        _check_same_classes(sheet, columns, model)
    found = predictions.read(
        path,
        task=model.task if model else path.stem if made_by is None else made_by.task or path.stem,
        set_name=path.stem,
        columns=columns,
        class_names=names,
        positive=chosen,
        labels_needed=False,
    )
    found = replace(found, logits=None)
    if of_predict:
        found = replace(found, images=np.array([as_it_was(name) for name in found.images.tolist()], dtype=np.str_))
    if reading.labels is not None:
        found = _labelled(found, reading.labels, path, sheet)
    dates = None if reading.date_column is None else read_dates(sheet, reading.date_column)
    return Batch(found, dates, sheet.columns.get(_column("decision", sheet, reading.task)) if of_predict else None)


def check_any_labelled(batches: Sequence[Batch], labels: LabelFile | None) -> None:
    """Refuse a file of labels that has none for any image.

    Raises:
        InputError: says how images are named here and there.
    """
    if labels is None or labels.join != "image" or any((batch.found.labels >= 0).any() for batch in batches):
        return
    there = list(known(labels).names)
    name = str(batches[0].found.images[0])
    hint = nearest(name, there) if len(there) <= FEW else ""
    hint = hint if hint.startswith("did") else f'names there are like "{there[0]}"'
    raise InputError(f'{labels.path}: has a label of none of the images, e.g. of "{name}", {hint}')


# ── Tables of cxrkit predict ──────────────────────────────────────────────────────────────────────────────────────────


def _heads(sheet: Sheet) -> Iterator[str]:
    """Give the columns, those of a file of several models without the models' names."""
    for name in sheet.columns:
        yield RAW if name.startswith(f"{RAW}_") else name


def _check_task(sheet: Sheet, task: str | None) -> None:
    """Refuse a table of several models of which none or an unknown one is chosen.

    Raises:
        InputError: names the models.
    """
    several = _models(sheet)
    if several and task is None:
        raise InputError(f"{sheet.path}: has several models, choose one of {', '.join(several)} with --task")
    if several and task not in several:
        raise InputError(f'{sheet.path}: has no model "{task}", {nearest(str(task), several)}')


def _models(sheet: Sheet) -> list[str]:
    """List the models of a table that has several, which stand behind its columns' names."""
    return [name.removeprefix(f"{RAW}_") for name in sheet.columns if name.startswith(f"{RAW}_")]


def _made_by(path: Path, sheet: Sheet, task: str | None) -> PredictingModel | None:
    """Read of the document beside the table which model it is of; None where there is no document."""
    document = path.with_name(DOCUMENT)
    if not document.is_file():
        return None
    models = PredictedImages.read(document).models
    named = [model for model in models if model.name == task] if _models(sheet) else models[:1]
    return named[0] if named else None


def _classes(
    sheet: Sheet, made_by: PredictingModel | None, model: Model | None, positive: str | None
) -> tuple[Sequence[str] | None, str | None]:
    if model is not None:
        return model.class_names, model.positive
    if made_by is None:
        return None, positive
    if positive not in (None, made_by.positive):
        raise InputError(f'--positive: "{positive}", but {sheet.path} is of a model that detects "{made_by.positive}"')
    return made_by.class_names, made_by.positive


def _columns_of_predict(
    sheet: Sheet,
    names: Sequence[str] | None,
    positive: str | None,
    task: str | None,
) -> dict[str, str]:
    """Say where a table of ``cxrkit predict`` has each class's probability: as the model gave it, which decides."""
    column = _column(RAW, sheet, task)
    if column not in sheet.columns or any(name.startswith("p_") for name in sheet.columns):
        return {}
    if positive is None:
        raise InputError(
            f"{sheet.path}: the positive class is not told, keep {DOCUMENT} beside it or name the class by --positive"
        )
    if names is None or len(names) == PAIR:
        return {f"p_{positive}": column}
    wanted = {f"p_{name}": _column(f"{RAW_OF_CLASS}{name}", sheet, task) for name in names}
    lacking = [theirs for theirs in wanted.values() if theirs not in sheet.columns]
    if lacking:
        raise InputError(
            *(f'{sheet.path}: column "{name}" is missing, one is needed for each class' for name in lacking)
        )
    return wanted


def _column(name: str, sheet: Sheet, task: str | None) -> str:
    """Name a column, which carries the model's name where there are several."""
    return name if name in sheet.columns or task is None else f"{name}_{task}"


# ── Classes and labels ────────────────────────────────────────────────────────────────────────────────────────────────


def _check_same_classes(sheet: Sheet, columns: Mapping[str, str], model: Model) -> None:
    found = [
        name.removeprefix("p_") for name in sheet.columns if name.startswith("p_") and name not in columns.values()
    ]
    strange = [name for name in found if name not in model.class_names]
    if strange:
        raise InputError(
            f"{sheet.path}: has probabilities of {', '.join(found)}, the reference those of "
            f"{', '.join(model.class_names)}, predictions of the same model are needed"
        )


def _labelled(found: Predictions, file: LabelFile, path: Path, sheet: Sheet) -> Predictions:
    """Give images the labels that are known by now; the rest keep what they have.

    Raises:
        InputError: a label is of no class, or differs from the prediction file's own.
    """
    labels = known(file)
    values = read_labels(labels.sheet or sheet, Classes(found.class_names, found.positive, None), needed=False)
    if labels.sheet is not None:
        labels.sheet.stop_if_wrong()
    place = {name: row for row, name in enumerate(labels.names)}
    rows = np.array([place.get(name, -1) for name in _keys(found, file.join, path, sheet)], dtype=np.int64)
    given = np.where(rows >= 0, values[rows], -1)
    wrong = np.flatnonzero((found.labels >= 0) & (given >= 0) & (given != found.labels)).tolist()
    if wrong:
        here, there = (found.class_names[side[wrong[0]]] for side in (found.labels, given))
        raise InputError(
            f'{path}: {len(wrong)} labels differ from those of {file.path}, e.g. "{found.images[wrong[0]]}" is '
            f'"{here}" here and "{there}" there, they must be the same'
        )
    patients = found.patients
    if labels.patients is not None:
        patients = np.where(rows >= 0, np.array(labels.patients, dtype=np.str_)[rows], patients)
    return replace(found, labels=np.where(given >= 0, given, found.labels), patients=patients)


def _keys(found: Predictions, join: Join, path: Path, sheet: Sheet) -> Sequence[str]:
    """Give what each image's label is found by."""
    if join == "image":
        return [str(name) for name in found.images.tolist()]
    if join not in sheet.columns:
        raise InputError(f'{path}: column "study" is missing, labels are joined by it')
    return sheet.columns[join]
