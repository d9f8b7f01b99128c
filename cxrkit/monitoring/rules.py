"""When an alarm is raised, and how many false ones that means."""

from collections.abc import Sequence
from dataclasses import dataclass

from cxrkit.monitoring.limits import tail
from cxrkit.monitoring.stability import LARGE
from cxrkit.monitoring.wordings import p_value
from cxrkit.multiplicity import holm
from cxrkit.records import MonitoringAlarm, MonitoringRecord, MonitoringRule, MonitoringRuleName

SIDES: dict[MonitoringRuleName, int] = {"alert_rate": 2, "no_result": 1, "false_positive_rate": 1, "sensitivity": 1}
"""Rules of control charts → on how many sides of the limits an alarm is raised."""
OPTIONS: dict[MonitoringRuleName, str] = {
    "psi": "--psi",
    "ks": "--ks",
    **dict.fromkeys(SIDES, "--sigma"),
    "drop": "--margin",
}


@dataclass(frozen=True)
class Limits:
    """The thresholds of the rules.

    Attributes:
        psi: least population stability index of an alarm.
        ks: least Kolmogorov-Smirnov distance of an alarm.
        sigma: how far control limits lie from the centre, in standard deviations of a normal distribution.
        margin: by how much performance may fall.
        alpha: chance that a family of tests raises any false alarm.
    """

    psi: float = LARGE
    ks: float = 0.2
    sigma: float = 3.0
    margin: float = 0.05
    alpha: float = 0.05


def judged(records: Sequence[MonitoringRecord], periods: Sequence[str], limits: Limits) -> list[MonitoringRecord]:
    """Adjust the p values of each family and raise the alarms of drift.

    Args:
        records: of all periods; those of control charts and of performance are judged already.
        periods: that alarms are raised of; the others' tests belong to no family.
        limits: the thresholds.
    """
    found = list(records)
    for rule, least in (("psi", limits.psi), ("ks", limits.ks)):
        tests = [place for place, one in enumerate(found) if one.rule == rule]
        family = [place for place in tests if found[place].period in periods]
        adjusted = dict(zip(family, holm([found[place].p_value or 0.0 for place in family]), strict=True))
        for place in tests:
            found[place] = _tested(found[place], adjusted.get(place), least, limits.alpha)
    return [one if one.period in periods else one.model_copy(update={"alarm": False}) for one in found]


def _tested(one: MonitoringRecord, p_adjusted: float | None, least: float, alpha: float) -> MonitoringRecord:
    """End the sentence of a test, and raise its alarm where it is large and no chance."""
    told = f"{p_value(one.p_value)} alone" if p_adjusted is None else f"{p_value(p_adjusted)}, Holm"
    alarm = p_adjusted is not None and p_adjusted < alpha and one.value is not None and one.value >= least
    return one.model_copy(update={"p_adjusted": p_adjusted, "alarm": alarm, "sentence": f"{one.sentence} ({told})."})


def alarms(records: Sequence[MonitoringRecord]) -> list[MonitoringAlarm]:
    """List the alarms in the order of the records."""
    return [
        MonitoringAlarm(period=one.period, rule=one.rule, figure=one.figure, sentence=one.sentence)
        for one in records
        if one.alarm and one.rule is not None
    ]


def told(records: Sequence[MonitoringRecord], periods: Sequence[str], limits: Limits) -> list[MonitoringRule]:
    """State each rule that judged anything, with what false alarms it makes."""
    found = []
    for name, option in OPTIONS.items():
        tests = sum(one.rule == name and one.period in periods for one in records)
        if tests:
            found.append(
                MonitoringRule(
                    name=name,
                    limit=_limit(name, limits),
                    option=option,
                    sentence=_sentence(name, limits, tests),
                    tests=tests,
                    false_alarms=tests * SIDES[name] * tail(limits.sigma) if name in SIDES else limits.alpha,
                )
            )
    return found


def _limit(name: MonitoringRuleName, limits: Limits) -> float:
    return {"psi": limits.psi, "ks": limits.ks, "drop": limits.margin}.get(name, limits.sigma)


def _sentence(name: MonitoringRuleName, limits: Limits, tests: int) -> str:
    family = f"corrected for {tests} test{'s' * (tests != 1)}"
    beyond = (
        f"its control limits (chance alone: {tail(limits.sigma):.2g} on a side of each, as of {limits.sigma:g} sigma)"
    )
    return {
        "psi": f"The population stability index of the scores is at least {limits.psi:g} and more than chance makes of "
        f"so few images (p < {limits.alpha:g}, Holm, {family}).",
        "ks": f"The distribution of the scores or of an image statistic has moved by a Kolmogorov-Smirnov distance of "
        f"at least {limits.ks:g}, more than chance makes (p < {limits.alpha:g}, Holm, {family}).",
        "alert_rate": f"The share of images called positive leaves {beyond}, above or below.",
        "no_result": f"The share of images without a result is above {beyond}.",
        "false_positive_rate": f"The share of healthy images called positive is above {beyond}.",
        "sensitivity": f"The share of diseased images called positive is below {beyond}.",
        "drop": f"AUC, sensitivity or specificity is shown to be lower than in the reference by more than "
        f"{limits.margin:g}: the whole interval of the difference lies beyond (level {1 - limits.alpha:g}, one-sided, "
        f"Bonferroni, {family}).",
    }[name]
