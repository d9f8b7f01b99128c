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
    independent = {f"{name}_independent" for name in ("roc_auc", "sensitivity", "specificity", "accuracy")}
    assert set(found) == set(figures) | independent
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


def test_test_time_augmentation_is_compared_with_its_plain_task_beside_the_reference(simulate):
    table = EvaluationTable(resamples=100, reference="a", non_inferiority={"roc_auc": 0.1})
    plain = {"b": None, "views": "b", "c": None, "a-views": "a", "alone": "gone"}
    tasks = [
        Compared(task, 0.5, {"test": simulate(seed, task=task)}, plain.get(task))
        for seed, task in enumerate(["a", *plain])
    ]
    family = [record for record in compare(tasks, table, seed=0).records if not record.exploratory]
    assert [(record.task, record.reference) for record in family] == [
        *((task, "a") for task in plain),
        ("views", "b"),
    ]
    assert [record.margin for record in family] == [0.1] * 5 + [None]
    assert all(record.p_adjusted >= record.p_value for record in family)


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


def test_where_patients_have_several_images_the_tests_of_independent_images_stand_beside(simulate):
    a, b = simulate(0), simulate(1, task="b")
    clustered, single = records(compared(a, b)), records(compared(one_each(a), one_each(b)))
    for name in ("roc_auc", "sensitivity", "specificity", "accuracy"):
        beside = clustered[f"{name}_independent"]
        assert (beside.difference, beside.low, beside.p_value) == pytest.approx(
            (single[name].difference, single[name].low, single[name].p_value)
        )
        assert beside.test == f"{single[name].test}, assuming independent images"
        assert beside.exploratory
    assert not any(name.endswith("_independent") for name in single)


# ── Images without a result ───────────────────────────────────────────────────────────────────────────────────────────


def test_complete_cases_stand_beside_the_worst_case(simulate):
    a, b = simulate(0), simulate(1, task="b")
    status = np.where(np.arange(240) % 8 == 0, "failed", "ok")
    failed = predictions.replace(
        b, status=status, probabilities=np.where(status[:, None] == "ok", b.probabilities, np.nan)
    )
    found = records(compared(a, failed))
    complete = records(compared(*(predictions.taken(one, status == "ok") for one in (a, b))))
    for name in ("sensitivity", "specificity", "accuracy"):
        beside = found[f"{name}_complete_cases"]
        assert (beside.difference, beside.p_value, beside.n) == (
            complete[name].difference,
            complete[name].p_value,
            complete[name].n,
        )
        assert beside.exploratory
        assert found[name].difference < beside.difference
    assert not any(name.endswith("_complete_cases") for name in complete)


# ── Non-inferiority ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("figure", ["roc_auc", "sensitivity"])
def test_a_task_is_non_inferior_where_its_lower_bound_stays_above_minus_the_margin(simulate, figure):
    a, b = simulate(0), simulate(1, task="b", effect=0.9)
    low = records(compared(a, b))[figure].low
    assert low < 0

    def judged(margin, *, reference="a", other=b):
        table = EvaluationTable(resamples=100, reference=reference, non_inferiority={figure: margin})
        return records(compared(a, other, table=table))

    wide, narrow = judged(-low + 1e-6)[figure], judged(-low - 1e-6)[figure]
    assert (wide.margin, wide.non_inferior, narrow.non_inferior) == (-low + 1e-6, True, False)
    others = judged(0.1)
    del others[figure]
    assert all(one.margin is one.non_inferior is None for one in others.values())
    assert judged(0.1, reference=None)[figure].margin is None


def test_identical_rankings_are_non_inferior_though_their_difference_has_no_interval(simulate):
    a = simulate()
    table = EvaluationTable(resamples=100, reference="a", non_inferiority={"roc_auc": 0.1})
    record = records(compared(a, predictions.replace(a, task="b"), table=table))["roc_auc"]
    assert (record.margin, record.low, record.non_inferior) == (0.1, None, True)


# ── Other scales, other primaries ─────────────────────────────────────────────────────────────────────────────────────


def as_score(found):
    score = 30 * found.score - 7
    return predictions.replace(found, scale="score", probabilities=np.stack([-score, score], axis=1))


def as_decision(found):
    called = (found.score >= 0.5).astype(float)
    return predictions.replace(found, scale="decision", probabilities=np.stack([1 - called, called], axis=1))


def test_a_score_is_compared_by_its_ranks_and_its_own_threshold(simulate):
    a, b = simulate(0), simulate(1, task="b")
    plain = records(compared(a, b))
    tasks = [Compared("a", 0.5, {"test": a}), Compared("b", 8.0, {"test": as_score(b)})]
    found = records(compare(tasks, TABLE, seed=0))
    assert set(plain) - set(found) == {"brier"}
    assert found == {metric: plain[metric] for metric in found}


def test_a_bare_decision_has_no_ranks_and_a_primary_that_needs_them_is_refused(simulate):
    a, b = simulate(0), simulate(1, task="b")
    plain, result = records(compared(a, b)), compared(a, as_decision(b))
    found = records(result)
    assert {name.removesuffix("_independent") for name in found} == {
        "sensitivity",
        "specificity",
        "accuracy",
        "balanced_accuracy",
    }
    assert found == {metric: plain[metric] for metric in found}
    (refusal,) = result.refused
    assert refusal.startswith('tasks "a" and "b" on test: there is no difference of the primary figure roc_auc, ')
    assert refusal.endswith('it needs scores and "b" gives decisions alone.')
    primary = compared(a, as_decision(b), table=EvaluationTable(resamples=100, primary="balanced_accuracy"))
    assert primary.refused == []


@pytest.mark.parametrize(
    "primary", ["roc_auc", "average_precision", "accuracy", "balanced_accuracy", "sensitivity", "specificity"]
)
def test_every_figure_that_can_be_primary_has_a_p_value_in_the_family(simulate, primary):
    result = compared(simulate(0), simulate(1, task="b"), table=EvaluationTable(resamples=100, primary=primary))
    (family,) = [record for record in result.records if not record.exploratory]
    assert family.metric == primary
    assert family.p_adjusted == family.p_value is not None


def test_patients_that_one_file_alone_knows_count_for_both(simulate):
    a, b = simulate(0), simulate(1, task="b")
    assert compared(one_each(a), b) == compared(a, b) == compared(a, one_each(b))


def test_of_three_classes_detection_is_against_the_rest_and_accuracy_of_all():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 200)
    images = np.array([f"{row:03d}.png" for row in range(200)])

    def three(task):
        logits = rng.normal(size=(200, 3)) + 1.5 * np.eye(3)[labels]
        ok, probabilities = np.array(["ok"] * 200), predictions.softmax(logits)
        names = ("NORMAL", "BACTERIA", "VIRUS")
        return Predictions(task, "test", None, names, "VIRUS", images, images, labels, ok, probabilities, logits)

    a, b = three("a"), three("b")
    found = records(compared(a, b, threshold=0.4))
    called = [np.where(one.score >= 0.4, 2, one.probabilities[:, :2].argmax(axis=1)) for one in (a, b)]
    virus = labels == 2
    figures = {
        "roc_auc": lambda one, _: sklearn.roc_auc_score(virus, one.score),
        "sensitivity": lambda _, said: sklearn.recall_score(virus, said == 2),
        "specificity": lambda _, said: sklearn.recall_score(~virus, said != 2),
        "accuracy": lambda _, said: sklearn.accuracy_score(labels, said),
        "balanced_accuracy": lambda _, said: sklearn.balanced_accuracy_score(labels, said),
        "average_precision": lambda one, _: sklearn.average_precision_score(virus, one.score),
        "brier": lambda one, _: sklearn.brier_score_loss(virus, one.score),
    }
    for metric, figure in figures.items():
        assert found[metric].difference == pytest.approx(figure(b, called[1]) - figure(a, called[0])), metric
