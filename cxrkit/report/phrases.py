"""Sentences that several chapters share: thresholds, comparisons, models, the set that was tested."""

from collections.abc import Sequence

from cxrkit.evaluation.differences import SAME_RANKING
from cxrkit.records import ComparisonRecord, Record, TaskInfo, ThresholdRecord, TtaRecord
from cxrkit.report import wording
from cxrkit.report.results import TEST, Results, TaskResult, better

CONVENTIONAL = 0.5
FEW = 30  # patients of a class below which figures are flagged
SPELLED_OUT = 3  # models or pairs that get a sentence each


def headline(task: TaskResult, metric: str, set_name: str = TEST) -> Record | None:
    """Find a figure; precision, recall and F1 are those of the positive class."""
    return task.figure(metric, set_name) or task.figure(metric, set_name, task.metrics.positive)


def set_title(set_name: str) -> str:
    """Name a set: the test set, or an external one by its name."""
    return "test set" if set_name == TEST else f"external set {set_name}"


def anchor(results: Results, chapter: str, set_name: str) -> str:
    """Name a chapter on a set, unique within the report: ``results`` of the test set, ``results-1`` of the next."""
    return chapter if set_name == TEST else f"{chapter}-{results.sets.index(set_name)}"


def observed_prevalence(results: Results, set_name: str) -> float | None:
    """Find the share of the disease in a set."""
    return next((one.value for task in results.tasks if (one := task.figure("prevalence", set_name))), None)


def class_sizes(tasks: Sequence[TaskResult], set_name: str) -> tuple[int, int] | None:
    """Count the images with and without the disease in a set; None where the models were tested on different ones."""
    found = {
        (one.n, round(one.n * one.value))
        for task in tasks
        if (one := task.figure("prevalence", set_name)) and one.value is not None
    }
    if len(found) != 1:
        return None
    (whole, positive), *_ = found
    return positive, whole - positive


def stated_prevalence(results: Results, set_name: str) -> float | None:
    """Find the prevalence that was stated for predictive values and utility."""
    return next((one.prevalence for task in results.tasks if (one := task.at_prevalence("ppv", set_name))), None)


def is_few(record: Record) -> bool:
    """Say whether a figure rests on so few patients that it is flagged."""
    fewest = record.n_patients if record.fewest_patients is None else min(record.fewest_patients, record.n_patients)
    return fewest < FEW


def threshold_origin(threshold: ThresholdRecord, unit: str = "image") -> str:
    """Say in a few words where a threshold comes from; ``unit`` is what was counted, images or patients."""
    if threshold.rule == "fixed":
        if threshold.value == CONVENTIONAL:
            return "the conventional 0.5, not chosen on data"
        return "fixed beforehand, not chosen on data of this run"
    aim = {
        "youden": "for the largest sum of sensitivity and specificity (Youden's index)",
        "sensitivity": f"for a sensitivity of at least {_target(threshold)}",
        "specificity": f"for a specificity of at least {_target(threshold)}",
        "cost": "for the least cost of errors",
    }[threshold.rule]
    images = f"{wording.counted(threshold.n, unit)} of the " if threshold.n else "the "
    return f"chosen on {images}{_chosen_on(threshold)} set {aim}"


def threshold_origin_short(threshold: ThresholdRecord) -> str:
    """Say in two or three words where a threshold comes from."""
    return "fixed beforehand" if threshold.rule == "fixed" else f"chosen on {_chosen_on(threshold)}"


def _chosen_on(threshold: ThresholdRecord) -> str:
    return "validation" if threshold.set in {"val", None} else str(threshold.set)


def threshold_value(threshold: ThresholdRecord) -> str:
    """Write a threshold with its own interval: ``0.431 (95% interval 0.380 to 0.502)``."""
    bounds = wording.threshold_bounds(threshold)
    level = f"{wording.level(threshold.level)} " if threshold.level else ""
    return wording.threshold(threshold.value) + (f" ({level}interval {bounds})" if bounds else "")


def with_thresholds(results: Results) -> list[tuple[TaskResult, ThresholdRecord]]:
    """Find the models that decide at a threshold; those that give bare decisions have none to tell of."""
    return [
        (task, task.info.threshold)
        for task in results.tasks
        if task.info.threshold is not None and task.info.scale != "decision"
    ]


def thresholds(results: Results) -> str | None:
    """Name the threshold of every model with its interval and origin, for the note of a table; None without any."""
    known = with_thresholds(results)
    if not known:
        return None
    origins = [threshold_origin(threshold) for _, threshold in known]
    if len(set(origins)) == 1:
        values = [f"{task.name} {threshold_value(threshold)}" for task, threshold in known]
        each = "each " if len(known) > 1 and known[0][1].rule != "fixed" else ""
        return f"Threshold{'s' if len(known) > 1 else ''}: {wording.listed(values)}, {each}{origins[0]}."
    told = [f"{task.name} {threshold_value(one)}, {origin}" for (task, one), origin in zip(known, origins, strict=True)]
    return f"Thresholds: {'; '.join(told)}."


def thresholds_short(results: Results) -> str | None:
    """Name the threshold of every model with its interval, where the origin stands in a table before; None without."""
    known = with_thresholds(results)
    if not known:
        return None
    told = []
    for task, threshold in known:
        bounds = wording.threshold_bounds(threshold)
        told.append(f"{task.name} {wording.threshold(threshold.value)}" + (f" ({bounds})" if bounds else ""))
    where = {threshold_origin_short(threshold) for _, threshold in known}
    own = " with their own intervals" if any(threshold.low is not None for _, threshold in known) else ""
    return f"Thresholds{own}: {wording.listed(told)}; {wording.listed(sorted(where))}."


ENSEMBLE_METHODS = {
    "mean": "the mean of their probabilities",
    "logit-mean": "the mean of their logits",
    "validation-weighted": "a mean of their probabilities with the weights that were best on validation",
}


def represented(results: Results) -> str | None:
    """Say what stands for a model that consists of several trainings or models; None where each is one training."""
    told = [sentence for task in results.tasks if (sentence := _represented(task))]
    return " ".join(told) or None


def _represented(task: TaskResult) -> str | None:
    info = task.info
    if info.ensemble is not None or info.kind == "ensemble":
        method = f": {ENSEMBLE_METHODS[info.ensemble.method]}" if info.ensemble else ""
        return f"{task.name} is an ensemble of {wording.listed(info.members)}{method}."
    if info.tta is not None:
        return f"{task.name} is {views(info, info.tta)}."
    if len(info.seeds) > 1:
        what = "the mean logit of its" if info.represent == "ensemble" else f"{info.represent} alone of its"
        return (
            f"{task.name} is {what} {len(info.seeds)} trainings (seeds {wording.listed(list(map(str, info.seeds)))})."
        )
    return None


def views(info: TaskInfo, tta: TtaRecord) -> str:
    """Say what test-time augmentation is made of: ``transfer with test-time augmentation: the mean logit over …``."""
    seeds = ""
    if len(info.seeds) > 1:
        of_all = f" and over its {len(info.seeds)} trainings (seeds {wording.listed(list(map(str, info.seeds)))})"
        seeds = of_all if info.represent == "ensemble" else f", {info.represent} alone"
    over = f"{tta.views} views of each image (the plain one and {tta.views - 1} augmented)"
    return f"{wording.listed(info.members)} with test-time augmentation: the mean logit over {over}{seeds}"


NEEDS_SCORE = frozenset({"roc_auc", "roc_auc_against_all", "average_precision", "roc_auc_macro"})
NEEDS_PROBABILITY = frozenset({"brier", "log_loss", "calibration_intercept", "calibration_slope"}) | frozenset(
    {"ece_equal_width", "ece_equal_mass", "net_benefit"}
)
LACKING = {"score": "score only", "decision": "decision only"}
LACKING_NOTES = {
    "score only": "score only: the model gives a score that ranks and is no probability.",
    "decision only": "decision only: the model calls a class and gives no figure that could rank images.",
}


def lacking(task: TaskResult, metric: str) -> str | None:
    """Say in two words why a model cannot have a figure; None where that is not known."""
    needs_more = metric in NEEDS_PROBABILITY or (metric in NEEDS_SCORE and task.info.scale == "decision")
    return LACKING.get(task.info.scale) if needs_more else None


def difference_shortly(record: ComparisonRecord) -> str:
    """Write a difference with its interval and the p value that counts: ``+0.031, +0.010 to +0.052; p = 0.003``."""
    bounds, p = wording.signed_bounds(record), _p(record)
    text = wording.signed(record.difference, record.metric) + (f", {bounds}" if bounds else "")
    return f"{text}; {p}" if p else text


def _p(record: ComparisonRecord) -> str | None:
    """Write the p value, after the correction where there is one: ``p = 0.003``."""
    adjusted = record.p_adjusted if record.p_adjusted is not None else record.p_value
    if adjusted is None:
        return None
    value = wording.p_value(adjusted)
    sign = "" if value.startswith("<") else "=\N{NO-BREAK SPACE}"
    return f"p\N{NO-BREAK SPACE}{sign}{value}"


def difference(record: ComparisonRecord) -> str:
    """Write a difference with its interval and p value: ``+0.031 (95% interval +0.010 to +0.052; p = 0.003)``."""
    details = []
    bounds, p = wording.signed_bounds(record), _p(record)
    if bounds:
        details.append(f"{wording.level(record.level)} interval {bounds}")
    if p:
        holm = " after Holm's correction" if record.p_adjusted not in {None, record.p_value} else ""
        details.append(f"{p}{holm}")
    text = wording.signed(record.difference, record.metric)
    return f"{text} ({'; '.join(details)})" if details else text


def verdict(record: ComparisonRecord) -> str:
    """Say what a comparison shows, and no more than it shows."""
    name = wording.inside(record.metric)
    if record.test == SAME_RANKING:
        return f"{record.task} and {record.reference} rank the images alike to the last one."
    if record.difference is None or record.low is None or record.high is None:
        return f"Whether {record.task} and {record.reference} differ in {name} cannot be estimated."
    if record.better is not None and better(record) is None:
        return (
            f"The difference in {name} of {record.task} minus {record.reference}, {difference(record)}, has an "
            "interval that excludes 0 when taken alone, but with this many comparisons it may be chance."
        )
    if record.better is None:
        return (
            f"No difference in {name} was shown between {record.task} and {record.reference}: "
            f"{difference(record)}, an interval that includes 0. This does not show that they are equal."
        )
    other = record.reference if record.better == record.task else record.task
    return (
        f"{record.better} is better than {other} by {name}: the difference of {record.task} minus {record.reference} "
        f"is {difference(record)}, an interval that excludes 0."
    )


def population(results: Results, set_name: str = TEST) -> str:
    """Say, without a full stop, on how many images of how many patients the models were tested and what they show."""
    sizes = {_size(task, set_name) for task in results.tasks} - {None}
    if len(sizes) != 1:
        return "The models were tested on different images, so their figures cannot be set against each other"
    images, patients = next(iter(size for size in sizes if size))
    prevalence = next((record for task in results.tasks if (record := task.figure("prevalence", set_name))), None)
    share = ""
    if prevalence:
        share = f"; {wording.number(prevalence.value, 'prevalence')} of the images show {results.positive}"
    of_whom = f" of {wording.counted(patients, 'patient')}"
    if images == patients:
        of_whom = ", each counted as a patient of its own"
    return f"{wording.counted(images, 'image')}{of_whom}{share}"


def _size(task: TaskResult, set_name: str) -> tuple[int, int] | None:
    found = task.figure("accuracy", set_name) or task.figure("roc_auc", set_name)
    return (found.n, found.n_patients) if found else None


def _target(threshold: ThresholdRecord) -> str:
    return wording.number(threshold.target, "sensitivity")
