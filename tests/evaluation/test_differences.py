from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import norm, t
from sklearn import metrics as sklearn

from cxrkit.evaluation.differences import area, by_bootstrap, shares
from cxrkit.evaluation.pairs import pair

# Albumin, total protein, K-G score, outcome of surgery: 43 patients with ovarian cancer of DeLong, DeLong &
# Clarke-Pearson (1988), as the SAS/STAT User's Guide prints them (PROC LOGISTIC, "Comparing ROC Curves").
OVARIAN_CANCER = """
3.0 5.8 10 0  3.2 6.3 5 1  3.9 6.8 3 1  2.8 4.8 6 0  3.2 5.8 3 1  0.9 4.0 5 0  2.5 5.7 8 0  1.6 5.6 5 1  3.8 5.7 5 1
3.7 6.7 6 1  3.2 5.4 4 1  3.8 6.6 6 1  4.1 6.6 5 1  3.6 5.7 5 1  4.3 7.0 4 1  3.6 6.7 4 0  2.3 4.4 6 1  4.2 7.6 4 0
4.0 6.6 6 0  3.5 5.8 6 1  3.8 6.8 7 1  3.0 4.7 8 0  4.5 7.4 5 1  3.7 7.4 5 1  3.1 6.6 6 1  4.1 8.2 6 1  4.3 7.0 5 1
4.3 6.5 4 1  3.2 5.1 5 1  2.6 4.7 6 1  3.3 6.8 6 0  1.7 4.0 7 0  3.7 6.1 5 1  3.3 6.3 7 1  4.2 7.7 6 1  3.5 6.2 5 1
2.9 5.7 9 0  2.1 4.8 7 1  2.8 6.2 8 0  4.0 7.0 7 1  3.3 5.7 6 1  3.7 6.9 5 1  3.6 6.6 5 1
"""


def compared(a, b, threshold=0.5):
    """Set b against a."""
    return pair(b, a, (threshold, threshold))


def half_width(found):
    return (found.interval.high - found.interval.low) / 2


@pytest.mark.parametrize(("column", "difference", "error"), [(0, 0.0108, 0.0953), (1, -0.0780, 0.1046)])
def test_a_difference_of_areas_is_the_one_published_for_delongs_data(make, column, difference, error):
    """SAS gives each difference to the K-G score and its standard error; of 43 patients Student's t has at most 42."""
    rows = np.array(OVARIAN_CANCER.split(), dtype=float).reshape(-1, 4)
    scores = np.stack([rows[:, 0], rows[:, 1], 10 - rows[:, 2]])
    score, reference = (replace(make(rows[:, 3], one / 10), scale="score") for one in (scores[column], scores[2]))
    found = area(compared(reference, score), 0.95)
    assert found.value == pytest.approx(difference, abs=5e-5)
    freedom = brentq(lambda freedom: t.ppf(0.975, freedom) * error - half_width(found), 5, 42)
    assert found.p_value == pytest.approx(2 * t.sf(abs(difference) / error, freedom), abs=1e-3)
    assert (found.test, found.n, found.n_patients) == ("DeLong", 43, 43)


def obuchowski(truth, scores, patients):
    """Obuchowski's (1997) variance of a difference of areas, from her sums over patients and pairs of images."""
    wins = [
        (score[truth][:, None] > score[~truth]) + 0.5 * (score[truth][:, None] == score[~truth]) for score in scores
    ]
    gain = wins[0] - wins[1]
    m, n = gain.shape
    of_positives, of_negatives = gain.mean(axis=1) - gain.mean(), gain.mean(axis=0) - gain.mean()
    clusters = np.unique(patients)
    x = np.array([of_positives[patients[truth] == one].sum() for one in clusters])
    y = np.array([of_negatives[patients[~truth] == one].sum() for one in clusters])
    i10, i01, i = len(np.unique(patients[truth])), len(np.unique(patients[~truth])), len(clusters)
    s10, s01, s11 = i10 / ((i10 - 1) * m) * (x @ x), i01 / ((i01 - 1) * n) * (y @ y), i / (i - 1) * (x @ y)
    return s10 / m + s01 / n + 2 * s11 / (m * n)


def test_images_of_one_patient_enter_the_variance_together(simulate):
    a, b = simulate(0), simulate(1, task="b")
    b = replace(b, probabilities=np.round(b.probabilities, 1))
    found = area(compared(a, b), 0.95)
    error = np.sqrt(obuchowski(a.truth, [b.score, a.score], a.patients))
    assert found.value == pytest.approx(
        sklearn.roc_auc_score(b.truth, b.score) - sklearn.roc_auc_score(a.truth, a.score)
    )
    assert 1 < half_width(found) / (norm.ppf(0.975) * error) < 1.03
    assert found.p_value == pytest.approx(2 * norm.sf(abs(found.value) / error), rel=0.1)
    assert found.test == "Obuchowski"
    alone = area(compared(a, b), 0.95, as_independent=True)
    single = area(compared(*(replace(one, patients=one.images) for one in (a, b))), 0.95)
    assert (alone.p_value, alone.interval[:2]) == (single.p_value, single.interval[:2])
    assert alone.test == "DeLong, assuming independent images"
    assert alone.n_patients == found.n_patients < alone.n


def test_two_models_that_both_separate_the_classes_still_have_an_interval(make):
    truth = [0] * 8 + [1] * 8
    a = make(truth, np.linspace(0.1, 0.9, 16))
    b = make(truth, np.append(np.linspace(0.4, 0.1, 8), np.linspace(0.9, 0.6, 8)), task="b")
    found = area(compared(a, b), 0.95)
    assert (found.value, found.p_value, found.test) == (0, 1, "equal areas without variance")
    assert -0.5 < found.interval.low < 0 < found.interval.high < 0.5
    assert found.interval.method == "Newcombe hybrid of Newcombe 2006, n = patients"


def test_a_single_positive_patient_gives_an_interval_and_no_test(make):
    a, b = make([0, 0, 0, 1], [0.1, 0.5, 0.3, 0.4]), make([0, 0, 0, 1], [0.1, 0.2, 0.3, 0.4], task="b")
    found = area(compared(a, b), 0.95)
    assert found.value == pytest.approx(1 / 3)
    assert found.interval.low < 0 < found.interval.high
    assert (found.p_value, found.test) == (None, None)


FIGURES = {
    "roc_auc": lambda one: sklearn.roc_auc_score(one.truth, one.score),
    "accuracy": lambda one: sklearn.accuracy_score(one.truth, one.score >= 0.5),
    "average_precision": lambda one: sklearn.average_precision_score(one.truth, one.score),
    "balanced_accuracy": lambda one: sklearn.balanced_accuracy_score(one.truth, one.score >= 0.5),
    "sensitivity": lambda one: sklearn.recall_score(one.truth, one.score >= 0.5),
    "specificity": lambda one: sklearn.recall_score(~one.truth, one.score < 0.5),
    "mcc": lambda one: sklearn.matthews_corrcoef(one.truth, one.score >= 0.5),
    "brier": lambda one: sklearn.brier_score_loss(one.truth, one.score),
}


def test_any_figure_has_a_bootstrap_difference_of_scikit_learns_values(simulate):
    a, b = simulate(0), simulate(1, task="b", effect=3)
    found = by_bootstrap(compared(a, b), list(FIGURES), 0.95, resamples=200, seed=0)
    assert [one.metric for one in found] == list(FIGURES)
    for one in found:
        assert one.first == pytest.approx(FIGURES[one.metric](b)), one.metric
        assert one.second == pytest.approx(FIGURES[one.metric](a)), one.metric
        assert one.interval.low < one.value < one.interval.high


def test_bootstrap_and_analytic_intervals_agree_where_there_are_many_patients(simulate):
    a, b = simulate(0, n=2000), simulate(1, n=2000, task="b", effect=1.4)
    both = compared(a, b)
    analytic = [area(both, 0.95), *shares(both, 0.95)]
    resampled = by_bootstrap(both, [one.metric for one in analytic], 0.95, resamples=2000, seed=0)
    for one, other in zip(analytic, resampled, strict=True):
        assert one.value == pytest.approx(other.value)
        assert half_width(one) == pytest.approx(half_width(other), rel=0.08), one.metric


def test_a_bootstrap_of_nothing_is_no_figure(make):
    failed = make([0, 1], [0.2, 0.8], status=["failed", "failed"])
    found = by_bootstrap(compared(failed, failed), ["brier", "accuracy"], 0.95, resamples=100, seed=0)
    assert [(one.value, one.interval.low, one.n) for one in found] == [(None, None, 0), (0, None, 2)]
