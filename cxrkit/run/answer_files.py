"""The files of ``cxrkit predict``: ``predictions.csv`` for spreadsheets, ``predictions.json`` with everything."""

import csv
from collections.abc import Iterator, Sequence
from io import StringIO
from pathlib import Path

from cxrkit.evaluation.predictions import OK
from cxrkit.files import write_text
from cxrkit.records import Answer, PredictedImage, PredictedImages, PredictingModel
from cxrkit.report.formats.spreadsheets import harmless

TABLE, DOCUMENT = "predictions.csv", "predictions.json"
TWO_CLASSES = 2


def write(output: Path, document: PredictedImages) -> None:
    """Write both files, each whole or not at all.

    Raises:
        RunError: they cannot be written.
    """
    write_text(output / TABLE, table(document.models, document.images, overlays=document.cam is not None))
    document.write(output / DOCUMENT)


def table(models: Sequence[PredictingModel], images: Sequence[PredictedImage], *, overlays: bool) -> str:
    """Lay images out as CSV: a row for each, columns for each model, with its name where there are several.

    Texts that a spreadsheet would take for a formula begin with an apostrophe.
    """
    file = StringIO(newline="")
    writer = csv.writer(file)
    heads = ["image", "sha256", "status"]
    for model in models:
        heads += [head if len(models) == 1 else f"{head}_{model.name}" for head in _heads(model, overlays=overlays)]
    writer.writerow(harmless(head) for head in heads)
    for image in images:
        cells = [image.image, image.sha256 or "", image.status]
        for model in models:
            answer = image.answers.get(model.name)
            own = _heads(model, overlays=overlays)
            cells += [""] * len(own) if answer is None else _cells(model, answer, overlays=overlays)
        writer.writerow(harmless(cell) for cell in cells)
    return file.getvalue()


def _heads(model: PredictingModel, *, overlays: bool) -> list[str]:
    heads = ["probability", "raw_probability", "decision"]
    heads += ["zone"] if model.zone is not None else []
    if len(model.class_names) > TWO_CLASSES:
        heads += [f"raw_p_{name}" for name in model.class_names]
    return [*heads, "overlay"] if overlays else heads


def _cells(model: PredictingModel, answer: Answer, *, overlays: bool) -> list[str]:
    cells = [repr(answer.probability), repr(answer.raw_probability), answer.decision]
    cells += [answer.zone or ""] if model.zone is not None else []
    if len(model.class_names) > TWO_CLASSES:
        cells += [repr(answer.raw_probabilities[name]) for name in model.class_names]
    return [*cells, answer.overlay or ""] if overlays else cells


def lines(models: Sequence[PredictingModel], images: Sequence[PredictedImage]) -> Iterator[str]:
    """Tell each image in a line for the terminal: ``a.png: PNEUMONIA, p(PNEUMONIA) 0.931, threshold 0.420``."""
    for image in images:
        name = "".join(letter if letter.isprintable() else "?" for letter in image.image)
        if image.status != OK:
            yield f"{name}: {image.status}"
            continue
        told = [(model, image.answers[model.name]) for model in models]
        yield f"{name}: " + "; ".join(
            f"{model.name} {_told(model, answer)}" if len(models) > 1 else _told(model, answer)
            for model, answer in told
        )


def _told(model: PredictingModel, answer: Answer) -> str:
    limit = model.threshold_on_probability
    against = "" if limit is None else f", threshold {limit:.3f}"
    uncertain = ", uncertain" if answer.zone == "uncertain" else ""
    return f"{answer.decision}, p({model.positive}) {answer.probability:.3f}{against}{uncertain}"
