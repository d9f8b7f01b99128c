import numpy as np
import pytest
from scipy.stats import binom, norm, t
from statsmodels.stats.contingency_tables import mcnemar

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


@pytest.mark.parametrize("seed", range(5))
def test_big_patients_and_ties_are_every_swap_tried(seed):
    rng = np.random.default_rng(seed)
    differences = rng.integers(-40, 41, 14)
    signs = np.array(np.meshgrid(*[[-1, 1]] * len(differences))).reshape(len(differences), -1)
    tried = np.mean(np.abs(differences @ signs) >= abs(differences.sum()))
    assert paired.swap_test(differences) == pytest.approx(tried, abs=1e-12)


def test_a_million_images_are_swapped_exactly():
    """McNemar's exact test of 100,700 images against 100,000, and patients of several images near the normal limit."""
    differences = np.array([1] * 100_700 + [-1] * 100_000 + [0] * 800_000)
    assert paired.swap_test(differences) == pytest.approx(2 * binom.cdf(100_000, 200_700, 0.5), rel=1e-6)
    big = np.random.default_rng(0).integers(-30, 32, 100_000)
    assert paired.swap_test(big) == pytest.approx(2 * norm.sf(big.sum() / np.sqrt(np.sum(big**2))), rel=0.01)


def test_a_p_value_is_never_0():
    assert paired.swap_test(np.ones(5, dtype=int)) == pytest.approx(2 / 2**5)
    assert 0 < paired.swap_test(np.ones(100_000, dtype=int)) < 1e-12
    assert paired.swap_test(np.zeros(3, dtype=int)) == 1


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
    # An estimated effect costs Student's quantile in place of the normal one (Korn & Graubard 1998).
    middle, half = np.mean(found[:2]), half * t.ppf(0.975, n - 1) / norm.ppf(0.975)
    assert doubled[:2] == pytest.approx((middle - half, middle + half), abs=1.5e-3)


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
