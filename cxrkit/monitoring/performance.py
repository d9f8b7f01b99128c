"""Performance of a period: as its labels tell, set against the reference; and as it can be estimated without labels."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from cxrkit.api import FloatArray, IntArray, Predictions
from cxrkit.areas import auc_interval
from cxrkit.calibration import calibration_intercept, logit
from cxrkit.evaluation.changes import between_sets
from cxrkit.evaluation.predictions import OK, taken
from cxrkit.evaluation.unpaired import effective_size
from cxrkit.intervals import Interval, Proportion, patient_index, proportion
from cxrkit.metrics import BoolArray, roc_auc
from cxrkit.monitoring.charts import LEVEL, Called
from cxrkit.monitoring.estimates import (
    CALIBRATED_SHIFT,
    LABEL_SHIFT,
    Calibration,
    Estimated,
    Share,
    adjusted_prevalence,
    calibrate,
    expected_performance,
)
from cxrkit.monitoring.wordings import inside, number, signed
from cxrkit.records import ChangeRecord, MonitoringRecord

DROPS = ("roc_auc", "sensitivity", "specificity")
SEED = 22


def labelled(found: Predictions) -> Predictions | None:
    """Take the images with a label and a result; None where there are none."""
    rows = (found.labels >= 0) & (found.status == OK)
    return taken(found, rows) if rows.any() else None


# ── As the labels tell ────────────────────────────────────────────────────────────────────────────────────────────────


def observed(
    period: str, reference: Predictions, now: Predictions, threshold: float, margin: float, level: float
) -> Iterator[MonitoringRecord]:
    """Compute the performance of a period, and set it against the reference as of other patients.

    Args:
        period: its name.
        reference: labelled images with a result.
        now: the same of the period.
        threshold: from which on an image is called positive.
        margin: by how much performance may be lower.
        level: of the interval of the difference that has to lie beyond the margin.
    """
    shown = {one.metric: one for one in _changes(reference, now, threshold, LEVEL)}
    strict = {one.metric: one for one in _changes(reference, now, threshold, level)}
    for metric in DROPS:
        if metric in shown and shown[metric].after is not None:
            yield _dropped(period, shown[metric], strict[metric], margin, _interval(metric, now, threshold))
    yield from _further(period, reference, now, threshold)


def drops(reference: Predictions, now: Predictions, threshold: float) -> int:
    """Count the figures that can be set against the reference's."""
    changes = _changes(reference, now, threshold, LEVEL)
    return sum(one.difference is not None and one.metric in DROPS for one in changes)


def _changes(reference: Predictions, now: Predictions, threshold: float, level: float) -> list[ChangeRecord]:
    if reference.scale != "decision":  # what ranks is enough for these figures, and quick
        reference, now = (replace(one, scale="score") for one in (reference, now))
    return between_sets(reference, now, threshold, level, resamples=1, seed=SEED)


def _dropped(
    period: str, shown: ChangeRecord, strict: ChangeRecord, margin: float, interval: Interval
) -> MonitoringRecord:
    alarm = strict.high is not None and strict.high < -margin
    figure = shown.metric
    return MonitoringRecord(
        period=period,
        kind="performance",
        figure=figure,
        value=shown.after,
        low=interval.low,
        high=interval.high,
        level=LEVEL,
        method=interval.method,
        reference=shown.before,
        difference=shown.difference,
        difference_low=shown.low,
        difference_high=shown.high,
        p_value=shown.p_value,
        n=shown.n,
        n_patients=shown.n_patients,
        rule="drop" if shown.difference is not None else None,
        alarm=alarm,
        sentence=_sentence(period, shown, margin, alarm=alarm),
    )


def _sentence(period: str, shown: ChangeRecord, margin: float, *, alarm: bool) -> str:
    figure = shown.metric
    told = f"{period}: {inside(figure)} is {number(shown.after, figure)}"
    if shown.difference is None:
        return f"{told}; the reference has none to set it against."
    of_difference = signed(shown.difference, figure)
    if shown.low is not None and shown.high is not None:
        of_difference += (
            f", 95% interval {signed(shown.low, figure).removesuffix(' points')} to {signed(shown.high, figure)}"
        )
    against = f"against {number(shown.before, figure)} in the reference ({of_difference})"
    verdict = f", lower by more than the margin of {signed(margin, figure).lstrip('+')}" if alarm else ""
    return f"{told} {against}{verdict}."


def _interval(metric: str, now: Predictions, threshold: float) -> Interval:
    patients = patient_index(now.patients)
    if metric == "roc_auc":
        return auc_interval(now.truth, now.score, patients, LEVEL)
    rows = now.truth if metric == "sensitivity" else ~now.truth
    right = (now.score >= threshold) == now.truth
    return proportion(right[rows], patients[rows], LEVEL).interval


def _further(period: str, reference: Predictions, now: Predictions, threshold: float) -> Iterator[MonitoringRecord]:
    """Give figures that no rule judges: predictive value, and calibration in the large."""
    then, own = (_predictive(one, threshold) for one in (reference, now))
    if own.value is not None:
        yield _told(period, "ppv", (own.value, own.interval), then.value, own.n, own.n_patients)
    if now.scale == "probability":
        intercepts = [
            calibration_intercept(one.truth, one.score, patient_index(one.patients)) for one in (reference, now)
        ]
        if intercepts[1].value is not None:
            size = (len(now.images), len(set(now.patients.tolist())))
            pair = (intercepts[1].value, intercepts[1].interval)
            yield _told(period, "calibration_intercept", pair, intercepts[0].value, *size)


def _predictive(found: Predictions, threshold: float) -> Proportion:
    positive = found.score >= threshold
    return proportion(found.truth[positive], patient_index(found.patients)[positive], LEVEL)


def _told(
    period: str, figure: str, value: tuple[float, Interval], reference: float | None, n: int, n_patients: int
) -> MonitoringRecord:
    interval = value[1]
    against = "" if reference is None else f" against {number(reference, figure)} in the reference"
    return MonitoringRecord(
        period=period,
        kind="performance",
        figure=figure,
        value=value[0],
        low=interval.low,
        high=interval.high,
        level=LEVEL,
        method=interval.method,
        reference=reference,
        n=n,
        n_patients=n_patients,
        sentence=f"{period}: {inside(figure)} is {number(value[0], figure)}{against}.",
    )


# ── As it can be estimated ────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Estimating:
    """What the labelled reference gives to estimate with.

    Attributes:
        calibration: score → probability; None where there is none.
        known: figure → its value in the reference, by the labels.
        sensitivity: of the reference; None where it is not known.
        specificity: of the reference.
    """

    calibration: Calibration | None
    known: dict[str, float | None]
    sensitivity: Share | None
    specificity: Share | None


def prepared(reference: Predictions, threshold: float) -> Estimating:
    """Calibrate the scores on the reference, and note what it has by its labels.

    Args:
        reference: labelled images with a result.
        threshold: from which on an image is called positive.
    """
    truth, positive = reference.truth, reference.score >= threshold
    patients = patient_index(reference.patients)
    hits, passes = (_share(right[rows], patients[rows]) for right, rows in ((positive, truth), (~positive, ~truth)))
    ranked = reference.scale != "decision"
    known: dict[str, float | None] = {
        "roc_auc": roc_auc(truth, reference.score) if ranked else None,
        "sensitivity": None if hits is None else hits.value,
        "specificity": None if passes is None else passes.value,
        "ppv": float(truth[positive].mean()) if positive.any() else None,
        "accuracy": float((truth == positive).mean()),
        "prevalence": float(truth.mean()),
    }
    calibration = calibrate(truth, scaled(reference, reference.score)) if ranked else None
    return Estimating(calibration, known, hits, passes)


def scaled(found: Predictions, score: FloatArray) -> FloatArray:
    """Put scores on the scale that is calibrated: of probabilities the logit."""
    return logit(score) if found.scale == "probability" else score


def _share(right: BoolArray, patients: IntArray) -> Share | None:
    return Share(float(right.mean()), effective_size(right, patients)) if len(right) else None


def estimated(period: str, found: Predictions, one: Called, by: Estimating) -> Iterator[MonitoringRecord]:
    """Estimate a period's performance and prevalence without its labels; each estimate names its assumption.

    Args:
        period: its name.
        found: its images.
        one: what they were called.
        by: what the reference gives.
    """
    rows = one.has_result
    if not rows.any():
        return
    n, patients = int(rows.sum()), one.patients[rows]
    if by.calibration is not None:
        probability = by.calibration(scaled(found, one.score[rows]))
        for figure in expected_performance(probability, one.positive[rows], patients, LEVEL):
            reference = by.known[figure.figure]
            named = figure._replace(figure=f"estimated_{figure.figure}")
            yield _estimate(period, named, reference, CALIBRATED_SHIFT, (n, len(np.unique(patients))))
    if by.sensitivity is not None and by.specificity is not None:
        calls = Share(float(one.positive[rows].mean()), effective_size(one.positive[rows], patients))
        adjusted = adjusted_prevalence(calls, by.sensitivity, by.specificity, LEVEL)
        yield _estimate(period, adjusted, by.known["prevalence"], LABEL_SHIFT, (n, len(np.unique(patients))))


def _estimate(
    period: str, one: Estimated, reference: float | None, assumption: str, size: tuple[int, int]
) -> MonitoringRecord:
    what = "prevalence" if one.figure.endswith("prevalence") else inside(one.figure)
    against = "" if reference is None else f", {number(reference, one.figure)} in the reference"
    return MonitoringRecord(
        period=period,
        kind="estimate",
        figure=one.figure,
        value=one.value,
        low=one.interval.low,
        high=one.interval.high,
        level=LEVEL,
        method=one.interval.method,
        reference=reference,
        n=size[0],
        n_patients=size[1],
        assumption=assumption,
        sentence=f"{period}: estimated without labels, {what} is {number(one.value, one.figure)}{against}; this holds "
        f"only if {assumption}.",
    )
