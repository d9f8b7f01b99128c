import pytest

from cxrkit.evaluation.acceptance import judge
from cxrkit.records import Record


def record(metric="sensitivity", low=0.9, high=0.97, **keys):
    return Record(
        **{"set": "test", "value": 0.95, "level": 0.95, "n": 99, "n_patients": 80, **keys},
        metric=metric,
        low=low,
        high=high,
    )


@pytest.mark.parametrize(
    ("goal", "verdict"),
    [(0.9, "met"), (0.91, "undecided"), (0.97, "undecided"), (0.98, "not met")],
)
def test_a_goal_is_met_by_the_lower_bound_and_missed_by_the_upper_one(goal, verdict):
    (found,) = judge([record()], {"sensitivity": goal}, ["test"])
    assert (found.verdict, found.goal, found.estimate.value, found.estimate.n) == (verdict, goal, 0.95, 99)


def test_a_figure_without_interval_decides_nothing():
    (found,) = judge([record(low=None, high=None)], {"sensitivity": 0.5}, ["test"])
    assert found.verdict == "undecided"


@pytest.mark.parametrize(
    "key",
    [{"subgroup": "sex=f"}, {"condition": "blur-1"}, {"unit": "patient-max"}, {"calibrated": "prior"}, {"class": "A"}],
)
def test_other_figures_of_the_same_name_have_no_part_in_it(key):
    assert judge([record(**key)], {"sensitivity": 0.5}, ["test"]) == []
    (found,) = judge([record(low=0.1, **key), record()], {"sensitivity": 0.5}, ["test"])
    assert found.estimate.low == 0.9


def test_every_set_is_judged_and_a_predictive_value_at_the_stated_prevalence():
    records = [record("ppv"), record("ppv", low=0.2, high=0.4, prevalence=0.1), record("ppv", set="elsewhere")]
    here, there = judge(records, {"ppv": 0.5}, ["test", "elsewhere"])
    assert (here.set, here.prevalence, here.verdict) == ("test", 0.1, "not met")
    assert (there.set, there.prevalence, there.verdict) == ("elsewhere", None, "met")
