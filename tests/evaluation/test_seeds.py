import numpy as np
import pytest
from sklearn.metrics import average_precision_score, balanced_accuracy_score, recall_score, roc_auc_score

from cxrkit.evaluation.seeds import spread


def test_mean_deviation_and_range_are_those_of_the_seeds_figures_each_at_its_own_threshold(simulate):
    members = {seed: simulate(seed) for seed in (0, 1, 7)}
    thresholds = {0: 0.5, 1: 0.4, 7: 0.6}
    expected = {
        "roc_auc": [roc_auc_score(one.truth, one.score) for one in members.values()],
        "average_precision": [average_precision_score(one.truth, one.score) for one in members.values()],
        "sensitivity": [recall_score(one.truth, one.score >= thresholds[seed]) for seed, one in members.items()],
        "specificity": [recall_score(~one.truth, one.score < thresholds[seed]) for seed, one in members.items()],
        "balanced_accuracy": [
            balanced_accuracy_score(one.truth, one.score >= thresholds[seed]) for seed, one in members.items()
        ],
    }
    found = {one.metric: one for one in spread(members, thresholds, set_name="test")}
    for metric, values in expected.items():
        assert list(found[metric].values) == ["0", "1", "7"]
        assert list(found[metric].values.values()) == pytest.approx(values)
        assert found[metric].mean == pytest.approx(np.mean(values))
        assert found[metric].sd == pytest.approx(np.std(values, ddof=1))
        assert (found[metric].low, found[metric].high) == pytest.approx((min(values), max(values)))


def test_what_no_seed_can_tell_is_empty_and_one_seed_has_no_deviation(make):
    found = {one.metric: one for one in spread({3: make([1, 1], [0.2, 0.9])}, {3: 0.5}, set_name="test")}
    assert found["roc_auc"].mean is found["specificity"].low is None
    assert (found["sensitivity"].mean, found["sensitivity"].sd) == (0.5, None)


def test_an_image_without_a_result_is_wrong(make):
    (found,) = (
        one
        for one in spread({0: make([1, 1], [0.9, 0.9], status=["ok", "gone"])}, {0: 0.5}, set_name="test")
        if one.metric == "sensitivity"
    )
    assert found.mean == 0.5
