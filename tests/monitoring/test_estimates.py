"""Estimates without labels: against loops by hand; right where their assumption holds, wrong where it does not."""

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from cxrkit.monitoring.estimates import FIGURES, Share, adjusted_prevalence, calibrate, expected_performance


def estimated(probability, called, patients=None):
    patients = np.arange(len(probability)) if patients is None else patients
    return {one.figure: one for one in expected_performance(probability, called, patients, 0.95)}


def test_expected_figures_are_those_of_loops_over_images_and_pairs():
    rng = np.random.default_rng(1)
    p = np.round(rng.random(40), 1)
    called = p >= 0.6
    won = pairs = 0.0
    for i in range(40):
        for j in range(40):
            if i != j:
                pairs += p[i] * (1 - p[j])
                won += p[i] * (1 - p[j]) * (1.0 if p[i] > p[j] else 0.5 if p[i] == p[j] else 0.0)
    hits, misses = p[called].sum(), p[~called].sum()
    false, passes = (1 - p)[called].sum(), (1 - p)[~called].sum()
    expected = (
        won / pairs,
        hits / (hits + misses),
        passes / (passes + false),
        hits / (hits + false),
        (hits + passes) / 40,
        p.mean(),
    )
    found = estimated(p, called)
    assert [found[name].value for name in FIGURES] == pytest.approx(list(expected), rel=1e-12)


def test_under_covariate_shift_the_estimate_is_near_what_labels_tell():
    rng = np.random.default_rng(2)
    score = rng.normal(1.0, 2.0, 8000)  # other images than the calibration saw, of the same meaning
    truth = rng.random(8000) < expit(score)
    found = estimated(expit(score), score >= 0)
    assert found["roc_auc"].value == pytest.approx(roc_auc_score(truth, score), abs=0.02)
    assert found["sensitivity"].value == pytest.approx((score >= 0)[truth].mean(), abs=0.02)
    assert found["specificity"].value == pytest.approx((score < 0)[~truth].mean(), abs=0.02)


def test_where_the_scores_change_their_meaning_the_estimate_stays_as_good_as_it_was():
    rng = np.random.default_rng(3)
    score = rng.normal(0, 2, 4000)
    truth = rng.random(4000) < 0.5  # the model now guesses
    assert estimated(expit(score), score >= 0)["roc_auc"].value > 0.85
    assert roc_auc_score(truth, score) == pytest.approx(0.5, abs=0.03)


def test_intervals_hold_the_estimate_and_are_wider_where_images_share_patients():
    rng = np.random.default_rng(4)
    p = np.repeat(rng.random(30), 4)
    alone, together = estimated(p, p > 0.5), estimated(p, p > 0.5, np.repeat(np.arange(30), 4))
    for name in FIGURES:
        low, high, _ = together[name].interval
        assert low < together[name].value < high
        assert high - low > alone[name].interval.high - alone[name].interval.low


def test_what_has_no_denominator_has_no_value():
    found = estimated(np.full(20, 0.3), np.zeros(20, dtype=bool))
    assert found["ppv"].value is None
    assert found["sensitivity"].value == 0


def test_the_calibration_is_the_logistic_regression_of_many_images():
    rng = np.random.default_rng(5)
    score = rng.normal(size=5000)
    truth = rng.random(5000) < expit(0.4 + 1.7 * score)
    found = calibrate(truth, score)
    fitted = LogisticRegression(C=1e9, tol=1e-10).fit(score[:, None], truth)
    assert (found.intercept, found.slope) == pytest.approx((fitted.intercept_[0], fitted.coef_[0, 0]), rel=0.01)
    assert found(score).mean() == pytest.approx(truth.mean(), abs=0.001)


def test_the_calibration_exists_where_the_classes_are_separated_and_not_where_it_means_nothing():
    truth = np.arange(40) >= 20
    separated = calibrate(truth, np.arange(40.0))
    assert 0 < separated(np.array([0.0]))[0] < 0.1
    assert calibrate(truth, -np.arange(40.0)) is None
    assert calibrate(np.arange(40) >= 35, np.arange(40.0)) is None


def test_the_adjusted_prevalence_is_right_under_label_shift():
    found = adjusted_prevalence(Share(0.9 * 0.2 + 0.15 * 0.8, 500), Share(0.9, 300), Share(0.85, 300), 0.95)
    assert found.value == pytest.approx(0.2)
    assert found.interval.low < 0.2 < found.interval.high


def test_the_adjusted_prevalence_is_covered_by_its_interval():
    rng = np.random.default_rng(6)
    covered = 0
    for _ in range(500):
        hits, passes = Share(rng.binomial(80, 0.9) / 80, 80), Share(rng.binomial(120, 0.8) / 120, 120)
        calls = Share(rng.binomial(100, 0.9 * 0.3 + 0.2 * 0.7) / 100, 100)
        low, high, _ = adjusted_prevalence(calls, hits, passes, 0.95).interval
        covered += low <= 0.3 <= high
    assert covered / 500 > 0.92


@pytest.mark.parametrize(("calls", "value"), [(0.01, 0.0), (0.99, 1.0)])
def test_the_adjusted_prevalence_stays_within_0_and_1(calls, value):
    assert adjusted_prevalence(Share(calls, 50), Share(0.8, 50), Share(0.8, 50), 0.95).value == value


def test_calls_that_tell_nothing_give_no_prevalence():
    assert adjusted_prevalence(Share(0.5, 50), Share(0.5, 50), Share(0.55, 50), 0.95).value is None
