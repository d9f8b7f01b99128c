from dataclasses import replace

import numpy as np
import pytest
from cxrkit_plugins.reporters import classification
from scipy.optimize import minimize_scalar
from sklearn.metrics import log_loss

from cxrkit.config.schema import EnsembleTable, EvaluationTable, ThresholdTable
from cxrkit.errors import InputError
from cxrkit.evaluation import ensembles, evaluate, predictions
from cxrkit.evaluation.finished import finished_tasks
from cxrkit.evaluation.per_patient import by_patient
from cxrkit.records import Metrics, ModelInfo, Preprocessing, PriorRecord, TaskInfo, ThresholdRecord
from cxrkit.registry import Registered

REFERRING = ThresholdTable(rule="youden", refer={"sensitivity": 0.95, "specificity": 0.9})


def settled(run, *tasks, threshold=REFERRING, **table):
    reporter = Registered("classification", "metric reporter", classification, "cxrkit", "1.0", ""), {}
    evaluate(run, EvaluationTable(resamples=100, **table), dict.fromkeys(tasks, threshold), [reporter])
    return [TaskInfo.read(run.task(task).info) for task in tasks]


def add_seed(run, seed, found, **shares):
    """Give a task of the run directory a single training with its own predictions on validation."""
    task = run.task("a")
    info = TaskInfo.read(task.info)
    info.model_copy(update={"seeds": [*info.seeds, seed], "kind": "trained"}).write(task.info)
    ModelInfo(
        task="a",
        seed=seed,
        model="m",
        distribution="cxrkit",
        class_names=["NORMAL", "PNEUMONIA"],
        positive="PNEUMONIA",
        preprocessing=Preprocessing(image_size=32, resize=36, mean=[0.5] * 3, std=[0.2] * 3),
        parameters=1,
        trainable=1,
        **shares,
    ).write(task.seed(seed).model_info)
    predictions.write(task.seed(seed).predictions("val"), found)


def test_everything_is_fixed_on_validation_and_stands_in_the_task(run_of, simulate):
    validation = simulate(set_name="val")
    (info,) = settled(run_of(simulate(), validation), "a")
    for threshold in (info.threshold, info.zone.lower, info.zone.upper, *info.patient_thresholds.values()):
        assert threshold.set == "val"
        assert threshold.low <= threshold.value <= threshold.high
    assert info.zone.lower.value < info.zone.upper.value
    sensitivity = (validation.score[validation.truth] >= info.zone.lower.value).mean()
    assert sensitivity >= 0.95

    def loss(temperature):
        powers = validation.probabilities ** (1 / temperature)
        return log_loss(validation.truth, powers[:, 1] / powers.sum(axis=1))

    best = minimize_scalar(loss, bounds=(0.05, 20), method="bounded").x
    assert info.temperature.value == pytest.approx(best, rel=1e-3)
    assert (info.temperature.set, info.temperature.n) == ("val", 240)


def test_patients_have_thresholds_of_their_own_chosen_on_patients(run_of, simulate):
    validation = simulate(set_name="val")
    (info,) = settled(run_of(simulate(), validation), "a")
    for rule in ("max", "mean"):
        found = by_patient(validation, rule)
        threshold = info.patient_thresholds[f"patient-{rule}"]
        assert threshold.n == len(found.images)
        best = max(
            (found.score[found.truth] >= one).mean() - (found.score[~found.truth] >= one).mean() for one in found.score
        )
        here = (found.score[found.truth] >= threshold.value).mean() - (
            found.score[~found.truth] >= threshold.value
        ).mean()
        assert here == pytest.approx(best)


def test_the_same_thresholds_are_used_on_test_images(run_of, simulate):
    test = simulate()
    run = run_of(test, simulate(set_name="val"))
    (info,) = settled(run, "a")
    metrics = Metrics.read(run.task("a").metrics)
    of_test = [point for point in metrics.operating_points if point.set == "test"]
    assert [(point.threshold.rule, point.threshold.target) for point in of_test] == [
        (rule, target) for rule in ("sensitivity", "specificity") for target in (0.9, 0.95, 0.99)
    ]
    for point in of_test:
        (sensitivity,) = [figure for figure in point.figures if figure.metric == "sensitivity"]
        assert sensitivity.value == pytest.approx((test.score[test.truth] >= point.threshold.value).mean())
    (zone,) = [zone for zone in metrics.zones if zone.set == "test"]
    lower, upper = info.zone.lower.value, info.zone.upper.value
    (coverage,) = [figure for figure in zone.figures if figure.metric == "coverage"]
    assert coverage.value == pytest.approx(((test.score < lower) | (test.score >= upper)).mean())
    units = {record.unit for record in metrics.records if record.set == "test"}
    assert units == {"image", "patient-max", "patient-mean"}


def test_every_training_has_its_own_and_the_class_shares_are_those_of_all(run_of, simulate):
    run = run_of(simulate(), simulate(set_name="val"))
    shares = {"class_shares": [0.25, 0.75], "seen_shares": [0.5, 0.5]}
    add_seed(run, 3, simulate(8, set_name="val"), **shares)
    add_seed(run, 4, simulate(9, set_name="val"), **shares)
    (info,) = settled(run, "a")
    assert info.prior == PriorRecord(seen=[0.5, 0.5], natural=[0.25, 0.75])
    models = [ModelInfo.read(run.task("a").seed(seed).model_info) for seed in (3, 4)]
    assert len({model.temperature for model in models} | {info.temperature.value}) == 3
    assert len({model.threshold.value for model in models} | {info.threshold.value}) == 3
    assert all(model.zone is not None for model in models)


@pytest.mark.parametrize(
    "shares",
    [
        {"class_shares": [0.25, 0.75], "seen_shares": [0.25, 0.75]},
        {"class_shares": [0.25, 0.75], "seen_shares": None},
        {},
    ],
    ids=["unchanged", "hidden by a loss", "not recorded"],
)
def test_no_shift_is_told_where_none_is_known(run_of, simulate, shares):
    run = run_of(simulate(), simulate(set_name="val"))
    add_seed(run, 3, simulate(8, set_name="val"), **shares)
    assert settled(run, "a")[0].prior is None


def test_an_ensemble_is_settled_on_its_own_predictions_with_its_members_shares(run_of, simulate):
    run = run_of(simulate(), simulate(set_name="val"), simulate(1, task="b"), simulate(1, task="b", set_name="val"))
    add_seed(run, 3, simulate(set_name="val"), class_shares=[0.25, 0.75], seen_shares=[0.5, 0.5])
    other = TaskInfo.read(run.task("b").info)
    other.model_copy(update={"kind": "trained"}).write(run.task("b").info)
    ensembles.write(run, EnsembleTable(name="both", members=("a", "b")), finished_tasks(run))
    both, *_ = settled(run, "both", "a", "b")
    assert both.threshold.set == "val"
    assert both.prior.natural == [0.25, 0.75]
    assert 0.5 < both.prior.seen[1] < 0.75


def test_a_saved_model_keeps_what_was_fixed_with_it(run_of, simulate):
    run = run_of(simulate(), simulate(set_name="val"))
    task = run.task("a")
    own = ThresholdRecord(value=0.31, rule="sensitivity", set="val", n=99, target=0.9)
    info = TaskInfo.read(task.info).model_copy(update={"kind": "checkpoint", "threshold": own})
    info.write(task.info)
    (after,) = settled(run, "a")
    assert after.threshold == own
    assert after.temperature is after.zone is None
    info.model_copy(update={"threshold": None}).write(task.info)
    with pytest.raises(InputError, match='task "a": has no threshold'):
        settled(run, "a")


def test_a_zone_needs_validation(run_of, simulate):
    run = run_of(simulate())
    table = ThresholdTable(rule="fixed", value=0.5, refer={"sensitivity": 0.9, "specificity": 0.9})
    with pytest.raises(InputError, match="is chosen on validation and there are no"):
        settled(run, "a", threshold=table)
    (info,) = settled(run, "a", threshold=ThresholdTable(rule="fixed", value=0.5))
    assert info.zone is info.temperature is None


def test_nothing_of_a_test_image_has_a_part_in_it(run_of, simulate):
    validation, test = simulate(set_name="val"), simulate()
    (first,) = settled(run_of(test, validation), "a")
    turned = replace(test, probabilities=np.ascontiguousarray(test.probabilities[:, ::-1]))
    (second,) = settled(run_of(turned, validation), "a")
    ignored = {"sources"}
    assert first.model_dump(exclude=ignored) == second.model_dump(exclude=ignored)
