"""The curves of a task on a set, as CSV files with pointwise intervals."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cxrkit.api import FloatArray, IntArray, Predictions, Threshold
from cxrkit.evaluation.predictions import OK, taken
from cxrkit.files import write_text
from cxrkit.intervals import design_effect, patient_index, proportion, wilson
from cxrkit.metrics import calibration_bins, precision_recall_curve, roc_curve


def write(folder: Path, found: Predictions, threshold: Threshold, level: float) -> None:
    """Write ``<set>_roc.csv``, ``<set>_pr.csv`` and ``<set>_calibration.csv``.

    The bands of the ROC curve are Wilson's at each threshold, with the design effect of the sensitivity (of the
    specificity, for the rates of false positives) at the task's own threshold. Images without a result are left out.

    Args:
        folder: where to.
        found: the predictions; a curve that needs a class that they lack is left out, an older file goes.
        threshold: of the task.
        level: of the intervals.
    """
    stem = f"{found.set}{f'@{found.condition}' if found.condition else ''}"
    seen = taken(found, found.status == OK)
    truth = seen.truth
    both = bool(truth.any() and not truth.all())
    _write(folder / f"{stem}_roc.csv", _roc(seen, threshold, level) if both else None)
    _write(folder / f"{stem}_pr.csv", _precision_recall(seen) if truth.any() else None)
    _write(folder / f"{stem}_calibration.csv", _calibration(seen, level) if len(truth) else None)


def _roc(seen: Predictions, threshold: Threshold, level: float) -> dict[str, FloatArray]:
    truth, called = seen.truth, seen.score >= threshold.value
    patients = patient_index(seen.patients)
    curve = roc_curve(truth, seen.score)
    columns = {"fpr": curve.fpr, "tpr": curve.tpr, "threshold": curve.thresholds}
    for name, rates, kept in (("tpr", curve.tpr, truth), ("fpr", curve.fpr, ~truth)):
        n = _effective_n(called[kept], patients[kept])
        bounds = np.array([wilson(rate * n, n, level) for rate in rates.tolist()])
        columns |= {f"{name}_low": bounds[:, 0], f"{name}_high": bounds[:, 1]}
    return columns


def _effective_n(called: NDArray[np.bool_], patients: IntArray) -> float:
    """Count independent images: n by the design effect, or patients where that cannot be estimated."""
    n_patients = len(np.unique(patients))
    if n_patients == len(called):
        return float(n_patients)
    effect = design_effect(called, patients)
    return float(n_patients) if effect is None else len(called) / effect


def _precision_recall(seen: Predictions) -> dict[str, FloatArray]:
    curve = precision_recall_curve(seen.truth, seen.score)
    return {"recall": curve.recall, "precision": curve.precision, "threshold": curve.thresholds}


def _calibration(seen: Predictions, level: float) -> Mapping[str, FloatArray | IntArray]:
    bins = calibration_bins(seen.truth, seen.score)
    patients = patient_index(seen.patients)
    place = np.searchsorted(bins.lower, seen.score, side="right") - 1
    shares = [proportion(seen.truth[place == one], patients[place == one], level) for one in range(len(bins.n))]
    return {
        "lower": bins.lower,
        "upper": bins.upper,
        "n": bins.n,
        "mean_predicted": bins.mean_predicted,
        "observed": bins.positives / bins.n,
        "low": np.array([share.interval.low for share in shares], dtype=np.float64),
        "high": np.array([share.interval.high for share in shares], dtype=np.float64),
    }


def _write(path: Path, columns: Mapping[str, FloatArray | IntArray] | None) -> None:
    if columns is None:
        path.unlink(missing_ok=True)
        return
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    lines = [",".join(columns), *(",".join(map(repr, row)) for row in rows)]
    write_text(path, "\n".join(lines) + "\n")
