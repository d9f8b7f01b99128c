from dataclasses import replace

import numpy as np
import pytest
from sklearn import metrics as sklearn
from statsmodels.stats.proportion import proportion_confint

from cxrkit.api import Threshold
from cxrkit.evaluation import operating

HALF = Threshold(0.5, "fixed")


def by_name(figures):
    return {figure.metric: figure for figure in figures}


def one_each(found):
    return replace(found, patients=found.images)


def test_a_threshold_turns_into_scikit_learns_rates_with_wilsons_intervals(simulate):
    found = one_each(simulate())
    figures = by_name(operating.at(found, HALF, 0.9))
    called = found.score >= 0.5
    expected = {
        "sensitivity": (sklearn.recall_score(found.truth, called), (called & found.truth).sum(), found.truth.sum()),
        "specificity": (
            sklearn.recall_score(~found.truth, ~called),
            (~called & ~found.truth).sum(),
            (~found.truth).sum(),
        ),
        "ppv": (sklearn.precision_score(found.truth, called), (called & found.truth).sum(), called.sum()),
        "npv": (sklearn.precision_score(~found.truth, ~called), (~called & ~found.truth).sum(), (~called).sum()),
    }
    assert list(figures) == list(expected)
    for metric, (value, successes, n) in expected.items():
        figure = figures[metric]
        assert figure.value == pytest.approx(value)
        assert (figure.low, figure.high) == pytest.approx(proportion_confint(successes, n, 0.1, "wilson"))
        assert (figure.method, figure.threshold, figure.n) == ("Wilson", 0.5, n)
        assert figure.fewest_patients == figure.n_patients == n


def test_an_image_without_a_result_is_wrong_and_predicts_nothing(make):
    status = ["ok", "failed", "ok", "failed"]
    figures = by_name(operating.at(make([1, 1, 0, 0], [0.9, 0.9, 0.1, 0.1], status=status), HALF, 0.95))
    values = {metric: (figure.value, figure.n) for metric, figure in figures.items()}
    assert values == {"sensitivity": (0.5, 2), "specificity": (0.5, 2), "ppv": (1, 1), "npv": (1, 1)}


def test_ranking_is_the_area_of_the_images_with_a_result(simulate, make):
    found = simulate()
    (figure,) = operating.ranking(found, 0.95)
    assert figure.value == pytest.approx(sklearn.roc_auc_score(found.truth, found.score))
    assert figure.low < figure.value < figure.high
    assert figure.method == "Obuchowski, logit"
    fewest = min(len(np.unique(found.patients[found.truth == one])) for one in (True, False))
    assert figure.fewest_patients == fewest < figure.n_patients
    failed = replace(found, status=np.where(np.arange(240) < 40, "failed", "ok"))
    (figure,) = operating.ranking(failed, 0.95)
    assert figure.value == pytest.approx(sklearn.roc_auc_score(found.truth[40:], found.score[40:]))
    (figure,) = operating.ranking(make([1, 1], [0.2, 0.3]), 0.95)
    assert (figure.value, figure.low, figure.fewest_patients) == (None, None, 0)


def test_decisions_have_rates_and_no_ranking(make):
    found = replace(make([1, 1, 0], [1.0, 0.0, 0.0]), scale="decision")
    assert operating.ranking(found, 0.95) == []
    assert by_name(operating.at(found, HALF, 0.95))["sensitivity"].value == 0.5


def test_a_zone_refers_what_lies_between_and_what_has_no_result(make):
    truth = [1, 1, 1, 1, 1, 0, 0, 0, 0, 0]
    score = [0.9, 0.8, 0.5, 0.1, 0.9, 0.1, 0.2, 0.3, 0.7, 0.8]
    status = ["ok"] * 4 + ["failed"] + ["ok"] * 5
    found = make(truth, score, status=status)
    figures = operating.in_zone(found, Threshold(0.3, "sensitivity"), Threshold(0.8, "specificity"), 0.95)
    values = {figure.metric: (figure.value, figure.n) for figure in figures}
    assert values == {
        "coverage": (pytest.approx(0.6), 10),
        "sensitivity": (pytest.approx(2 / 3), 3),
        "specificity": (pytest.approx(2 / 3), 3),
        "ppv": (pytest.approx(2 / 3), 3),
        "npv": (pytest.approx(2 / 3), 3),
        "referred_positives": (pytest.approx(0.4), 5),
        "referred_negatives": (pytest.approx(0.4), 5),
    }


def test_an_empty_zone_is_its_single_threshold(simulate):
    found = simulate()
    alone = by_name(operating.at(found, HALF, 0.95))
    zone = by_name(operating.in_zone(found, HALF, HALF, 0.95))
    assert zone["coverage"].value == 1
    assert {metric: zone[metric].value for metric in alone} == {metric: one.value for metric, one in alone.items()}


def test_a_zone_that_refers_everything_decides_nothing(make):
    figures = by_name(operating.in_zone(make([1, 0], [0.5, 0.5]), Threshold(0, "fixed"), Threshold(1, "fixed"), 0.95))
    assert (figures["coverage"].value, figures["sensitivity"].value, figures["ppv"].low) == (0, None, None)
    assert figures["referred_positives"].value == 1
