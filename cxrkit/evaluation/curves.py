"""The curves of a task on a set, as CSV files with pointwise intervals."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from cxrkit import utility
from cxrkit.api import FloatArray, IntArray, Predictions, PriorShift, Threshold
from cxrkit.calibration import apply_temperature, correct_prior
from cxrkit.evaluation.predictions import OK, log_scores
from cxrkit.files import write_text
from cxrkit.intervals import Proportion, count_patients, design_effect, patient_index, proportion, wilson_bands
from cxrkit.metrics import NO_RESULT, BoolArray, calibration_bins, decide, precision_recall_curve, roc_curve

Columns: TypeAlias = Mapping[str, Sequence[str] | FloatArray | IntArray]

MOST_POINTS = 2000  # of a curve that is drawn a few hundred pixels wide
RECALIBRATED = ("", "_temperature", "_prior")
KINDS = (
    *("roc", "pr", "predictive", "operating_points", "decision", "decision_prior"),
    *(f"calibration{mass}{how}" for mass in ("", "_mass") for how in RECALIBRATED),
)


def write(  # noqa: PLR0913 - all that was settled before
    folder: Path,
    found: Predictions,
    threshold: Threshold,
    level: float,
    *,
    prevalence: float | None = None,
    resamples: int = 2000,
    seed: int = 0,
    operating_points: Sequence[Threshold] = (),
    temperature: float | None = None,
    prior: PriorShift | None = None,
) -> None:
    """Write every curve that the predictions' scale and classes allow; an older file of another goes.

    ``<set>_roc`` and ``<set>_pr``, thinned to about 2,000 points; ``<set>_calibration`` and ``<set>_calibration_mass``,
    bins of equal width and of equal mass, again with ``_temperature`` and ``_prior`` where probabilities can be
    recalibrated; ``<set>_decision`` at the stated or the set's own prevalence, and ``<set>_decision_prior``;
    ``<set>_predictive``, predictive values over prevalence; ``<set>_operating_points``, on the ROC curve. Images
    without a result are left out of curves of scores, and are the worse decision in those of decisions.

    Args:
        folder: where to.
        found: the predictions.
        threshold: of the task.
        level: of the intervals.
        prevalence: stated for the decision curve, or None.
        resamples: of the bootstrap.
        seed: of the bootstrap.
        operating_points: further thresholds, chosen on validation.
        temperature: by which logits are divided, or None.
        prior: the training's class shares, where a strategy changed them; or None.
    """
    patients = patient_index(found.patients)
    curves: dict[str, Columns | None] = {"predictive": _predictive(found, patients, threshold, level)}
    if found.scale != "decision":
        curves |= _of_scores(found, patients, threshold, level)
        curves["operating_points"] = _operating_points(found, patients, [threshold, *operating_points], level)
    if found.scale == "probability":
        for suffix, probabilities in _recalibrated(found, temperature, prior):
            score = probabilities[:, found.positive_index]
            curves |= _calibration(found.truth, score, patients, suffix, level)
            if suffix != "_temperature":
                curve = utility.decision_curve(
                    found.truth,
                    score,
                    patients,
                    prevalence=prevalence,
                    level=level,
                    resamples=resamples,
                    seed=seed,
                )
                curves[f"decision{suffix}"] = None if curve is None else _without_marks(curve)
    stem = f"{found.set}{f'@{found.condition}' if found.condition else ''}"
    for kind in KINDS:
        _write(folder / f"{stem}_{kind}.csv", curves.get(kind))


def _recalibrated(
    found: Predictions, temperature: float | None, prior: PriorShift | None
) -> Iterator[tuple[str, FloatArray]]:
    yield "", found.probabilities
    if temperature is not None:
        yield "_temperature", apply_temperature(log_scores(found), temperature)
    if prior is not None:
        yield "_prior", correct_prior(found.probabilities, prior.seen, prior.natural)


# ── Of scores ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _of_scores(found: Predictions, patients: IntArray, threshold: Threshold, level: float) -> dict[str, Columns | None]:
    complete = found.status == OK
    truth, score, patients = found.truth[complete], found.score[complete], patients[complete]
    called = score >= threshold.value
    both = bool(truth.any() and not truth.all())
    return {
        "roc": _roc(truth, score, called, patients, level) if both else None,
        "pr": _precision_recall(truth, score, called, patients, level) if truth.any() else None,
    }


def _roc(truth: BoolArray, score: FloatArray, called: BoolArray, patients: IntArray, level: float) -> Columns:
    """Give the curve bands of Wilson at each threshold, with the design effects at the task's own."""
    curve = roc_curve(truth, score)
    kept = _spaced((curve.fpr + curve.tpr) / 2)
    columns = {"fpr": curve.fpr[kept], "tpr": curve.tpr[kept], "threshold": curve.thresholds[kept]}
    for name, rows in (("tpr", truth), ("fpr", ~truth)):
        n = len(called[rows]) / _effect(called[rows], patients[rows])
        columns[f"{name}_low"], columns[f"{name}_high"] = wilson_bands(columns[name], n, level)
    return columns


def _precision_recall(
    truth: BoolArray, score: FloatArray, called: BoolArray, patients: IntArray, level: float
) -> Columns:
    """Give precision bands of Wilson at each threshold, with the design effect of those called at the task's own."""
    curve = precision_recall_curve(truth, score)
    number = np.searchsorted(np.sort(-score), -curve.thresholds, side="right").astype(np.float64)
    # The left end is one image wide at first: there the number called tells points apart, not the recall.
    kept = np.union1d(_spaced(curve.recall, MOST_POINTS // 2), _spaced(np.log1p(number), MOST_POINTS // 2))
    recall, precision, thresholds = curve.recall[kept], curve.precision[kept], curve.thresholds[kept]
    effect = _effect(truth[called], patients[called])
    low, high = wilson_bands(precision, np.maximum(number[kept] / effect, 1.0), level)
    return {
        "recall": recall,
        "precision": precision,
        "threshold": thresholds,
        "precision_low": np.where(number[kept] > 0, low, np.nan),  # by convention, of no image
        "precision_high": np.where(number[kept] > 0, high, np.nan),
    }


def _spaced(position: FloatArray, most: int = MOST_POINTS) -> IntArray:
    """Choose points of a curve, ends included, that are about evenly spaced along a position that never falls."""
    if len(position) <= most:
        return np.arange(len(position))
    targets = np.linspace(position[0], position[-1], most)
    chosen = np.searchsorted(position, targets)
    return np.union1d(chosen, [0, len(position) - 1])


def _effect(success: BoolArray, patients: IntArray) -> float:
    """Return the design effect, or images per patient where it cannot be estimated."""
    n_patients = count_patients(patients)
    if n_patients == len(success):
        return 1.0
    effect = design_effect(success, patients)
    return len(success) / n_patients if effect is None else effect


# ── Of probabilities ──────────────────────────────────────────────────────────────────────────────────────────────────


def _calibration(
    truth: BoolArray, score: FloatArray, patients: IntArray, suffix: str, level: float
) -> dict[str, Columns | None]:
    complete = np.isfinite(score)
    if not complete.any():
        return {}
    seen = truth[complete], score[complete], patients[complete]
    return {
        f"calibration{suffix}": _bins(*seen, level, "width"),
        f"calibration_mass{suffix}": _bins(*seen, level, "mass"),
    }


def _bins(
    truth: BoolArray, score: FloatArray, patients: IntArray, level: float, equal: Literal["width", "mass"]
) -> Columns:
    bins = calibration_bins(truth, score, equal=equal)
    shares = [proportion(truth[bins.place == one], patients[bins.place == one], level) for one in range(len(bins.n))]
    return {
        "lower": bins.lower,
        "upper": bins.upper,
        "n": bins.n,
        "mean_predicted": bins.mean_predicted,
        "observed": bins.positives / bins.n,
        "low": np.array([share.interval.low for share in shares], dtype=np.float64),
        "high": np.array([share.interval.high for share in shares], dtype=np.float64),
    }


# ── Of decisions ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _rates(found: Predictions, patients: IntArray, threshold: float, level: float) -> tuple[Proportion, Proportion]:
    """Return sensitivity and specificity, in which an image without a result is wrong."""
    called = decide(found.probabilities, found.positive_index, threshold)
    truth = found.truth
    positive = called == found.positive_index
    negative = ~positive & (called != NO_RESULT)
    return (
        proportion(positive[truth], patients[truth], level),
        proportion(negative[~truth], patients[~truth], level),
    )


def _predictive(found: Predictions, patients: IntArray, threshold: Threshold, level: float) -> Columns | None:
    sensitivity, specificity = _rates(found, patients, threshold.value, level)
    if sensitivity.value is None or specificity.value is None:
        return None
    return utility.predictive_curve(sensitivity, specificity)._asdict()


def _operating_points(
    found: Predictions, patients: IntArray, points: Sequence[Threshold], level: float
) -> Columns | None:
    """Lay the thresholds on the plane of the ROC curve, the task's own first."""
    rates = [_rates(found, patients, point.value, level) for point in points]
    if any(share.value is None for pair in rates for share in pair):
        return None
    columns: dict[str, Sequence[str] | FloatArray] = {
        "rule": [point.rule for point in points],
        "target": np.array([point.target for point in points], dtype=np.float64),
        "threshold": np.array([point.value for point in points]),
    }
    for name, shares in zip(("sensitivity", "specificity"), zip(*rates, strict=True), strict=True):
        columns[name] = np.array([share.value for share in shares], dtype=np.float64)
        columns[f"{name}_low"] = np.array([share.interval.low for share in shares], dtype=np.float64)
        columns[f"{name}_high"] = np.array([share.interval.high for share in shares], dtype=np.float64)
    return columns


def _write(path: Path, columns: Columns | None) -> None:
    if columns is None:
        path.unlink(missing_ok=True)
        return
    rows = zip(
        *(list(column) if isinstance(column, Sequence) else column.tolist() for column in columns.values()), strict=True
    )
    lines = [",".join(columns), *(",".join(map(_cell, row)) for row in rows)]
    write_text(path, "\n".join(lines) + "\n")


def _without_marks(curve: utility.DecisionCurve) -> Columns:
    return {name: column for name, column in curve._asdict().items() if name != "resampled"}


def _cell(value: float | str) -> str:
    """Write a figure so that reading gives the same bits; what is not a number is an empty cell."""
    if isinstance(value, str):
        return value
    return "" if np.isnan(value) else repr(value)
