"""What figures show, told in sentences for those who cannot see them: made from the data, findings first."""

from collections.abc import Sequence
from math import isfinite

from cxrkit.report import wording
from cxrkit.report.drawn.ranking import Curve
from cxrkit.report.phrases import class_sizes, headline
from cxrkit.report.results import TaskResult

USUAL = 0.1  # false alarms at which the curves are read


def ranking(tasks: Sequence[TaskResult], metric: str, set_name: str) -> str:
    """Say which model is highest by a figure, and how far the others lie below it."""
    known = [(task, one) for task in tasks if (one := headline(task, metric, set_name)) and one.value is not None]
    ranked = sorted(known, key=lambda pair: -(pair[1].value or 0))
    if not ranked:
        return ""
    name, (first, best) = wording.inside(metric), ranked[0]
    if len(ranked) == 1:
        return f"{first.name} has {wording.with_article(metric)} of {wording.with_interval(best)}."
    below = [
        f"{task.name} {wording.number(one.value, metric)} "
        f"({wording.signed((one.value or 0) - (best.value or 0), metric)})"
        for task, one in ranked[1:]
    ]
    return f"{first.name} has the highest {name}, {wording.with_interval(best)}; {wording.listed(below)}."


def heights(tasks: Sequence[TaskResult], set_name: str) -> str:
    """Say how much each ROC curve finds at a tenth of false alarms."""
    told = []
    for task in tasks:
        if curve := task.curve(set_name, "roc"):
            found = max((y for x, y in zip(curve["fpr"], curve["tpr"], strict=True) if x <= USUAL), default=0.0)
            told.append(f"{task.name} {wording.number(found, 'sensitivity')}")
    at = wording.number(USUAL, "specificity")
    return f"With at most {at} false alarms the curves reach a sensitivity of: {wording.listed(told)}." if told else ""


def operating(tasks: Sequence[TaskResult], set_name: str, metrics: Sequence[str]) -> str:
    """Say where the operating points lie."""
    told = []
    for task in tasks:
        figures = [
            f"{wording.inside(metric)} {wording.number(one.value, metric)}"
            for metric in metrics
            if (one := headline(task, metric, set_name))
        ]
        if figures:
            told.append(f"{task.name}: {', '.join(figures)}.")
    return f"At the thresholds: {' '.join(told)}" if told else ""


def sides(tasks: Sequence[TaskResult], set_name: str) -> str:
    """Say how many images lie on which side of each model's threshold."""
    told = []
    for task in tasks:
        sensitivity, specificity = (task.figure(one, set_name) for one in ("sensitivity", "specificity"))
        if task.info.threshold and sensitivity and specificity and sensitivity.value is not None:
            alarms = None if specificity.value is None else 1 - specificity.value
            told.append(
                f"{task.name}: at or above the threshold of {wording.threshold(task.info.threshold.value)} lie "
                f"{wording.number(sensitivity.value, 'sensitivity')} of those with {task.metrics.positive} and "
                f"{wording.number(alarms, 'specificity')} of those without."
            )
    return " ".join(told)


def off_the_diagonal(task: TaskResult, found: Curve) -> str:
    """Say in how many bins of a reliability diagram the interval lies beside the diagonal."""
    bins = [one for one in zip(found["mean_predicted"], found["low"], found["high"], strict=True) if isfinite(one[1])]
    low = sum(middle < bottom for middle, bottom, _ in bins)
    high = sum(middle > top for middle, _, top in bins)
    told = [f"{way} in {number}" for way, number in (("too low", low), ("too high", high)) if number] or [
        "beyond doubt too low or too high in none"
    ]
    return f"{task.name}: of {wording.counted(len(bins), 'bin')}, probabilities are {wording.listed(told)}."


def of_use(task: TaskResult, curve: Curve) -> str:
    """Say at which threshold probabilities a model is better than treating everyone and no one."""
    columns = (curve[name] for name in ("threshold_probability", "net_benefit", "treat_all"))
    better = [at for at, benefit, everyone in zip(*columns, strict=True) if benefit > max(everyone, 0)]
    if not better:
        return f"{task.name} nowhere does more good than treating everyone or no one."
    least, most = (wording.number(one, "sensitivity") for one in (min(better), max(better)))
    return f"{task.name} does more good than treating everyone or no one between {least} and {most}."


def n(tasks: Sequence[TaskResult], set_name: str) -> str:
    """Write on how many images a figure rests: ``n = 662 images, 517 with PNEUMONIA and 145 without``."""
    sizes = class_sizes(tasks, set_name)
    if sizes is not None:
        whole = wording.counted(sum(sizes), "image")
        with_it, without = map(wording.count, sizes)
        return f"n = {whole}, {with_it} with {tasks[0].metrics.positive} and {without} without"
    found = next((record for task in tasks if (record := headline(task, "roc_auc", set_name))), None)
    return f"n = {wording.counted(found.n, 'image')}" if found else "n unknown"
