import csv
from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import trapezoid
from sklearn import metrics as sklearn
from statsmodels.stats.proportion import proportion_confint

from cxrkit import utility
from cxrkit.api import PriorShift, Threshold
from cxrkit.evaluation import curves
from cxrkit.intervals import patient_index

HALF = Threshold(0.5, "fixed")
COLUMNS = {
    "roc": "fpr,tpr,threshold,tpr_low,tpr_high,fpr_low,fpr_high",
    "pr": "recall,precision,threshold,precision_low,precision_high",
    "calibration": "lower,upper,n,mean_predicted,observed,low,high",
    "calibration_mass": "lower,upper,n,mean_predicted,observed,low,high",
    "decision": "threshold_probability,net_benefit,low,high,treat_all,treat_none",
    "predictive": "prevalence,ppv,ppv_low,ppv_high,npv,npv_low,npv_high",
    "operating_points": "rule,target,threshold,sensitivity,sensitivity_low,sensitivity_high,"
    "specificity,specificity_low,specificity_high",
}


def written(folder, found, **settings):
    curves.write(folder, found, HALF, 0.95, **({"resamples": 100} | settings))
    return sorted(path.stem.removeprefix("test_") for path in folder.glob("test_*.csv"))


def read(folder, kind):
    with (folder / f"test_{kind}.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {
        name: np.array([float(row[name]) if row[name] not in ("", "fixed") else np.nan for row in rows])
        for name in rows[0]
    }


def test_every_curve_has_its_columns(tmp_path, simulate):
    prior = PriorShift(np.array([0.5, 0.5]), np.array([0.8, 0.2]))
    names = written(tmp_path, simulate(), temperature=1.5, prior=prior)
    again = [f"{name}{how}" for name in ("calibration", "calibration_mass") for how in ("_prior", "_temperature")]
    assert names == sorted([*COLUMNS, *again, "decision_prior"])
    for name in names:
        header = (tmp_path / f"test_{name}.csv").read_text(encoding="utf-8").splitlines()[0]
        assert header == COLUMNS[name.removesuffix("_prior").removesuffix("_temperature")]


def test_small_curves_are_exact(tmp_path, simulate):
    found = simulate()
    written(tmp_path, found)
    expected = sklearn.roc_curve(found.truth, found.score)
    for name, values in zip(("fpr", "tpr", "threshold"), expected, strict=True):
        np.testing.assert_allclose(read(tmp_path, "roc")[name], values)
    precision, recall, _ = sklearn.precision_recall_curve(found.truth, found.score)
    np.testing.assert_allclose(read(tmp_path, "pr")["precision"][1:], precision[:-1][::-1])
    np.testing.assert_allclose(read(tmp_path, "pr")["recall"][1:], recall[:-1][::-1])


def test_the_bands_of_independent_images_are_wilsons(tmp_path, make):
    rng = np.random.default_rng(0)
    truth = rng.random(80) < 0.5
    found = make(truth, np.clip(0.5 + 0.2 * rng.normal(size=80) + 0.2 * (truth - 0.5), 0.01, 0.99))
    written(tmp_path, found)
    roc, pr = read(tmp_path, "roc"), read(tmp_path, "pr")
    positives = truth.sum()
    for rate, low, high in zip(roc["tpr"], roc["tpr_low"], roc["tpr_high"], strict=True):
        assert (low, high) == pytest.approx(proportion_confint(rate * positives, positives, method="wilson"), abs=1e-9)
    row = 20
    called = int((found.score >= pr["threshold"][row]).sum())
    right = int(truth[found.score >= pr["threshold"][row]].sum())
    expected = proportion_confint(right, called, method="wilson")
    assert (pr["precision_low"][row], pr["precision_high"][row]) == pytest.approx(expected, abs=1e-9)
    assert np.isnan(pr["precision_low"][0])


def test_a_curve_of_many_points_is_thinned_to_what_can_be_drawn(tmp_path, make):
    rng = np.random.default_rng(0)
    truth = rng.random(60_000) < 0.3
    found = make(truth, 1 / (1 + np.exp(-rng.normal(size=60_000) - 2 * (truth - 0.5))))
    written(tmp_path, found, resamples=100)
    roc, pr = read(tmp_path, "roc"), read(tmp_path, "pr")
    assert 1500 < len(roc["fpr"]) <= 2002
    assert 1000 < len(pr["recall"]) <= 2004
    assert trapezoid(roc["tpr"], roc["fpr"]) == pytest.approx(sklearn.roc_auc_score(truth, found.score), abs=1e-4)
    assert (roc["fpr"][-1], roc["tpr"][-1], pr["recall"][-1]) == (1, 1, 1)
    area = np.sum(np.diff(pr["recall"]) * pr["precision"][1:])
    assert area == pytest.approx(sklearn.average_precision_score(truth, found.score), abs=1e-3)


def test_the_decision_curve_is_at_the_stated_prevalence_or_the_sets_own(tmp_path, simulate):
    found = simulate()
    for prevalence in (None, 0.1):
        written(tmp_path, found, prevalence=prevalence, seed=4)
        expected = utility.decision_curve(
            found.truth, found.score, patient_index(found.patients), prevalence=prevalence, resamples=100, seed=4
        )
        curve = read(tmp_path, "decision")
        for name in curve:
            np.testing.assert_array_equal(curve[name], getattr(expected, name))


def test_recalibrated_bins_hold_the_recalibrated_probabilities(tmp_path, make):
    found = make([1, 0, 1, 0], [0.9, 0.9, 0.2, 0.2])
    prior = PriorShift(np.array([0.5, 0.5]), np.array([0.9, 0.1]))
    written(tmp_path, found, prior=prior, temperature=2.0)
    odds = np.array([0.2 / 0.8, 0.9 / 0.1])
    np.testing.assert_allclose(read(tmp_path, "calibration")["mean_predicted"], [0.2, 0.9])
    np.testing.assert_allclose(read(tmp_path, "calibration_prior")["mean_predicted"], odds / 9 / (1 + odds / 9))
    np.testing.assert_allclose(
        read(tmp_path, "calibration_temperature")["mean_predicted"], np.sqrt(odds) / (1 + np.sqrt(odds))
    )


def test_operating_points_begin_with_the_tasks_own(tmp_path, simulate):
    found = simulate()
    written(tmp_path, found, operating_points=[Threshold(0.3, "fixed", target=0.9)])
    points = read(tmp_path, "operating_points")
    assert points["threshold"].tolist() == [0.5, 0.3]
    assert points["target"][1] == 0.9
    expected = (found.score[found.truth] >= 0.3).mean()
    assert points["sensitivity"][1] == pytest.approx(expected)
    assert points["sensitivity_low"][1] < expected < points["sensitivity_high"][1]


@pytest.mark.parametrize(
    ("scale", "expected"), [("score", ["operating_points", "pr", "predictive", "roc"]), ("decision", ["predictive"])]
)
def test_a_scale_gets_what_it_supports_and_older_files_go(tmp_path, simulate, scale, expected):
    found = simulate()
    written(tmp_path, found, temperature=1.5)
    assert written(tmp_path, replace(found, scale=scale), temperature=1.5) == expected


def test_a_set_of_one_class_or_without_results_has_the_curves_that_are_left(tmp_path, make):
    assert written(tmp_path / "one", make([1] * 5, [0.8] * 5)) == ["calibration", "calibration_mass", "pr"]
    assert written(tmp_path / "none", make([1, 0], [0.8, 0.1], status=["crashed", "crashed"])) == [
        "decision",
        "operating_points",
        "predictive",
    ]


@pytest.mark.parametrize(
    ("truth", "score", "patients"),
    [
        ([1, 0, 1, 0], [0.3] * 4, None),
        ([1, 1, 0, 0], [1.0, 1.0, 0.0, 0.0], None),
        ([1, 0, 1, 0], [0.9, 0.2, 0.4, 0.6], [1, 1, 1, 1]),
    ],
    ids=["constant", "perfect", "one patient"],
)
def test_no_cell_says_nan_and_no_band_has_zero_width(tmp_path, make, truth, score, patients):
    prior = PriorShift(np.array([0.5, 0.5]), np.array([0.8, 0.2]))
    written(tmp_path, make(truth, score, patients=patients), temperature=2.0, prior=prior, prevalence=0.1)
    for path in tmp_path.glob("*.csv"):
        assert "nan" not in path.read_text(encoding="utf-8"), path.name
        columns = read(tmp_path, path.stem.removeprefix("test_"))
        for name in columns:
            if name.endswith("low"):
                low, high = columns[name], columns[name.replace("low", "high")]
                assert (high > low)[np.isfinite(low)].all(), (path.name, name)
