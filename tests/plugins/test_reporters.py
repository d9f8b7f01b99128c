import math
from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.special import logit, softmax
from sklearn import metrics as sklearn
from statsmodels.stats.proportion import proportion_confint

from cxrkit import discovery, utility
from cxrkit.api import EvaluationSettings, Predictions, PriorShift, Threshold
from cxrkit.evaluation.predictions import log_scores
from cxrkit.heterogeneity import equal_areas, equal_proportions

HALF = EvaluationSettings(threshold=Threshold(0.5, "fixed"), resamples=100)
NAMES = ("classification", "calibration", "utility")
PRIOR = PriorShift(np.array([0.5, 0.5]), np.array([0.2, 0.8]))


@pytest.fixture(scope="module")
def reporters():
    """The reporters as the core finds them, through their entry point."""
    registered = discovery.load("cxrkit").metric_reporters
    return {name: registered.get(name, "evaluation.reporters").factory for name in NAMES}


@pytest.fixture(scope="module")
def figures(reporters):
    """Ask a reporter; its figures by metric, class, subgroup, prevalence and recalibration."""

    def asked(name, predictions, settings=HALF):
        report = reporters[name](predictions, settings)
        found = {}
        for one in report.figures:
            key = (one.metric, one.class_name, one.subgroup, one.prevalence, one.calibrated)
            assert key not in found
            found[key] = one
        return found

    return asked


def plain(found):
    """Metric → figure, of those that are of all images, at the set's own prevalence, as the model gives them."""
    return {key[0]: one for key, one in found.items() if key[1:] == (None,) * 4}


def predicted(truth, score, *, patients=None, status=None, class_names=("NORMAL", "PNEUMONIA"), scale="probability"):
    truth, score = np.asarray(truth, dtype=bool), np.array(score, dtype=float)
    status = np.array(["ok"] * len(truth) if status is None else status, dtype=np.str_)
    score[status != "ok"] = np.nan
    images = np.array([f"{row}.png" for row in range(len(truth))], dtype=np.str_)
    return Predictions(
        task="a",
        set="test",
        condition=None,
        class_names=class_names,
        positive="PNEUMONIA",
        images=images,
        patients=images if patients is None else np.array([f"p{one}" for one in patients], dtype=np.str_),
        labels=truth.astype(np.int64),
        status=status,
        probabilities=np.stack([1 - score, score], axis=1),
        scale=scale,
    )


def eight(score):
    return predicted([0, 0, 0, 0, 1, 1, 1, 1], score, patients=[1, 1, 2, 3, 4, 5, 6, 6])


def simulated(seed=0, n=300, patients=200):
    rng = np.random.default_rng(seed)
    truth = rng.random(n) < 0.4
    score = 1 / (1 + np.exp(-rng.normal(size=n) - 1.5 * (truth - 0.5)))
    return predicted(truth, score, patients=rng.integers(0, patients, n))


def three(seed=0, n=200):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n)
    logits = rng.normal(size=(n, 3)) + 1.2 * np.eye(3)[labels]
    images = np.array([f"{row}.png" for row in range(n)])
    patients = np.array([f"p{row}" for row in rng.integers(0, n // 2, n)])
    names = ("BACTERIA", "NORMAL", "VIRUS")
    ok = np.array(["ok"] * n)
    return Predictions("a", "test", None, names, "VIRUS", images, patients, labels, ok, softmax(logits, axis=1), logits)


# ── classification ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_figures_of_eight_images_are_worked_out_by_hand(figures):
    found = plain(figures("classification", eight([0.1, 0.2, 0.3, 0.6, 0.4, 0.7, 0.8, 0.9])))
    values = {name: one.value for name, one in found.items()}
    assert values["sensitivity"] == values["specificity"] == values["ppv"] == values["accuracy"] == 0.75
    assert values["roc_auc"] == pytest.approx(15 / 16)
    assert values["average_precision"] == pytest.approx((1 + 1 + 1 + 4 / 5) / 4)
    assert values["brier"] == pytest.approx((0.01 + 0.04 + 0.09 + 0.36 + 0.36 + 0.09 + 0.04 + 0.01) / 8)
    assert values["mcc"] == pytest.approx(0.5)
    assert (found["sensitivity"].n, found["sensitivity"].n_patients) == (4, 3)
    assert found["sensitivity"].threshold == 0.5
    assert found["roc_auc"].threshold is None
    assert found["roc_auc"].fewest_patients == found["sensitivity"].fewest_patients == 3
    assert (values["no_result"], found["no_result"].low) == (0, 0)
    assert found["no_result"].high > 0.3


@pytest.mark.parametrize("name", NAMES)
def test_they_are_pure(reporters, name):
    settings = replace(HALF, prevalence=0.2, prior=PRIOR, temperature=2.0)
    found = simulated()
    assert reporters[name](found, settings) == reporters[name](found, settings)


def test_an_image_without_result_is_wrong_first_and_left_out_beside(figures):
    status = ["crashed", *["ok"] * 18, "crashed"]
    found = plain(figures("classification", predicted([1] * 10 + [0] * 10, [0.9] * 10 + [0.1] * 10, status=status)))
    assert found["sensitivity"].value == found["specificity"].value == pytest.approx(0.9)
    assert found["sensitivity_complete_cases"].value == 1
    assert found["no_result"].value == pytest.approx(0.1)
    assert (found["no_result"].low, found["no_result"].high) == pytest.approx(
        proportion_confint(2, 20, method="wilson")
    )


def test_a_sensitivity_of_1_is_not_known_exactly_in_balanced_accuracy(figures):
    score = [0.9] * 5 + [0.9] * 5 + [0.1] * 95
    found = plain(figures("classification", predicted([1] * 5 + [0] * 100, score)))
    one, sensitivity, specificity = (found[name] for name in ("balanced_accuracy", "sensitivity", "specificity"))
    assert one.value == pytest.approx(0.975)
    below = math.hypot(1 - sensitivity.low, specificity.value - specificity.low) / 2
    assert (one.low, one.high) == pytest.approx((0.975 - below, 0.975 + (specificity.high - specificity.value) / 2))
    assert one.low < 0.8  # resamples lower the specificity alone
    assert one.method == "square-and-add of Wilson intervals"


def test_two_classes_have_no_figures_of_each_against_the_rest(figures):
    found = figures("classification", simulated())
    assert not [key for key in found if key[0].endswith("_macro")]
    assert {key[0] for key in found if key[1]} == {"precision", "recall", "f1", "support"}


def test_three_classes_have_figures_of_each_against_the_rest_and_their_means(figures):
    predictions = three()
    found = figures("classification", predictions)
    labels, probabilities = predictions.labels, predictions.probabilities
    others = np.where(np.arange(3) == 2, -1, probabilities).argmax(axis=1)
    called = np.where(predictions.score >= 0.5, 2, others)
    for index, name in enumerate(predictions.class_names):
        truth = labels == index
        expected = {
            "roc_auc": sklearn.roc_auc_score(truth, probabilities[:, index]),
            "average_precision": sklearn.average_precision_score(truth, probabilities[:, index]),
            "specificity": sklearn.recall_score(~truth, called != index),
        }
        for metric, value in expected.items():
            one = found[metric, name, None, None, None]
            assert one.value == pytest.approx(value)
            assert one.low < value < one.high
    means = {
        "roc_auc_macro": sklearn.roc_auc_score(labels, probabilities, multi_class="ovr"),
        "average_precision_macro": sklearn.average_precision_score(np.eye(3)[labels], probabilities),
        "f1_macro": sklearn.f1_score(labels, called, average="macro"),
    }
    for metric, value in means.items():
        one = plain(found)[metric]
        assert one.value == pytest.approx(value)
        assert one.low < value < one.high
    single = found["roc_auc", "NORMAL", None, None, None]
    mean = plain(found)["roc_auc_macro"]
    assert mean.high - mean.low < single.high - single.low
    assert mean.method == "Obuchowski, logit"


def test_the_mean_area_of_perfect_results_has_an_interval_of_some_width(figures):
    predictions = replace(three(), probabilities=np.eye(3)[three().labels], logits=None)
    one = plain(figures("classification", predictions))["roc_auc_macro"]
    assert (one.value, one.high) == (1, 1)
    assert 0.8 < one.low < 1


@pytest.mark.parametrize("rule", ["fixed", "youden"])
def test_a_fixed_threshold_is_also_applied_to_corrected_probabilities(figures, rule):
    predictions = simulated()
    settings = replace(HALF, threshold=Threshold(0.5, rule), prior=PRIOR)
    found = figures("classification", predictions, settings)
    keys = [key for key in found if key[4]]
    if rule != "fixed":  # chosen on validation from the same probabilities, of which the correction changes no rank
        assert keys == []
        return
    odds = predictions.score / (1 - predictions.score) * (0.8 / 0.5) / (0.2 / 0.5)
    called = odds >= 1
    assert {key[0]: found[key].value for key in keys} == pytest.approx(
        {
            "sensitivity": called[predictions.truth].mean(),
            "specificity": 1 - called[~predictions.truth].mean(),
        }
    )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scale", ["score", "decision"])
def test_a_scale_gets_what_it_supports(figures, name, scale):
    predictions = simulated()
    if scale == "decision":
        predictions = predicted(predictions.truth, np.round(predictions.score), scale=scale)
    else:
        predictions = predicted(predictions.truth, 10 * predictions.score - 3, scale=scale)
    found = {key[0] for key in figures(name, predictions, replace(HALF, prevalence=0.1, temperature=2.0, prior=PRIOR))}
    if name == "calibration":
        assert not found
        return
    assert not found & {"brier", "net_benefit"}
    if name == "classification":
        assert {"sensitivity", "ppv", "mcc"} <= found
        assert ({"roc_auc", "average_precision"} <= found) == (scale == "score")
        assert bool(found & {"roc_auc", "average_precision"}) == (scale == "score")
    else:
        assert {"lr_positive", "true_positives_per_1000"} <= found


@pytest.mark.parametrize("unit", ["patient-max", "patient-mean"])
def test_patients_have_figures_of_classification_alone(figures, unit):
    settings = replace(HALF, unit=unit)
    assert not figures("calibration", simulated(), settings)
    assert not figures("utility", simulated(), settings)
    found = plain(figures("classification", simulated(), settings))
    assert ("brier" in found) == (unit == "patient-mean")
    assert "roc_auc" in found


# ── Subgroups ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_pathogens_are_tested_by_sensitivity_and_by_areas_against_all_normal_images(figures):
    predictions = simulated()
    truth, kind = predictions.truth, np.arange(300) % 3
    pathogen = np.where(truth, np.where(kind == 0, "virus", "bacteria"), "")
    found = figures("classification", predictions, replace(HALF, subgroups={"pathogen": pathogen}))
    tests = {key[0]: one for key, one in found.items() if key[0].endswith("heterogeneity")}
    assert set(tests) == {"sensitivity_heterogeneity", "roc_auc_heterogeneity"}
    _, patients = np.unique(predictions.patients, return_inverse=True)
    groups = [pathogen == "bacteria", pathogen == "virus"]
    expected = equal_proportions(predictions.score[truth] >= 0.5, [one[truth] for one in groups], patients[truth])
    one = tests["sensitivity_heterogeneity"]
    assert (one.value, one.p_value, one.n) == (expected.statistic, expected.p_value, truth.sum())
    assert (one.subgroup, one.threshold) == ("pathogen", 0.5)
    expected = equal_areas(truth, predictions.score, [one | ~truth for one in groups], patients)
    one = tests["roc_auc_heterogeneity"]
    assert (one.value, one.p_value, one.n) == (expected.statistic, expected.p_value, 300)
    assert one.method == "Wald with Welch's F, clustered by patient, 1 df"


def test_a_subgroup_of_one_class_has_no_predictive_values(figures):
    predictions = simulated()
    kind = np.where(predictions.truth, "virus", "normal")
    side = np.where(np.arange(300) % 2 == 0, "left", "right")
    found = figures("classification", predictions, replace(HALF, subgroups={"kind": kind, "side": side}))
    assert {key[0] for key in found if key[2] == "kind=virus"} == {"sensitivity", "accuracy", "roc_auc_against_all"}
    assert {key[0] for key in found if key[2] == "kind=normal"} == {"specificity", "accuracy", "roc_auc_against_all"}
    both = {"sensitivity", "specificity", "accuracy", "ppv", "npv", "roc_auc"}
    assert {key[0] for key in found if key[2] == "side=left"} == both


def test_a_column_with_normal_images_as_a_subgroup_of_their_own_tests_the_diseased_ones(figures):
    predictions = simulated()
    kind = np.where(predictions.truth, np.where(np.arange(300) % 3 == 0, "virus", "bacteria"), "normal")
    blank = np.where(kind == "normal", "", kind)
    found = figures("classification", predictions, replace(HALF, subgroups={"a": kind, "b": blank}))
    of = {key[2]: one.value for key, one in found.items() if key[0] == "roc_auc_heterogeneity"}
    assert of["a"] == pytest.approx(of["b"])
    assert ("specificity_heterogeneity", None, "a", None, None) not in found
    assert found["roc_auc_against_all", None, "a=virus", None, None].value is not None


def test_mixed_subgroups_are_ranked_within_and_a_lone_one_is_not_tested(figures):
    predictions = simulated()
    sex = np.where(np.arange(300) % 2 == 0, "F", "M")
    lone = np.full(300, "x")
    found = figures("classification", predictions, replace(HALF, subgroups={"sex": sex, "lone": lone}))
    rows = sex == "F"
    area = found["roc_auc", None, "sex=F", None, None]
    assert area.value == pytest.approx(sklearn.roc_auc_score(predictions.truth[rows], predictions.score[rows]))
    assert {key[0] for key in found if key[2] == "sex"} == {
        "sensitivity_heterogeneity",
        "specificity_heterogeneity",
        "roc_auc_heterogeneity",
    }
    assert not [key for key in found if key[2] == "lone"]


# ── calibration ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_calibration_figures_are_of_the_raw_and_the_recalibrated_probabilities(figures):
    predictions = simulated()
    found = figures("calibration", predictions, replace(HALF, temperature=2.0, prior=PRIOR))
    truth, odds = predictions.truth, predictions.score / (1 - predictions.score)
    patients = np.unique(predictions.patients, return_inverse=True)[1]
    for how, changed in ((None, odds), ("temperature", np.sqrt(odds)), ("prior", odds * (0.8 / 0.5) / (0.2 / 0.5))):
        score = changed / (1 + changed)
        values = {key[0]: one for key, one in found.items() if key[4] == how}
        fit = sm.Logit(truth.astype(float), sm.add_constant(logit(score))).fit(
            disp=0, cov_type="cluster", cov_kwds={"groups": patients}
        )
        slope = values["calibration_slope"]
        assert slope.value == pytest.approx(fit.params[1], rel=1e-5)
        assert (slope.high - slope.low) / 2 == pytest.approx(1.96 * fit.bse[1], rel=0.01)
        assert values["log_loss"].value == pytest.approx(sklearn.log_loss(truth, score))
        assert values["log_loss"].low < values["log_loss"].value < values["log_loss"].high
        brier = sklearn.brier_score_loss(truth, score)
        parts = [values[f"brier_{part}"].value for part in ("reliability", "resolution", "uncertainty", "within_bins")]
        assert parts[0] - parts[1] + parts[2] + parts[3] == pytest.approx(brier)
        if how:
            assert values["brier"].value == pytest.approx(brier)
            assert values["brier"].low < brier < values["brier"].high
        else:
            assert "brier" not in values
        assert 0 <= values["ece_equal_mass"].value < 0.5
        assert values["ece_equal_width"].low is None


def test_a_probability_of_0_is_recalibrated_as_it_was_when_the_temperature_was_fitted(figures):
    predictions = predicted([1, 1, 0, 0], [1.0, 0.0, 0.0, 1.0])
    found = figures("calibration", predictions, replace(HALF, temperature=4.0))
    score = softmax(log_scores(predictions) / 4.0, axis=1)[:, 1]
    values = {key[0]: one.value for key, one in found.items() if key[4] == "temperature"}
    assert values["brier"] == pytest.approx(np.mean((score - predictions.truth) ** 2), rel=1e-12)
    assert values["log_loss"] == pytest.approx(sklearn.log_loss(predictions.truth, score))


def test_a_temperature_of_1_and_unchanged_shares_change_nothing(figures):
    same = PriorShift(np.array([0.3, 0.7]), np.array([0.3, 0.7]))
    found = figures("calibration", three(), replace(HALF, temperature=1.0))
    for how, other in (
        ("temperature", found),
        ("prior", figures("calibration", simulated(), replace(HALF, prior=same))),
    ):
        for key, one in other.items():
            if key[4] is None:
                assert other[(*key[:4], how)].value == pytest.approx(one.value, abs=1e-9)


# ── utility ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_utility_is_worked_out_from_the_counts(figures):
    predictions = predicted([1] * 40 + [0] * 60, [0.9] * 30 + [0.1] * 10 + [0.8] * 12 + [0.2] * 48)
    found = figures("utility", predictions, replace(HALF, prevalence=0.1))
    values = {key[0]: one.value for key, one in found.items() if key[3] is None}
    assert values["lr_positive"] == pytest.approx(0.75 / 0.2)
    assert values["lr_negative"] == pytest.approx(0.25 / 0.8)
    assert values["true_positives_per_1000"] == pytest.approx(300)
    assert values["false_positives_per_1000"] == pytest.approx(120)
    assert values["net_benefit"] == pytest.approx(0.30 - 0.12)
    assert values["net_benefit_treat_all"] == pytest.approx(0.4 - 0.6)
    stated = {key[0]: one for key, one in found.items() if key[3] == 0.1}
    assert stated["false_negatives_per_1000"].value == pytest.approx(25)
    assert stated["true_negatives_per_1000"].value == pytest.approx(720)
    # Shifted to 10 %, the odds of .9 fall from 9 to 1.5, those of .8 from 4 to .67.
    assert stated["net_benefit"].value == pytest.approx(0.75 * 0.1)
    assert stated["net_benefit"].low < 0.075 < stated["net_benefit"].high
    assert stated["net_benefit"].fewest_patients == 40


def test_net_benefit_is_a_point_of_the_decision_curve_and_stands_beside_the_corrected_one(figures):
    predictions = simulated()
    found = figures("utility", predictions, replace(HALF, threshold=Threshold(0.3, "fixed"), prior=PRIOR))
    patients = np.unique(predictions.patients, return_inverse=True)[1]
    curve = utility.decision_curve(predictions.truth, predictions.score, patients, prevalence=None, resamples=100)
    assert plain(found)["net_benefit"].value == pytest.approx(curve.net_benefit[29])
    assert plain(found)["net_benefit"].method == "bootstrap by patient"
    assert ("net_benefit", None, None, None, "prior") in found


def test_a_threshold_without_finite_odds_has_no_net_benefit(figures):
    found = plain(figures("utility", simulated(), replace(HALF, threshold=Threshold(1.0, "fixed"))))
    assert found["net_benefit"].value is None
    assert found["net_benefit_treat_all"].value is None


# ── Edges ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

EDGES = {
    "one class": ([1] * 6, [0.1, 0.8, 0.9, 0.7, 0.6, 0.4], None, None),
    "the other class": ([0] * 6, [0.1, 0.8, 0.9, 0.7, 0.6, 0.4], None, None),
    "no result": ([1, 0, 1, 0], [0.5] * 4, None, ["crashed"] * 4),
    "a result of one class": ([1, 0, 1, 0], [0.9] * 4, None, ["ok", "crashed", "ok", "crashed"]),
    "one patient": ([1, 0, 1, 0, 1], [0.9, 0.2, 0.4, 0.6, 0.7], [1] * 5, None),
    "constant": ([1, 0] * 5, [0.3] * 10, None, None),
    "perfect": ([1] * 5 + [0] * 5, [1.0] * 5 + [0.0] * 5, None, None),
    "wrong": ([0] * 5 + [1] * 5, [1.0] * 5 + [0.0] * 5, None, None),
    "one positive": ([1] + [0] * 9, np.linspace(0.9, 0.1, 10), None, None),
    "two images": ([1, 0], [0.9, 0.2], None, None),
    "one image": ([1], [0.9], None, None),
}


def check(found):
    """Every figure is a finite number or None, and every interval has some width."""
    assert found
    for key, one in found.items():
        numbers = [number for number in (one.value, one.low, one.high, one.p_value) if number is not None]
        assert all(math.isfinite(number) for number in numbers), key
        assert (one.low is None) == (one.high is None), key
        if one.low is not None:
            assert one.high > one.low, key
            assert one.low <= one.value <= one.high or one.method == "bootstrap by patient", key
            assert one.method, key


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("case", EDGES)
def test_figures_at_the_edges_are_numbers_or_none_and_intervals_have_width(figures, name, case):
    truth, score, patients, status = EDGES[case]
    predictions = predicted(truth, score, patients=patients, status=status)
    subgroups = {"side": np.array(["left", "right"] * len(truth))[: len(truth)]}
    settings = replace(HALF, prevalence=0.1, subgroups=subgroups, temperature=2.0, prior=PRIOR)
    check(figures(name, predictions, settings))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("case", ["an empty class", "one class", "no result", "constant", "one patient"])
def test_three_classes_at_the_edges(figures, name, case):
    whole = three(n=60)
    without = np.full((60, 3), np.nan)
    changed = {
        "an empty class": {"labels": np.where(whole.labels == 0, 1, whole.labels)},
        "one class": {"labels": np.full(60, 2)},
        "no result": {"status": np.full(60, "crashed"), "probabilities": without, "logits": without},
        "constant": {"probabilities": np.full((60, 3), 1 / 3), "logits": np.zeros((60, 3))},
        "one patient": {"patients": np.full(60, "p")},
    }
    prior = PriorShift(np.array([0.2, 0.3, 0.5]), np.array([0.5, 0.3, 0.2]))
    settings = replace(HALF, prevalence=0.1, temperature=2.0, prior=prior, subgroups={"s": np.array(["a", "b"] * 30)})
    check(figures(name, replace(whole, **changed[case]), settings))
