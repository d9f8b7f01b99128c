import numpy as np
import pytest
from scipy.stats import norm
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from cxrkit.evaluation import paired


@pytest.mark.parametrize(("gained", "lost"), [(12, 3), (0, 0), (1, 0), (30, 30), (150, 90)])
def test_swapping_single_images_is_the_exact_mcnemar_test(gained, lost):
    differences = np.array([1] * gained + [-1] * lost + [0] * 20)
    expected = mcnemar([[20, gained], [lost, 0]], exact=True).pvalue
    assert paired.swap_test(differences) == pytest.approx(expected, abs=1e-12)


def test_swapping_patients_is_every_swap_tried():
    differences = np.array([3, -1, 2, 2, -2, 1, 0, 4])
    signs = np.array(np.meshgrid(*[[-1, 1]] * len(differences))).reshape(len(differences), -1)
    sums = differences @ signs
    assert paired.swap_test(differences) == pytest.approx(np.mean(np.abs(sums) >= abs(differences.sum())))


def test_holm_is_statsmodels():
    p_values = [0.04, 0.001, 0.03, 0.2, 0.001, 0.9]
    assert paired.holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1])
    assert paired.holm([]) == []


def test_a_paired_difference_is_bonett_and_prices_formula():
    n, gained, lost = 100, 15, 5
    model = np.repeat([True, False, True, False], [gained, lost, 60, 20])
    reference = np.repeat([False, True, True, False], [gained, lost, 60, 20])
    p12, p21 = (gained + 1) / (n + 2), (lost + 1) / (n + 2)
    half = norm.ppf(0.975) * np.sqrt((p12 + p21 - (p12 - p21) ** 2) / (n + 2))
    found = paired.paired_difference(model, reference, np.arange(n))
    assert found[:2] == pytest.approx((p12 - p21 - half, p12 - p21 + half))
    doubled = paired.paired_difference(*(np.repeat(one, 2) for one in (model, reference)), np.arange(2 * n) // 2)
    assert doubled.method.startswith("Bonett-Price, design effect 2.0")
    assert doubled[:2] == pytest.approx(found[:2], abs=1e-3)


def test_equal_decisions_still_have_an_interval():
    same = np.ones(30, dtype=bool)
    found = paired.paired_difference(same, same, np.arange(30) // 2)
    assert found.low < 0 < found.high
    assert found.method == "Bonett-Price, n = patients"


@pytest.mark.slow
@pytest.mark.parametrize("images", [1, 3])
def test_tests_and_intervals_of_decisions_keep_their_level(images):
    """McNemar's test on single images errs in 15 % at 3 images per patient with a correlation of .5."""
    rng = np.random.default_rng(0)
    patient = np.repeat(np.arange(150), images)
    rejected = covered = 0
    for _ in range(2000):
        shared = rng.normal(size=(150, 2))[patient]
        right = np.sqrt(0.5) * shared + np.sqrt(0.5) * rng.normal(size=(len(patient), 2)) < norm.ppf(0.85)
        gains = np.bincount(patient, weights=right[:, 0].astype(float) - right[:, 1]).astype(int)
        rejected += paired.swap_test(gains) < 0.05
        low, high, _ = paired.paired_difference(right[:, 0], right[:, 1], patient)
        covered += low <= 0 <= high
    assert rejected / 2000 <= 0.06
    assert 0.935 <= covered / 2000 <= 0.98
