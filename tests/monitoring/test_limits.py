"""Control limits against scipy's quantiles and against what they promise."""

from itertools import pairwise
from math import sqrt

import numpy as np
import pytest
from scipy.stats import betabinom, norm

from cxrkit.monitoring.limits import dispersion, effect_of, images_per_patient, limits, tail, within_patients


@pytest.mark.parametrize(
    ("share", "images", "n"), [(0.3, 400, 60), (0.0, 200, 50), (1.0, 200, 50), (0.02, 900, 400), (0.5, 30, 1)]
)
def test_limits_are_the_quantiles_of_the_predictive_distribution(share, images, n):
    chances = norm.sf([3, -3])
    expected = betabinom(n, share * images + 0.5, images - share * images + 0.5).ppf(chances) / n
    assert limits(share, images, n, 3)[:2] == pytest.approx(tuple(expected))


def test_limits_are_nearly_those_of_shewharts_chart_where_everything_is_large():
    found, half = limits(0.3, 1e7, 5000, 3), 3 * sqrt(0.3 * 0.7 / 5000)
    assert found[:2] == pytest.approx((0.3 - half, 0.3 + half), abs=0.001)


@pytest.mark.parametrize(("share", "n"), [(0.05, 40), (0.3, 100), (0.9, 25)])
def test_shares_leave_the_limits_as_rarely_as_three_sigma_promise(share, n):
    rng = np.random.default_rng(1)
    outside = 0
    for _ in range(400):
        found = limits(rng.binomial(300, share) / 300, 300, n, 3)
        outside += not found.lower <= rng.binomial(n, share) / n <= found.upper
    assert outside / 400 < 2 * tail(3) + 3 * sqrt(2 * tail(3) / 400)


def test_a_fraction_of_images_counts_as_the_whole_number_below_and_at_least_one():
    assert limits(0.3, 100, 10.9, 3) == limits(0.3, 100, 10, 3)
    assert limits(0.3, 100, 0.2, 3).images == 1


def test_correlation_within_patients_is_found_again_from_identical_and_from_independent_images():
    rng = np.random.default_rng(2)
    patients = np.repeat(np.arange(2000), 3)
    alike, apart = np.repeat(rng.random(2000) < 0.3, 3), rng.random(6000) < 0.3
    assert within_patients(alike, patients) == pytest.approx(1, abs=0.05)
    assert within_patients(apart, patients) == pytest.approx(0, abs=0.05)
    assert effect_of(patients, 0.5) == pytest.approx(2)
    assert images_per_patient(np.array([0, 0, 0, 1])) == pytest.approx(10 / 4)


@pytest.mark.parametrize("patients", [np.arange(10), np.repeat(np.arange(5), 2)])
def test_where_nothing_tells_of_dependence_it_is_taken_to_be_complete(patients):
    assert within_patients(np.ones(10, dtype=bool), patients) == 1


def test_dispersion_is_1_by_chance_and_found_where_periods_differ():
    rng = np.random.default_rng(3)
    n = np.full(400, 100.0)
    even = rng.binomial(100, 0.3, 400) / 100
    uneven = rng.binomial(100, np.clip(rng.normal(0.3, 0.1, 400), 0, 1)) / 100
    sigma = np.mean([abs(a - b) for a, b in pairwise(uneven)]) / 1.128
    assert dispersion(even, n) == pytest.approx(1, abs=0.25)
    assert dispersion(uneven, n) == pytest.approx(sigma**2 / (uneven.mean() * (1 - uneven.mean()) / 100))
    assert dispersion(uneven[:7], n[:7]) == 1
    assert dispersion(np.zeros(20), n[:20]) == 1
