"""The metric reporter ``calibration``: whether probabilities mean what they say, raw and recalibrated."""

from collections.abc import Mapping

from cxrkit.api import Calibrated, EvaluationSettings, Figure, FloatArray, MetricReport, Predictions
from cxrkit.calibration import (
    apply_temperature,
    brier_parts,
    calibration_error,
    calibration_intercept,
    calibration_slope,
    correct_prior,
    log_losses,
    log_probabilities,
)
from cxrkit.intervals import NONE, Interval
from cxrkit.metrics import BoolArray

from .resampling import Named, means, resampled
from .results import Results, count, fewest, results_of


def calibration(predictions: Predictions, settings: EvaluationSettings) -> MetricReport:
    """Intercept, slope, calibration error, Brier score with its parts and log loss, of the images with a result.

    Each of the model's own probabilities, again after temperature scaling and after correction to the training's class
    shares where there is either; the Brier score of the model's own is among the figures of ``classification``. Log
    loss is of all classes, the rest of the positive one. Reliability, resolution and calibration errors have no
    intervals: chance raises them, in a resample more than in the sample. Nothing for scores, decisions and patients.
    """
    if predictions.scale != "probability" or settings.unit != "image":
        return MetricReport(())
    results = results_of(predictions, settings.threshold.value)
    complete = results.complete
    seen = results.of(complete)
    variants = _variants(seen, predictions, settings, complete)
    figures = [
        one for how, values in variants.items() for one in _of_one(seen, values[:, seen.positive], how, settings.level)
    ]
    return MetricReport((*figures, *_scores(seen, variants, settings)))


def _variants(
    seen: Results, predictions: Predictions, settings: EvaluationSettings, complete: BoolArray
) -> Mapping[Calibrated | None, FloatArray]:
    found: dict[Calibrated | None, FloatArray] = {None: seen.probabilities}
    if settings.temperature is not None:
        known = predictions.logits
        logits = log_probabilities(seen.probabilities) if known is None else known[complete]
        found["temperature"] = apply_temperature(logits, settings.temperature)
    if settings.prior is not None:
        found["prior"] = correct_prior(seen.probabilities, settings.prior.seen, settings.prior.natural)
    return found


def _of_one(seen: Results, score: FloatArray, how: Calibrated | None, level: float) -> list[Figure]:
    truth, patients = seen.truth, seen.patients
    n, n_patients, smallest = len(truth), count(patients), fewest(truth, patients)
    parts = brier_parts(truth, score)
    found: dict[str, tuple[float | None, Interval]] = {
        "calibration_intercept": calibration_intercept(truth, score, patients, level),
        "calibration_slope": calibration_slope(truth, score, patients, level),
        "ece_equal_width": (calibration_error(truth, score, patients, equal="width"), NONE),
        "ece_equal_mass": (calibration_error(truth, score, patients, equal="mass"), NONE),
        "brier_reliability": (parts.reliability if parts else None, NONE),
        "brier_resolution": (parts.resolution if parts else None, NONE),
        "brier_uncertainty": (parts.uncertainty if parts else None, NONE),
        "brier_within_bins": (parts.within_bins if parts else None, NONE),
    }
    return [
        Figure(metric, value, *interval, n=n, n_patients=n_patients, calibrated=how, fewest_patients=smallest)
        for metric, (value, interval) in found.items()
    ]


def _scores(
    seen: Results, variants: Mapping[Calibrated | None, FloatArray], settings: EvaluationSettings
) -> list[Figure]:
    """Brier score and log loss, with intervals by bootstrap."""
    names: list[Named] = []
    columns: list[FloatArray] = []
    for how, values in variants.items():
        if how is not None:
            names.append(("brier", None, how))
            columns.append((values[:, seen.positive] - seen.truth) ** 2)
        names.append(("log_loss", None, how))
        columns.append(log_losses(values, seen.labels))
    return resampled(seen, settings, names, means(columns, seen.patients))
