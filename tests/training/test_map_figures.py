import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from cxrkit.intervals import wilson
from cxrkit.training import map_figures
from cxrkit.training.map_figures import CORRELATION, SHARE, energy_inside, mean, peaks_inside, rank_correlations


def maps(n=5, side=9, seed=0):
    """Maps with many ties at 0, as they are after a ReLU."""
    return np.random.default_rng(seed).normal(0, 1, (n, side, side)).clip(0).astype(np.float32)


def test_rank_correlations_are_those_of_scipy():
    first, second = maps(seed=1), maps(seed=2) + maps(seed=1)

    expected = [stats.spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(first, second, strict=True)]

    assert rank_correlations(first, second) == pytest.approx(expected)


def test_a_map_without_ranks_has_no_correlation():
    first = maps(2)
    first[0] = 0

    assert np.isnan(rank_correlations(first, maps(2))).tolist() == [True, False]


def masked(n, rows, columns):
    masks = np.zeros((n, 4, 4), dtype=bool)
    masks[:, rows, columns] = True
    return masks


def test_a_peak_in_the_mask_is_a_hit_and_an_empty_map_a_miss():
    found = np.zeros((4, 4, 4), dtype=np.float32)
    found[0, 1, 1] = found[1, 3, 3] = 1
    found[2, 1, 1] = found[2, 0, 0] = found[2, 0, 1] = 1  # one of three equal peaks

    assert peaks_inside(found, masked(4, slice(1, 3), slice(1, 3))).tolist() == [True, False, False, False]


def test_half_of_a_plateau_in_the_mask_is_a_hit():
    found = np.zeros((1, 4, 4), dtype=np.float32)
    found[0, 1, :] = 1

    assert peaks_inside(found, masked(1, slice(0, 4), slice(0, 2))).tolist() == [True]


def test_energy_is_the_share_of_the_sum():
    found = np.zeros((2, 4, 4), dtype=np.float32)
    found[0, 0, 0], found[0, 3, 3] = 0.75, 0.25

    assert energy_inside(found, masked(2, 0, 0)).tolist() == [0.75, 0]


def test_a_mean_of_independent_images_has_students_interval():
    values, own = np.random.default_rng(0).uniform(0, 0.6, 20), np.arange(20)

    found = mean(values, own, own, SHARE)

    expected = stats.t.interval(0.95, 19, values.mean(), values.std(ddof=1) / np.sqrt(20))
    assert (found.value, found.low, found.high) == pytest.approx((values.mean(), *expected))
    assert (found.n, found.n_patients, found.method) == (20, 20, "Student's t between 20 patients")


def test_a_mean_of_clustered_images_has_the_clustered_variance():
    """Against statsmodels' cluster-robust regression on a constant; its factor (n - 1) / (n - k) is 1 here."""
    rng = np.random.default_rng(0)
    patients = np.repeat(np.arange(12), [1, 2, 3, 4] * 3)
    values = (rng.normal(0, 0.2, 12)[patients] + rng.normal(0, 0.1, 30)).clip(-1, 1)

    found = mean(values, patients, patients, CORRELATION)

    fit = sm.OLS(values, np.ones(30)).fit(cov_type="cluster", cov_kwds={"groups": patients}, use_t=True)
    assert (found.low, found.high) == pytest.approx(tuple(fit.conf_int()[0]))
    assert (found.n, found.n_patients) == (30, 12)


def test_bounds_stay_where_the_figure_can_be():
    values = np.array([1, 1, 1, 0.2])

    assert mean(values, np.arange(4), np.arange(4), CORRELATION).high == 1


@pytest.mark.parametrize("clusters", [1, 10])
def test_values_that_agree_have_wilsons_interval_of_the_clusters(clusters):
    values, of = np.ones(20), np.arange(20) % clusters

    found = mean(values, np.arange(20), of, CORRELATION, "draws of parameters")

    assert found.low == pytest.approx(2 * wilson(clusters, clusters)[0] - 1)
    assert found.high == 1
    assert found.method == "Wilson, n = draws of parameters"


def test_no_values_give_no_mean():
    found = mean(np.array([]), np.array([], dtype=int), np.array([], dtype=int), CORRELATION)

    assert (found.value, found.low, found.high, found.n) == (None, None, None, 0)


def test_a_share_has_wilsons_interval():
    found = map_figures.share(np.array([True] * 7 + [False] * 3), np.arange(10))

    assert (found.value, found.low, found.high) == pytest.approx((0.7, *wilson(7, 10)))
