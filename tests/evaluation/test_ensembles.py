from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import logit
from sklearn.metrics import log_loss

from cxrkit.config.schema import EnsembleTable
from cxrkit.errors import InputError
from cxrkit.evaluation.ensembles import best_weights, combine, prior_of, write
from cxrkit.evaluation.finished import FinishedTask, finished_tasks
from cxrkit.records import PriorRecord, TaskInfo


def test_the_mean_is_of_probabilities_and_the_logit_mean_of_log_odds(simulate):
    one, other = simulate(0), simulate(1, task="b")
    mean = combine([one, other], "mean", [0.25, 0.75])
    np.testing.assert_allclose(mean.score, 0.25 * one.score + 0.75 * other.score, rtol=1e-12)
    logit_mean = combine([one, other], "logit-mean", [0.5, 0.5])
    np.testing.assert_allclose(logit(logit_mean.score), (logit(one.score) + logit(other.score)) / 2, rtol=1e-9)


def test_images_are_matched_by_name_and_one_without_a_result_anywhere_has_none(make):
    one = make([0, 1, 1], [0.1, 0.8, 0.7], status=["ok", "ok", "unreadable"])
    other = make([0, 1, 1], [0.3, 0.6, 0.9], task="b")
    order = np.array([2, 0, 1])
    shuffled = replace(
        other,
        **{name: getattr(other, name)[order] for name in ("images", "patients", "labels", "status", "probabilities")},
    )
    for method in ("mean", "logit-mean"):
        found = combine([one, shuffled], method, [0.5, 0.5])
        assert found.status.tolist() == ["ok", "ok", "unreadable"]
        assert np.isnan(found.score[2])
    assert combine([one, shuffled], "mean", [0.5, 0.5]).score[:2] == pytest.approx([0.2, 0.7])


def test_members_of_other_images_or_other_labels_are_refused(make):
    one = make([0, 1], [0.1, 0.8])
    with pytest.raises(InputError, match="1 labels differ"):
        combine([one, make([0, 0], [0.1, 0.8], task="b")], "mean", [0.5, 0.5])
    with pytest.raises(InputError, match="1 images are in one alone"):
        combine([one, make([0, 1, 1], [0.1, 0.8, 0.1], task="b")], "mean", [0.5, 0.5])


def test_weights_by_validation_are_those_of_the_smallest_log_loss(simulate):
    members = [simulate(0, effect=2.5), simulate(1, effect=1.5), simulate(2, effect=0.2)]
    truth, scores = members[0].truth, np.stack([member.score for member in members])

    def loss(two):
        return log_loss(truth, np.array([*two, 1 - sum(two)]) @ scores)

    found = minimize(
        loss, [0.3, 0.3], bounds=[(0, 1)] * 2, constraints={"type": "ineq", "fun": lambda two: 1 - sum(two)}
    )
    weights = best_weights(members)
    assert sum(weights) == pytest.approx(1)
    assert weights[:2] == pytest.approx(found.x, abs=2e-3)


def test_weights_without_any_common_result_are_equal(make):
    one, other = make([1], [0.5], status=["gone"]), make([1], [0.5], task="b")
    assert best_weights([one, other]) == [0.5, 0.5]


def test_an_ensemble_is_written_for_the_sets_that_all_members_have(run_of, simulate):
    run = run_of(
        simulate(0, set_name="val"),
        simulate(0),
        simulate(5, set_name="far"),
        simulate(1, task="b", set_name="val"),
        simulate(1, task="b"),
    )
    members = finished_tasks(run)
    info = write(run, EnsembleTable(name="both", members=("a", "b"), method="validation-weighted"), members)
    task = FinishedTask(run.task("both"), info)
    assert task.sets() == [("val", None), ("test", None)]
    assert (info.kind, info.members) == ("ensemble", ["a", "b"])
    weights = info.ensemble.weights
    expected = weights["a"] * members[0].read("test").score + weights["b"] * members[1].read("test").score
    np.testing.assert_allclose(task.read("test").score, expected, rtol=1e-12)


def test_a_condition_that_a_member_no_longer_has_goes(run_of, simulate):
    run = run_of(simulate(0), simulate(1, task="b"))
    stale = run.task("both").predictions("test", "blur-1")
    stale.parent.mkdir(parents=True)
    stale.write_text("", encoding="utf-8")
    write(run, EnsembleTable(name="both", members=("a", "b")), finished_tasks(run))
    assert [path.name for path in stale.parent.glob("*")] == ["test.csv"]


def test_scores_and_decisions_are_refused(run_of, simulate):
    run = run_of(simulate(0), simulate(1, task="b"))
    members = finished_tasks(run)
    members[1] = replace(members[1], info=members[1].info.model_copy(update={"scale": "score"}))
    with pytest.raises(InputError, match='ensemble "both": task "b" gives scores, only probabilities'):
        write(run, EnsembleTable(name="both", members=("a", "b")), members)


def trained(name, seen, kind="trained"):
    prior = None if seen is None else PriorRecord(seen=seen, natural=[0.25, 0.75])
    return TaskInfo(task=name, kind=kind, state="finished", prior=prior)


def test_shifts_of_log_odds_average_in_a_logit_mean():
    combined = prior_of([trained("a", [0.5, 0.5]), trained("b", None)], {"a": 0.5, "b": 0.5}, "logit-mean")
    assert combined.natural == [0.25, 0.75]
    assert logit(combined.seen[1]) == pytest.approx((logit(0.5) + logit(0.75)) / 2)


def test_no_shift_is_known_where_none_was_made_or_a_member_is_somebody_elses():
    weights = {"a": 0.5, "b": 0.5}
    assert prior_of([trained("a", None), trained("b", None)], weights, "mean") is None
    assert prior_of([trained("a", [0.5, 0.5]), trained("b", None, "predictions")], weights, "mean") is None
