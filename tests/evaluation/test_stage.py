import json

import numpy as np
import pandas as pd
import pytest
from cxrkit_plugins.reporters import classification
from sklearn import metrics as sklearn
from statsmodels.stats.proportion import proportion_confint

from cxrkit.api import Figure, MetricReport
from cxrkit.config.schema import EvaluationTable, ThresholdTable
from cxrkit.errors import InputError, RunError
from cxrkit.evaluation import evaluate, predictions
from cxrkit.records import Comparison, Metrics, ModelInfo, Preprocessing, TaskInfo
from cxrkit.registry import Registered

TABLE = EvaluationTable(resamples=200)


def reporter(factory=classification, name="classification"):
    return Registered(name, "metric reporter", factory, "some-distribution", "1.0", ""), {}


def evaluated(run, *tasks, table=TABLE, threshold=None, reporters=None):
    thresholds = dict.fromkeys(tasks, threshold or ThresholdTable())
    evaluate(run, table, thresholds, reporters or [reporter()])
    return run


def records(run, task="a", set_name="test"):
    return [record for record in Metrics.read(run.task(task).metrics).records if record.set == set_name]


def figure(run, metric, *, class_name=None, prevalence=None, subgroup=None, set_name="test"):
    (found,) = [
        record
        for record in records(run, set_name=set_name)
        if (record.metric, record.class_name, record.prevalence, record.subgroup, record.unit, record.calibrated)
        == (metric, class_name, prevalence, subgroup, "image", None)
    ]
    return found


def test_every_figure_is_scikit_learns_and_has_an_interval_and_its_method(run_of, simulate):
    test = simulate()
    run = evaluated(run_of(test, simulate(set_name="val")), "a", table=EvaluationTable(resamples=200, prevalence=0.1))
    threshold = TaskInfo.read(run.task("a").info).threshold.value
    truth, called = test.truth, test.score >= threshold
    expected = {
        "roc_auc": sklearn.roc_auc_score(truth, test.score),
        "average_precision": sklearn.average_precision_score(truth, test.score),
        "brier": sklearn.brier_score_loss(truth, test.score),
        "sensitivity": sklearn.recall_score(truth, called),
        "specificity": sklearn.recall_score(~truth, ~called),
        "ppv": sklearn.precision_score(truth, called),
        "npv": sklearn.precision_score(~truth, ~called),
        "accuracy": sklearn.accuracy_score(truth, called),
        "balanced_accuracy": sklearn.balanced_accuracy_score(truth, called),
        "mcc": sklearn.matthews_corrcoef(truth, called),
        "prevalence": truth.mean(),
    }
    for metric, value in expected.items():
        found = figure(run, metric)
        assert found.value == pytest.approx(value, abs=1e-9), metric
        assert found.low < found.value < found.high, metric
        assert found.method, metric
        assert found.level == 0.95
    scores = sklearn.precision_recall_fscore_support(truth, called)
    for metric, values in zip(("precision", "recall", "f1", "support"), scores, strict=True):
        for name, value in zip(("NORMAL", "PNEUMONIA"), values, strict=True):
            assert figure(run, metric, class_name=name).value == pytest.approx(value, abs=1e-9)
    stated = figure(run, "ppv", prevalence=0.1)
    sensitivity, specificity = expected["sensitivity"], expected["specificity"]
    assert stated.value == pytest.approx(0.1 * sensitivity / (0.1 * sensitivity + 0.9 * (1 - specificity)))
    assert stated.low < stated.value < stated.high


def test_the_same_seed_gives_the_same_bytes(run_of, simulate):
    found = [simulate(seed, task=task, set_name=name) for seed, task in enumerate("ab") for name in ("val", "test")]
    run = evaluated(run_of(*found), "a", "b")
    paths = [path for path in sorted(run.root.rglob("*")) if path.is_file()]
    before = {path: path.read_bytes() for path in paths}
    assert run.task("a").curves / "test_roc.csv" in before
    evaluated(run, "a", "b")
    assert {path: path.read_bytes() for path in sorted(run.root.rglob("*")) if path.is_file()} == before
    assert not any("NaN" in content.decode() for path, content in before.items() if path.suffix == ".json")


def test_an_image_without_result_is_wrong_first_and_left_out_beside(run_of, make, fixed):
    truth = [1] * 10 + [0] * 10
    status = ["crashed"] + ["ok"] * 18 + ["crashed"]
    run = evaluated(run_of(make(truth, [0.9] * 10 + [0.1] * 10, status=status)), "a", threshold=fixed)
    assert figure(run, "sensitivity").value == pytest.approx(0.9)
    assert figure(run, "specificity").value == pytest.approx(0.9)
    assert figure(run, "accuracy").value == pytest.approx(0.9)
    assert figure(run, "sensitivity_complete_cases").value == 1
    assert (figure(run, "roc_auc").value, figure(run, "roc_auc").n) == (1, 18)
    assert figure(run, "ppv").value == 1
    (confusion,) = Metrics.read(run.task("a").metrics).confusion
    assert (confusion.matrix, confusion.no_result) == ([[9, 0], [0, 9]], 2)


def test_perfect_results_have_intervals_of_some_width(run_of, make, fixed):
    run = evaluated(run_of(make([1] * 12 + [0] * 8, [1.0] * 12 + [0.0] * 8)), "a", threshold=fixed)
    for record in records(run):
        if record.method:
            assert record.high - record.low > 0.01, record.metric
    expected = proportion_confint(8, 8, method="wilson")[0]
    assert figure(run, "balanced_accuracy").low == pytest.approx(expected)
    assert figure(run, "mcc").low == pytest.approx(2 * expected - 1)


@pytest.mark.parametrize("status", ["ok", "crashed"])
def test_a_set_of_one_class_or_without_results_has_no_figures_that_need_more(run_of, make, fixed, status):
    run = evaluated(run_of(make([1] * 5, [0.8] * 5, status=[status] * 5)), "a", threshold=fixed)
    assert figure(run, "roc_auc").value is None
    assert (figure(run, "specificity").value, figure(run, "specificity").n) == (None, 0)
    assert figure(run, "sensitivity").value == (status == "ok")
    assert not (run.task("a").curves / "test_roc.csv").exists()


def test_thresholds_stand_in_the_task_and_in_every_model(run_of, simulate):
    run = run_of(simulate(), simulate(set_name="val"))
    task = run.task("a")
    info = TaskInfo.read(task.info).model_copy(update={"seeds": [3, 4]})
    info.write(task.info)
    preprocessing = Preprocessing(image_size=32, resize=36, mean=[0.5] * 3, std=[0.2] * 3)
    for seed in (3, 4):
        model = ModelInfo(
            task="a",
            seed=seed,
            model="m",
            distribution="cxrkit",
            class_names=["NORMAL", "PNEUMONIA"],
            positive="PNEUMONIA",
            preprocessing=preprocessing,
            parameters=1,
            trainable=1,
        )
        model.write(task.seed(seed).model_info)
    predictions.write(task.seed(3).predictions("val"), simulate(8, set_name="val"))
    evaluated(run, "a")
    chosen = TaskInfo.read(task.info).threshold
    assert (chosen.rule, chosen.set, chosen.n) == ("youden", "val", 240)
    assert ModelInfo.read(task.seed(4).model_info).threshold == chosen
    own = ModelInfo.read(task.seed(3).model_info).threshold
    assert own.rule == "youden"
    assert own.value != chosen.value


def test_a_missing_threshold_stops_before_anything_is_written(run_of, simulate):
    run = run_of(simulate(), simulate(1, task="b"), simulate(1, task="b", set_name="val"))
    with pytest.raises(InputError, match='task "a": threshold: rule "youden" needs predictions on validation'):
        evaluated(run, "a", "b")
    assert TaskInfo.read(run.task("b").info).threshold is None
    assert not run.comparison.exists()


def test_subgroups_of_one_class_are_ranked_against_all_of_the_other(run_of, simulate, fixed):
    found = simulate()
    run = run_of(found)
    pathogen = np.where(found.truth, np.where(np.arange(240) % 2, "virus", "bacteria"), "")
    sex = np.where(np.arange(240) % 3, "F", "M")
    pd.DataFrame({"image": found.images, "split": "test", "pathogen": pathogen, "sex": sex}).to_csv(run.manifest)
    table = EvaluationTable(resamples=100, subgroups=("pathogen", "sex"))
    evaluated(run, "a", table=table, threshold=fixed)
    virus = pathogen == "virus"
    against = virus | ~found.truth
    area = figure(run, "roc_auc_against_all", subgroup="pathogen=virus")
    assert area.value == pytest.approx(sklearn.roc_auc_score(found.truth[against], found.score[against]))
    share = figure(run, "sensitivity", subgroup="pathogen=virus")
    assert (share.value, share.n) == (pytest.approx((found.score[virus] >= 0.5).mean()), virus.sum())
    women = sex == "F"
    area = figure(run, "roc_auc", subgroup="sex=F")
    assert area.value == pytest.approx(sklearn.roc_auc_score(found.truth[women], found.score[women]))
    assert not any(record.subgroup == "pathogen=" for record in records(run))


@pytest.mark.parametrize(
    ("column", "message"),
    [("pathogn", 'the manifest has no column "pathogn", did you mean "pathogen"'), ("patient", "has 240 values")],
)
def test_a_column_that_makes_no_subgroups_is_refused(run_of, simulate, fixed, column, message):
    found = simulate()
    run = run_of(found)
    frame = pd.DataFrame({"image": found.images, "pathogen": "x", "patient": found.images})
    frame.to_csv(run.manifest)
    with pytest.raises(InputError, match=message):
        evaluated(run, "a", table=EvaluationTable(resamples=100, subgroups=(column,)), threshold=fixed)
    run.manifest.unlink()
    with pytest.raises(InputError, match=r"cannot be found without \[data\]"):
        evaluated(run, "a", table=EvaluationTable(resamples=100, subgroups=(column,)), threshold=fixed)


def test_curves_are_files_with_bands(run_of, simulate, fixed):
    found = simulate()
    run = evaluated(run_of(found), "a", threshold=fixed)
    roc = pd.read_csv(run.task("a").curves / "test_roc.csv")
    fpr, _, _ = sklearn.roc_curve(found.truth, found.score)
    np.testing.assert_allclose(roc["fpr"], fpr, atol=1e-12)
    assert ((roc["tpr_low"] <= roc["tpr"]) & (roc["tpr"] <= roc["tpr_high"])).all()
    assert (roc["tpr_high"] > roc["tpr_low"]).all()
    bins = pd.read_csv(run.task("a").curves / "test_calibration.csv")
    assert bins["n"].sum() == 240
    assert ((bins["low"] <= bins["observed"]) & (bins["observed"] <= bins["high"])).all()
    pr = pd.read_csv(run.task("a").curves / "test_pr.csv").iloc[1:]  # from the first called image on
    assert ((pr["precision_low"] <= pr["precision"]) & (pr["precision"] <= pr["precision_high"])).all()


def test_a_strangers_reporter_adds_figures_and_its_failure_names_it(run_of, simulate, fixed):
    def own(predictions, settings):
        return MetricReport((Figure("own", np.float64("nan"), n=len(predictions.images)),))

    def broken(predictions, settings):
        raise ZeroDivisionError("oh")

    def listed(predictions, settings):
        return []

    run = run_of(simulate())
    evaluated(run, "a", threshold=fixed, reporters=[reporter(own, "own")])
    assert figure(run, "own").value is None
    with pytest.raises(
        RunError, match=r'metric reporter "b" \(.* of some-distribution 1.0\) on .*, set "test" failed \(ZeroDiv'
    ):
        evaluated(run, "a", threshold=fixed, reporters=[reporter(broken, "b")])
    with pytest.raises(RunError, match="returned list, a MetricReport is needed"):
        evaluated(run, "a", threshold=fixed, reporters=[reporter(listed, "b")])


def test_halves_of_characters_in_a_strangers_figure_are_written_as_escapes(run_of, simulate, fixed):
    """Python has them of names that are no UTF-8, and JSON cannot."""

    def own(predictions, settings):
        return MetricReport((Figure("caf\udce9", 0.5, n=1),))

    run = evaluated(run_of(simulate()), "a", threshold=fixed, reporters=[reporter(own, "own")])
    assert figure(run, "caf\\udce9").value == 0.5


def test_comparison_and_metrics_are_valid_json_of_their_schema(run_of, simulate, fixed):
    run = evaluated(run_of(simulate(), simulate(1, task="b")), "a", "b", threshold=fixed)
    assert {record.reference for record in Comparison.read(run.comparison).records} == {"a"}
    assert json.loads(run.comparison.read_text(encoding="utf-8"))["schema_version"] == 1
