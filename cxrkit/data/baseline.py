"""What a model reaches that never looks at the picture: the label from size, colour and brightness alone."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cxrkit.api import FloatArray, IntArray
from cxrkit.areas import auc_interval
from cxrkit.bootstrap import strata
from cxrkit.data.measures import STATISTICS
from cxrkit.intervals import patient_index
from cxrkit.metrics import roc_auc
from cxrkit.records import Baseline, BaselineName, Estimate, ImageStatistic

FEATURES: dict[BaselineName, tuple[ImageStatistic, ...]] = {
    "size": ("width", "height", "aspect"),
    "colour": ("colour",),
    "brightness": ("intensity", "contrast", "black", "white"),
    "all": STATISTICS,
}
SUSPICIOUS = 0.6  # AUC; a lower bound above it is no accident, and more than a trace
METHOD = "random forest, 20 trees of depth 5; cross-validation in 5 folds by patient"
_FOLDS = 5
_MOST_PER_TREE = 10_000  # images; more would cost time and change nothing
_FEWEST_PATIENTS = 10  # of either class, two in each fold
_TECHNICAL = ("size", "colour")  # no part of what a radiograph shows
_WORDS: dict[BaselineName, tuple[str, str]] = {  # the subject, and what follows where it separates the classes
    "size": ("Image size alone", "a model may learn the scanner or the department in place of the disease"),
    "colour": (
        "Whether a file is grey or colour alone",
        "a model may learn the scanner or the department in place of the disease",
    ),
    "brightness": (
        "Brightness and contrast alone",
        "opacities brighten lungs, but exposure and processing may differ between the classes as well",
    ),
    "all": ("All image statistics together", "a model that looks at the picture has to do better"),
}


class Sample(NamedTuple):
    """Images of one or more sets.

    Attributes:
        values: n rows, a column for each statistic.
        truth: bool[n], whether the image shows the positive class.
        patients: int64[n], numbers 0, 1, … without gaps.
    """

    values: pd.DataFrame
    truth: NDArray[np.bool_]
    patients: IntArray


def baselines(
    used: pd.DataFrame, measures: pd.DataFrame, positive: str, sets: tuple[Sequence[str], Sequence[str]], level: float
) -> list[Baseline]:
    """Fit a small model to each group of statistics, and estimate how well it tells a class from all others.

    Args:
        used: usable rows with ``split``, ``label``, ``patient``.
        measures: their statistics, on the same index.
        positive: the class.
        sets: to fit and cross-validate on, and to evaluate on.
        level: of the confidence intervals.

    Returns:
        One of size, one of brightness; one of colour where that varies; one of all where that is more than brightness.
    """
    others = sorted(set(used["label"]) - {positive})
    whom = f"{positive} from {others[0] if len(others) == 1 else 'the other classes'}"
    fit = _sample(used, measures, sets[0], positive)
    tests = {name: _sample(used, measures, [name], positive) for name in sets[1]}
    return [
        _told(_estimated(blank, fit, tests, level), whom) for blank in _blanks(positive, list(sets[0]), fit, measures)
    ]


def _blanks(positive: str, fitted_on: list[str], fit: Sample, measures: pd.DataFrame) -> Iterator[Baseline]:
    """Name the models that are worth fitting, by what varies at all."""
    for name, features in FEATURES.items():
        varying = [feature for feature in features if _varies(fit.values[feature])]
        alone = set(varying) <= set(FEATURES["brightness"])
        if (name != "colour" or varying) and (name != "all" or not alone):
            elsewhere = any(_varies(measures[feature]) for feature in features)
            which = f"All images of {' and '.join(fitted_on)}" if elsewhere else "All images"
            yield Baseline(
                name=name,
                positive=positive,
                features=varying,
                method=METHOD,
                fitted_on=fitted_on,
                shortcut=False,
                sentence="" if varying else f"{which} have the same {name}.",
            )


def _varies(values: "pd.Series[float]") -> bool:
    return bool(values.min() < values.max())


def _sample(used: pd.DataFrame, measures: pd.DataFrame, sets: Sequence[str], positive: str) -> Sample:
    rows = used[used["split"].isin(sets)]
    truth = (rows["label"] == positive).to_numpy()
    return Sample(measures.loc[rows.index], truth, patient_index(rows["patient"].to_numpy(dtype=str)))


def _estimated(blank: Baseline, fit: Sample, tests: dict[str, Sample], level: float) -> Baseline:
    if not blank.features or _fewest_patients(fit) < _FEWEST_PATIENTS:
        return blank
    columns = list(blank.features)
    crossed = _estimate(fit, _cross_validated(fit, columns), level)
    model = _fitted(fit.values[columns], fit.truth)
    areas = {
        name: _estimate(test, model.predict_proba(test.values[columns])[:, 1], level)
        for name, test in tests.items()
        if test.truth.any() and not test.truth.all()
    }
    return blank.model_copy(
        update={"cross_validated": crossed, "auc": areas, "carried_by": max(columns, key=_separation(fit))}
    )


def _fewest_patients(sample: Sample) -> int:
    return min(len(np.unique(sample.patients[side])) for side in (sample.truth, ~sample.truth))


def _cross_validated(sample: Sample, columns: list[ImageStatistic]) -> FloatArray:
    """Score each image by a model that has seen none of its patient's: float64[n]."""
    groups = strata(sample.truth, sample.patients)
    shuffled = np.random.default_rng(0).permutation(len(groups))
    folds = np.empty(len(groups), dtype=np.int64)
    folds[np.lexsort((shuffled, groups))] = np.arange(len(groups)) % _FOLDS
    scores = np.empty(len(sample.truth))
    for fold in range(_FOLDS):
        out = folds[sample.patients] == fold
        model = _fitted(sample.values.loc[~out, columns], sample.truth[~out])
        scores[out] = model.predict_proba(sample.values.loc[out, columns])[:, 1]
    return scores


def _fitted(values: pd.DataFrame, truth: NDArray[np.bool_]) -> Any:
    from sklearn.ensemble import RandomForestClassifier

    most = min(len(truth), _MOST_PER_TREE)
    return RandomForestClassifier(20, max_depth=5, min_samples_leaf=5, max_samples=most, random_state=0).fit(
        values, truth
    )


def _separation(sample: Sample) -> Callable[[ImageStatistic], float]:
    """Give a function from a statistic to how far its AUC is from 0.5."""

    def distance(column: ImageStatistic) -> float:
        area = roc_auc(sample.truth, sample.values[column].to_numpy())
        return 0 if area is None else abs(area - 0.5)

    return distance


def _estimate(sample: Sample, scores: FloatArray, level: float) -> Estimate:
    interval = auc_interval(sample.truth, scores, sample.patients, level)
    return Estimate(
        value=roc_auc(sample.truth, scores),
        low=interval.low,
        high=interval.high,
        level=level,
        method=interval.method,
        n=len(scores),
        n_patients=len(np.unique(sample.patients)),
    )


# ── In words ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _told(found: Baseline, whom: str) -> Baseline:
    subject, meaning = _WORDS[found.name]
    verb = "tell" if found.name in ("brightness", "all") else "tells"
    if not found.features:
        return found
    if found.cross_validated is None:
        sentence = f"Too few patients to say whether {subject[0].lower()}{subject[1:]} {verb} {whom}."
        return found.model_copy(update={"sentence": sentence})
    place, best = _strongest(found)
    area = f"{best.value:.2f} ({best.low:.2f} to {best.high:.2f}) {place}"
    suspicious = (best.low or 0) > SUSPICIOUS
    if suspicious:
        sentence = f"{subject} {verb} {whom} with an AUC of {area}: {meaning}."
    else:
        sentence = f"{subject} {verb} little of {whom}: AUC {area}."
    return found.model_copy(update={"sentence": sentence, "shortcut": suspicious and found.name in _TECHNICAL})


def _strongest(found: Baseline) -> tuple[str, Estimate]:
    """Choose among cross-validation and the sets that were evaluated the AUC that is surest to be large."""
    places = {f"on {name}": area for name, area in found.auc.items()}
    if found.cross_validated is not None:
        places["by cross-validation"] = found.cross_validated
    return max(places.items(), key=lambda item: item[1].low or 0)
