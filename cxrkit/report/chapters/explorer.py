"""The explorer of operating points: what other thresholds and another prevalence would give, for screens alone."""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cxrkit import metrics
from cxrkit.api import FloatArray
from cxrkit.metrics import BoolArray
from cxrkit.records import ThresholdRecord
from cxrkit.report import wording
from cxrkit.report.content import Explored, Explorer, Reckoned
from cxrkit.report.drawn.palette import DASHES, MARKERS, MODELS
from cxrkit.report.phrases import CONVENTIONAL, anchor, set_title, stated_prevalence, threshold_origin_short
from cxrkit.report.results import Results, TaskResult


@dataclass(frozen=True)
class _Seen:
    """What a model made of a set: ``scores`` and ``truth`` of the images with a result, by falling score."""

    task: TaskResult
    threshold: ThresholdRecord
    scores: FloatArray
    truth: BoolArray
    without_result: tuple[int, int]

    @property
    def positives(self) -> int:
        return int(self.truth.sum()) + self.without_result[0]

    @property
    def negatives(self) -> int:
        return int((~self.truth).sum()) + self.without_result[1]

    @property
    def prevalence(self) -> float:
        return self.positives / (self.positives + self.negatives)


def explorer(results: Results, set_name: str) -> Explorer | None:
    """Prepare the predictions of every model that ranks the images of a set and decides at a threshold.

    Returns:
        None where there is no such model.
    """
    seen = [found for task in results.tasks if (found := _seen(task, set_name))]
    if not seen:
        return None
    own = {one.prevalence for one in seen}
    stated = stated_prevalence(results, set_name)
    return Explorer(
        title="Explore other thresholds",
        name=anchor(results, "explorer", set_name),
        set=set_name,
        where=set_title(set_name),
        positive=results.positive,
        models=tuple(_explored(one, stated) for one in seen),
        own=own.pop() if len(own) == 1 else None,
        stated=stated,
        notes=tuple(_notes(results, seen, set_name)),
    )


def _seen(task: TaskResult, set_name: str) -> _Seen | None:
    threshold = task.info.threshold
    if threshold is None or task.info.scale == "decision" or not task.directory.predictions(set_name).is_file():
        return None
    found = task.predictions(set_name)
    missing: BoolArray = np.asarray(np.isnan(found.probabilities).any(axis=1))
    if not len(missing):
        return None
    scores, truth = found.score[~missing], found.truth[~missing]
    order = np.argsort(-scores, kind="stable")
    lost = found.truth[missing]
    return _Seen(task, threshold, scores[order], truth[order], (int(lost.sum()), int((~lost).sum())))


def _explored(seen: _Seen, stated: float | None) -> Explored:
    lowest, highest = _reach(seen)
    return Explored(
        task=seen.task.name,
        model=seen.task.number,
        threshold=seen.threshold.value,
        origin=_origin(seen.threshold),
        lowest=lowest,
        highest=highest,
        scores=seen.scores.astype("<f8").tobytes(),
        truth=np.packbits(seen.truth, bitorder="little").tobytes(),
        without_result=seen.without_result,
        figures=dict(_figures(seen, stated)),
    )


def _reach(seen: _Seen) -> tuple[float, float]:
    """Find the ends of the slider: 0 and 1 of a probability, else those of the scores and the threshold."""
    if seen.task.info.scale == "probability":
        return 0.0, 1.0
    known = [*seen.scores[[0, -1]].tolist(), seen.threshold.value] if len(seen.scores) else [seen.threshold.value]
    return min(known), max(known)


def _origin(threshold: ThresholdRecord) -> str:
    """Say in a few words where a threshold comes from."""
    conventional = threshold.rule == "fixed" and threshold.value == CONVENTIONAL
    return "the conventional 0.5" if conventional else threshold_origin_short(threshold)


def _figures(seen: _Seen, stated: float | None) -> Iterator[tuple[str, Reckoned]]:
    """Reckon what the recorded threshold gives, at the stated prevalence or the images' own."""
    counts = _counts(seen)
    shares = _shares(seen, counts, stated)
    for name, count in counts.items():
        yield name, Reckoned(count, wording.count(count))
    for name, value in shares.items():
        yield name, Reckoned(value, wording.NONE if value is None else wording.number(value, name))
    for name, value in _errors(shares, seen.prevalence if stated is None else stated).items():
        yield name, Reckoned(value, wording.NONE if value is None else f"{value:.1f}")


def _counts(seen: _Seen) -> dict[str, int]:
    """Count the images by what they show and what they are called: positive from the threshold on."""
    called, truth = seen.scores >= seen.threshold.value, seen.truth
    cells = {"tp": called & truth, "fn": ~called & truth, "fp": called & ~truth, "tn": ~called & ~truth}
    without = dict(zip(("positives_without", "negatives_without"), seen.without_result, strict=True))
    return {name: int(cell.sum()) for name, cell in cells.items()} | without


def _shares(seen: _Seen, counts: dict[str, int], stated: float | None) -> dict[str, float | None]:
    """Give sensitivity and specificity, in which an image without a result is wrong, and the predictive values."""
    tp, fn, fp, tn = (counts[name] for name in ("tp", "fn", "fp", "tn"))
    sensitivity, specificity = _share(tp, seen.positives), _share(tn, seen.negatives)
    ppv, npv = _share(tp, tp + fp), _share(tn, tn + fn)
    if stated is not None:
        ppv, npv = None, None
        if sensitivity is not None and specificity is not None:
            ppv, npv = metrics.predictive_values(sensitivity, specificity, stated)
    return {"sensitivity": sensitivity, "specificity": specificity, "ppv": ppv, "npv": npv}


def _errors(shares: dict[str, float | None], prevalence: float) -> dict[str, float | None]:
    """Count the errors among a thousand at a prevalence."""
    sensitivity, specificity = shares["sensitivity"], shares["specificity"]
    return {
        "missed": None if sensitivity is None else 1000 * prevalence * (1 - sensitivity),
        "alarms": None if specificity is None else 1000 * (1 - prevalence) * (1 - specificity),
    }


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _notes(results: Results, seen: Sequence[_Seen], set_name: str) -> Iterator[str]:
    yield (
        f"A threshold that looks good here was chosen on the {set_title(set_name)}, so its figures flatter: on new "
        "images it will do worse. To use another threshold, choose it on validation images and test it on images not "
        "seen before."
    )
    yield (
        "PPV and NPV at the prevalence above follow from sensitivity and specificity by Bayes' theorem; at the set's "
        f"own they are counted. Of 1,000 images at that prevalence, missed are those with {results.positive} that are "
        "called otherwise, false alarms those without it that are called so."
    )
    yield (
        "The figures here have no intervals: after looking for a threshold on these very images, an interval would "
        "promise more than it holds. Those of the recorded thresholds stand with their intervals in the results."
    )
    lost = sum(sum(one.without_result) for one in seen)
    if lost:
        yield (
            f"Images without a result ({wording.count(lost)} over all models) count as wrong in sensitivity and "
            "specificity at every threshold, so a curve need not reach the corners."
        )


def embedded(block: Explorer) -> dict[str, Any]:
    """Lay out what the page's script computes from; numbers keep every bit."""
    return {"own": block.own, "stated": block.stated, "models": [_embedded(one) for one in block.models]}


def _embedded(one: Explored) -> dict[str, Any]:
    return {
        "name": one.task,
        "colour": one.model % len(MODELS),
        "marker": one.model % len(MARKERS),
        "dash": one.model // len(MODELS) % len(DASHES),
        "threshold": one.threshold,
        "scores": b64encode(one.scores).decode(),
        "truth": b64encode(one.truth).decode(),
        "withoutResult": one.without_result,
    }
