import numpy as np
import pytest

from cxrkit import discovery
from cxrkit.api import EvaluationSettings, Predictions, Threshold


@pytest.fixture
def classification():
    """The reporter as the core finds it, through its entry point."""
    return discovery.load("cxrkit").metric_reporters.get("classification", "evaluation.reporters").factory


def eight(score):
    images = np.array([f"{row}.png" for row in range(8)])
    score = np.array(score, dtype=float)
    return Predictions(
        task="a",
        set="test",
        condition=None,
        class_names=("NORMAL", "PNEUMONIA"),
        positive="PNEUMONIA",
        images=images,
        patients=np.array(["p1", "p1", "p2", "p3", "p4", "p5", "p6", "p6"]),
        labels=np.array([0, 0, 0, 0, 1, 1, 1, 1]),
        status=np.array(["ok"] * 8),
        probabilities=np.stack([1 - score, score], axis=1),
    )


def test_the_built_in_reporter_gives_figures_worked_out_by_hand(classification):
    settings = EvaluationSettings(threshold=Threshold(0.5, "fixed"), resamples=100)
    report = classification(eight([0.1, 0.2, 0.3, 0.6, 0.4, 0.7, 0.8, 0.9]), settings)
    figures = {figure.metric: figure for figure in report.figures if figure.class_name is None}
    values = {name: figure.value for name, figure in figures.items()}
    assert values["sensitivity"] == values["specificity"] == values["ppv"] == values["accuracy"] == 0.75
    assert values["roc_auc"] == pytest.approx(15 / 16)
    assert values["average_precision"] == pytest.approx((1 + 1 + 1 + 4 / 5) / 4)
    assert values["brier"] == pytest.approx((0.01 + 0.04 + 0.09 + 0.36 + 0.36 + 0.09 + 0.04 + 0.01) / 8)
    assert values["mcc"] == pytest.approx(0.5)
    assert (figures["sensitivity"].n, figures["sensitivity"].n_patients) == (4, 3)
    assert figures["sensitivity"].threshold == 0.5
    assert figures["roc_auc"].threshold is None


def test_it_is_pure(classification):
    settings = EvaluationSettings(threshold=Threshold(0.5, "fixed"), resamples=100, prevalence=0.2)
    found = eight([0.1, 0.2, 0.3, 0.6, 0.4, 0.7, 0.8, 0.9])
    assert classification(found, settings) == classification(found, settings)
