from dataclasses import replace

import numpy as np
import pytest

from cxrkit.bootstrap import bootstrap, strata
from cxrkit.config.schema import ReferTable, ThresholdTable
from cxrkit.errors import InputError
from cxrkit.evaluation import predictions, thresholds
from cxrkit.intervals import patient_index

DRAWN = {"level": 0.9, "resamples": 60, "seed": 5}


def choose(found, table):
    return thresholds.choose(found, table, **DRAWN)


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


def scored(found, score):
    """The same images with a score of any range."""
    return replace(found, scale="score", probabilities=np.stack([-score, score], axis=1))


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_each_rule_finds_what_trying_every_threshold_finds(simulate, make, seed, ties):
    found = simulate(seed, set_name="val")
    if ties:
        found = make(found.truth, np.round(found.score, 1), set_name="val")
    grid = np.append(np.linspace(0, 1, 5001), np.unique(found.score) + 1e-9)
    tried = np.array([rates(found, value) for value in grid])
    positives, negatives = found.truth.sum(), (~found.truth).sum()
    chosen = [rates(found, choose(found, table).value) for table in tables()]
    youden, sensitivity, specificity, cost = chosen
    assert sum(youden) == pytest.approx(tried.sum(axis=1).max())
    assert sensitivity[1] == pytest.approx(tried[tried[:, 0] >= 0.9 - 1e-12, 1].max())
    assert specificity[0] == pytest.approx(tried[tried[:, 1] >= 0.8 - 1e-12, 0].max())
    costs = 5 * positives * (1 - tried[:, 0]) + negatives * (1 - tried[:, 1])
    assert 5 * positives * (1 - cost[0]) + negatives * (1 - cost[1]) == pytest.approx(costs.min())


def test_the_threshold_lies_midway_between_neighbouring_scores(make):
    found = make([0, 0, 1, 1], [0.1, 0.3, 0.7, 0.9], set_name="val")
    chosen = choose(found, ThresholdTable())
    assert (chosen.value, chosen.rule, chosen.set, chosen.n, chosen.note) == (0.5, "youden", "val", 4, None)


def test_ties_go_to_the_lowest_threshold(make):
    found = make([1, 0, 1, 0], [0.9, 0.7, 0.5, 0.3], set_name="val")
    assert choose(found, ThresholdTable()).value == pytest.approx(0.4)


def test_neighbouring_floats_are_kept_apart(make):
    low = 0.5
    found = make([0, 1], [low, np.nextafter(low, 1)], set_name="val")
    assert rates(found, choose(found, ThresholdTable()).value) == (1, 1)


def test_a_fixed_threshold_needs_no_validation(fixed):
    chosen = choose(None, fixed)
    assert (chosen.value, chosen.set, chosen.n, chosen.low, chosen.method) == (0.5, None, None, None, None)
    with pytest.raises(InputError, match='rule "youden" needs predictions on validation and there are none'):
        choose(None, ThresholdTable())


def test_choosing_on_test_is_refused(simulate):
    refusal = 'task "a": was to be chosen on "test", only "val" is allowed'
    with pytest.raises(InputError, match=refusal):
        choose(simulate(), ThresholdTable())
    with pytest.raises(InputError, match=refusal):
        thresholds.operating_points(simulate(), **DRAWN)
    with pytest.raises(InputError, match=refusal):
        thresholds.zone(simulate(), ReferTable(sensitivity=0.9, specificity=0.9), **DRAWN)


def test_images_without_result_have_no_part_in_it(make):
    status = ["ok", "ok", "ok", "ok", "failed"]
    found = make([0, 0, 1, 1, 1], [0.1, 0.3, 0.7, 0.9, 0.0], set_name="val", status=status)
    assert choose(found, ThresholdTable()).n == 4


def test_a_rule_whose_class_is_missing_is_refused(make):
    only_negative = make([0, 0], [0.1, 0.2], set_name="val")
    with pytest.raises(InputError, match='rule "youden" needs positive validation images'):
        choose(only_negative, ThresholdTable())
    assert choose(only_negative, ThresholdTable(rule="specificity", target=0.5)).value < 0.2
    with pytest.raises(InputError, match="needs negative validation images"):
        choose(make([1, 1], [0.1, 0.2], set_name="val"), ThresholdTable(rule="specificity", target=0.5))
    with pytest.raises(InputError, match="positive and negative"):
        choose(make([1], [0.1], set_name="val", status=["failed"]), ThresholdTable())


def test_a_target_that_allows_fewer_than_three_failures_is_not_estimable(make):
    """1 / (1 - target) may be a third of the cases and no more: .90 needs 30 of them."""
    enough = make([0] * 30 + [1] * 30, np.linspace(0.1, 0.9, 60), set_name="val")
    fewer = predictions.taken(enough, np.arange(1, 59))
    for rule, kind in (("sensitivity", "positives"), ("specificity", "negatives")):
        table = ThresholdTable(rule=rule, target=0.9)
        assert choose(enough, table).note is None
        assert choose(fewer, table).note == f"A {rule} of 0.9 is not estimable from 29 validation {kind}."


def test_a_specificity_that_no_threshold_reaches_is_noted(make):
    found = make([0] * 10 + [1] * 10, [0.2] * 5 + [1.0] * 5 + [1.0] * 10, set_name="val")
    chosen = choose(found, ThresholdTable(rule="specificity", target=0.6))
    assert "No threshold reaches a specificity of 0.6 on validation, this one has 0.5" in chosen.note
    assert rates(found, chosen.value) == (1, 0.5)


# ── The threshold's own interval ──────────────────────────────────────────────────────────────────────────────────────


def resampled(found):
    """Write out each bootstrap sample as predictions, its images repeated as often as they were drawn."""
    patients = patient_index(found.patients)
    drawn = bootstrap(
        lambda block: block.of_images,
        patients,
        strata(found.truth, patients),
        resamples=DRAWN["resamples"],
        seed=DRAWN["seed"],
    )
    return [predictions.taken(found, np.repeat(np.arange(len(patients)), weights.astype(int))) for weights in drawn]


@pytest.mark.parametrize("scale", ["distinct", "tied", "certain", "score"])
@pytest.mark.parametrize("table", tables(), ids=lambda table: table.rule)
def test_the_interval_holds_what_the_rule_chooses_on_resamples_of_patients(simulate, scale, table):
    found = simulate(3, n=120, set_name="val")
    score = np.round(found.score, 1) if scale in ("tied", "certain") else found.score
    score = np.where(score > 0.75, 1.0, score) if scale == "certain" else score
    found = replace(found, probabilities=np.stack([1 - score, score], axis=1))
    found = scored(found, 40 * found.score - 20) if scale == "score" else found
    chosen = choose(found, table)
    values = [choose(one, table).value for one in resampled(found)]
    assert (chosen.low, chosen.high) == pytest.approx(tuple(np.quantile(values, [0.05, 0.95])), abs=1e-12)
    assert (chosen.level, chosen.method) == (0.9, "bootstrap by patient")


def test_more_images_of_the_same_patients_tell_no_more_of_the_threshold(simulate):
    found = simulate(n=100, set_name="val")
    one_each = replace(found, patients=found.images)
    threefold = predictions.taken(one_each, np.repeat(np.arange(100), 3))
    first, other = (choose(one, ThresholdTable()) for one in (one_each, threefold))
    assert (first.value, first.low, first.high) == (other.value, other.low, other.high)


def test_there_is_no_interval_where_every_resample_chooses_the_same(make):
    chosen = choose(make([0, 1], [0.2, 0.8], set_name="val"), ThresholdTable())
    assert (chosen.low, chosen.high, chosen.level, chosen.method) == (None, None, None, None)


# ── Other scales ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_thresholds_of_a_score_are_in_its_own_range(make):
    score = np.array([-30.0, -10.0, 20.0, 50.0])
    found = scored(make([0, 0, 1, 1], score, set_name="val"), score)
    assert choose(found, ThresholdTable()).value == 5
    assert choose(found, ThresholdTable(rule="sensitivity", target=0.99)).value == 5
    upside_down = scored(make([1, 1, 0, 0], score, set_name="val"), score)
    everything = choose(upside_down, ThresholdTable(rule="sensitivity", target=0.99))
    nothing = choose(upside_down, ThresholdTable(rule="specificity", target=0.99))
    assert (everything.value, nothing.value) == (-30, np.nextafter(50, 51))


def test_bare_decisions_have_no_threshold_to_choose(make, fixed):
    decided = replace(make([0, 1], [0.0, 1.0], set_name="val"), scale="decision")
    for table in (ThresholdTable(), fixed.model_copy(update={"value": 0.35})):
        chosen = choose(decided, table)
        assert (chosen.value, chosen.rule) == (0.5, "fixed")
        assert "no threshold to choose" in chosen.note
    assert thresholds.operating_points(decided, **DRAWN) == []
    with pytest.raises(InputError, match=r"threshold.refer: the model gives decisions alone, a zone needs a score"):
        thresholds.zone(decided, ReferTable(sensitivity=0.9, specificity=0.9), **DRAWN)


# ── Several thresholds ────────────────────────────────────────────────────────────────────────────────────────────────


def test_operating_points_are_what_their_rules_choose_one_by_one(simulate):
    found = simulate(set_name="val")
    points = thresholds.operating_points(found, **DRAWN)
    assert [(point.rule, point.target) for point in points] == [
        (rule, target) for rule in ("sensitivity", "specificity") for target in (0.9, 0.95, 0.99)
    ]
    assert points == [choose(found, ThresholdTable(rule=point.rule, target=point.target)) for point in points]
    assert [point.note is None for point in points] == [True, True, False] * 2


def test_there_are_no_operating_points_of_a_class_without_images(make):
    points = thresholds.operating_points(make([1, 1], [0.3, 0.6], set_name="val"), **DRAWN)
    assert {point.rule for point in points} == {"sensitivity"}
    assert thresholds.operating_points(make([1], [0.3], set_name="val", status=["failed"]), **DRAWN) == []


def test_a_zone_lies_between_the_thresholds_for_sensitivity_and_specificity(simulate):
    found = simulate(set_name="val")
    lower, upper = thresholds.zone(found, ReferTable(sensitivity=0.95, specificity=0.9), **DRAWN)
    assert lower == choose(found, ThresholdTable(rule="sensitivity", target=0.95))
    assert upper == choose(found, ThresholdTable(rule="specificity", target=0.9))
    assert lower.value < upper.value


def test_where_one_threshold_reaches_both_targets_the_zone_is_empty(simulate):
    found = simulate(set_name="val", effect=5)
    lower, upper = thresholds.zone(found, ReferTable(sensitivity=0.9, specificity=0.9), **DRAWN)
    alone = choose(found, ThresholdTable(rule="sensitivity", target=0.9))
    assert alone.value > upper.value
    assert (lower.value, lower.rule, upper.rule) == (upper.value, "sensitivity", "specificity")
    assert min(rates(found, lower.value)) >= 0.9
    assert lower.low <= lower.value <= lower.high
    assert lower.note == "Both targets are reached on validation without an uncertain zone."
