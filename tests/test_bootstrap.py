import numpy as np
import pytest

from cxrkit import bootstrap as resampling
from cxrkit.bootstrap import bootstrap, percentiles, strata

PATIENTS = np.array([0, 0, 1, 2, 2, 2, 3])
TRUTH = np.array([False, False, True, True, False, True, False])


def test_strata_are_negative_positive_and_mixed_patients():
    np.testing.assert_array_equal(strata(TRUTH, PATIENTS), [0, 1, 2, 0])


def test_whole_patients_are_drawn_and_every_stratum_keeps_its_size():
    groups = strata(TRUTH, PATIENTS)
    seen = []

    def statistic(block):
        seen.append(block.of_patients)
        np.testing.assert_array_equal(block.of_images, block.of_patients[:, PATIENTS])
        return block.of_patients

    drawn = bootstrap(statistic, PATIENTS, groups, resamples=300, seed=0)
    assert drawn.shape == (300, 4)
    for group in range(3):
        assert set(drawn[:, groups == group].sum(axis=1)) == {(groups == group).sum()}
    assert set(np.unique(drawn[:, 0])) == {0, 1, 2}


def test_the_same_seed_gives_the_same_digits_and_another_one_others(monkeypatch):
    def draw(seed):
        return bootstrap(
            lambda block: block.of_images @ np.arange(7.0)[:, None], PATIENTS, groups, resamples=99, seed=seed
        )

    groups = strata(TRUTH, PATIENTS)
    np.testing.assert_array_equal(draw(1), draw(1))
    assert (draw(1) != draw(2)).any()
    monkeypatch.setattr(resampling, "BLOCK", 70)
    assert draw(1).shape == (99, 1)


def test_the_number_of_threads_changes_no_digit(monkeypatch):
    groups, values = np.zeros(4, dtype=int), np.random.default_rng(0).normal(size=7)
    monkeypatch.setattr(resampling, "BLOCK", 35)

    def draw(threads):
        monkeypatch.setattr(resampling.os, "cpu_count", lambda: threads)
        return bootstrap(lambda block: (block.of_images @ values)[:, None], PATIENTS, groups, resamples=97, seed=3)

    one = draw(1)
    assert len(np.unique(one)) > 20
    for threads in (None, 2, 5):
        np.testing.assert_array_equal(draw(threads), one)


def test_the_spread_of_a_mean_is_the_one_of_the_textbook():
    values = np.random.default_rng(0).normal(size=400)
    one_each = np.arange(400)

    def statistic(block):
        return (block.of_images @ values / 400)[:, None]

    drawn = bootstrap(statistic, one_each, np.zeros(400, dtype=int), resamples=4000, seed=0)
    low, high = (bound[0] for bound in percentiles(drawn, 0.95))
    error = values.std() / 20
    assert (low, high) == pytest.approx((values.mean() - 1.96 * error, values.mean() + 1.96 * error), abs=0.1 * error)


def test_a_figure_that_most_resamples_lack_has_no_bounds():
    drawn = np.array([[1.0, np.nan], [2.0, np.nan], [3.0, 1.0]])
    low, high = percentiles(drawn, 0.5)
    assert (low[0], high[0]) == (1.5, 2.5)
    assert np.isnan(low[1])
    assert np.isnan(high[1])
