import math

import pytest

from cxrkit.config.search import SearchTable
from cxrkit.records import TrialRecord
from cxrkit.run.search.points import corners, planned, proposed, size

SPACE = {
    "trainer.learning_rate": {"low": 1e-5, "high": 1e-2, "log": True, "points": 4},
    "model.hidden": {"low": 8, "high": 64, "points": 3},
    "batch_size": (16, 32),
}


def table(method="random", space=SPACE, **others):
    return SearchTable.model_validate({"method": method, "space": space, **others})


def test_a_grid_has_every_combination_in_the_order_of_the_file_with_both_ends_of_a_range():
    points = planned(table("grid"))
    assert len(points) == 4 * 3 * 2
    assert [point["trainer.learning_rate"] for point in points[::6]] == [1e-5, 1e-4, 1e-3, 1e-2]
    assert [point["model.hidden"] for point in points[:6:2]] == [8, 36, 64]
    assert [point["batch_size"] for point in points[:2]] == [16, 32]
    assert all(isinstance(point["model.hidden"], int) for point in points)


def test_whole_values_of_a_grid_that_fall_together_count_once():
    assert [point["a"] for point in planned(table("grid", {"a": {"low": 1, "high": 3, "points": 9}}))] == [1, 2, 3]


def test_random_points_depend_on_the_seed_alone_and_more_begin_like_fewer():
    few, many = planned(table(trials=5)), planned(table(trials=50))
    assert many[:5] == few
    assert planned(table(trials=5, seed=1)) != few


def test_random_values_lie_within_their_ranges_evenly_on_their_scale():
    points = planned(table(trials=4000))
    rates = sorted(point["trainer.learning_rate"] for point in points)
    assert rates[0] >= 1e-5
    assert rates[-1] <= 1e-2
    for share in (0.25, 0.5, 0.75):  # the standard error of a quantile's position is 0.008 at most
        expected = -5 + 3 * share
        assert math.log10(rates[int(4000 * share)]) == pytest.approx(expected, abs=0.12)
    hidden = [point["model.hidden"] for point in points]
    assert (min(hidden), max(hidden)) == (8, 64)
    assert sum(value == 64 for value in hidden) == pytest.approx(4000 / 57, abs=40)
    assert all(isinstance(value, int) for value in hidden)


def test_whole_numbers_on_the_logarithmic_scale_reach_both_ends():
    points = planned(table(space={"a": {"low": 1, "high": 8, "log": True}, "b": {"low": 0, "high": 1.0}}, trials=500))
    assert {point["a"] for point in points} == set(range(1, 9))


def test_a_space_of_few_points_is_drawn_from_without_repeats():
    space = {"a": (1, 2, 3), "b": {"low": 0, "high": 3}}
    points = planned(table(space=space, trials=12))
    assert len({tuple(point.values()) for point in points}) == 12 == size(table(space=space))
    assert size(table()) == math.inf


def test_without_a_number_of_trials_no_more_are_drawn_than_there_are():
    """The refusal where more are asked for is in test_space."""
    few = {"batch_size": (8, 16), "model.freeze": ("none", "layer1")}
    assert [len(planned(table(space=few))), len(planned(table(space=few, trials=3)))] == [4, 3]
    assert len(planned(table())) == 20


def test_corners_have_every_value_of_a_list_and_both_ends_of_a_range():
    assert corners(table()) == [
        {"trainer.learning_rate": 1e-5, "model.hidden": 8, "batch_size": 16},
        {"trainer.learning_rate": 1e-2, "model.hidden": 8, "batch_size": 16},
        {"trainer.learning_rate": 1e-5, "model.hidden": 64, "batch_size": 16},
        {"trainer.learning_rate": 1e-5, "model.hidden": 8, "batch_size": 32},
    ]


def tried(asked, figure, trials):
    records = []
    for number in range(1, trials + 1):
        values = proposed(asked, records)
        found = figure(values)
        state = "failed" if found is None else "finished"
        records.append(TrialRecord(number=number, values=values, state=state, metric=found))
    return records


def test_optuna_proposes_the_same_from_the_same_trials_and_other_values_from_others():
    pytest.importorskip("optuna")
    space = {"trainer.learning_rate": {"low": 1e-5, "high": 1e-2, "log": True}, "model.freeze": ("none", "layer1")}
    asked = table("optuna", space, trials=40)

    def figure(values):
        if values["model.freeze"] == "layer1" and values["trainer.learning_rate"] > 1e-3:
            return None
        return -abs(math.log10(values["trainer.learning_rate"]) + 3.0)

    records = tried(asked, figure, 20)
    assert proposed(asked, records[:17]) == records[17].values
    assert {record.state for record in records} == {"finished", "failed"}
    assert {record.values["model.freeze"] for record in records} == {"none", "layer1"}
    others = [record.model_copy(update={"metric": 1.0 - record.number}) for record in records[:17]]
    assert proposed(asked, others) != records[17].values


def test_optuna_keeps_values_that_are_no_texts_and_learns_to_lower_a_loss():
    pytest.importorskip("optuna")
    space = {"augmentation.random_resized_crop": (False, {"scale": [0.7, 1.0]}), "epochs": {"low": 1, "high": 9}}
    asked = table("optuna", space, trials=25, metric="val_loss")
    records = tried(asked, lambda values: float(values["epochs"]), 25)
    assert {repr(record.values["augmentation.random_resized_crop"]) for record in records} == {
        "False",
        "{'scale': [0.7, 1.0]}",
    }
    assert sum(record.values["epochs"] for record in records[-8:]) / 8 < 3
