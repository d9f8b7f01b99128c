import numpy as np
import pytest
from scipy.stats import norm, t, ttest_ind
from sklearn.metrics import roc_auc_score
from statsmodels.stats.proportion import proportion_confint

from cxrkit import areas, intervals


def clustered(seed, *, patients=60, most=4, k=2):
    """Scores that images of one patient share in part: truth, float[n, k], patient numbers."""
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), rng.integers(1, most + 1, patients))
    truth = rng.random(len(patient)) < np.where(patient % 3 == 0, 0.5, np.where(patient % 3 == 1, 0, 1))
    shared = rng.normal(size=(patients, k))[patient]
    return truth, shared + rng.normal(size=(len(patient), k)) + truth[:, None], patient


def naive_auc_covariance(truth, scores, patient):
    """Obuchowski (1997) by the definition, one pair of images at a time."""
    positives, negatives = np.flatnonzero(truth), np.flatnonzero(~truth)
    m, n, k = len(positives), len(negatives), scores.shape[1]
    wins = np.empty((m, n, k))
    for i, x in enumerate(positives):
        for j, y in enumerate(negatives):
            wins[i, j] = (scores[x] > scores[y]) + 0.5 * (scores[x] == scores[y])
    area = wins.mean(axis=(0, 1))
    v10, v01 = wins.mean(axis=1), wins.mean(axis=0)
    everyone = sorted(set(patient))
    d10 = {p: sum((v10[i] - area for i in range(m) if patient[positives[i]] == p), np.zeros(k)) for p in everyone}
    d01 = {p: sum((v01[j] - area for j in range(n) if patient[negatives[j]] == p), np.zeros(k)) for p in everyone}
    i10, i01, i = len(set(patient[positives])), len(set(patient[negatives])), len(everyone)
    s10 = i10 / ((i10 - 1) * m) * sum(np.outer(d10[p], d10[p]) for p in everyone)
    s01 = i01 / ((i01 - 1) * n) * sum(np.outer(d01[p], d01[p]) for p in everyone)
    s11 = i / (i - 1) * sum(np.outer(d10[p], d01[p]) for p in everyone)
    return area, s10 / m + s01 / n + s11 / (m * n) + s11.T / (m * n)


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
@pytest.mark.parametrize(("successes", "n"), [(0, 5), (5, 5), (3, 7), (560, 624), (1, 1), (999_999, 1_000_000)])
def test_wilson_is_statsmodels(successes, n, level):
    expected = proportion_confint(successes, n, alpha=1 - level, method="wilson")
    assert intervals.wilson(successes, n, level) == pytest.approx(expected, abs=1e-12)


def test_wilson_gives_the_published_interval_of_the_course():
    low, high = intervals.wilson(560, 624)
    assert (round(100 * low, 1), round(100 * high, 1)) == (87.1, 91.9)


@pytest.mark.parametrize("share", [0, 1])
def test_a_proportion_of_0_or_1_has_an_interval_of_some_width(share):
    success = np.full(40, bool(share))
    for patients, method in ((np.arange(40), "Wilson"), (np.arange(40) // 2, "Wilson, n = patients")):
        found = intervals.proportion(success, patients)
        assert found.interval.high - found.interval.low > 0.05
        assert found.interval.method == method


def test_a_proportion_of_nothing_is_none():
    assert intervals.proportion(np.array([], dtype=bool), np.array([], dtype=int)) == (None, intervals.NONE, 0, 0)


def test_copies_of_an_image_leave_the_interval_as_wide_as_it_was():
    success = np.random.default_rng(0).random(200) < 0.8
    once = intervals.proportion(success, np.arange(200))
    thrice = intervals.proportion(np.repeat(success, 3), np.repeat(np.arange(200), 3))
    assert thrice.interval.method.startswith("Wilson, design effect 3.0")
    assert thrice.interval[:2] == pytest.approx(once.interval[:2], abs=1e-3)
    assert (thrice.n, thrice.n_patients) == (600, 200)


def test_the_design_effect_is_the_ratio_of_the_cluster_robust_variance_of_statsmodels():
    import statsmodels.api as sm

    _, scores, patient = clustered(3)
    success = scores[:, 0] > 0
    fit = sm.OLS(success.astype(float), np.ones(len(success))).fit(
        cov_type="cluster", cov_kwds={"groups": patient, "use_correction": False}
    )
    clusters, share = len(set(patient)), success.mean()
    robust = fit.bse[0] ** 2 * clusters / (clusters - 1)
    expected = robust / (share * (1 - share) / len(success))
    assert intervals.design_effect(success, patient) == pytest.approx(max(1, expected), rel=1e-9)


@pytest.mark.parametrize("freedom", [1, 7.3, 400])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_students_quantile_and_p_value_are_scipys(freedom, level):
    assert intervals.student_quantile(level, freedom) == pytest.approx(t.ppf((1 + level) / 2, freedom), rel=1e-9)
    assert intervals.student_p_value(-2.1, freedom) == pytest.approx(2 * t.sf(2.1, freedom), rel=1e-9)


@pytest.mark.parametrize(("shape", "n"), [("normal", 5), ("normal", 100), ("exponential", 200)])
def test_degrees_of_freedom_tell_how_much_a_variance_varies(shape, n):
    """By their definition: twice the squared mean of a variance over its variance, here of simulated variances."""
    drawn = getattr(np.random.default_rng(0), f"standard_{shape}")((4000, n))
    deviations = drawn - drawn.mean(axis=1, keepdims=True)
    estimates = np.sum(deviations**2, axis=1)
    expected = 2 * np.mean(estimates) ** 2 / np.var(estimates)
    found = np.median([areas.degrees_of_freedom(one) for one in deviations])
    # The median sample underestimates the fourth powers of a skewed distribution; n - 1 would be 5 times too much.
    assert 0.95 * expected < found < 2 * expected
    assert shape == "normal" or expected < n / 4


def test_few_patients_that_differ_from_the_rest_leave_few_degrees_of_freedom():
    others = np.zeros(1000)
    assert areas.degrees_of_freedom(np.append(others, 1)) == pytest.approx(2, abs=0.01)
    assert areas.degrees_of_freedom(np.append(others, [1, -1])) == pytest.approx(4, abs=0.02)
    assert areas.degrees_of_freedom(np.repeat([1, -1], 500)) == 999
    assert areas.degrees_of_freedom(others) == 999


def test_the_smaller_class_limits_the_degrees_of_freedom_as_in_welchs_test():
    """With one model and no ties an area is a difference of two means, of the positives' and the negatives' ranks."""
    truth, score = np.arange(400) < 6, np.random.default_rng(3).normal(size=400)
    components = areas.structural_components(truth, score[:, None])[1][:, 0]
    expected = ttest_ind(components[truth], components[~truth], equal_var=False).df
    assert areas.auc_contrast(truth, score[:, None], np.arange(400), [1.0]).freedom == pytest.approx(expected, rel=0.1)


def test_few_patients_widen_the_interval_of_a_proportion_by_students_quantile():
    _, scores, patient = clustered(5, patients=12)
    success = scores[:, 0] > 0
    n = len(success) / intervals.design_effect(success, patient) * (norm.ppf(0.975) / t.ppf(0.975, 11)) ** 2
    expected = proportion_confint(success.mean() * n, n, method="wilson")
    assert intervals.proportion(success, patient).interval[:2] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("ties", [False, True])
def test_covariance_of_areas_is_obuchowskis_by_definition(ties):
    truth, scores, patient = clustered(1)
    scores = np.round(scores) if ties else scores
    area, covariance = areas.auc_covariance(truth, scores, patient)
    expected_area, expected = naive_auc_covariance(truth, scores, patient)
    assert area == pytest.approx(expected_area, abs=1e-12)
    np.testing.assert_allclose(covariance, expected, atol=1e-12)
    assert area[0] == pytest.approx(roc_auc_score(truth, scores[:, 0]), abs=1e-12)


def test_with_one_image_per_patient_the_covariance_is_delongs():
    truth, scores, _ = clustered(2)
    wins = (scores[truth][:, None] > scores[~truth][None]).astype(float)
    expected = np.cov(wins.mean(axis=1).T) / truth.sum() + np.cov(wins.mean(axis=0).T) / (~truth).sum()
    covariance = areas.auc_covariance(truth, scores, np.arange(len(truth)))[1]
    np.testing.assert_allclose(covariance, expected, atol=1e-12)


def test_the_area_of_hanley_and_mcneil_has_the_standard_error_that_stata_prints():
    """Ratings of 109 CT images (Hanley & McNeil 1982, table I); area and DeLong interval of Stata's manual, roctab."""
    counts = [33, 6, 6, 11, 2, 3, 2, 2, 11, 33]
    truth, rating = np.repeat(np.arange(10) >= 5, counts), np.repeat(np.arange(10) % 5 + 1.0, counts)
    area, covariance = areas.auc_covariance(truth, rating[:, None], np.arange(109))
    assert area[0] == pytest.approx(0.8932, abs=5e-5)
    error = np.sqrt(covariance[0, 0])
    assert error == pytest.approx(0.0307, abs=5e-5)
    assert area[0] + norm.ppf([0.025, 0.975]) * error == pytest.approx([0.83295, 0.95339], abs=5e-6)


@pytest.mark.parametrize("weights", [[1.0, 0.0], [1.0, -1.0]])
def test_a_sum_of_areas_has_the_variance_and_freedom_of_the_definition(weights):
    truth, scores, patient = clustered(6)
    found = areas.auc_contrast(truth, scores, patient, weights)
    values, covariance = naive_auc_covariance(truth, scores, patient)
    assert found.areas == pytest.approx(values, abs=1e-12)
    assert found.variance == pytest.approx(weights @ covariance @ weights, abs=1e-12)
    # Leaving a patient out moves the sum by about what the patient contributes to it.
    without = [
        naive_auc_covariance(truth[patient != one], scores[patient != one], patient[patient != one])[0] @ weights
        for one in np.unique(patient)
    ]
    moved = np.mean(without) - np.array(without)
    variance, fourth = np.sum(moved**2), np.sum(moved**4)
    assert found.variance == pytest.approx(variance, rel=0.15)
    assert found.freedom == pytest.approx(2 * variance**2 / (fourth - variance**2 / len(moved)), rel=0.15)


def test_the_interval_of_an_area_is_students_on_the_logit_scale():
    truth, scores, patient = clustered(7)
    area, covariance = naive_auc_covariance(truth, scores[:, :1], patient)
    freedom = areas.auc_contrast(truth, scores[:, :1], patient, [1.0]).freedom
    half = t.ppf(0.975, freedom) * np.sqrt(covariance[0, 0]) / (area[0] * (1 - area[0]))
    bounds = 1 / (1 + np.exp(-np.log(area[0] / (1 - area[0])) - np.array([-half, half])))
    assert areas.auc_interval(truth, scores[:, 0], patient)[:2] == pytest.approx(bounds, abs=1e-12)


def test_the_interval_of_an_area_names_its_method_and_lies_on_the_logit_scale():
    truth, scores, patient = clustered(4)
    single = areas.auc_interval(truth, scores[:, 0], np.arange(len(truth)))
    assert single.method == "DeLong, logit"
    assert areas.auc_interval(truth, scores[:, 0], patient).method == "Obuchowski, logit"
    area = roc_auc_score(truth, scores[:, 0])
    logits = np.log(np.array([single.low, area, single.high]) / (1 - np.array([single.low, area, single.high])))
    assert logits[1] - logits[0] == pytest.approx(logits[2] - logits[1])


def test_perfect_separation_has_an_interval_of_some_width():
    truth, score = np.arange(20) >= 10, np.arange(20.0)
    found = areas.auc_interval(truth, score, np.arange(20))
    assert found.high == 1
    assert 0.6 < found.low < 0.95
    reversed_ = areas.auc_interval(truth, -score, np.arange(20))
    assert reversed_[:2] == pytest.approx((0, 1 - found.low))
    assert areas.auc_interval(truth[:10], score[:10], np.arange(10)) == intervals.NONE
    assert areas.auc_interval(truth[9:11], score[9:11], np.arange(2)).high == 1


@pytest.mark.parametrize(("area", "m", "n"), [(0.9, 30, 50), (0.5, 5, 5), (1.0, 3, 200)])
def test_newcombes_bounds_solve_his_equation(area, m, n):
    z, others = norm.ppf(0.975), (m + n) / 2 - 1
    for bound in areas.newcombe_auc(area, m, n):
        inside = 1 + others * (1 - bound) / (2 - bound) + others * bound / (1 + bound)
        assert abs(area - bound) == pytest.approx(z * np.sqrt(bound * (1 - bound) * inside / (m * n)), abs=1e-6)


def test_the_interval_of_a_ratio_agrees_with_the_logarithmic_one_of_large_samples():
    first, second = (0.9, *intervals.wilson(9000, 10_000)), (0.2, *intervals.wilson(2000, 10_000))
    low, high = intervals.ratio_interval(first, second)
    error = np.sqrt(0.1 / 9000 + 0.8 / 2000)
    expected = 0.9 / 0.2 * np.exp(norm.ppf([0.025, 0.975]) * error)
    assert (low, high) == pytest.approx(tuple(expected), rel=2e-3)


def test_a_ratio_to_0_has_a_lower_bound():
    low, high = intervals.ratio_interval((0.9, 0.8, 0.95), (0.0, 0.0, 0.1))
    assert 0.8 / 0.1 < low < 0.9 / 0.09
    assert high == np.inf
    assert intervals.ratio_interval((0.0, 0.0, 0.1), (0.0, 0.0, 0.1)) == (0, np.inf)


@pytest.mark.slow
@pytest.mark.parametrize("images", [1, 3])
def test_intervals_cover_about_as_often_as_they_say(images):
    """With a within-patient correlation of .5 a plain Wilson interval covers 84 % at 3 images per patient."""
    rng = np.random.default_rng(0)
    covered = {"proportion": 0, "area": 0}
    patient = np.repeat(np.arange(120), images)
    truth = patient % 2 == 0
    true_area = norm.cdf(1.2 / np.sqrt(2))
    for _ in range(2000):
        latent = np.sqrt(0.5) * rng.normal(size=120)[patient] + np.sqrt(0.5) * rng.normal(size=len(patient))
        low, high, _ = intervals.proportion(latent < norm.ppf(0.8), patient).interval
        covered["proportion"] += low <= 0.8 <= high
        low, high, _ = areas.auc_interval(truth, latent + 1.2 * truth, patient)
        covered["area"] += low <= true_area <= high
    assert 0.93 <= covered["proportion"] / 2000 <= 0.975
    assert 0.93 <= covered["area"] / 2000 <= 0.975


def test_predictive_values_at_a_prevalence_agree_with_the_logit_interval_of_large_samples():
    """The logit interval is Mercaldo, Lau & Zhou's (2007)."""
    n, prevalence = 4000, 0.1
    shares = [intervals.proportion(np.arange(n) < k, np.arange(n)) for k in (3600, 3200)]
    sensitivity, specificity = shares[0].value, shares[1].value
    ppv, npv = intervals.predictive_intervals(*shares, prevalence)
    for found, ratio, error in (
        (
            ppv,
            sensitivity / (1 - specificity),
            np.sqrt((1 - sensitivity) / sensitivity + specificity / (1 - specificity)),
        ),
        (
            npv,
            specificity / (1 - sensitivity),
            np.sqrt((1 - specificity) / specificity + sensitivity / (1 - sensitivity)),
        ),
    ):
        odds = ratio * (prevalence / (1 - prevalence) if found is ppv else (1 - prevalence) / prevalence)
        expected = odds * np.exp(norm.ppf([0.025, 0.975]) * error / np.sqrt(n))
        assert found[:2] == pytest.approx(tuple(expected / (1 + expected)), rel=3e-3)


def test_a_perfect_specificity_leaves_the_predictive_value_a_lower_bound():
    perfect = intervals.proportion(np.ones(50, dtype=bool), np.arange(50))
    ppv, npv = intervals.predictive_intervals(perfect, perfect, 0.1)
    assert ppv.high == npv.high == 1
    assert 0.3 < ppv.low < 0.9
    nothing = intervals.proportion(np.array([], dtype=bool), np.array([], dtype=int))
    assert intervals.predictive_intervals(perfect, nothing, 0.1) == (intervals.NONE, intervals.NONE)
