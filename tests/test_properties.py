"""What holds whatever the data: symmetries of the statistics, and no figure that is NaN in silence."""

from itertools import product
from math import isfinite
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import expit, logit

from cxrkit import areas, calibration, heterogeneity, intervals, metrics, utility
from cxrkit.bootstrap import bootstrap, percentiles, strata
from cxrkit.evaluation import differences, paired
from cxrkit.evaluation.pairs import Pair
from cxrkit.multiplicity import holm

few = settings(max_examples=60, deadline=None, derandomize=True, database=None)
ROUNDING = 1e-9


class Images(NamedTuple):
    """bool[n]; two models' scores, float64[n, 2] in 0 … 1; patient numbers, int64[n]; another order of the rows."""

    truth: np.ndarray
    scores: np.ndarray
    patients: np.ndarray
    order: np.ndarray

    @property
    def score(self):
        return self.scores[:, 0]

    def permuted(self):
        return Images(self.truth[self.order], self.scores[self.order], self.patients[self.order], self.order)


@st.composite
def images(draw, least=1):
    """Few or many patients, labels of one class alone among them, scores with and without ties or all the same."""
    n = draw(st.integers(least, 30))
    truth = draw(arrays(bool, n, elements=st.sampled_from(draw(st.sampled_from([[True, False], [True], [False]])))))
    grid = draw(st.sampled_from([[0.5], [0.0, 1.0], [0.0, 0.2, 0.5, 0.9, 1.0], None]))
    scores = draw(arrays(float, (n, 2), elements=st.floats(0, 1, width=32) if grid is None else st.sampled_from(grid)))
    patients = draw(arrays(np.int64, n, elements=st.integers(0, draw(st.sampled_from([0, 3, 1000])))))
    return Images(truth, scores, np.unique(patients, return_inverse=True)[1], np.array(draw(st.permutations(range(n)))))


def both_classes(found):
    return found.truth.any() and not found.truth.all()


def check_interval(value, interval, lowest=-np.inf, highest=np.inf):
    """No bound without the other and none that is not finite; around the value, of some width."""
    low, high, method = interval
    assert (low is None) == (high is None) == (method is None)
    assert value is None or (isfinite(value) and lowest <= value <= highest)
    if low is not None:
        assert value is not None
        assert isfinite(low)
        assert isfinite(high)
        assert lowest <= low <= value + ROUNDING
        assert value - ROUNDING <= high <= highest
        assert high - low > 1e-12


def about(interval):
    return pytest.approx(interval[:2], abs=ROUNDING)


# ── Proportions ───────────────────────────────────────────────────────────────────────────────────────────────────────


@few
@given(images())
def test_a_proportion_is_in_an_interval_within_0_and_1_whatever_the_order(found):
    share = intervals.proportion(found.truth, found.patients)
    check_interval(share.value, share.interval, 0, 1)
    assert share.interval.low is not None
    again = found.permuted()
    assert intervals.proportion(again.truth, again.patients).interval[:2] == about(share.interval)


@few
@given(images())
def test_failures_are_the_mirror_image_of_successes(found):
    share, other = (intervals.proportion(success, found.patients) for success in (found.truth, ~found.truth))
    assert other.value == pytest.approx(1 - share.value)
    assert other.interval[:2] == about((1 - share.interval.high, 1 - share.interval.low))


@few
@given(st.integers(1, 10_000), st.floats(0, 1), st.sampled_from([0.5, 0.9, 0.95, 0.999]))
def test_wilsons_interval_is_within_0_and_1_around_the_share_and_wider_at_a_higher_level(n, share, level):
    successes = round(share * n)
    low, high = intervals.wilson(successes, n, level)
    assert 0 <= low <= successes / n <= high <= 1
    assert low < high
    inner = intervals.wilson(successes, n, level - 0.1)
    assert low <= inner[0] + ROUNDING
    assert inner[1] <= high + ROUNDING


# ── Areas ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@few
@given(images())
def test_an_area_is_in_an_interval_within_0_and_1_or_there_is_none(found):
    value = metrics.roc_auc(found.truth, found.score)
    interval = areas.auc_interval(found.truth, found.score, found.patients)
    assert (value is None) == (not both_classes(found)) == (interval.low is None)
    check_interval(value, interval, 0, 1)
    again = found.permuted()
    assert metrics.roc_auc(again.truth, again.score) == pytest.approx(value)
    if value is not None:
        assert areas.auc_interval(again.truth, again.score, again.patients)[:2] == about(interval)


@few
@given(images())
def test_rank_figures_do_not_change_under_a_rising_transform(found):
    for rising in (lambda score: 3 * score - 7, np.exp, lambda score: score.astype(np.float32).astype(float)):
        other = rising(found.score)
        if len(np.unique(other)) < len(np.unique(found.score)):
            continue  # rounding has made ties
        assert metrics.roc_auc(found.truth, other) == metrics.roc_auc(found.truth, found.score)
        assert metrics.average_precision(found.truth, other) == metrics.average_precision(found.truth, found.score)
        expected = areas.auc_interval(found.truth, found.score, found.patients)
        assert areas.auc_interval(found.truth, other, found.patients) == expected


@few
@given(images().filter(both_classes))
def test_swapping_the_classes_or_negating_the_score_mirrors_an_area(found):
    area = metrics.roc_auc(found.truth, found.score)
    low, high, _ = areas.auc_interval(found.truth, found.score, found.patients)
    for truth, score in ((~found.truth, found.score), (found.truth, -found.score)):
        assert metrics.roc_auc(truth, score) == pytest.approx(1 - area)
        assert areas.auc_interval(truth, score, found.patients)[:2] == pytest.approx((1 - high, 1 - low), abs=1e-6)
    assert metrics.roc_auc(~found.truth, -found.score) == pytest.approx(area)


@few
@given(images().filter(both_classes))
def test_a_constant_score_has_an_area_of_a_half_and_the_prevalence_as_its_precision(found):
    constant = np.full(len(found.truth), 0.3)
    assert metrics.roc_auc(found.truth, constant) == 0.5
    assert metrics.average_precision(found.truth, constant) == pytest.approx(found.truth.mean())
    check_interval(0.5, areas.auc_interval(found.truth, constant, found.patients), 0, 1)


@few
@given(images().filter(both_classes))
def test_the_covariance_of_areas_is_one(found):
    values, covariance = areas.auc_covariance(found.truth, found.scores, found.patients)
    assert np.isfinite(values).all()
    contrast = areas.auc_contrast(found.truth, found.scores, found.patients, [1.0, -1.0])
    assert 1 <= contrast.freedom <= len(found.truth)
    if np.isnan(covariance).any():
        assert np.isnan(covariance).all()
        assert np.isnan(contrast.variance)
        one_patient = [len(np.unique(found.patients[rows])) == 1 for rows in (found.truth, ~found.truth)]
        assert any(one_patient)
    else:
        np.testing.assert_allclose(covariance, covariance.T, atol=1e-15)
        assert contrast.variance == pytest.approx(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1], abs=1e-12)


# ── Confusion matrices ────────────────────────────────────────────────────────────────────────────────────────────────


def matrix_of(found, threshold=0.45):
    labels, called = found.truth.astype(np.int64), (found.score >= threshold).astype(np.int64)
    called[found.scores[:, 1] > 0.95] = metrics.NO_RESULT
    return labels, called, metrics.confusion_matrix(labels, called, 2)


@few
@given(images())
def test_swapping_the_classes_swaps_sensitivity_with_specificity_and_the_predictive_values(found):
    labels, called, matrix = matrix_of(found)
    other = metrics.confusion_matrix(1 - labels, np.where(called == metrics.NO_RESULT, called, 1 - called), 2)
    for figure in (metrics.recall, metrics.precision, metrics.f1):
        np.testing.assert_array_equal(figure(other), figure(matrix)[::-1])
    for figure in (metrics.accuracy, metrics.balanced_accuracy, metrics.matthews_correlation):
        np.testing.assert_allclose(figure(other), figure(matrix), atol=1e-12)


@few
@given(images())
def test_figures_of_decisions_lack_a_value_only_where_nothing_is_counted(found):
    labels, called, matrix = matrix_of(found)
    assert matrix.sum() == len(labels)
    np.testing.assert_array_equal(np.isnan(metrics.recall(matrix)), np.bincount(labels, minlength=2) == 0)
    np.testing.assert_array_equal(np.isnan(metrics.precision(matrix)), [not (called == k).any() for k in (0, 1)])
    shares = [metrics.recall(matrix), metrics.precision(matrix), metrics.f1(matrix), metrics.accuracy(matrix)]
    for share in np.concatenate([np.ravel(one) for one in shares]):
        assert np.isnan(share) or 0 <= share <= 1
    correlation = metrics.matthews_correlation(matrix)
    assert np.isnan(correlation) == (matrix[:, :-1].sum() == 0)
    assert np.isnan(correlation) or -1 <= correlation <= 1


# ── Bootstrap ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@few
@given(images(), st.integers(0, 3))
def test_every_resample_keeps_the_size_of_each_stratum(found, seed):
    groups = strata(found.truth, found.patients)
    held = np.stack([groups == group for group in range(3)], axis=1).astype(float)
    drawn = bootstrap(lambda block: block.of_patients @ held, found.patients, groups, resamples=20, seed=seed)
    np.testing.assert_array_equal(drawn, np.tile(np.bincount(groups, minlength=3), (20, 1)))
    images_of_groups = bootstrap(
        lambda block: block.of_images.sum(axis=1, keepdims=True), found.patients, groups, resamples=20, seed=seed
    )
    assert (images_of_groups > 0).all()


@few
@given(arrays(float, (30, 2), elements=st.sampled_from([0.1, 0.5, 0.7, np.nan])))
def test_percentiles_are_around_the_median_or_there_are_none(drawn):
    lows, highs = percentiles(drawn, 0.9)
    for column, low, high in zip(drawn.T, lows, highs, strict=True):
        there = column[~np.isnan(column)]
        assert np.isnan(low) == np.isnan(high) == (len(there) <= len(column) / 2)
        assert np.isnan(low) or low <= np.median(there) <= high


def test_resamples_that_differ_by_rounding_alone_are_one_value():
    lows, highs = percentiles(np.array([[0.3], [0.1 + 0.2]] * 20), 0.95)
    assert lows == highs


# ── Two models ────────────────────────────────────────────────────────────────────────────────────────────────────────


def pair_of(found, columns=(0, 1)):
    scores = found.scores[:, columns]
    labels, called = found.truth.astype(np.int64), (scores >= 0.45).astype(np.int64)
    return Pair(labels, 2, 1, found.patients, called, scores, ("probability", "probability"))


@few
@given(images())
def test_swapping_two_models_negates_the_differences_and_keeps_the_p_values(found):
    both = [
        [differences.area(pair, 0.95), *differences.shares(pair, 0.95)]
        for pair in map(pair_of, [found] * 2, [(0, 1), (1, 0)])
    ]
    for there, back in zip(*both, strict=True):
        check_interval(there.value, there.interval, -1, 1)
        assert (there.p_value is None) == (back.p_value is None)
        assert there.p_value is None or (0 < there.p_value <= 1 and there.p_value == pytest.approx(back.p_value))
        if there.value is not None:
            assert there.value == pytest.approx(-back.value, abs=ROUNDING)
        if there.interval.low is not None:
            assert back.interval[:2] == about((-there.interval.high, -there.interval.low))


@few
@given(images())
def test_a_model_does_not_differ_from_itself(found):
    same = pair_of(found, (0, 0))
    for one in (differences.area(same, 0.95), *differences.shares(same, 0.95)):
        assert one.value in (0, None)
        assert one.p_value in (1, None)


@few
@given(arrays(np.int64, st.integers(0, 9), elements=st.integers(-4, 4)))
def test_the_swap_test_is_every_swap_tried(gains):
    sums = np.array([np.dot(gains, signs) for signs in product([-1, 1], repeat=len(gains))])
    assert paired.swap_test(gains) == pytest.approx(np.mean(np.abs(sums) >= abs(gains.sum())), abs=1e-9)
    assert paired.swap_test(-gains[::-1]) == pytest.approx(paired.swap_test(gains), abs=1e-12)


@few
@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_raises_p_values_and_keeps_their_order(p_values):
    adjusted = holm(p_values)
    assert all(p <= other <= 1 for p, other in zip(p_values, adjusted, strict=True))
    assert all(adjusted[i] <= adjusted[j] for i, p in enumerate(p_values) for j, q in enumerate(p_values) if p < q)
    assert holm(p_values[::-1]) == adjusted[::-1]


# ── Calibration ───────────────────────────────────────────────────────────────────────────────────────────────────────


@few
@given(images())
def test_calibration_figures_are_finite_or_not_there_whatever_the_order(found):
    again = found.permuted()
    for estimate in (calibration.calibration_intercept, calibration.calibration_slope):
        value, interval = estimate(found.truth, found.score, found.patients)
        check_interval(value, interval)
        assert value is None or both_classes(found)
        other = estimate(again.truth, again.score, again.patients)
        assert (other.value is None) == (value is None)
        assert value is None or other.value == pytest.approx(value, rel=1e-5, abs=1e-6)
    for equal in ("width", "mass"):
        error = calibration.calibration_error(found.truth, found.score, found.patients, equal=equal)
        assert 0 <= error <= 1
        parts = calibration.brier_parts(found.truth, found.score, equal=equal)
        total = parts.reliability - parts.resolution + parts.uncertainty + parts.within_bins
        assert total == pytest.approx(metrics.brier(found.truth, found.score), abs=1e-12)


@few
@given(images())
def test_swapping_the_classes_negates_the_intercept_and_keeps_the_slope(found):
    for estimate, sign in ((calibration.calibration_intercept, -1), (calibration.calibration_slope, 1)):
        there = estimate(found.truth, found.score, found.patients)
        back = estimate(~found.truth, 1 - found.score, found.patients)
        assert (there.value is None) == (back.value is None)
        if there.value is not None:
            assert back.value == pytest.approx(sign * there.value, rel=1e-4, abs=1e-5)


@few
@given(
    arrays(float, st.integers(1, 20), elements=st.floats(0.001, 0.999)), st.floats(0.01, 0.99), st.floats(0.01, 0.99)
)
def test_a_prevalence_is_shifted_there_and_back_and_moves_the_logit_by_a_constant(probability, prevalence, other):
    there = calibration.shift_prevalence(probability, prevalence, other)
    assert ((there > 0) & (there < 1)).all()
    np.testing.assert_allclose(logit(there) - logit(probability), logit(other) - logit(prevalence), atol=1e-6)
    np.testing.assert_allclose(calibration.shift_prevalence(there, other, prevalence), probability, atol=1e-9)
    both = np.stack([1 - probability, probability], axis=1)
    shares = [np.array([1 - share, share]) for share in (prevalence, other)]
    np.testing.assert_allclose(calibration.correct_prior(both, *shares)[:, 1], there, atol=1e-9)


@few
@given(images())
def test_a_temperature_is_more_than_0_or_there_is_none_and_scales_with_the_logits(found):
    logits, labels = np.stack([np.zeros(len(found.truth)), 4 * found.score - 2], axis=1), found.truth.astype(np.int64)
    temperature = calibration.fit_temperature(logits, labels)
    assert temperature is None or (isfinite(temperature) and temperature > 0)
    assert temperature is None or both_classes(found)
    if temperature is not None and 1e-2 < temperature < 1e2:
        assert calibration.fit_temperature(3 * logits, labels) == pytest.approx(3 * temperature, rel=1e-5)
        half = calibration.apply_temperature(logits, temperature)
        np.testing.assert_allclose(half[:, 1], expit(logits[:, 1] / temperature))


# ── Subgroups and utility ─────────────────────────────────────────────────────────────────────────────────────────────


@few
@given(images(), st.integers(2, 4))
def test_the_order_of_images_and_subgroups_does_not_matter_to_their_heterogeneity(found, k):
    member = np.arange(len(found.truth)) % k
    rows, again = [member == one for one in range(k)], found.permuted()
    turned = [(member == one)[found.order] for one in reversed(range(k))]
    for test, args, others in (
        (heterogeneity.equal_proportions, (found.truth,), (again.truth,)),
        (heterogeneity.equal_areas, (found.truth, found.score), (again.truth, again.score)),
    ):
        there, back = test(*args, rows, found.patients), test(*others, turned, again.patients)
        assert (there.statistic is None) == (there.p_value is None) == (back.statistic is None)
        if there.statistic is not None:
            assert isfinite(there.statistic)
            assert there.statistic >= 0
            assert 0 <= there.p_value <= 1
            assert back.statistic == pytest.approx(there.statistic, rel=1e-5, abs=1e-6)


@few
@given(images(), st.sampled_from([None, 0.05, 0.5]))
def test_a_decision_curve_is_finite_around_its_net_benefit_and_at_most_the_prevalence(found, prevalence):
    curve = utility.decision_curve(found.truth, found.score, found.patients, prevalence=prevalence, resamples=50)
    assert (curve is None) == (not both_classes(found))
    if curve is not None:
        assert all(np.isfinite(column).all() for column in curve)
        assert (curve.low < curve.high).all()
        assert (curve.low <= curve.high).all()
        assert (curve.net_benefit <= (found.truth.mean() if prevalence is None else prevalence) + ROUNDING).all()


@few
@given(images(), st.floats(0.01, 0.99))
def test_utility_at_a_prevalence_is_finite_or_not_there(found, prevalence):
    sensitivity, specificity = (
        intervals.proportion(success[rows], found.patients[rows])
        for success, rows in ((found.score >= 0.45, found.truth), (found.score < 0.45, ~found.truth))
    )
    independent = len(np.unique(found.patients)) == len(found.patients)
    for ratio in utility.likelihood_ratios(sensitivity, specificity, independent=independent):
        check_interval(ratio.value, ratio.interval, 0)
    counts = utility.outcomes_per_1000(sensitivity, specificity, prevalence)
    for count in counts.values():
        check_interval(count.value, count.interval, 0, 1000 + ROUNDING)
    if both_classes(found):
        assert sum(count.value for count in counts.values()) == pytest.approx(1000)
