from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.special import logit
from scipy.stats import norm, ttest_ind
from sklearn import metrics as sklearn
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import confint_proportions_2indep, proportions_ztest

from cxrkit.errors import InputError
from cxrkit.evaluation import changes, predictions

DRAWN = {"resamples": 2000, "seed": 0}
FIGURES = {
    "roc_auc": lambda one: sklearn.roc_auc_score(one.truth, one.score),
    "sensitivity": lambda one: sklearn.recall_score(one.truth, one.score >= 0.5),
    "specificity": lambda one: sklearn.recall_score(~one.truth, one.score < 0.5),
    "brier": lambda one: sklearn.brier_score_loss(one.truth, one.score),
}


def one_each(found):
    return replace(found, patients=found.images)


def of_conditions(test, **conditions):
    return changes.of_conditions(test, conditions, 0.5, 0.95, **DRAWN)


def between(test, external):
    return {record.metric: record for record in changes.between_sets(test, external, 0.5, 0.95, **DRAWN)}


# ── The same images ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_condition_is_set_against_its_own_images(simulate):
    test, whole = simulate(0), simulate(1, effect=0.3)
    some = predictions.taken(whole, np.arange(199, 19, -1))
    found = of_conditions(test, blur=whole, noise=some)
    assert [(one.condition, one.metric) for one in found] == [(c, m) for c in ("blur", "noise") for m in FIGURES]
    rows = {"blur": np.arange(240), "noise": np.arange(20, 200)}
    for record in found:
        before, after = (predictions.taken(one, rows[record.condition]) for one in (test, whole))
        figure = FIGURES[record.metric]
        assert (record.before, record.after) == pytest.approx((figure(before), figure(after)))
        assert record.difference == pytest.approx(figure(after) - figure(before))
        assert record.low < record.difference < record.high
        assert (record.set, record.from_set, record.paired, record.level) == ("test", "test", True, 0.95)


def test_a_condition_is_tested_in_pairs(simulate):
    test, after = one_each(simulate(0)), one_each(simulate(1, effect=0.3))
    found = {one.metric: one for one in of_conditions(test, blur=after)}
    right = [((one.score >= 0.5) == one.truth)[test.truth] for one in (test, after)]
    table = [[0, (right[0] & ~right[1]).sum()], [(right[1] & ~right[0]).sum(), 0]]
    assert found["sensitivity"].p_value == pytest.approx(mcnemar(table, exact=True).pvalue)
    assert [found[metric].test for metric in FIGURES] == [
        "DeLong",
        "exact McNemar",
        "exact McNemar",
        "bootstrap by patient",
    ]
    clustered = {one.metric: one.test for one in of_conditions(simulate(0), blur=simulate(1))}
    assert (clustered["roc_auc"], clustered["sensitivity"]) == ("Obuchowski", "permutation by patient")


def test_a_condition_that_changes_nothing_is_no_change(simulate):
    for record in of_conditions(simulate(), same=simulate()):
        assert record.difference == 0
        assert record.p_value in (1, None)


def test_a_condition_with_images_of_its_own_is_refused(simulate):
    few = predictions.taken(simulate(), np.arange(200))
    with pytest.raises(InputError, match=r'condition "blur": 40 images are not in test, e.g. "test/00200.png"'):
        of_conditions(few, blur=simulate())


@pytest.mark.parametrize(
    ("scale", "expected"),
    [("score", ["roc_auc", "sensitivity", "specificity"]), ("decision", ["sensitivity", "specificity"])],
)
def test_changes_are_those_that_the_scale_supports(simulate, scale, expected):
    test, other = (replace(one, scale=scale) for one in (simulate(0), simulate(1)))
    assert [one.metric for one in of_conditions(test, blur=other)] == expected
    assert list(between(test, replace(other, set="external"))) == expected


# ── Other patients ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_external_set_is_set_against_test_without_pairs(simulate):
    test, external = simulate(0), predictions.taken(simulate(1, set_name="hospital_b"), np.arange(180))
    found = between(test, external)
    assert list(found) == [*FIGURES, "calibration_intercept", "calibration_slope"]
    for record in found.values():
        assert (record.set, record.from_set, record.condition, record.paired) == ("hospital_b", "test", None, False)
        assert record.low < record.difference < record.high
        assert 0 < record.p_value <= 1
        assert record.test
        assert record.method
    for metric, figure in FIGURES.items():
        assert (found[metric].before, found[metric].after) == pytest.approx((figure(test), figure(external)))
    assert (found["roc_auc"].n, found["sensitivity"].n) == (180, external.truth.sum())


def test_shares_of_two_sets_are_compared_as_statsmodels_does(simulate):
    test, external = one_each(simulate(0)), one_each(simulate(1, n=150, set_name="hospital_b", effect=0.5))
    record = between(test, external)["sensitivity"]
    counts = [int((one.score[one.truth] >= 0.5).sum()) for one in (external, test)]
    sizes = [int(one.truth.sum()) for one in (external, test)]
    expected = confint_proportions_2indep(counts[0], sizes[0], counts[1], sizes[1], method="newcomb")
    assert (record.low, record.high) == pytest.approx(expected)
    assert record.p_value == pytest.approx(proportions_ztest(counts, sizes)[1])
    assert (record.method, record.test) == ("Newcombe hybrid of Wilson", "score test of two shares")


def test_images_of_one_patient_weaken_the_comparison_of_shares(simulate):
    test, external = (one_each(one) for one in (simulate(0), simulate(1, set_name="hospital_b", effect=0.5)))
    threefold = [predictions.taken(one, np.repeat(np.arange(240), 3)) for one in (test, external)]
    single, clustered = between(test, external), between(*threefold)
    for metric in ("sensitivity", "specificity"):
        assert clustered[metric].p_value == pytest.approx(single[metric].p_value, rel=0.1)
        assert clustered[metric].low == pytest.approx(single[metric].low, abs=0.01)
        assert clustered[metric].test == "score test of two shares, n corrected by the design effect"


def placements(found):
    """Each positive's share of negatives below it, each negative's share of positives above it."""
    positive, negative = found.score[found.truth], found.score[~found.truth]
    wins = positive[:, None] > negative
    return wins.mean(axis=1), wins.mean(axis=0)


def test_areas_of_two_sets_differ_with_the_sum_of_delongs_variances(simulate):
    test, external = (one_each(one) for one in (simulate(0), simulate(1, n=180, set_name="hospital_b", effect=0.6)))
    record = between(test, external)["roc_auc"]
    variance = sum(part.var(ddof=1) / len(part) for one in (test, external) for part in placements(one))
    ratio = record.difference / np.sqrt(variance)
    assert (record.high - record.low) / 2 == pytest.approx(norm.ppf(0.975) * np.sqrt(variance), rel=0.03)
    assert record.p_value == pytest.approx(2 * norm.sf(abs(ratio)), abs=0.01)
    assert record.method == record.test == "DeLong, variances summed"
    assert between(simulate(0), external)["roc_auc"].test == "Obuchowski, variances summed"


def test_brier_scores_of_two_sets_differ_as_means_do(simulate):
    test, external = (one_each(one) for one in (simulate(0), simulate(1, set_name="hospital_b", effect=0.6)))
    record = between(test, external)["brier"]
    losses = [(one.score - one.truth) ** 2 for one in (external, test)]
    expected = ttest_ind(*losses, equal_var=False)
    low, high = expected.confidence_interval(0.95)
    assert (record.low, record.high) == pytest.approx((low, high), abs=0.005)
    assert record.p_value == pytest.approx(expected.pvalue, abs=0.02)


def test_calibration_of_two_sets_differs_as_statsmodels_coefficients_do(simulate):
    test, external = (one_each(one) for one in (simulate(0), simulate(1, set_name="hospital_b", effect=0.6)))
    record = between(test, external)["calibration_slope"]
    fits = [sm.Logit(one.truth, sm.add_constant(logit(one.score))).fit(disp=0) for one in (external, test)]
    difference, error = fits[0].params[1] - fits[1].params[1], np.hypot(fits[0].bse[1], fits[1].bse[1])
    assert record.difference == pytest.approx(difference, rel=1e-5)
    assert (record.low, record.high) == pytest.approx(
        (difference - norm.ppf(0.975) * error, difference + norm.ppf(0.975) * error), rel=1e-4
    )
    assert record.p_value == pytest.approx(2 * norm.sf(abs(difference) / error), rel=1e-3)


def test_a_set_that_is_separated_has_an_interval_of_its_area_and_no_test(make, simulate):
    perfect = make([0] * 20 + [1] * 20, np.linspace(0.1, 0.9, 40), set_name="hospital_b")
    found = between(simulate(), perfect)
    assert 0 < found["roc_auc"].low < found["roc_auc"].difference < found["roc_auc"].high
    assert (found["roc_auc"].p_value, found["roc_auc"].test) == (None, None)
    assert (found["calibration_slope"].after, found["calibration_slope"].difference) == (None, None)
    assert found["sensitivity"].high < 1


def test_a_set_without_a_class_or_without_results_has_no_figure_rather_than_nan(make, simulate):
    negative = between(simulate(), make([0, 0, 0], [0.2, 0.4, 0.6], set_name="hospital_b"))
    for metric in ("roc_auc", "sensitivity", "calibration_intercept", "calibration_slope"):
        assert (negative[metric].after, negative[metric].difference, negative[metric].low) == (None, None, None)
    assert negative["specificity"].after == pytest.approx(2 / 3)
    failed = between(simulate(), make([0, 1], [0.2, 0.6], set_name="hospital_b", status=["failed", "failed"]))
    assert failed["brier"].after is None
    assert (failed["sensitivity"].after, failed["specificity"].after) == (0, 0)
