"""Control charts: alert rate, images without a result, false-positive rate and sensitivity over time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from cxrkit.api import FloatArray, IntArray, Predictions
from cxrkit.evaluation.predictions import OK
from cxrkit.intervals import patient_index, proportion
from cxrkit.metrics import BoolArray
from cxrkit.monitoring.limits import dispersion, effect_of, images_per_patient, limits, within_patients
from cxrkit.monitoring.wordings import bounds, label, number
from cxrkit.records import MonitoringRecord, MonitoringRuleName

LEVEL = 0.95
METHOD = "beta-binomial predictive limits"


@dataclass(frozen=True)
class Called:
    """Images and whether they were called positive.

    Attributes:
        positive: bool[n].
        truth: int64[n], 1 diseased, 0 not, -1 unknown.
        has_result: bool[n].
        patients: int64[n].
        patients_known: whether anything tells patients apart.
        score: float64[n], of the positive class; NaN without a result.
    """

    positive: BoolArray
    truth: IntArray
    has_result: BoolArray
    patients: IntArray
    patients_known: bool
    score: FloatArray


def called(found: Predictions, threshold: float) -> Called:
    """Decide by the threshold of the reference."""
    column = found.class_names.index(found.positive)
    has_result = found.status == OK
    return Called(
        positive=has_result & (np.where(has_result, found.score, -np.inf) >= threshold),
        truth=np.where(found.labels < 0, -1, found.labels == column).astype(np.int64),
        has_result=has_result,
        patients=patient_index(found.patients),
        patients_known=not np.array_equal(found.patients, found.images),
        score=found.score,
    )


@dataclass(frozen=True)
class Shared:
    """What a chart counts: successes among some images, and their patients."""

    success: BoolArray
    patients: IntArray


Taken = Callable[[Called], Shared]


def _among(rows: Callable[[Called], BoolArray], success: Callable[[Called], BoolArray]) -> Taken:
    def taken(one: Called) -> Shared:
        chosen = rows(one)
        return Shared(success(one)[chosen], one.patients[chosen])

    return taken


CHARTS: Mapping[MonitoringRuleName, Taken] = {
    "alert_rate": _among(lambda one: one.has_result, lambda one: one.positive),
    "no_result": _among(lambda one: np.ones_like(one.has_result), lambda one: ~one.has_result),
    "false_positive_rate": _among(lambda one: one.has_result & (one.truth == 0), lambda one: one.positive),
    "sensitivity": _among(lambda one: one.has_result & (one.truth == 1), lambda one: one.positive),
}


@dataclass(frozen=True)
class Chart:
    """A chart as the reference sets it up.

    Attributes:
        rule: that it serves.
        share: the centre, 0 … 1.
        images: that it rests on.
        effective: the same, corrected for dependence within patients.
        correlation: within patients.
        effect: the reference's own design effect.
        dispersion: how much more shares vary between periods than by chance.
    """

    rule: MonitoringRuleName
    share: float
    images: int
    effective: float
    correlation: float
    effect: float
    dispersion: float


def chart(rule: MonitoringRuleName, reference: Called, past: list[Called]) -> Chart | None:
    """Set up a chart; None where the reference has no such images.

    Args:
        rule: which.
        reference: the reference.
        past: its periods, where it has dates; what they vary more than by chance widens the limits.
    """
    taken = CHARTS[rule](reference)
    if not len(taken.success):
        return None
    correlation = within_patients(taken.success, taken.patients)
    effect = effect_of(taken.patients, correlation)
    parts = [part for one in past if len((part := CHARTS[rule](one)).success)]
    spread = (
        dispersion(
            np.array([part.success.mean() for part in parts]),
            np.array([len(part.success) / effect_of(part.patients, correlation) for part in parts]),
        )
        if parts
        else 1.0
    )
    share, n = float(taken.success.mean()), len(taken.success)
    return Chart(rule, share, n, n / effect, correlation, effect, spread)


def plotted(drawn: Chart, period: str, one: Called, sigma: float) -> MonitoringRecord | None:
    """Put a period into a chart; None where it has no such images.

    Where nothing tells its patients apart the reference's design effect stands in.
    """
    taken = CHARTS[drawn.rule](one)
    if not len(taken.success):
        return None
    n = len(taken.success)
    clustered = one.patients_known or images_per_patient(taken.patients) > 1
    effect = effect_of(taken.patients, drawn.correlation) if clustered else drawn.effect
    bound = limits(drawn.share, drawn.effective, n / (effect * drawn.dispersion), sigma)
    estimate = proportion(taken.success, taken.patients, LEVEL)
    share = float(taken.success.mean())
    side = "above" if share > bound.upper else "below" if share < bound.lower else None
    bad = {"alert_rate": side, "sensitivity": "below"}.get(drawn.rule, "above")
    return MonitoringRecord(
        period=period,
        kind="control",
        figure=drawn.rule,
        value=share,
        low=estimate.interval.low,
        high=estimate.interval.high,
        level=LEVEL,
        method=_method(drawn, effect),
        reference=drawn.share,
        lower_limit=bound.lower,
        upper_limit=bound.upper,
        n=estimate.n,
        n_patients=estimate.n_patients,
        rule=drawn.rule,
        alarm=side is not None and side == bad,
        sentence=_sentence(drawn, period, share, (bound.lower, bound.upper), side),
    )


def _method(drawn: Chart, effect: float) -> str:
    parts = [METHOD]
    if effect > 1:
        parts.append(f"design effect {effect:.2f}")
    if drawn.dispersion > 1:
        parts.append(f"Laney's dispersion {drawn.dispersion:.2f}")
    return ", ".join(parts)


def _sentence(drawn: Chart, period: str, share: float, bound: tuple[float, float], side: str | None) -> str:
    where = f"{side} its control limits of" if side else "within its control limits of"
    given = f"{bounds(*bound, drawn.rule)} (reference {number(drawn.share, drawn.rule)})"
    name = {"no_result": "the share of images without a result"}.get(drawn.rule, f"the {label(drawn.rule).lower()}")
    return f"{period}: {name} is {number(share, drawn.rule)}, {where} {given}."
