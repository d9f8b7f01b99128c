import numpy as np
import pytest
from sklearn import metrics as sklearn
from statsmodels.stats.contingency_tables import mcnemar

from cxrkit.api import Predictions
from cxrkit.config.schema import EvaluationTable
from cxrkit.evaluation import predictions
from cxrkit.evaluation.compare import Compared, compare

TABLE = EvaluationTable(resamples=300)


def compared(*found: Predictions, table=TABLE, threshold=0.5):
    tasks: dict = {}
    for one in found:
        tasks.setdefault(one.task, {})[one.set] = one
    return compare([Compared(task, threshold, sets) for task, sets in tasks.items()], table, seed=0)


def one_each(found):
    return predictions.replace(found, patients=found.images)


def records(comparison):
    return {record.metric: record for record in comparison.records}


def test_differences_are_those_of_scikit_learns_figures(simulate):
    a, b = simulate(0, effect=0.5), simulate(1, task="b", effect=3)
    found = records(compared(a, b))
    figures = {
        "roc_auc": lambda one: sklearn.roc_auc_score(one.truth, one.score),
        "average_precision": lambda one: sklearn.average_precision_score(one.truth, one.score),
        "brier": lambda one: sklearn.brier_score_loss(one.truth, one.score),
        "accuracy": lambda one: sklearn.accuracy_score(one.truth, one.score >= 0.5),
        "balanced_accuracy": lambda one: sklearn.balanced_accuracy_score(one.truth, one.score >= 0.5),
        "sensitivity": lambda one: sklearn.recall_score(one.truth, one.score >= 0.5),
        "specificity": lambda one: sklearn.recall_score(~one.truth, one.score < 0.5),
    }
    assert set(found) == set(figures)
    for metric, value in figures.items():
        record = found[metric]
        assert (record.task, record.reference) == ("b", "a")
        assert record.difference == pytest.approx(value(b) - value(a), abs=1e-9)
        assert record.low < record.difference < record.high
        assert record.p_value < 0.05
        assert record.better == "b", metric
        assert record.test
        assert record.exploratory is (metric != "roc_auc")


def test_decisions_on_single_images_are_tested_by_mcnemar_and_on_patients_by_permutation(simulate):
    a, b = simulate(0), simulate(1, task="b")
    by_patient = records(compared(a, b))["accuracy"]
    single = records(compared(one_each(a), one_each(b)))["accuracy"]
    right_a, right_b = ((one.score >= 0.5) == one.truth for one in (a, b))
    table = [[0, (right_a & ~right_b).sum()], [(right_b & ~right_a).sum(), 0]]
    assert single.p_value == pytest.approx(mcnemar(table, exact=True).pvalue)
    assert (single.test, by_patient.test) == ("exact McNemar", "permutation by patient")
    assert records(compared(one_each(a), one_each(b)))["roc_auc"].test == "DeLong"
    assert records(compared(a, b))["roc_auc"].test == "Obuchowski"


def test_holm_adjusts_the_primary_figure_on_test_alone(simulate):
    found = [simulate(seed, task=task, set_name=name) for seed, task in enumerate("abc") for name in ("test", "other")]
    result = compared(*found, table=EvaluationTable(resamples=100, primary="accuracy"))
    family = [record for record in result.records if not record.exploratory]
    assert [(record.task, record.reference) for record in family] == [("b", "a"), ("c", "a"), ("c", "b")]
    assert {(record.metric, record.set) for record in family} == {("accuracy", "test")}
    assert min(record.p_adjusted for record in family) == pytest.approx(
        min(1, 3 * min(record.p_value for record in family))
    )
    assert all(record.p_adjusted is None for record in result.records if record.exploratory)


def test_with_a_reference_the_others_are_compared_with_it_alone(simulate):
    found = [simulate(seed, task=task) for seed, task in enumerate("abc")]
    result = compared(*found, table=EvaluationTable(resamples=100, reference="b"))
    pairs = {(record.task, record.reference) for record in result.records}
    assert pairs == {("a", "b"), ("c", "b")}
    absent = compared(*found, table=EvaluationTable(resamples=100, reference="gone"))
    assert absent.records == []
    assert absent.refused == ['Nothing is compared with the reference "gone", it has no predictions.']


def test_other_images_or_labels_are_refused_in_a_sentence(simulate, make):
    a, b = simulate(0), simulate(1, task="b")
    fewer = compared(a, predictions.taken(b, np.arange(200)))
    assert fewer.records == []
    assert fewer.refused == [
        'tasks "a" and "b" on test: 40 images are in one alone, e.g. "test/00200.png" in "a", they must be the same.'
    ]
    relabelled = compared(a, predictions.replace(b, labels=1 - b.labels))
    assert "240 labels differ" in relabelled.refused[0]


def test_another_order_of_images_changes_nothing(simulate):
    a, b = simulate(0), simulate(1, task="b")
    assert compared(a, predictions.taken(b, np.arange(239, -1, -1))) == compared(a, b)


def test_the_same_model_twice_is_not_better_than_itself(simulate):
    a = simulate(0)
    found = records(compared(a, predictions.replace(a, task="b")))
    for record in found.values():
        assert record.difference == 0
        assert record.better is None
    assert found["roc_auc"].p_value == 1
    assert found["roc_auc"].test == "identical rankings"
    assert found["sensitivity"].low < 0 < found["sensitivity"].high


def test_without_a_class_there_is_no_difference_of_areas(make):
    a, b = make([1] * 6, [0.2, 0.6] * 3), make([1] * 6, [0.7] * 6, task="b")
    found = records(compared(a, b))
    assert found["roc_auc"].difference is None
    assert found["specificity"].difference is None
    assert found["sensitivity"].difference == pytest.approx(0.5)


def test_images_that_one_has_no_result_for_are_wrong_in_decisions_and_absent_from_areas(make):
    truth = [1, 1, 1, 0, 0, 0]
    a = make(truth, [0.9, 0.8, 0.7, 0.1, 0.2, 0.3])
    b = make(truth, [0.9, 0.8, 0.7, 0.1, 0.2, 0.3], task="b", status=["ok"] * 5 + ["failed"])
    found = records(compared(a, b))
    assert found["specificity"].difference == pytest.approx(-1 / 3)
    assert (found["roc_auc"].n, found["brier"].n, found["accuracy"].n) == (5, 5, 6)
