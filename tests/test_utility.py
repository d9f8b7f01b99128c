import numpy as np
import pytest

from cxrkit import utility
from cxrkit.intervals import NONE, Interval, Proportion, predictive_intervals, proportion


def share(successes, n, *, images=1):
    """A share of n patients with as many equal images each."""
    return proportion(np.repeat(np.arange(n) < successes, images), np.repeat(np.arange(n), images))


def simulated(seed=0, *, n=300, patients=None):
    rng = np.random.default_rng(seed)
    patient = np.arange(n) if patients is None else rng.integers(0, patients, n)
    _, patient = np.unique(patient, return_inverse=True)
    truth = rng.random(n) < 0.4
    return truth, 1 / (1 + np.exp(-rng.normal(size=n) - 1.5 * (truth - 0.5))), patient


def shifted(score, own, stated):
    odds = score / (1 - score) * stated / (1 - stated) / (own / (1 - own))
    return odds / (1 + odds)


# ── Likelihood ratios ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("hits", "sick", "passes", "healthy", "positive", "negative"),
    [
        (20, 30, 55, 70, (3.1, 1.9, 5.2), (0.42, 0.25, 0.71)),
        (15, 23, 52, 57, (7.4, 3.0, 18), (0.38, 0.22, 0.67)),
    ],
)
def test_likelihood_ratios_are_the_published_ones(hits, sick, passes, healthy, positive, negative):
    """Simel, Rennie & Bossuyt (2008), J Gen Intern Med 23:768, table 5: two examiners."""
    found = utility.likelihood_ratios(share(hits, sick), share(passes, healthy), independent=True)
    for (value, interval), expected in zip(found, (positive, negative), strict=True):
        assert (value, *interval[:2]) == pytest.approx(expected, rel=0.025)  # printed to two digits
        assert interval.method == "Simel 1991"


def test_images_of_one_patient_make_the_interval_of_a_ratio_no_narrower():
    once = utility.likelihood_ratios(share(80, 100), share(90, 100), independent=True)
    thrice = utility.likelihood_ratios(share(80, 100, images=3), share(90, 100, images=3), independent=False)
    for one, three in zip(once, thrice, strict=True):
        assert three.value == pytest.approx(one.value)
        assert three.interval.low == pytest.approx(one.interval.low, rel=0.05)
        assert three.interval.high == pytest.approx(one.interval.high, rel=0.1)
        assert three.interval.method == "Donner-Zou, of Wilson intervals"


def test_a_ratio_that_would_be_infinite_is_none_and_one_of_0_has_an_upper_bound():
    positive, negative = utility.likelihood_ratios(share(20, 20), share(30, 30), independent=True)
    assert positive == (None, NONE)
    assert (negative.value, negative.interval.low) == (0, 0)
    assert 0.05 < negative.interval.high < 0.5
    nothing = Proportion(None, NONE, 0, 0)
    assert utility.likelihood_ratios(nothing, share(3, 4), independent=True) == (utility.NOT_ESTIMABLE,) * 2


def test_a_sensitivity_of_1_in_few_cases_is_not_taken_as_known():
    few, many = share(5, 5), share(950, 1000)
    found = utility.likelihood_ratios(few, many, independent=True)[0]
    assert found.value == pytest.approx(20)
    assert found.interval.method == "Donner-Zou, of Wilson intervals"
    assert found.interval.low < 20 * (few.interval.low + 0.05)  # specificity alone would leave 15


# ── At a prevalence ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_predictive_values_over_prevalence_are_those_at_each():
    sensitivity, specificity = share(99, 100), share(85, 100)
    curve = utility.predictive_curve(sensitivity, specificity, np.array([0.05, 0.625]))
    assert curve.ppv == pytest.approx([0.26, 0.92], abs=0.005)
    for row, prevalence in enumerate((0.05, 0.625)):
        ppv, npv = predictive_intervals(sensitivity, specificity, prevalence)
        assert (curve.ppv_low[row], curve.ppv_high[row]) == ppv[:2]
        assert (curve.npv_low[row], curve.npv_high[row]) == npv[:2]
    assert (utility.PREVALENCES[0], utility.PREVALENCES[-1]) == (0.001, 0.9)
    never = utility.predictive_curve(share(0, 10), share(10, 10), np.array([0.1]))
    assert np.isnan([never.ppv[0], never.ppv_low[0]]).all()
    assert never.npv[0] == pytest.approx(0.9)


def test_outcomes_add_up_to_a_thousand():
    found = utility.outcomes_per_1000(share(90, 100), share(80, 100), 0.1)
    values = {name: one.value for name, one in found.items()}
    assert values == pytest.approx(
        {"true_positives": 90, "false_positives": 180, "false_negatives": 10, "true_negatives": 720}
    )
    low, high, _ = share(80, 100).interval
    assert found["false_positives"].interval[:2] == pytest.approx((900 * (1 - high), 900 * (1 - low)))
    assert found["false_positives"].interval.method == "Wilson"
    missing = utility.outcomes_per_1000(Proportion(None, NONE, 0, 0), share(8, 10), 0.1)
    assert missing["true_positives"] == utility.NOT_ESTIMABLE


# ── Net benefit ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_net_benefit_is_the_published_one():
    """Vickers & Elkin (2006), table 1: at 10 % 65 true and 225 false positives of 902 men are 0.0443."""
    sick = 100  # whatever it is, the net benefit is the same
    found = utility.net_benefit(np.array([65 / sick]), np.array([1 - 225 / (902 - sick)]), sick / 902, np.array([0.1]))
    assert found[0] == pytest.approx(0.0443, abs=5e-5)


@pytest.mark.parametrize("stated", [None, 0.1])
def test_a_decision_curve_is_counted_by_hand(stated):
    truth, score, patient = simulated()
    curve = utility.decision_curve(truth, score, patient, prevalence=stated, resamples=100)
    own = truth.mean()
    at = own if stated is None else stated
    for row in (4, 29, 79):
        threshold = curve.threshold_probability[row]
        called = shifted(score, own, at) >= threshold
        weight = threshold / (1 - threshold)
        expected = called[truth].mean() * at - called[~truth].mean() * (1 - at) * weight
        assert curve.net_benefit[row] == pytest.approx(expected, abs=1e-12)
        assert curve.treat_all[row] == pytest.approx(at - (1 - at) * weight)
        assert curve.low[row] <= expected <= curve.high[row]
    assert not curve.treat_none.any()


def test_the_bands_of_independent_images_are_about_those_of_large_samples():
    truth, score, patient = simulated(n=4000)
    curve = utility.decision_curve(truth, score, patient, prevalence=0.2, resamples=4000)
    called = shifted(score, truth.mean(), 0.2) >= 0.3
    sensitivity, specificity, price = called[truth].mean(), 1 - called[~truth].mean(), 0.8 * 0.3 / 0.7
    variance = 0.2**2 * sensitivity * (1 - sensitivity) / truth.sum()
    variance += price**2 * specificity * (1 - specificity) / (~truth).sum()
    assert curve.high[29] - curve.low[29] == pytest.approx(2 * 1.96 * np.sqrt(variance), rel=0.08)


def test_copies_of_an_image_leave_the_bands_as_wide_as_they_were():
    truth, score, patient = simulated()
    once = utility.decision_curve(truth, score, patient, prevalence=0.2)
    thrice = utility.decision_curve(*(np.repeat(one, 3) for one in (truth, score, patient)), prevalence=0.2)
    np.testing.assert_allclose(thrice.net_benefit, once.net_benefit, atol=1e-12)
    np.testing.assert_allclose((thrice.high - thrice.low)[:80], (once.high - once.low)[:80], rtol=0.1)


def test_an_image_without_result_counts_as_the_worse_decision():
    truth = np.array([True, True, False, False])
    score = np.array([0.9, np.nan, 0.1, np.nan])
    curve = utility.decision_curve(
        truth, score, np.arange(4), prevalence=None, resamples=100, threshold_probabilities=np.array([0.5])
    )
    assert curve.net_benefit[0] == pytest.approx(1 / 4 - 1 / 4)


def test_perfect_decisions_have_bands_of_some_width_and_one_class_has_no_curve():
    truth = np.arange(40) < 20
    curve = utility.decision_curve(truth, truth.astype(float), np.arange(40), prevalence=0.1, resamples=100)
    assert not curve.resampled.any()
    assert (curve.high - curve.low > 0.005).all()
    np.testing.assert_allclose(curve.net_benefit, 0.1)
    assert utility.decision_curve(np.ones(5, dtype=bool), np.ones(5), np.arange(5), prevalence=0.1) is None


def test_a_specificity_that_no_resample_lowers_has_the_band_of_its_interval():
    truth, patient = np.arange(60) < 20, np.arange(60)
    score = np.where(truth, np.where(patient % 2 == 0, 0.9, 0.1), 0.1)
    curve = utility.decision_curve(
        truth, score, patient, prevalence=0.1, resamples=200, threshold_probabilities=np.array([0.05, 0.3])
    )
    assert not curve.resampled[1]
    price = 0.9 * 0.3 / 0.7
    low, high, _ = share(10, 20).interval
    passes = share(40, 40).interval.low
    value = 0.5 * 0.1
    assert curve.low[1] == pytest.approx(value - np.hypot(0.1 * (0.5 - low), price * (1 - passes)))
    assert curve.high[1] == pytest.approx(value + 0.1 * (high - 0.5))


def test_a_share_without_interval_has_no_outcomes():
    assert utility.outcomes_per_1000(share(1, 2), share(1, 2), 0.0)["true_positives"].interval == NONE
    assert isinstance(utility.outcomes_per_1000(share(1, 2), share(1, 2), 0.5)["true_positives"].interval, Interval)
