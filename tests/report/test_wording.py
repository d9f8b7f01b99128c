"""How figures are put into words."""

import pytest

from cxrkit.records import ComparisonRecord, ThresholdRecord
from cxrkit.report import phrases, wording

MINUS = "\N{MINUS SIGN}"


def compared(**values):
    known = {"metric": "roc_auc", "set": "test", "task": "b", "reference": "a", "level": 0.95, "n": 9, "n_patients": 9}
    return ComparisonRecord(**known | {"difference": 0.03, "low": 0.01, "high": 0.05, "better": "b"} | values)


@pytest.mark.parametrize(
    ("value", "metric", "expected"),
    [
        (0.9321, "sensitivity", "93.2%"),
        (0.9684, "roc_auc", "0.968"),
        (-0.12, "mcc", f"{MINUS}0.120"),
        (1234, "support", "1,234"),
        (None, "npv", "not estimable"),
        (0.66, "accuracy_complete_cases", "66.0%"),
    ],
)
def test_figures_are_written_as_the_field_does(value, metric, expected):
    assert wording.number(value, metric) == expected


@pytest.mark.parametrize(
    ("value", "metric", "expected"),
    [
        (0.0548, "accuracy", "+5.5 pp"),
        (-0.012, "roc_auc", f"{MINUS}0.012"),
        (None, "roc_auc", "not estimable"),
        (-0.00034, "roc_auc", f"{MINUS}0.0003"),  # else an interval that excludes 0 would seem to end there
        (0.00012, "sensitivity", "+0.01 pp"),
        (0.0, "roc_auc", "+0.000"),
    ],
)
def test_differences_carry_their_sign_and_shares_are_in_percentage_points(value, metric, expected):
    assert wording.signed(value, metric) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"), [(4.21, "4.2 s"), (42, "42 s"), (200.4, "3 min 20 s"), (7500, "2 h 5 min")]
)
def test_durations(seconds, expected):
    assert wording.duration(seconds) == expected


@pytest.mark.parametrize(
    ("threshold", "expected"),
    [
        ({"value": 0.5, "rule": "fixed"}, "the conventional 0.5, not chosen on data"),
        ({"value": 0.35, "rule": "fixed"}, "fixed beforehand"),
        ({"value": 0.4, "rule": "youden", "set": "val", "n": 520}, "chosen on 520 images of the validation set"),
        (
            {"value": 0.2, "rule": "sensitivity", "set": "val", "n": 9, "target": 0.95},
            "a sensitivity of at least 95.0%",
        ),
    ],
)
def test_a_threshold_s_origin_is_told(threshold, expected):
    assert expected in phrases.threshold_origin(ThresholdRecord(**threshold))


def test_a_threshold_s_short_origin_names_the_set_that_chose_it():
    fixed, val, other = (
        ThresholdRecord(value=0.4, rule=rule, set=name)
        for rule, name in (("fixed", None), ("youden", "val"), ("youden", "tuning"))
    )
    told = [phrases.threshold_origin_short(one) for one in (fixed, val, other)]
    assert told == ["fixed beforehand", "chosen on validation", "chosen on tuning"]


def test_a_text_begins_with_a_capital_and_keeps_the_names_in_it():
    assert wording.capitalised("external set Montgomery") == "External set Montgomery"
    assert wording.capitalised("") == ""


@pytest.mark.parametrize(
    ("metric", "expected"), [("roc_auc", "an AUC"), ("accuracy", "an accuracy"), ("sensitivity", "a sensitivity")]
)
def test_a_figure_has_its_article(metric, expected):
    assert wording.with_article(metric) == expected


def test_a_verdict_names_the_better_model_where_the_interval_excludes_0():
    assert phrases.verdict(compared()).startswith("b is better than a by AUC")


def test_a_verdict_says_that_nothing_was_shown_where_the_interval_includes_0():
    text = phrases.verdict(compared(low=-0.01, better=None))
    assert text.startswith("No difference in AUC was shown between b and a")
    assert "does not show that they are equal" in text


def test_a_verdict_does_not_call_better_what_fails_the_correction_for_many_comparisons():
    text = phrases.verdict(compared(p_value=0.02, p_adjusted=0.2, exploratory=False))
    assert "better" not in text
    assert "with this many comparisons it may be chance" in text


def test_a_verdict_without_an_interval_says_so():
    assert phrases.verdict(compared(difference=None, low=None, high=None, better=None)).endswith("cannot be estimated.")


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.5, "0.500"),
        (-12.3456, "\N{MINUS SIGN}12.346"),
        (1e8, "100000000.000"),
        (1e300, "1e+300"),
        (-2.5e9, "\N{MINUS SIGN}2.5e+09"),
    ],
)
def test_a_threshold_of_any_size_stays_short(value, written):
    assert wording.threshold(value) == written
