import numpy as np
import pytest
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint, proportions_ztest

from cxrkit.evaluation.unpaired import effective_size, hybrid_difference, hybrid_interval, shares_test
from cxrkit.intervals import NONE, Interval, proportion


def share(successes, n):
    found = proportion(np.arange(n) < successes, np.arange(n))
    return found.value, found.interval


# Newcombe (1998), Statistics in Medicine 17:873-890, table II: contrasts (a) to (h) by method 10.
NEWCOMBE = [
    ((56, 70), (48, 80), (0.0524, 0.3339)),
    ((9, 10), (3, 10), (0.1705, 0.8090)),
    ((6, 7), (2, 7), (0.0582, 0.8062)),
    ((5, 56), (0, 29), (-0.0381, 0.1926)),
    ((0, 10), (0, 20), (-0.1611, 0.2775)),
    ((0, 10), (0, 10), (-0.2775, 0.2775)),
    ((10, 10), (0, 20), (0.6791, 1.0)),
    ((10, 10), (0, 10), (0.6075, 1.0)),
]


@pytest.mark.parametrize(("first", "second", "published"), NEWCOMBE)
def test_differences_of_shares_are_those_that_newcombe_published(first, second, published):
    assert hybrid_difference(*share(*first), *share(*second)) == pytest.approx(published, abs=5e-5)


@pytest.mark.parametrize(("first", "second"), [((56, 70), (48, 80)), ((3, 300), (11, 40))])
def test_differences_of_shares_are_those_of_statsmodels(first, second):
    expected = confint_proportions_2indep(*first, *second, method="newcomb", compare="diff")
    assert hybrid_difference(*share(*first), *share(*second)) == pytest.approx(expected)


def test_symmetric_intervals_give_the_sum_of_variances():
    found = hybrid_difference(5, Interval(5 - 3, 5 + 3, "a"), 1, Interval(1 - 4, 1 + 4, "b"))
    assert found == pytest.approx((4 - 5, 4 + 5))


def test_the_interval_names_what_it_is_made_of_and_needs_both():
    value, interval = share(9, 10)
    assert hybrid_interval(value, interval, value, interval).method == "Newcombe hybrid of Wilson"
    other = interval._replace(method="Wilson, design effect 1.20")
    assert hybrid_interval(value, interval, 0.5, other).method.endswith("Wilson and Wilson, design effect 1.20")
    assert hybrid_interval(value, interval, None, NONE) == NONE


def test_shares_are_tested_as_statsmodels_does():
    expected = proportions_ztest([56, 48], [70, 80])[1]
    assert shares_test(56 / 70, 70, 48 / 80, 80) == pytest.approx(expected)
    assert shares_test(1.0, 20, 1.0, 30) == 1


def test_images_of_one_patient_that_agree_count_once():
    success = np.arange(40) < 30
    single = effective_size(success, np.arange(40))
    thrice = effective_size(np.repeat(success, 3), np.repeat(np.arange(40), 3))
    assert single == 40
    assert thrice == pytest.approx(40, rel=0.03)
    assert effective_size(np.ones(12, dtype=bool), np.arange(12) // 3) == 4
    low, high = proportion_confint(30, 40, method="wilson")
    assert (share(30, 40)[1].low, share(30, 40)[1].high) == pytest.approx((low, high))
