"""Sentences that several chapters share: thresholds, comparisons, the set that was tested."""

from cxrkit.records import ComparisonRecord, Record, ThresholdRecord
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


def threshold_origin(threshold: ThresholdRecord) -> str:
    """Say in a few words where a threshold comes from."""
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
    where = "validation" if threshold.set in {"val", None} else threshold.set
    images = f"{wording.counted(threshold.n, 'image')} of the " if threshold.n else "the "
    return f"chosen on {images}{where} set {aim}"


def difference(record: ComparisonRecord) -> str:
    """Write a difference with its interval and p value: ``+0.031 (95% interval +0.010 to +0.052; p = 0.003)``."""
    details = []
    bounds = wording.signed_bounds(record)
    if bounds:
        details.append(f"{wording.level(record.level)} interval {bounds}")
    adjusted = record.p_adjusted if record.p_adjusted is not None else record.p_value
    if adjusted is not None:
        holm = " after Holm's correction" if record.p_adjusted not in {None, record.p_value} else ""
        value = wording.p_value(adjusted)
        sign = "" if value.startswith("<") else "=\N{NO-BREAK SPACE}"
        details.append(f"p\N{NO-BREAK SPACE}{sign}{value}{holm}")
    text = wording.signed(record.difference, record.metric)
    return f"{text} ({'; '.join(details)})" if details else text


def verdict(record: ComparisonRecord) -> str:
    """Say what a comparison shows, and no more than it shows."""
    name = wording.inside(record.metric)
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
    """Say on how many images of how many patients the models were tested, and how many show the finding."""
    sizes = {_size(task, set_name) for task in results.tasks} - {None}
    if len(sizes) != 1:
        return "The models were tested on different images, so their figures cannot be set against each other."
    images, patients = next(iter(size for size in sizes if size))
    prevalence = next((record for task in results.tasks if (record := task.figure("prevalence", set_name))), None)
    share = f"; {wording.number(prevalence.value, 'prevalence')} of them show {results.positive}" if prevalence else ""
    of_whom = f" of {wording.counted(patients, 'patient')}"
    if images == patients:
        of_whom = ", each counted as a patient of its own"
    return f"{wording.counted(images, 'image')}{of_whom}{share}"


def _size(task: TaskResult, set_name: str) -> tuple[int, int] | None:
    found = task.figure("accuracy", set_name) or task.figure("roc_auc", set_name)
    return (found.n, found.n_patients) if found else None


def _target(threshold: ThresholdRecord) -> str:
    return wording.number(threshold.target, "sensitivity")
