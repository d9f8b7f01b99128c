"""What to beware of, for the first page: whatever may make the figures say more than they do."""

from collections.abc import Iterator

from cxrkit.report import wording
from cxrkit.report.chapters import audit, calibration, elsewhere, maps, subgroups
from cxrkit.report.phrases import FEW, set_title, with_thresholds
from cxrkit.report.results import Results


def sentences(results: Results, set_name: str) -> Iterator[str]:
    """Name what is missing, rests on few patients, does not carry over or may mislead, the gravest first."""
    yield from (f"Task {one.name} gave no result: {one.reason}." for one in results.unfinished)
    yield from _few_patients(results, set_name)
    yield from _without_result(results, set_name)
    yield from _falls(results, set_name)
    yield from elsewhere.falls(results)
    yield from calibration.distorted(results)
    yield from elsewhere.used_shortcuts(results)
    yield from maps.doubtful(results)
    yield from subgroups.differing(results, set_name)
    yield from (sentence for source in results.sources if source.audit for sentence in audit.cautions(source.audit))
    yield from (f"{task.name}: {one.note.removesuffix('.')}." for task, one in with_thresholds(results) if one.note)
    if any(source.shares_patients for source in results.sources if source.info.data):
        yield (
            "Patients were not told apart, or splits were allowed to share them: figures on the test set may be too "
            "good."
        )
    yield from _predictive_values(results, set_name)
    once = [task.name for task in results.tasks if len(task.info.seeds) == 1]
    if once:
        whose = "" if len(once) == len(results.tasks) else f" ({wording.listed(once)})"
        yield f"Trained once{whose}: another seed could give other figures, and the intervals do not cover that."
    if len(results.sets) < 2:  # noqa: PLR2004 - one set is no external one
        yield "One test set of one origin: on patients elsewhere the figures may differ."


def _few_patients(results: Results, set_name: str) -> Iterator[str]:
    groups = {"sensitivity": f"with {results.positive}", "specificity": f"without {results.positive}"}
    for metric, group in groups.items():
        found = [record for task in results.tasks if (record := task.figure(metric, set_name))]
        fewest = min((record.n_patients for record in found), default=FEW)
        if fewest < FEW:
            yield (
                f"Only {wording.counted(fewest, 'patient')} {group} in the {set_title(set_name)}: "
                f"figures that rest on fewer than {FEW} are very uncertain."
            )


def _without_result(results: Results, set_name: str) -> Iterator[str]:
    for task in results.tasks:
        confusion = task.confusion(set_name)
        if confusion is not None and confusion.no_result:
            yield (
                f"{task.name} gave no result for {wording.counted(confusion.no_result, 'image')}; "
                "where a figure depends on the call, they count as wrong."
            )


def _falls(results: Results, set_name: str) -> Iterator[str]:
    """Tell figures whose interval lies below that on validation: the threshold may not carry over."""
    for task in results.tasks:
        for metric in ("sensitivity", "specificity"):
            before, now = task.figure(metric, "val"), task.figure(metric, set_name)
            if before and now and before.low is not None and now.high is not None and now.high < before.low:
                yield (
                    f"The {metric} of {task.name} falls from {wording.number(before.value, metric)} on validation to "
                    f"{wording.number(now.value, metric)} on the {set_title(set_name)}: its threshold does not carry "
                    "over well."
                )


def _predictive_values(results: Results, set_name: str) -> Iterator[str]:
    prevalence = next((record for task in results.tasks if (record := task.figure("prevalence", set_name))), None)
    if prevalence is None or prevalence.value is None:
        return
    example = ""
    for task in results.tasks:
        observed, stated = task.figure("ppv", set_name), task.at_prevalence("ppv", set_name)
        if observed and stated and observed.value is not None and stated.value is not None:
            example = (
                f" (for {task.name}, a PPV of {wording.number(observed.value, 'ppv')} here is "
                f"{wording.number(stated.value, 'ppv')} at {wording.number(stated.prevalence, 'prevalence')})"
            )
            break
    yield (
        f"PPV, NPV and accuracy hold at this set's share of {results.positive}, "
        f"{wording.number(prevalence.value, 'prevalence')}; elsewhere they are different{example}."
    )
