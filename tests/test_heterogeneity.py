import numpy as np
import pytest
import statsmodels.api as sm
from scipy.stats import chi2
from statsmodels.stats.oneway import anova_oneway

from cxrkit import areas
from cxrkit.heterogeneity import equal_areas, equal_proportions, joint_areas


def images(seed=0, *, patients=120, most=3):
    """Truth, score, patients, and a subgroup of each image: a patient may be in several."""
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), rng.integers(1, most + 1, patients))
    n = len(patient)
    truth, kind = rng.random(n) < 0.5, rng.integers(0, 3, n)
    score = rng.normal(size=patients)[patient] + rng.normal(size=n) + truth * (0.8 + 0.4 * kind)
    return truth, score, patient, kind


def masks(kind):
    return [kind == one for one in np.unique(kind)]


def test_the_test_of_shares_is_statsmodels_wald_test_with_clusters():
    _, score, patient, kind = images()
    success = score > 0
    fit = sm.OLS(success.astype(float), np.eye(3)[kind]).fit(
        cov_type="cluster", cov_kwds={"groups": patient, "use_correction": False}
    )
    sizes = np.array([len(np.unique(patient[kind == one])) for one in range(3)])
    factor = np.sqrt(sizes / (sizes - 1))
    covariance = fit.cov_params() * np.outer(factor, factor)
    contrast = np.array([[1, -1, 0], [0, 1, -1]])
    difference = contrast @ fit.params
    expected = difference @ np.linalg.solve(contrast @ covariance @ contrast.T, difference)
    found = equal_proportions(success, masks(kind), patient)
    assert found.statistic == pytest.approx(expected, rel=1e-9)
    assert found.p_value == pytest.approx(chi2.sf(expected, 2), rel=0.15)
    assert found.p_value > chi2.sf(expected, 2)  # the variances are estimated
    assert (found.freedom, found.tested, found.fewest_patients) == (2, (0, 1, 2), sizes.min())


def test_two_independent_shares_are_compared_as_in_the_textbook():
    success = np.arange(100) % np.where(np.arange(100) < 50, 2, 5) == 0
    groups = [np.arange(100) < 50, np.arange(100) >= 50]
    variances = [success[rows].var() / 49 for rows in groups]
    difference = success[groups[0]].mean() - success[groups[1]].mean()
    found = equal_proportions(success, groups, np.arange(100))
    assert found.statistic == pytest.approx(difference**2 / sum(variances))


@pytest.mark.parametrize("sizes", [(8, 15), (6, 9, 40)])
def test_the_p_value_of_few_patients_is_welchs(sizes):
    kind = np.repeat(np.arange(len(sizes)), sizes)
    success = np.arange(len(kind)) % (2 + 2 * kind) == 0
    expected = anova_oneway(success.astype(float), kind, use_var="unequal", welch_correction=True)
    found = equal_proportions(success, masks(kind), np.arange(len(kind)))
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-9)
    assert found.p_value > chi2.sf(found.statistic, found.freedom) + 0.002


def test_equal_shares_are_told_apart_about_as_often_as_the_level_says():
    rng, rejected = np.random.default_rng(0), 0
    patient = np.repeat(np.arange(200), 3)
    groups = masks(np.repeat(np.arange(200) % 4, 3))
    for _ in range(400):
        latent = rng.normal(size=200)[patient] + rng.normal(size=600)
        rejected += equal_proportions(latent < 1, groups, patient).p_value < 0.05
    assert 0.03 <= rejected / 400 <= 0.085


def test_the_variance_of_each_area_is_obuchowskis():
    truth, score, patient, kind = images()
    members = np.stack(masks(kind), axis=1)
    found = joint_areas(np.repeat(truth[:, None], 3, axis=1), score[:, None], members, patient)
    for one in range(3):
        rows = kind == one
        area, variance = areas.auc_covariance(truth[rows], score[rows, None], patient[rows])
        assert found.areas[one] == pytest.approx(area[0])
        # The number of patients that corrects the covariance of the two classes is that of all areas.
        assert found.covariance[one, one] == pytest.approx(variance[0, 0], rel=0.02)


def test_areas_of_the_same_images_have_the_covariance_of_two_models():
    truth, score, patient, _ = images()
    scores = np.stack([score, np.random.default_rng(3).normal(size=len(score)) + score], axis=1)
    truths, everyone = np.repeat(truth[:, None], 2, axis=1), np.ones((len(truth), 2), dtype=bool)
    found = joint_areas(truths, scores, everyone, patient)
    values, covariance = areas.auc_covariance(truth, scores, patient)
    np.testing.assert_allclose(found.areas, values)
    np.testing.assert_allclose(found.covariance, covariance, rtol=1e-9)


def test_pathogens_ranked_against_the_same_normal_images_have_correlated_areas():
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 3, 300)  # 0 is normal
    score = rng.normal(size=300) + kind * 0.7
    truth, patient = kind > 0, np.arange(300)
    groups = [kind != 2, kind != 1]
    wins = [score[kind == one][:, None] > score[kind == 0] for one in (1, 2)]
    areas = [one.mean() for one in wins]
    of_normals = np.cov([one.mean(axis=0) for one in wins]) / (kind == 0).sum()
    of_kinds = [one.mean(axis=1).var(ddof=1) / len(one) for one in wins]
    variance = of_normals[0, 0] + of_normals[1, 1] - 2 * of_normals[0, 1] + sum(of_kinds)
    found = equal_areas(truth, score, groups, patient)
    assert found.statistic == pytest.approx((areas[0] - areas[1]) ** 2 / variance)
    assert found.freedom == 1


def test_what_cannot_be_tested_is_none():
    success, patient = np.arange(40) % 2 == 0, np.arange(40)
    whole, half = np.ones(40, dtype=bool), np.arange(40) < 20
    for groups in ([], [whole], [whole, patient == 3]):
        found = equal_proportions(success, groups, patient)
        assert (found.statistic, found.p_value) == (None, None)
    assert equal_proportions(success | half, [half, ~half], patient).statistic is None
    separated = equal_areas(success, success.astype(float), [half, ~half], patient)
    assert separated.statistic is None
    assert equal_areas(half, success.astype(float), [half, ~half], patient).statistic is None
    assert equal_proportions(success, [whole, whole], patient).statistic is None


def test_subgroups_too_small_to_vary_are_left_out():
    _, score, patient, kind = images()
    lone = patient == 0
    found = equal_proportions(score > 0, [*masks(kind), lone], patient)
    assert found.tested == (0, 1, 2)
    assert found.statistic == pytest.approx(equal_proportions(score > 0, masks(kind), patient).statistic)


def test_more_subgroups_than_patients_can_tell_apart_give_no_nan():
    rng = np.random.default_rng(1)
    patient, kind = np.repeat(np.arange(3), 40), np.tile(np.arange(5), 24)
    found = equal_proportions(rng.random(120) < 0.5, masks(kind), patient)
    assert 0 <= found.p_value <= 1
