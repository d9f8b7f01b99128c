"""The population stability index against a loop by hand, its limit against chi-square and against chance itself."""

from math import log

import numpy as np
import pytest
from scipy.stats import chi2

from cxrkit.monitoring.stability import bin_edges, counted, stability, stability_index

SLOW = pytest.mark.slow


def by_hand(reference, period, bins=10):
    cuts = sorted({float(np.quantile(reference, place / bins)) for place in range(1, bins)})

    def shares(values):
        held = [0.5] * (len(cuts) + 1)
        for value in values:
            held[sum(value >= cut for cut in cuts)] += 1
        return [one / sum(held) for one in held]

    return sum((q - p) * log(q / p) for p, q in zip(shares(reference), shares(period), strict=True))


@pytest.mark.parametrize("period", ["like", "shifted", "one value", "outside"])
def test_the_index_is_that_of_a_loop_by_hand(period):
    rng = np.random.default_rng(4)
    reference = np.round(rng.beta(2, 3, 500), 2)
    values = {
        "like": rng.beta(2, 3, 80),
        "shifted": rng.beta(4, 2, 80),
        "one value": np.full(30, 0.4),
        "outside": np.array([-5.0, 5.0, 6.0]),
    }[period]
    assert stability(reference, values).value == pytest.approx(by_hand(reference, values), rel=1e-12)


def test_tied_scores_share_a_bin_and_empty_bins_are_finite():
    reference = np.array([0.0] * 90 + [1.0] * 10)
    edges = bin_edges(reference)
    assert counted(reference, edges).sum() == 100
    assert np.isfinite(stability(reference, np.ones(5)).value)


def test_what_is_expected_and_the_limit_are_those_of_chi_square_in_large_samples():
    rng = np.random.default_rng(5)
    found = stability(rng.random(20_000), rng.random(10_000))
    scale = 1 / 20_000 + 1 / 10_000
    assert found.expected == pytest.approx(9 * scale, rel=0.03)
    assert found.limit == pytest.approx(scale * chi2.ppf(0.95, 9), rel=0.06)


@pytest.mark.parametrize(
    ("n", "calls"), [(15, 30), pytest.param(15, 400, marks=SLOW), pytest.param(60, 400, marks=SLOW)]
)
def test_chance_exceeds_the_customary_limit_in_small_periods_and_the_own_one_as_rarely_as_promised(n, calls):
    rng = np.random.default_rng(6)
    found = [stability(rng.beta(1, 2, 300), rng.beta(1, 2, n)) for _ in range(calls)]
    assert np.mean([one.value > one.limit for one in found]) < 0.05 + 3 * (0.05 * 0.95 / calls) ** 0.5
    assert np.mean([one.value for one in found]) == pytest.approx(found[0].expected, rel=0.25)
    if n == 15:
        assert np.mean([one.value > 0.25 for one in found]) > 0.5


def test_a_change_is_beyond_chance_and_the_same_call_gives_the_same_bits():
    rng = np.random.default_rng(7)
    reference, period = rng.random(400), rng.random(80) ** 3
    assert stability(reference, period) == stability(reference, period)
    assert stability(reference, period).p_value == 1e-4


def test_the_index_is_symmetric_and_0_for_equal_shares():
    first, second = np.array([10, 20, 30]), np.array([30, 20, 10])
    assert stability_index(first, second) == stability_index(second, first)
    assert stability_index(first, first) == 0
