"""The cases that are looked at one by one: image, what each model saw and said, patient and subgroup."""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np

from cxrkit.api import Predictions
from cxrkit.evaluation import cases as evaluation_cases
from cxrkit.metrics import NO_RESULT, decide
from cxrkit.report import wording
from cxrkit.report.content import Case, View
from cxrkit.report.results import TEST, Results, Source, TaskResult
from cxrkit.rundir import RunDirectory

OWN_COLUMNS = frozenset({"image", "split", "label", "patient", "sha256", "width", "height", "excluded", "mask"})
SHOWN_SIDE = 320  # pixels of a picture's longer side, twice of what it takes on the screen
MOST, CORRECT = 40, 8  # where the run does not say


@dataclass(frozen=True)
class Opinion:
    """What one model said of one image.

    Attributes:
        task: the model.
        probability: of the positive class, or the score; NaN without a result.
        called: the class that it was called; None without a result.
        wrong: whether that is not what the image shows.
        certainty: how far beyond the threshold, as a share of the way to the end of the range.
    """

    task: TaskResult
    probability: float
    called: str | None
    wrong: bool
    certainty: float


@dataclass(frozen=True)
class Judged:
    """An image with what every model said of it."""

    image: str
    patient: str
    truth: str
    opinions: tuple[Opinion, ...]

    @property
    def errors(self) -> int:
        """How many models were wrong."""
        return sum(opinion.wrong for opinion in self.opinions)

    def is_false_alarm(self, positive: str) -> bool:
        """Say whether any model called it positive though it is not."""
        return self.truth != positive and any(opinion.called == positive for opinion in self.opinions)

    @property
    def certainty(self) -> float:
        """Of the surest wrong model."""
        return max((opinion.certainty for opinion in self.opinions if opinion.wrong), default=0.0)


def judged(results: Results, set_name: str = TEST) -> list[Judged]:
    """Judge every image of a set by every model, errors of most models first, then the surest."""
    found: dict[str, list[Opinion]] = {}
    known: dict[str, tuple[str, str]] = {}
    for task in results.tasks:
        if task.info.threshold is None or not task.directory.predictions(set_name).is_file():
            continue
        predictions = task.predictions(set_name)
        for row, opinion in enumerate(_opinions(task, predictions, task.info.threshold.value)):
            image = str(predictions.images[row])
            found.setdefault(image, []).append(opinion)
            known[image] = (str(predictions.patients[row]), predictions.class_names[predictions.labels[row]])
    everything = [Judged(image, *known[image], tuple(opinions)) for image, opinions in found.items()]
    return sorted(everything, key=lambda one: (-one.errors, -one.certainty, one.image))


def chosen(results: Results, set_name: str = TEST) -> tuple[list[str], list[str]]:
    """Ask the evaluation which images are shown, and by which rule; each run has its own."""
    images: list[str] = []
    rules: list[str] = []
    for source in results.sources:
        table = source.info.configuration.get("explain") or {}
        found = evaluation_cases.choose(
            source.run, set_name=set_name, most=table.get("most", MOST), correct=table.get("correct", CORRECT)
        )
        images += found.images
        rules.append(found.rule)
    return list(dict.fromkeys(images)), list(dict.fromkeys(rules))


class Pictures:
    """The thumbnails, overlays and manifest columns of the runs' images."""

    def __init__(self, results: Results, set_name: str = TEST) -> None:
        """Read the manifests; pictures are read when they are asked for."""
        self._rows: dict[str, tuple[RunDirectory, Mapping[str, str]]] = {}
        for source in results.sources:
            for row in _manifest(source, set_name):
                self._rows.setdefault(row["image"], (source.run, row))

    def case(self, one: Judged, positive: str) -> Case:
        """Put together what is shown of an image."""
        run, row = self._rows.get(one.image, (None, {}))
        extra = tuple(
            (name.replace("_", " "), value) for name, value in row.items() if name not in OWN_COLUMNS and value
        )
        picture = run.thumbnail(row["sha256"]) if run is not None else None
        return Case(
            image=one.image,
            truth=one.truth,
            facts=(("Patient", one.patient), *extra),
            verdict=verdict(one, positive),
            views=tuple(_view(opinion, one.image) for opinion in one.opinions),
            picture=_jpeg(picture) if picture is not None and picture.is_file() else None,
        )


def verdict(one: Judged, positive: str) -> str:
    """Say who was wrong: ``Missed by both models``, ``False alarm of scratch``."""
    wrong = [opinion.task.name for opinion in one.opinions if opinion.wrong]
    everyone = "both models" if len(one.opinions) == 2 else f"all {len(one.opinions)} models"  # noqa: PLR2004 - a pair
    if not wrong:
        return "Called rightly" + (f" by {everyone}" if len(one.opinions) > 1 else "")
    who = everyone if len(wrong) == len(one.opinions) > 1 else wording.listed(wrong)
    if one.truth == positive:
        return f"Missed by {who}"
    return f"False alarm of {who}" if one.is_false_alarm(positive) else f"Taken for another class by {who}"


def _opinions(task: TaskResult, predictions: Predictions, threshold: float) -> Iterable[Opinion]:
    called = decide(predictions.probabilities, predictions.positive_index, threshold)
    is_score = predictions.scale == "score"
    low, high = (np.nanmin(predictions.score), np.nanmax(predictions.score)) if is_score else (0.0, 1.0)
    for score, call, label in zip(
        predictions.score.tolist(), called.tolist(), predictions.labels.tolist(), strict=True
    ):
        lacking = call == NO_RESULT
        span = float(high - threshold if score >= threshold else threshold - low)
        yield Opinion(
            task=task,
            probability=score,
            called=None if lacking else predictions.class_names[call],
            wrong=call != label,
            certainty=0.0 if lacking else abs(score - threshold) / (span or 1.0),
        )


def _view(opinion: Opinion, image: str) -> View:
    return View(
        task=opinion.task.name,
        model=opinion.task.number,
        figure=figure(opinion),
        call=opinion.called or "no result",
        wrong=opinion.wrong,
        overlay=_overlay(opinion.task, image),
    )


def figure(opinion: Opinion) -> str | None:
    """Write what a model says of an image: ``p 0.831``, ``score 12.4``; None of a bare decision."""
    if opinion.called is None or opinion.task.info.scale == "decision":
        return None
    return f"{'score' if opinion.task.info.scale == 'score' else 'p'} {opinion.probability:.3f}"


def _overlay(task: TaskResult, image: str) -> bytes | None:
    entry = next((entry for entry in task.cam.entries if entry.image == image), None) if task.cam else None
    path = task.directory.cam / entry.overlay if entry else None
    return _jpeg(path) if path is not None and path.is_file() else None


def _manifest(source: Source, set_name: str) -> list[dict[str, str]]:
    if not source.run.manifest.is_file():
        return []
    with source.run.manifest.open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if row["split"] == set_name and not row["excluded"]]


@cache
def _jpeg(path: Path) -> bytes:
    """Read a picture as a JPEG that is no larger than shown; what is one already stays as it is."""
    from PIL import Image

    content = path.read_bytes()
    with Image.open(BytesIO(content)) as image:
        if image.format == "JPEG" and max(image.size) <= SHOWN_SIDE:
            return content
        small = image.convert("L" if image.mode in {"1", "L", "LA", "I;16"} else "RGB")
        small.thumbnail((SHOWN_SIDE, SHOWN_SIDE))
    buffer = BytesIO()
    small.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()
