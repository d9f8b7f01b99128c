"""What holds for every figure of the built-in metric reporters, whatever the predictions."""

from dataclasses import replace
from math import isfinite

import numpy as np
import pytest
from cxrkit_plugins.reporters import cxrkit_register_metric_reporters
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cxrkit.api import EvaluationSettings, Predictions, PriorShift, Threshold

few = settings(max_examples=30, deadline=None, derandomize=True, database=None, phases=[Phase.generate])
ROUNDING = 1e-9
THRESHOLD = 0.45  # no score of the grids below
ANY_SIGN = {
    "brier_within_bins",
    "calibration_intercept",
    "calibration_slope",
    "mcc",
    "net_benefit",
    "net_benefit_treat_all",
}
ABOVE_1 = {
    *("calibration_intercept", "calibration_slope", "log_loss", "lr_negative", "lr_positive", "support"),
    *(f"{name}_per_1000" for name in ("true_positives", "false_positives", "false_negatives", "true_negatives")),
    *(f"{name}_heterogeneity" for name in ("sensitivity", "specificity", "roc_auc")),
}
ITS_OWN_MIRROR = ("roc_auc", "accuracy", "balanced_accuracy", "mcc", "brier", "log_loss", "no_result")
ITS_OWN_MIRROR += ("calibration_slope", "brier_uncertainty")
MIRRORED = dict(zip(ITS_OWN_MIRROR, ITS_OWN_MIRROR, strict=True)) | {
    "sensitivity": "specificity",
    "sensitivity_complete_cases": "specificity_complete_cases",
    "ppv": "npv",
    "true_positives_per_1000": "true_negatives_per_1000",
    "false_positives_per_1000": "false_negatives_per_1000",
}


@st.composite
def predictions(draw):
    """Two or three classes or one alone, few patients or many, ties, constants, images without a result."""
    n, names = draw(st.integers(1, 25)), draw(st.sampled_from([("NORMAL", "PNEUMONIA"), ("NORMAL", "TB", "PNEUMONIA")]))
    labels = draw(
        arrays(np.int64, n, elements=st.sampled_from(draw(st.sampled_from([[0], [len(names) - 1], range(len(names))]))))
    )
    grid = draw(st.sampled_from([[0.5], [0.0, 1.0], [0.0, 0.2, 0.5, 0.9, 1.0], None]))
    score = draw(arrays(float, n, elements=st.floats(0, 1, width=32) if grid is None else st.sampled_from(grid)))
    missing = draw(arrays(bool, n, elements=st.sampled_from(draw(st.sampled_from([[False], [False, True], [True]])))))
    patients = draw(arrays(np.int64, n, elements=st.integers(0, draw(st.sampled_from([0, 3, 1000])))))
    score[missing] = np.nan
    others = np.stack([(1 - score) / (len(names) - 1)] * (len(names) - 1), axis=1)
    return Predictions(
        task="a",
        set="test",
        condition=None,
        class_names=names,
        positive="PNEUMONIA",
        images=np.array([f"{row:03}.png" for row in range(n)]),
        patients=np.array([f"p{one}" for one in patients]),
        labels=labels,
        status=np.where(missing, "failed", "ok"),
        probabilities=np.concatenate([others, score[:, None]], axis=1),
    )


def asked(found, **changed):
    """Every figure of every reporter, by what tells it apart from the others."""
    k, values = len(found.class_names), {"threshold": Threshold(THRESHOLD, "fixed"), "resamples": 40, "prevalence": 0.1}
    values |= {"temperature": 1.7, "prior": PriorShift(np.full(k, 1 / k), np.arange(1, k + 1) * 2 / (k * (k + 1)))}
    values |= {"subgroups": {"site": np.array([name[2] for name in found.images])}}
    reports = [
        report(found, EvaluationSettings(**values | changed)) for report in cxrkit_register_metric_reporters().values()
    ]
    figures = [figure for report in reports for figure in report.figures]
    named = {(one.metric, one.class_name, one.subgroup, one.prevalence, one.calibrated): one for one in figures}
    assert len(named) == len(figures), "two figures that nothing tells apart"
    return named


def check(figure):
    """Finite or not there, within the scale, in an interval of some width or without one."""
    metric, value, bounds = figure.metric, figure.value, (figure.low, figure.high)
    lowest, highest = -1 if metric in ANY_SIGN else 0, np.inf if metric in ABOVE_1 else 1
    if metric in {"calibration_intercept", "calibration_slope", "net_benefit", "net_benefit_treat_all"}:
        lowest = -np.inf
    assert value is None or (isfinite(value) and lowest - ROUNDING <= value <= highest + ROUNDING)
    assert (bounds[0] is None) == (bounds[1] is None)
    assert figure.p_value is None or 0 <= figure.p_value <= 1
    assert 0 <= figure.n_patients <= figure.n
    assert figure.fewest_patients is None or 0 <= figure.fewest_patients <= figure.n_patients
    if bounds[0] is None:
        assert figure.method is None or figure.metric.endswith("_heterogeneity")
        return
    assert figure.method
    assert value is not None
    assert all(map(isfinite, bounds))
    assert lowest - ROUNDING <= bounds[0] <= value + ROUNDING
    assert value - ROUNDING <= bounds[1] <= highest + ROUNDING
    assert bounds[1] - bounds[0] > 1e-12


@few
@given(predictions())
def test_every_figure_is_finite_within_its_scale_and_its_interval_or_not_there(found):
    for key, figure in asked(found).items():
        try:
            check(figure)
        except AssertionError as error:
            raise AssertionError(f"{key}: {figure}") from error


@few
@given(predictions(), st.sampled_from(["score", "decision"]))
def test_so_is_every_figure_of_a_score_and_of_a_decision(found, scale):
    two = replace(found, class_names=("NORMAL", "PNEUMONIA"), labels=np.minimum(found.labels, 1), scale=scale)
    score = found.score
    values = (score - 0.5) * 40 if scale == "score" else (score >= THRESHOLD) * np.where(np.isnan(score), np.nan, 1.0)
    other = -values if scale == "score" else 1 - values
    figures = asked(replace(two, probabilities=np.stack([other, values], axis=1)), prior=None, temperature=None)
    for figure in figures.values():
        check(figure)
    told = {metric for metric, *_ in figures}
    assert not told & {"brier", "log_loss", "calibration_slope", "net_benefit"}
    assert ("roc_auc" in told) == ("average_precision" in told) == (scale == "score")


@few
@given(predictions(), st.randoms(use_true_random=False))
def test_the_order_of_the_images_does_not_matter(found, random):
    order = random.sample(range(len(found.images)), len(found.images))
    fields = ("images", "patients", "labels", "status", "probabilities")
    there, back = asked(found), asked(replace(found, **{name: getattr(found, name)[order] for name in fields}))
    assert there.keys() == back.keys()
    for key, figure in there.items():
        for name in ("value", "low", "high", "p_value", "n", "n_patients", "fewest_patients"):
            one, other = getattr(figure, name), getattr(back[key], name)
            assert (one is None) == (other is None), (key, name)
            assert one is None or other == pytest.approx(one, rel=1e-5, abs=1e-6), (key, name)


@few
@given(predictions())
def test_taking_the_other_of_two_classes_as_positive_mirrors_the_figures(found):
    if len(found.class_names) > 2:
        found = replace(found, class_names=("NORMAL", "PNEUMONIA"), labels=np.minimum(found.labels, 1))
        found = replace(found, probabilities=np.stack([1 - found.score, found.score], axis=1))
    plain = {"subgroups": {}, "prevalence": None, "prior": None}
    there = asked(found, **plain)
    back = asked(replace(found, positive="NORMAL"), threshold=Threshold(1 - THRESHOLD, "fixed"), **plain)
    for (metric, class_name, *rest), figure in there.items():
        if metric in MIRRORED and class_name is None:
            other = back[(MIRRORED[metric], None, *rest)]
            assert (figure.value is None) == (other.value is None), metric
            assert figure.value is None or other.value == pytest.approx(figure.value, rel=1e-4, abs=1e-5), metric


@few
@given(predictions())
def test_without_any_result_nothing_is_right_and_nothing_is_ranked(found):
    nothing = replace(
        found, status=np.full(len(found.images), "failed"), probabilities=np.full_like(found.probabilities, np.nan)
    )
    figures = asked(nothing, subgroups={})
    for figure in figures.values():
        check(figure)
        if figure.metric in {"sensitivity", "specificity", "accuracy", "recall"}:
            assert figure.value in (0, None)
        if figure.metric in {"roc_auc", "average_precision", "brier", "log_loss", "calibration_slope", "precision"}:
            assert figure.value is None
    assert figures["no_result", None, None, None, None].value == 1


@few
@given(predictions())
def test_what_ranks_does_not_change_under_a_rising_transform(found):
    if len(found.class_names) > 2:
        return
    rising = found.score / (2 - found.score)
    if len(np.unique(rising)) < len(np.unique(found.score)):
        return
    other = asked(replace(found, probabilities=np.stack([1 - rising, rising], axis=1)))
    for key, figure in asked(found).items():
        if key[0] in {"roc_auc", "average_precision", "roc_auc_against_all", "roc_auc_heterogeneity"}:
            assert other[key] == figure
