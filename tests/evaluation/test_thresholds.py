import numpy as np
import pytest

from cxrkit.config.schema import ThresholdTable
from cxrkit.errors import InputError
from cxrkit.evaluation import thresholds


def tables():
    return [
        ThresholdTable(),
        ThresholdTable(rule="sensitivity", target=0.9),
        ThresholdTable(rule="specificity", target=0.8),
        ThresholdTable(rule="cost", false_negative=5.0, false_positive=1.0),
    ]


def rates(found, value):
    called = found.score >= value
    return called[found.truth].mean(), (~called[~found.truth]).mean()


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_each_rule_finds_what_trying_every_threshold_finds(simulate, make, seed, ties):
    found = simulate(seed, set_name="val")
    if ties:
        found = make(found.truth, np.round(found.score, 1), set_name="val")
    grid = np.append(np.linspace(0, 1, 5001), np.unique(found.score) + 1e-9)
    tried = np.array([rates(found, value) for value in grid])
    positives, negatives = found.truth.sum(), (~found.truth).sum()
    chosen = [rates(found, thresholds.choose(found, table).value) for table in tables()]
    youden, sensitivity, specificity, cost = chosen
    assert sum(youden) == pytest.approx(tried.sum(axis=1).max())
    assert sensitivity[1] == pytest.approx(tried[tried[:, 0] >= 0.9 - 1e-12, 1].max())
    assert specificity[0] == pytest.approx(tried[tried[:, 1] >= 0.8 - 1e-12, 0].max())
    costs = 5 * positives * (1 - tried[:, 0]) + negatives * (1 - tried[:, 1])
    assert 5 * positives * (1 - cost[0]) + negatives * (1 - cost[1]) == pytest.approx(costs.min())


def test_the_threshold_lies_midway_between_neighbouring_scores(make):
    found = make([0, 0, 1, 1], [0.1, 0.3, 0.7, 0.9], set_name="val")
    chosen = thresholds.choose(found, ThresholdTable())
    assert (chosen.value, chosen.rule, chosen.set, chosen.n, chosen.note) == (0.5, "youden", "val", 4, None)


def test_ties_go_to_the_lowest_threshold(make):
    found = make([1, 0, 1, 0], [0.9, 0.7, 0.5, 0.3], set_name="val")
    assert thresholds.choose(found, ThresholdTable()).value == pytest.approx(0.4)


def test_neighbouring_floats_are_kept_apart(make):
    low = 0.5
    found = make([0, 1], [low, np.nextafter(low, 1)], set_name="val")
    assert rates(found, thresholds.choose(found, ThresholdTable()).value) == (1, 1)


def test_a_fixed_threshold_needs_no_validation(fixed):
    chosen = thresholds.choose(None, fixed)
    assert (chosen.value, chosen.set, chosen.n) == (0.5, None, None)
    with pytest.raises(InputError, match='rule "youden" needs predictions on validation and there are none'):
        thresholds.choose(None, ThresholdTable())


def test_images_without_result_have_no_part_in_it(make):
    status = ["ok", "ok", "ok", "ok", "failed"]
    found = make([0, 0, 1, 1, 1], [0.1, 0.3, 0.7, 0.9, 0.0], set_name="val", status=status)
    assert thresholds.choose(found, ThresholdTable()).n == 4


def test_a_rule_whose_class_is_missing_is_refused(make):
    only_negative = make([0, 0], [0.1, 0.2], set_name="val")
    with pytest.raises(InputError, match='rule "youden" needs positive validation images'):
        thresholds.choose(only_negative, ThresholdTable())
    assert thresholds.choose(only_negative, ThresholdTable(rule="specificity", target=0.5)).value < 0.2
    with pytest.raises(InputError, match="needs negative validation images"):
        thresholds.choose(make([1, 1], [0.1, 0.2], set_name="val"), ThresholdTable(rule="specificity", target=0.5))
    with pytest.raises(InputError, match="positive and negative"):
        thresholds.choose(make([1], [0.1], set_name="val", status=["failed"]), ThresholdTable())


def test_a_target_beyond_what_validation_can_tell_is_noted(simulate):
    found = simulate(set_name="val", n=600)
    within = thresholds.choose(found, ThresholdTable(rule="specificity", target=0.98))
    beyond = thresholds.choose(found, ThresholdTable(rule="specificity", target=0.995))
    assert within.note is None
    negatives = int((~found.truth).sum())
    assert beyond.note == f"A specificity of 0.995 is not estimable from {negatives} validation negatives."


def test_a_specificity_that_no_threshold_reaches_is_noted(make):
    found = make([0] * 10 + [1] * 10, [0.2] * 5 + [1.0] * 5 + [1.0] * 10, set_name="val")
    chosen = thresholds.choose(found, ThresholdTable(rule="specificity", target=0.6))
    assert "No threshold reaches a specificity of 0.6 on validation, this one has 0.5" in chosen.note
    assert rates(found, chosen.value) == (1, 0.5)
