"""The metric reporter ``utility``: what the decisions are worth."""

import numpy as np

from cxrkit.api import Calibrated, EvaluationSettings, Figure, MetricReport, Predictions
from cxrkit.intervals import NONE, Interval, Proportion
from cxrkit.utility import DecisionCurve, Estimated, decision_curve, likelihood_ratios, outcomes_per_1000

from .resampling import BY_PATIENT
from .results import Results, count, fewest, results_of, sensitivity_and_specificity, with_natural_prior

FROM_SHARES = "of Wilson intervals, n = patients"


def utility(predictions: Predictions, settings: EvaluationSettings) -> MetricReport:
    """Likelihood ratios, outcomes per thousand and net benefit at the threshold.

    What depends on prevalence is given at the set's own and at the stated one. Images without a result count as the
    worse decision. Net benefit takes the threshold as the threshold probability and applies it to probabilities that
    are shifted to the prevalence, as the decision curve does; again with probabilities that are corrected to the
    training's class shares. Nothing for patients; no net benefit for scores and decisions.
    """
    if settings.unit != "image":
        return MetricReport(())
    results = results_of(predictions, settings.threshold.value)
    shares = sensitivity_and_specificity(results, settings.level)
    figures = _ratios(results, shares, settings)
    stated = [] if settings.prevalence is None else [settings.prevalence]
    for prevalence in (None, *stated):
        figures += _outcomes(results, shares, prevalence, settings)
        if results.scale == "probability":
            figures += _net_benefits(results, prevalence, settings)
    return MetricReport(tuple(figures))


def _ratios(results: Results, shares: tuple[Proportion, Proportion], settings: EvaluationSettings) -> list[Figure]:
    independent = count(results.patients) == len(results.patients)
    found = likelihood_ratios(*shares, independent=independent, level=settings.level)
    return [
        _figure(results, name, one, settings) for name, one in zip(("lr_positive", "lr_negative"), found, strict=True)
    ]


def _outcomes(
    results: Results, shares: tuple[Proportion, Proportion], prevalence: float | None, settings: EvaluationSettings
) -> list[Figure]:
    if not len(results.labels):
        return []
    at = float(results.truth.mean()) if prevalence is None else prevalence
    found = outcomes_per_1000(*shares, at)
    return [_figure(results, f"{name}_per_1000", one, settings, prevalence=prevalence) for name, one in found.items()]


def _net_benefits(results: Results, prevalence: float | None, settings: EvaluationSettings) -> list[Figure]:
    curve = _at_threshold(results, prevalence, settings)
    nothing = Estimated(None, NONE)
    treat_all = nothing if curve is None else Estimated(float(curve.treat_all[0]), NONE)
    figures = [
        _figure(results, "net_benefit", _first(curve), settings, prevalence=prevalence),
        _figure(results, "net_benefit_treat_all", treat_all, settings, prevalence=prevalence),
    ]
    corrected = with_natural_prior(results, settings)
    if corrected is not None:
        found = _first(_at_threshold(corrected, prevalence, settings))
        figures.append(_figure(results, "net_benefit", found, settings, prevalence=prevalence, calibrated="prior"))
    return figures


def _at_threshold(results: Results, prevalence: float | None, settings: EvaluationSettings) -> DecisionCurve | None:
    """Take the decision curve's point at the threshold; None at a threshold of 1, whose odds are infinite."""
    if not 0 <= settings.threshold.value < 1:
        return None
    return decision_curve(
        results.truth,
        results.score,
        results.patients,
        prevalence=prevalence,
        level=settings.level,
        resamples=settings.resamples,
        seed=settings.seed,
        threshold_probabilities=np.array([settings.threshold.value]),
    )


def _first(curve: DecisionCurve | None) -> Estimated:
    if curve is None:
        return Estimated(None, NONE)
    low, high = float(curve.low[0]), float(curve.high[0])
    method = BY_PATIENT if curve.resampled[0] else FROM_SHARES
    return Estimated(float(curve.net_benefit[0]), Interval(low, high, method))


def _figure(
    results: Results,
    metric: str,
    found: Estimated,
    settings: EvaluationSettings,
    *,
    prevalence: float | None = None,
    calibrated: Calibrated | None = None,
) -> Figure:
    return Figure(
        metric,
        found.value,
        *found.interval,
        n=len(results.labels),
        n_patients=count(results.patients),
        threshold=settings.threshold.value,
        prevalence=prevalence,
        calibrated=calibrated,
        fewest_patients=fewest(results.truth, results.patients),
    )
