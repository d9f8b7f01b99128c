from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

from cxrkit.evaluation.recalibration import fit_temperature


def test_logits_that_are_three_times_too_large_have_a_temperature_of_three(make):
    rng = np.random.default_rng(0)
    right = rng.normal(0, 1.5, 20_000)
    truth = rng.random(20_000) < expit(right)
    found = make(truth, expit(3 * right), patients=np.arange(20_000) // 2, set_name="val")
    fitted = fit_temperature(found)
    assert fitted.value == pytest.approx(3, rel=0.05)
    assert (fitted.set, fitted.n, fitted.n_patients) == ("val", 20_000, 10_000)


def test_images_without_a_result_have_no_part_in_it(make, simulate):
    found = simulate(set_name="val")
    status = np.where(np.arange(240) < 40, "gone", "ok")
    kept = make(found.truth[40:], found.score[40:], set_name="val")
    assert fit_temperature(make(found.truth, found.score, status=status)).value == fit_temperature(kept).value


@pytest.mark.parametrize(
    ("truth", "score"),
    [([1, 1, 1], [0.2, 0.6, 0.9]), ([0, 0, 1, 1], [0.1, 0.2, 0.7, 0.9])],
    ids=["one class", "perfect separation"],
)
def test_there_is_none_where_it_cannot_be_estimated(make, truth, score):
    assert fit_temperature(make(truth, score, set_name="val")) is None


def test_a_score_has_none(simulate):
    assert fit_temperature(replace(simulate(set_name="val"), scale="score")) is None


def test_no_result_at_all_has_none(make):
    assert fit_temperature(make([0, 1], [0.1, 0.9], status=["gone", "gone"], set_name="val")) is None
