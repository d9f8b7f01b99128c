"""Several trainings of one task side by side: how much another seed would change a figure."""

from collections.abc import Mapping
from statistics import mean, stdev

from cxrkit import metrics
from cxrkit.api import Predictions
from cxrkit.evaluation.predictions import OK, taken
from cxrkit.records import SeedSpread


def spread(members: Mapping[int, Predictions], thresholds: Mapping[int, float], *, set_name: str) -> list[SeedSpread]:
    """Compute mean, standard deviation and range of the main figures over seeds.

    They say nothing of the patients that were drawn: that is what the intervals are for, and the two are never mixed.

    Args:
        members: seed → its own predictions.
        thresholds: seed → its own threshold.
        set_name: of the predictions.
    """
    of_seeds = {seed: _figures(found, thresholds[seed]) for seed, found in members.items()}
    names = list(dict.fromkeys(name for figures in of_seeds.values() for name in figures))
    return [_spread(name, set_name, {seed: figures.get(name) for seed, figures in of_seeds.items()}) for name in names]


def _figures(found: Predictions, threshold: float) -> dict[str, float | None]:
    seen = taken(found, found.status == OK)
    called = metrics.decide(found.probabilities, found.positive_index, threshold)
    matrix = metrics.confusion_matrix(found.labels, called, len(found.class_names))
    positives = found.truth
    negative_called = (called != found.positive_index) & (called != metrics.NO_RESULT)
    return {
        "roc_auc": metrics.roc_auc(seen.truth, seen.score),
        "average_precision": metrics.average_precision(seen.truth, seen.score),
        "sensitivity": _share(called[positives] == found.positive_index),
        "specificity": _share(negative_called[~positives]),
        "accuracy": metrics.number(float(metrics.accuracy(matrix))),
        "balanced_accuracy": metrics.number(float(metrics.balanced_accuracy(matrix))),
        "brier": metrics.brier(seen.truth, seen.score),
    }


def _share(success: metrics.BoolArray) -> float | None:
    return float(success.mean()) if len(success) else None


def _spread(metric: str, set_name: str, values: Mapping[int, float | None]) -> SeedSpread:
    known = [value for value in values.values() if value is not None]
    return SeedSpread(
        metric=metric,
        set=set_name,
        values={str(seed): value for seed, value in values.items()},
        mean=mean(known) if known else None,
        sd=stdev(known) if len(known) > 1 else None,
        low=min(known, default=None),
        high=max(known, default=None),
    )
