"""Predictions and studies that reporters and report sections are tried on."""

from dataclasses import replace
from math import nan

import numpy as np

from cxrkit.api import (
    EvaluationSettings,
    Figure,
    Predictions,
    PriorShift,
    ReportedModel,
    ReportedStudy,
    Threshold,
)

TWO = ("NORMAL", "PNEUMONIA")
THREE = ("NORMAL", "BACTERIA", "VIRUS")
IMAGES = 60
NO_RESULT = "failed"


def predictions(class_names: tuple[str, ...] = TWO, *, seed: int = 0, task: str = "first") -> Predictions:
    """Make a model's probabilities of 60 images of about 25 patients, right more often than not."""
    rng, k = np.random.default_rng(seed), len(class_names)
    labels = rng.integers(0, k, IMAGES)
    logits = rng.normal(0, 1, (IMAGES, k)) + 1.5 * np.eye(k)[labels]
    shares = np.exp(logits - logits.max(1, keepdims=True))
    return Predictions(
        task=task,
        set="test",
        condition=None,
        class_names=class_names,
        positive=class_names[-1],
        images=np.array([f"test/image{number:03}.png" for number in range(IMAGES)]),
        patients=np.array([f"person{number}" for number in rng.integers(0, 30, IMAGES)]),
        labels=labels.astype(np.int64),
        status=np.full(IMAGES, "ok", dtype="<U6"),
        probabilities=shares / shares.sum(1, keepdims=True),
        logits=logits,
    )


def without_results(found: Predictions, rows: slice) -> Predictions:
    """Take the results of some images away."""
    status, probabilities = found.status.copy(), found.probabilities.copy()
    status[rows], probabilities[rows] = NO_RESULT, nan
    logits = None if found.logits is None else found.logits.copy()
    if logits is not None:
        logits[rows] = nan
    return replace(found, status=status, probabilities=probabilities, logits=logits)


def of_one_class(*, positive: bool) -> Predictions:
    """Make predictions of images of one class alone."""
    found = predictions()
    return replace(found, labels=np.full(IMAGES, int(positive), dtype=np.int64))


def scores() -> Predictions:
    """Make scores that only rank, from -20 to 20."""
    found = predictions()
    values = 40 * (found.score - 0.5)
    return replace(found, probabilities=np.stack([-values, values], axis=1), logits=None, scale="score")


def decisions() -> Predictions:
    """Make bare decisions."""
    found = predictions()
    called = (found.score >= 0.5).astype(float)  # noqa: PLR2004 - an even chance
    return replace(found, probabilities=np.stack([1 - called, called], axis=1), logits=None, scale="decision")


def settings(found: Predictions) -> EvaluationSettings:
    """Settle all that an evaluation can settle, so far as the predictions allow it."""
    k, probabilities = len(found.class_names), found.scale == "probability"
    return EvaluationSettings(
        threshold=Threshold(0.5 if found.scale != "score" else 0.0, "youden", set="val", n=40),
        resamples=100,
        prevalence=0.1,
        subgroups={"site": np.array(["north", "south", ""])[np.arange(len(found.images)) % 3]},
        temperature=1.5 if probabilities else None,
        prior=PriorShift(np.full(k, 1 / k), np.arange(1, k + 1) * 2 / (k * (k + 1))) if probabilities else None,
    )


def study(class_names: tuple[str, ...] = TWO, *, missing: slice | None = None, settled: bool = True) -> ReportedStudy:
    """Make a study of two models on one set.

    Args:
        class_names: two or three.
        missing: images that the second model has no result for.
        settled: whether the second model's threshold is known.
    """
    first, second = predictions(class_names), predictions(class_names, seed=1, task="second")
    if missing is not None:
        second = without_results(second, missing)
    return ReportedStudy(
        models=(_model(first, settled=True), _model(second, settled=settled)),
        sets=("test",),
        class_names=class_names,
        positive=class_names[-1],
        level=0.95,
    )


def _model(found: Predictions, *, settled: bool) -> ReportedModel:
    patients = len(np.unique(found.patients))
    figures = (
        Figure("roc_auc", 0.9, 0.8, 0.96, "bootstrap", fewest_patients=12, n=IMAGES, n_patients=patients),
        Figure("sensitivity", 0.8, 0.7, 0.9, "Wilson", threshold=0.5, n=IMAGES, n_patients=patients),
        Figure("specificity", None, n=IMAGES, n_patients=patients),
    )
    threshold = Threshold(0.5, "youden", set="val", n=40) if settled else None
    return ReportedModel(found.task, {"test": found}, {"test": figures}, threshold)
