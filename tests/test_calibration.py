import numpy as np
import pytest
import statsmodels.api as sm
from scipy.optimize import minimize_scalar
from scipy.special import expit, softmax
from scipy.special import logit as exact_logit
from scipy.stats import norm
from sklearn import metrics as sklearn

from cxrkit import calibration, metrics
from cxrkit.intervals import NONE


def clustered(seed=0, *, patients=150, most=4, shift=0.4, slope=0.6):
    """Truth, probabilities that are too low and too extreme, and patients: images of one are alike."""
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), rng.integers(1, most + 1, patients))
    linear = rng.normal(size=patients)[patient] + 0.7 * rng.normal(size=len(patient))
    truth = rng.random(len(patient)) < expit(linear)
    return truth, expit((linear - shift) / slope), patient


# ── Recalibration ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_temperature_of_two_classes_is_one_over_statsmodels_slope_without_intercept():
    truth, score, _ = clustered()
    logits = np.stack([np.zeros(len(score)), exact_logit(score)], axis=1)
    slope = sm.Logit(truth.astype(float), logits[:, 1]).fit(disp=0).params[0]
    assert calibration.fit_temperature(logits, truth.astype(int)) == pytest.approx(1 / slope, rel=1e-6)


def test_the_temperature_of_three_classes_minimises_scikit_learns_log_loss():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 3, 400)
    logits = 3 * (rng.normal(size=(400, 3)) + np.eye(3)[labels])
    found = calibration.fit_temperature(logits, labels)
    expected = minimize_scalar(
        lambda t: sklearn.log_loss(labels, softmax(logits / t, axis=1)), bounds=(0.1, 20), method="bounded"
    )
    assert found == pytest.approx(expected.x, rel=1e-3)
    assert found > 1.5
    np.testing.assert_allclose(calibration.apply_temperature(logits, found), softmax(logits / found, axis=1))


@pytest.mark.parametrize(
    ("logits", "labels"),
    [
        ([[0, 1], [0, 2], [1, 0]], [1, 1, 1]),  # one class
        ([[0, 1], [0, 2], [1, 0]], [1, 1, 0]),  # separated
        ([[0, 1], [1, 0], [0, 3]], [0, 1, 0]),  # worse than chance
        ([[1, 1], [1, 1]], [0, 1]),  # constant
    ],
)
def test_a_temperature_that_has_no_maximum_is_none(logits, labels):
    assert calibration.fit_temperature(np.array(logits, dtype=float), np.array(labels)) is None


def test_correcting_the_prior_is_bayes_theorem_with_the_other_prior():
    likelihood = np.random.default_rng(0).random((20, 3))
    seen, natural = np.array([1, 1, 1]) / 3, np.array([0.7, 0.2, 0.1])
    before = likelihood * seen / (likelihood * seen).sum(axis=1, keepdims=True)
    expected = likelihood * natural / (likelihood * natural).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(calibration.correct_prior(before, seen, natural), expected)
    unseen = calibration.correct_prior(np.array([[1.0, 0.0], [0.3, 0.7]]), np.array([0.0, 1.0]), np.array([0.5, 0.5]))
    assert np.isfinite(unseen).all()


def test_a_shift_of_prevalence_is_the_correction_of_two_classes_and_goes_back():
    score = np.linspace(0, 1, 11)
    shifted = calibration.shift_prevalence(score, 0.6, 0.1)
    both = np.stack([1 - score, score], axis=1)
    expected = calibration.correct_prior(both, np.array([0.4, 0.6]), np.array([0.9, 0.1]))[:, 1]
    np.testing.assert_allclose(shifted, expected)
    np.testing.assert_allclose(calibration.shift_prevalence(shifted, 0.1, 0.6), score, atol=1e-12)


# ── Intercept and slope ───────────────────────────────────────────────────────────────────────────────────────────────


def statsmodels_fit(truth, score, patient, *, with_slope):
    linear = exact_logit(score)
    design = sm.add_constant(linear) if with_slope else np.ones(len(linear))
    model = sm.GLM(truth.astype(float), design, family=sm.families.Binomial(), offset=None if with_slope else linear)
    if patient is None:
        fit = model.fit()
        return fit.params[-1], fit.bse[-1]
    fit = model.fit(cov_type="cluster", cov_kwds={"groups": patient, "use_correction": False})
    clusters = len(set(patient))
    return fit.params[-1], fit.bse[-1] * np.sqrt(clusters / (clusters - 1))


@pytest.mark.parametrize("shares_patients", [True, False])
@pytest.mark.parametrize("with_slope", [True, False])
def test_intercept_and_slope_and_their_errors_are_statsmodels(with_slope, shares_patients):
    truth, score, patient = clustered()
    value, error = statsmodels_fit(truth, score, patient if shares_patients else None, with_slope=with_slope)
    patient = patient if shares_patients else np.arange(len(truth))
    function = calibration.calibration_slope if with_slope else calibration.calibration_intercept
    found = function(truth, score, patient, 0.9)
    assert found.value == pytest.approx(value, abs=1e-6)
    half = norm.ppf(0.95) * error
    assert found.interval[:2] == pytest.approx((value - half, value + half), rel=1e-4)
    expected = "SE clustered by patient" if shares_patients else "model-based SE"
    assert found.interval.method == f"logistic regression, {expected}"


def test_the_simulated_miscalibration_is_found():
    truth, score, patient = clustered(patients=4000)
    slope = calibration.calibration_slope(truth, score, patient)
    assert slope.interval.low < 0.6 < slope.interval.high
    assert calibration.calibration_intercept(truth, score, patient).interval.low > 0.2


def test_separation_has_no_slope_but_an_intercept():
    truth, score = np.arange(20) >= 10, np.linspace(0.05, 0.95, 20)
    for one in (score, 1 - score, np.round(score)):
        assert calibration.calibration_slope(truth, one, np.arange(20)) == (None, NONE)
    found = calibration.calibration_intercept(truth, score, np.arange(20))
    assert found.value == pytest.approx(0, abs=1e-9)
    assert found.interval.low < 0 < found.interval.high


def test_constant_probabilities_have_an_intercept_alone():
    truth, score = np.arange(30) % 3 == 0, np.full(30, 0.2)
    assert calibration.calibration_slope(truth, score, np.arange(30)).value is None
    found = calibration.calibration_intercept(truth, score, np.arange(30))
    assert found.value == pytest.approx(exact_logit(1 / 3) - exact_logit(0.2))


@pytest.mark.parametrize("truth", [np.ones(5, dtype=bool), np.zeros(5, dtype=bool), np.zeros(0, dtype=bool)])
def test_one_class_has_neither_intercept_nor_slope(truth):
    score, patient = np.linspace(0.1, 0.9, len(truth)), np.arange(len(truth))
    assert calibration.calibration_intercept(truth, score, patient) == (None, NONE)
    assert calibration.calibration_slope(truth, score, patient) == (None, NONE)


def test_a_single_patient_has_values_without_intervals():
    truth, score, _ = clustered(patients=20)
    patient = np.zeros(len(truth), dtype=int)
    for function in (calibration.calibration_intercept, calibration.calibration_slope):
        found = function(truth, score, patient)
        assert found.value is not None
        assert found.interval == NONE


def test_probabilities_of_0_and_1_are_taken_as_the_nearest_of_single_precision():
    truth = np.array([True, False, True, False, True, False])
    found = calibration.calibration_slope(truth, np.array([1, 0, 0.7, 0.6, 0, 1.0]), np.arange(6))
    assert np.isfinite(found.value)
    assert calibration.logit(np.array([0, 1.0])) == pytest.approx([-16.6355, 16.6355], abs=1e-3)


# ── Calibration error ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("equal", ["width", "mass"])
def test_the_calibration_error_is_debiased_as_by_drawing_the_observed_shares_anew(equal):
    """Kumar, Liang & Ma (2019) draw from the normal distribution; here their mean is computed."""
    truth, score, _ = clustered()
    bins = metrics.calibration_bins(truth, score, equal=equal)
    observed, weights = bins.positives / bins.n, bins.n / len(truth)
    plain = weights @ np.abs(observed - bins.mean_predicted)
    errors = np.sqrt(observed * (1 - observed) / bins.n)
    anew = np.random.default_rng(0).normal(observed, errors, size=(200_000, len(observed)))
    expected = 2 * plain - np.mean(np.abs(anew - bins.mean_predicted) @ weights)
    found = calibration.calibration_error(truth, score, np.arange(len(truth)), equal=equal)
    assert found == pytest.approx(expected, abs=2e-4)
    assert found < plain


def test_debiasing_takes_off_much_of_what_chance_gives_a_perfect_model():
    rng = np.random.default_rng(0)
    plain, debiased = [], []
    for _ in range(100):
        score = rng.random(300)
        truth = rng.random(300) < score
        bins = metrics.calibration_bins(truth, score)
        plain.append(bins.n / 300 @ np.abs(bins.positives / bins.n - bins.mean_predicted))
        debiased.append(calibration.calibration_error(truth, score, np.arange(300)))
    assert min(debiased) >= 0
    assert np.mean(debiased) < 0.7 * np.mean(plain)


def test_copies_of_an_image_leave_the_calibration_error_as_it_was():
    truth, score, _ = clustered(most=1, patients=400)
    once = calibration.calibration_error(truth, score, np.arange(400))
    thrice = calibration.calibration_error(np.repeat(truth, 3), np.repeat(score, 3), np.repeat(np.arange(400), 3))
    assert thrice == pytest.approx(once, abs=1e-3)


def test_the_calibration_error_of_nothing_and_of_certainty():
    nothing = np.array([], dtype=int)
    assert calibration.calibration_error(nothing.astype(bool), nothing.astype(float), nothing) is None
    truth = np.arange(10) >= 5
    assert calibration.calibration_error(truth, truth.astype(float), np.arange(10)) == 0
    assert calibration.calibration_error(truth, 1.0 - truth, np.arange(10), equal="mass") == 1


# ── Scores ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def stephenson(truth, score, bins):
    """The five terms of Stephenson, Coelho & Jolliffe (2008), one image at a time."""
    n, base = len(truth), truth.mean()
    terms = dict.fromkeys(("rel", "res", "wbv", "wbc"), 0.0)
    for k in range(bins):
        last = k == bins - 1
        held = [i for i in range(n) if k / bins <= score[i] < (k + 1) / bins or (last and score[i] == 1)]
        if held:
            predicted, observed = score[held].mean(), truth[held].mean()
            terms["rel"] += len(held) / n * (predicted - observed) ** 2
            terms["res"] += len(held) / n * (observed - base) ** 2
            terms["wbv"] += sum((score[i] - predicted) ** 2 for i in held) / n
            terms["wbc"] += 2 * sum((truth[i] - observed) * (score[i] - predicted) for i in held) / n
    return terms["rel"], terms["res"], base * (1 - base), terms["wbv"] - terms["wbc"]


def test_the_parts_of_the_brier_score_are_stephensons_and_add_up_exactly():
    truth, score, _ = clustered()
    parts = calibration.brier_parts(truth, score)
    assert tuple(parts) == pytest.approx(stephenson(truth, score, 10), abs=1e-12)
    for equal in ("width", "mass"):
        reliability, resolution, uncertainty, within = calibration.brier_parts(truth, score, equal=equal)
        expected = sklearn.brier_score_loss(truth, score)
        assert reliability - resolution + uncertainty + within == pytest.approx(expected, abs=1e-12)


def test_with_one_probability_to_a_bin_the_parts_are_murphys():
    score = np.repeat([0.15, 0.55, 0.95], 40)
    truth = np.random.default_rng(0).random(120) < score
    parts = calibration.brier_parts(truth, score)
    assert parts.within_bins == pytest.approx(0, abs=1e-12)
    assert calibration.brier_parts(truth[:0], score[:0]) is None


def test_the_log_loss_is_scikit_learns():
    rng = np.random.default_rng(0)
    labels, probabilities = rng.integers(0, 3, 50), softmax(rng.normal(size=(50, 3)), axis=1)
    probabilities[0] = np.eye(3)[(labels[0] + 1) % 3]
    expected = sklearn.log_loss(labels, probabilities)
    assert calibration.log_losses(probabilities, labels).mean() == pytest.approx(expected, rel=1e-9)
