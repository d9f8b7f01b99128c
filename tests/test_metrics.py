import numpy as np
import pytest
from sklearn import metrics as sklearn

from cxrkit import metrics

SEEDS = range(5)


def scored(seed, *, n=400, ties=False, prevalence=0.4):
    rng = np.random.default_rng(seed)
    truth = rng.random(n) < prevalence
    score = np.clip(0.5 + rng.normal(scale=0.25, size=n) + 0.15 * (truth - 0.5), 0, 1)
    return truth, np.round(score, 1) if ties else score


def called(seed, *, k, n=300):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, k, n)
    return labels, np.where(rng.random(n) < 0.7, labels, rng.integers(0, k, n))


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_areas_and_brier_are_scikit_learns(seed, ties):
    truth, score = scored(seed, ties=ties)
    assert metrics.roc_auc(truth, score) == pytest.approx(sklearn.roc_auc_score(truth, score), abs=1e-12)
    expected = sklearn.average_precision_score(truth, score)
    assert metrics.average_precision(truth, score) == pytest.approx(expected, abs=1e-12)
    assert metrics.brier(truth, score) == pytest.approx(sklearn.brier_score_loss(truth, score), abs=1e-12)


@pytest.mark.parametrize("ties", [False, True])
def test_weighted_areas_are_scikit_learns_with_sample_weights(ties):
    truth, score = scored(1, ties=ties)
    weights = np.random.default_rng(2).integers(0, 4, (3, len(truth))).astype(float)
    ranking = metrics.SortedScores(truth, score)
    for row, (area, precision) in enumerate(
        zip(ranking.roc_auc(weights), ranking.average_precision(weights), strict=True)
    ):
        assert area == pytest.approx(sklearn.roc_auc_score(truth, score, sample_weight=weights[row]), abs=1e-12)
        expected = sklearn.average_precision_score(truth, score, sample_weight=weights[row])
        assert precision == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("ties", [False, True])
def test_weights_of_patients_are_those_of_their_images(ties):
    truth, score = scored(1, ties=ties)
    patients = np.random.default_rng(3).integers(0, 90, len(truth))
    weights = np.random.default_rng(2).integers(0, 4, (3, 90)).astype(float)
    of_patients, of_images = metrics.SortedScores(truth, score, patients), metrics.SortedScores(truth, score)
    for figure in ("roc_auc", "average_precision", "counts"):
        found = getattr(of_patients, figure)(weights)
        np.testing.assert_array_equal(found, getattr(of_images, figure)(weights[:, patients]))


@pytest.mark.parametrize("k", [2, 3, 5])
@pytest.mark.parametrize("seed", SEEDS)
def test_figures_of_decisions_are_scikit_learns(seed, k):
    labels, found = called(seed, k=k)
    matrix = metrics.confusion_matrix(labels, found, k)
    np.testing.assert_array_equal(matrix[:, :-1], sklearn.confusion_matrix(labels, found))
    precision, recall, f1, support = sklearn.precision_recall_fscore_support(labels, found)
    np.testing.assert_allclose(metrics.precision(matrix), precision, atol=1e-12)
    np.testing.assert_allclose(metrics.recall(matrix), recall, atol=1e-12)
    np.testing.assert_allclose(metrics.f1(matrix), f1, atol=1e-12)
    np.testing.assert_array_equal(matrix.sum(axis=1), support)
    assert metrics.accuracy(matrix) == pytest.approx(sklearn.accuracy_score(labels, found), abs=1e-12)
    assert metrics.balanced_accuracy(matrix) == pytest.approx(sklearn.balanced_accuracy_score(labels, found), abs=1e-12)
    assert metrics.matthews_correlation(matrix) == pytest.approx(sklearn.matthews_corrcoef(labels, found), abs=1e-12)


def test_leading_axes_are_carried_along():
    matrices = np.stack([metrics.confusion_matrix(*called(seed, k=3), 3) for seed in SEEDS])
    for figure in (metrics.accuracy, metrics.f1, metrics.matthews_correlation, metrics.balanced_accuracy):
        np.testing.assert_array_equal(figure(matrices), [figure(one) for one in matrices])


def test_an_image_without_result_is_wrong_for_recall_and_accuracy_and_absent_from_precision():
    labels = np.array([1, 1, 1, 0, 0])
    found = np.array([1, 1, metrics.NO_RESULT, 0, metrics.NO_RESULT])
    matrix = metrics.confusion_matrix(labels, found, 2)
    np.testing.assert_array_equal(matrix, [[1, 0, 1], [0, 2, 1]])
    np.testing.assert_allclose(metrics.recall(matrix), [1 / 2, 2 / 3])
    np.testing.assert_allclose(metrics.precision(matrix), [1, 1])
    assert metrics.accuracy(matrix) == pytest.approx(3 / 5)
    assert metrics.matthews_correlation(matrix) == pytest.approx(1)


def test_calling_everything_one_class_has_correlation_0_and_no_precision_of_the_other():
    matrix = metrics.confusion_matrix(np.array([0, 0, 1]), np.array([1, 1, 1]), 2)
    assert metrics.matthews_correlation(matrix) == 0
    assert np.isnan(metrics.precision(matrix)[0])


@pytest.mark.parametrize("ties", [False, True])
def test_curves_pass_through_scikit_learns_points(ties):
    truth, score = scored(3, ties=ties)
    curve = metrics.roc_curve(truth, score)
    for ours, theirs in zip(curve, sklearn.roc_curve(truth, score, drop_intermediate=True), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-12)
    precision, recall, thresholds = sklearn.precision_recall_curve(truth, score)
    ours = metrics.precision_recall_curve(truth, score)
    np.testing.assert_allclose(ours.precision[1:], precision[:-1][::-1], atol=1e-12)
    np.testing.assert_allclose(ours.recall[1:], recall[:-1][::-1], atol=1e-12)
    np.testing.assert_allclose(ours.thresholds[1:], thresholds[::-1], atol=1e-12)
    assert (ours.precision[0], ours.recall[0]) == (1, 0)


def test_an_empty_class_has_no_area():
    score = np.array([0.1, 0.9])
    assert metrics.roc_auc(np.array([True, True]), score) is None
    assert metrics.roc_auc(np.array([False, False]), score) is None
    assert metrics.average_precision(np.array([False, False]), score) is None
    assert metrics.roc_auc(np.array([], dtype=bool), np.array([])) is None
    assert metrics.average_precision(np.array([], dtype=bool), np.array([])) is None
    assert metrics.brier(np.array([], dtype=bool), np.array([])) is None


def test_the_positive_class_is_called_from_the_threshold_on_and_else_the_most_probable_other():
    probabilities = np.array([[0.2, 0.3, 0.5], [0.3, 0.5, 0.2], [0.4, 0.1, 0.5], [np.nan, np.nan, np.nan]])
    np.testing.assert_array_equal(metrics.decide(probabilities, 1, 0.3), [1, 1, 2, metrics.NO_RESULT])
    np.testing.assert_array_equal(metrics.decide(probabilities, 1, 0.6), [2, 0, 2, metrics.NO_RESULT])


def test_two_classes_are_decided_by_the_threshold_alone():
    probabilities = np.array([[0.4, 0.6], [0.45, 0.55], [0.9, 0.1]])
    np.testing.assert_array_equal(metrics.decide(probabilities, 1, 0.6), [1, 0, 0])
    np.testing.assert_array_equal(metrics.decide(probabilities, 1, 0.0), [1, 1, 1])


def test_predictive_values_at_another_prevalence_are_the_ones_of_the_textbook():
    assert metrics.predictive_values(0.99, 0.85, 0.625)[0] == pytest.approx(0.92, abs=0.005)
    assert metrics.predictive_values(0.99, 0.85, 0.05)[0] == pytest.approx(0.26, abs=0.005)
    assert metrics.predictive_values(0.0, 1.0, 0.1) == (None, pytest.approx(0.9))
    assert metrics.predictive_values(1.0, 0.0, 0.1) == (pytest.approx(0.1), None)


def test_calibration_bins_are_scikit_learns_and_hold_a_probability_of_1():
    from sklearn.calibration import calibration_curve

    truth, score = scored(4)
    assert score.max() == 1
    bins = metrics.calibration_bins(truth, score)
    observed, predicted = calibration_curve(truth, score, n_bins=10)
    np.testing.assert_allclose(bins.positives / bins.n, observed)
    np.testing.assert_allclose(bins.mean_predicted, predicted)
    assert bins.n.sum() == len(score)
    assert (bins.lower[bins.place] <= score).all()
    assert (score <= bins.upper[bins.place]).all()


def test_bins_of_equal_mass_are_scikit_learns():
    from sklearn.calibration import calibration_curve

    truth, score = scored(4)
    score = np.clip(score, 0.001 + np.arange(400) * 1e-6, 0.999 - np.arange(400) * 1e-6)  # no ties, no score on an edge
    bins = metrics.calibration_bins(truth, score, equal="mass")
    observed, predicted = calibration_curve(truth, score, n_bins=10, strategy="quantile")
    np.testing.assert_allclose(bins.positives / bins.n, observed)
    np.testing.assert_allclose(bins.mean_predicted, predicted)


def test_equal_scores_stay_in_one_bin_of_equal_mass():
    truth, score = np.arange(40) % 2 == 0, np.repeat([0.2, 0.2, 0.2, 0.9], 10)
    bins = metrics.calibration_bins(truth, score, equal="mass")
    assert bins.n.tolist() == [40] or bins.n.tolist() == [30, 10]
    constant = metrics.calibration_bins(truth, np.full(40, 0.3), equal="mass")
    assert (constant.n.tolist(), constant.mean_predicted.tolist()) == ([40], [pytest.approx(0.3)])
    nothing = metrics.calibration_bins(truth[:0], score[:0], equal="mass")
    assert nothing.n.tolist() == nothing.place.tolist() == []
