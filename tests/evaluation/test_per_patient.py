import numpy as np
import pandas as pd
import pytest

from cxrkit.evaluation.per_patient import by_patient, has_repeats


def test_a_patient_is_positive_where_any_image_is_and_takes_the_largest_or_the_mean_probability(make):
    found = make([0, 1, 0, 0], [0.2, 0.6, 0.4, 0.1], patients=["b", "b", "a", "a"])
    largest, mean = by_patient(found, "max"), by_patient(found, "mean")
    assert largest.images.tolist() == largest.patients.tolist() == ["pa", "pb"]
    assert largest.truth.tolist() == mean.truth.tolist() == [False, True]
    assert largest.score.tolist() == [0.4, 0.6]
    assert mean.score == pytest.approx([0.25, 0.4])


def test_rows_sum_to_one_and_equal_what_pandas_groups(simulate):
    found = simulate(n=300)
    frame = pd.DataFrame({"patient": found.patients, "score": found.score, "truth": found.truth}).groupby("patient")
    for rule in ("max", "mean"):
        patients = by_patient(found, rule)
        assert patients.images.tolist() == list(frame.groups)
        np.testing.assert_allclose(patients.score, frame["score"].agg(rule), rtol=1e-12)
        np.testing.assert_allclose(patients.probabilities.sum(axis=1), 1)
        assert patients.truth.tolist() == frame["truth"].max().tolist()


@pytest.mark.parametrize("rule", ["max", "mean"])
def test_images_without_a_result_are_left_out_and_a_patient_of_none_but_these_has_none(make, rule):
    found = make([1, 1, 0], [0.9, 0.3, 0.5], patients=["a", "a", "b"], status=["unreadable", "ok", "unreadable"])
    patients = by_patient(found, rule)
    assert patients.status.tolist() == ["ok", "unreadable"]
    assert patients.score[0] == 0.3
    assert np.isnan(patients.probabilities[1]).all()


def test_patients_are_another_unit_only_where_one_has_several_images(make):
    assert has_repeats(make([0, 1], [0.1, 0.2], patients=["a", "a"]))
    assert not has_repeats(make([0, 1], [0.1, 0.2], patients=["a", "b"]))
