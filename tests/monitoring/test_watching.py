"""Pages as a whole: how often they raise false alarms, and what raises a true one."""

import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from cxrkit.evaluation.predictions import taken
from cxrkit.monitoring.periods import Period
from cxrkit.monitoring.rules import Limits
from cxrkit.monitoring.watching import monitored
from cxrkit.report.wording import MINUS


def records(found, figure, kind="control"):
    return [one for one in found.records if one.figure == figure and one.kind == kind]


def raised(found):
    return {(alarm.period, alarm.figure) for alarm in found.alarms}


@pytest.mark.parametrize(
    ("pages", "per_patient"),
    [(5, 1.5), pytest.param(150, 1, marks=pytest.mark.slow), pytest.param(150, 2.5, marks=pytest.mark.slow)],
)
def test_false_alarms_are_as_rare_as_the_page_says_also_where_images_share_patients(
    pages, per_patient, simulate, watch
):
    count, expected = 0, 0.0
    for page in range(pages):
        new = [simulate(1000 * page + number, n=100, per_patient=per_patient) for number in (1, 2)]
        found = monitored(watch(simulate(1000 * page, n=400, per_patient=per_patient), *new), Limits())
        count += len({alarm.rule for alarm in found.alarms})
        expected += found.false_alarms
    assert count <= expected + 3 * expected**0.5
    assert expected / pages == pytest.approx(0.05 * 3 + 2 * 0.00135 * 5, abs=1e-3)


def test_another_way_to_score_raises_drift_false_positives_and_the_drop(simulate, watch):
    found = monitored(watch(simulate(1), simulate(2), simulate(3, shift=2.0)), Limits())
    assert {period for period, _ in raised(found)} == {"period 2"}
    assert {"psi", "ks_score", "false_positive_rate", "specificity"} <= {figure for _, figure in raised(found)}
    assert all(alarm.sentence.startswith("period 2: ") and alarm.sentence.endswith(".") for alarm in found.alarms)
    dropped = next(alarm.sentence for alarm in found.alarms if alarm.figure == "specificity")
    assert re.search(rf"\({MINUS}[\d.]+ points, 95% interval {MINUS}[\d.]+ to {MINUS}[\d.]+ points\)", dropped), dropped


def test_failing_images_are_an_alarm_of_their_own_and_no_drift(simulate, watch):
    found = monitored(watch(simulate(1), simulate(2, failed=40)), Limits())
    assert raised(found) == {("period 1", "no_result")}
    assert records(found, "no_result")[0].value == pytest.approx(40 / 300)
    assert records(found, "alert_rate")[0].n == 260


def test_a_period_without_any_result_is_an_alarm_and_no_error(simulate, watch):
    found = monitored(watch(simulate(1), simulate(2, n=20, failed=20)), Limits())
    assert raised(found) == {("period 1", "no_result")}
    assert not records(found, "alert_rate")


def test_shares_are_counted_by_hand(simulate, watch):
    reference, new = simulate(1), simulate(2)
    called, sick = new.score >= 0.5, new.labels == 1
    found = monitored(watch(reference, new), Limits())
    expected = {
        "alert_rate": called.mean(),
        "false_positive_rate": called[~sick].mean(),
        "sensitivity": called[sick].mean(),
    }
    assert {name: records(found, name)[0].value for name in expected} == pytest.approx(expected)
    assert records(found, "alert_rate")[0].reference == pytest.approx((reference.score >= 0.5).mean())


def test_limits_are_wider_where_images_share_patients(simulate, watch):
    alone, shared = (
        records(monitored(watch(simulate(1, per_patient=k), simulate(2, per_patient=k)), Limits()), "alert_rate")[0]
        for k in (1, 3)
    )
    assert shared.upper_limit - shared.lower_limit > 1.2 * (alone.upper_limit - alone.lower_limit)
    assert "design effect" in shared.method
    assert "design effect" not in alone.method


def test_unknown_patients_of_new_images_are_noted_and_the_references_design_effect_stands_in(simulate, watch):
    new = simulate(2, per_patient=3)
    found = monitored(watch(simulate(1, per_patient=3), replace(new, patients=new.images)), Limits())
    assert any("Nothing tells the patients of new images apart" in note for note in found.notes)
    assert "design effect" in records(found, "alert_rate")[0].method


def test_drift_compares_one_image_of_each_patient(simulate, watch):
    new = simulate(2, per_patient=3)
    found = monitored(watch(simulate(1), new), Limits())
    assert records(found, "psi", "drift")[0].n == len(np.unique(new.patients))


def test_without_labels_performance_is_estimated_with_its_assumption_in_the_sentence(simulate, watch):
    found = monitored(watch(simulate(1), simulate(2, labelled=False)), Limits())
    kinds = Counter(one.kind for one in found.records)
    assert kinds["performance"] == 0
    assert kinds["estimate"] == 7
    assert all("only if" in one.sentence and one.assumption in one.sentence for one in found.records if one.assumption)
    assert not any(one.alarm or one.rule for one in found.records if one.kind == "estimate")


def test_labels_of_some_images_are_used(simulate, watch):
    new = simulate(2)
    half = replace(new, labels=np.where(np.arange(300) < 150, new.labels, -1))
    found = monitored(watch(simulate(1), half), Limits())
    assert records(found, "roc_auc", "performance")[0].n == 150
    assert found.periods[0].labelled == 150


def test_a_reference_without_labels_gives_alert_rate_and_drift_alone(simulate, watch):
    found = monitored(watch(simulate(1, labelled=False), simulate(2)), Limits())
    assert {one.figure for one in found.records} == {"alert_rate", "no_result", "psi", "ks_score"}
    assert any("reference has no labels" in note for note in found.notes)


def test_labels_of_one_class_give_what_they_can(simulate, watch):
    new = simulate(2)
    found = monitored(watch(simulate(1), taken(new, new.labels == 0)), Limits())
    assert {one.figure for one in found.records if one.kind == "performance"} >= {"specificity"}
    assert not records(found, "sensitivity")


@pytest.mark.parametrize("scale", ["score", "decision"])
def test_scores_and_decisions_give_what_they_can(scale, simulate, watch):
    def of(found):
        if scale == "score":
            return replace(found, scale="score", probabilities=np.stack([-10 * found.score, 10 * found.score], axis=1))
        return replace(found, scale="decision", probabilities=np.eye(2)[(found.score >= 0.5).astype(int)])

    watched = watch(of(simulate(1)), of(simulate(2)))
    figures = {one.figure for one in monitored(watched, Limits()).records}
    assert ("psi" in figures) == (scale == "score")
    assert ("estimated_roc_auc" in figures) == (scale == "score")
    assert {"alert_rate", "sensitivity", "adjusted_prevalence"} <= figures


def test_the_latest_period_alone_can_alarm_and_is_the_family(simulate, watch):
    reference, odd, like = simulate(1), simulate(3, shift=2.0), simulate(2)
    assert not monitored(watch(reference, odd, like, latest=True), Limits()).alarms
    found = monitored(watch(reference, like, odd, latest=True), Limits())
    assert {period for period, _ in raised(found)} == {"period 2"}
    assert {rule.name: rule.tests for rule in found.rules}["psi"] == 1


def test_thresholds_of_the_rules_decide(simulate, watch):
    watched = watch(simulate(1), simulate(3, shift=2.0))
    lenient = monitored(watched, Limits(psi=50, ks=1.5, sigma=30, margin=0.99))
    assert not lenient.alarms
    assert {rule.option for rule in lenient.rules} == {"--psi", "--ks", "--sigma", "--margin"}


def test_a_reference_that_varies_between_its_periods_widens_the_limits(simulate, watch):
    past = [Period(f"week {k}", simulate(50 + k, n=100, prevalence=0.2 if k % 2 else 0.6)) for k in range(10)]
    watched = watch(simulate(1), simulate(2))
    even, uneven = (monitored(one, Limits()) for one in (watched, replace(watched, past=past)))
    assert even.dispersion == 1
    assert uneven.dispersion > 2
    widths = [one.upper_limit - one.lower_limit for found in (even, uneven) for one in records(found, "alert_rate")]
    assert widths[1] > widths[0]
