import numpy as np
import pytest
from cxrkit_plugins.reporters import classification
from sklearn import metrics as sklearn

from cxrkit.api import Predictions
from cxrkit.config.schema import EvaluationTable
from cxrkit.evaluation import cases, evaluate
from cxrkit.evaluation.predictions import softmax
from cxrkit.records import Comparison, Metrics
from cxrkit.registry import Registered

NAMES = ("BACTERIA", "NORMAL", "VIRUS")


def three(seed, task):
    labels = np.random.default_rng(5).integers(0, 3, 150)
    logits = np.random.default_rng(seed).normal(size=(150, 3)) + 1.2 * np.eye(3)[labels]
    images = np.array([f"{row}.png" for row in range(150)])
    ok = np.array(["ok"] * 150)
    return Predictions(task, "test", None, NAMES, "VIRUS", images, images, labels, ok, softmax(logits), logits)


@pytest.fixture
def run(run_of, fixed):
    made = run_of(three(0, "a"), three(1, "b"))
    reporter = Registered("classification", "metric reporter", classification, "cxrkit", "0", "")
    evaluate(made, EvaluationTable(resamples=100), {"a": fixed, "b": fixed}, [(reporter, {})])
    return made


def called(found):
    others = np.where(np.arange(3) == 2, -1, found.probabilities).argmax(axis=1)
    return np.where(found.score >= 0.5, 2, others)


def test_detection_is_of_the_positive_class_and_accuracy_of_all(run):
    found = three(0, "a")
    values = {(one.metric, one.class_name): one.value for one in Metrics.read(run.task("a").metrics).records}
    assert values["accuracy", None] == pytest.approx(sklearn.accuracy_score(found.labels, called(found)))
    virus, said = found.labels == 2, called(found) == 2
    assert values["sensitivity", None] == pytest.approx(sklearn.recall_score(virus, said))
    assert values["specificity", None] == pytest.approx(sklearn.recall_score(~virus, ~said))
    assert values["roc_auc", None] == pytest.approx(sklearn.roc_auc_score(virus, found.score))
    assert values["mcc", None] == pytest.approx(sklearn.matthews_corrcoef(found.labels, called(found)))
    for name, f1 in zip(NAMES, sklearn.f1_score(found.labels, called(found), average=None), strict=True):
        assert values["f1", name] == pytest.approx(f1)


def test_a_negative_called_another_negative_class_counts_for_specificity_and_against_accuracy(run):
    a, b = three(0, "a"), three(1, "b")
    found = {record.metric: record for record in Comparison.read(run.comparison).records}
    negative = a.labels != 2
    expected = (called(b)[negative] != 2).mean() - (called(a)[negative] != 2).mean()
    assert found["specificity"].difference == pytest.approx(expected)
    expected = (called(b) == b.labels).mean() - (called(a) == a.labels).mean()
    assert found["accuracy"].difference == pytest.approx(expected)


def test_errors_of_every_class_are_among_the_cases(run):
    chosen = cases.choose(run, most=6, correct=0)
    labels = three(0, "a").labels
    assert {int(labels[int(image.removesuffix(".png"))]) for image in chosen.images} == {0, 1, 2}
