"""The first page: which model, how good, is the difference real, at which threshold, on whom, beware of what."""

from collections.abc import Iterator, Sequence

from cxrkit.records import ComparisonRecord, Record
from cxrkit.report import audit, calibration, elsewhere, goals, maps, subgroups, wording
from cxrkit.report.content import Block, Bullets, Plot, Plots, Section, Table, Terms, Text
from cxrkit.report.forest import ForestRow, forest
from cxrkit.report.phrases import (
    FEW,
    SPELLED_OUT,
    difference_shortly,
    headline,
    population,
    set_title,
    threshold_origin,
    threshold_value,
    verdict,
    with_thresholds,
)
from cxrkit.report.results import Results, TaskResult, better, turned
from cxrkit.report.tables import figures_tables

GLANCE = ("roc_auc", "sensitivity", "specificity")
HEADLINE = ("roc_auc", "sensitivity", "specificity", "ppv", "npv", "accuracy", "f1")


def section(results: Results) -> Section:
    """Make the first page."""
    return Section("summary", "Summary", tuple(_blocks(results, results.shown_set)))


def _blocks(results: Results, set_name: str) -> Iterator[Block]:
    yield Text(_question(results))
    ranked = _ranked(results, set_name)
    if ranked:
        yield Text(_answer(results, ranked, set_name), lead=True)
    yield Terms(tuple(_answers(results, ranked, set_name)))
    yield from _headline_tables(results, set_name)
    yield from _glance(results, ranked, set_name)
    cautions = tuple(_cautions(results, set_name))
    if cautions:
        yield Bullets(cautions, "What to beware of", caution=True)


def _question(results: Results) -> str:
    names = wording.listed([task.name for task in results.tasks])
    rest = wording.listed(results.negatives, "or")
    many = len(results.tasks) > 1
    what = f"{len(results.tasks)} models, {names}," if many else f"one model, {names},"
    return f"How well do{'' if many else 'es'} {what} tell {results.positive} from {rest} on chest X-rays?"


def _answer(results: Results, ranked: list[tuple[TaskResult, Record]], set_name: str) -> str:
    """Say in a sentence which model ranks the images best, and over which others that is shown."""
    best, record = ranked[0]
    name, where = wording.label(results.primary), set_title(set_name)
    if len(results.tasks) == 1:
        return f"On the {where}, {best.name} has an {name} of {wording.with_interval(record)}."
    beaten, open_, untested = _against(results, best, set_name)
    parts = [f"better than {wording.listed(beaten)}"] if beaten else []
    parts += [f"no difference to {wording.listed(open_)} was shown"] if open_ else []
    parts += [f"not tested against {wording.listed(untested)}"] if untested else []
    return f"{best.name} has the highest {name} on the {where}, {wording.with_interval(record)}: {'; '.join(parts)}."


def _against(results: Results, best: TaskResult, set_name: str) -> tuple[list[str], list[str], list[str]]:
    """Name the other models by what the comparison with the best one shows: better, nothing, or not compared."""
    found = {
        record.reference if record.task == best.name else record.task: better(record) == best.name
        for record in results.compared(results.primary, set_name)
        if best.name in {record.task, record.reference}
    }
    others = [task.name for task in results.tasks if task is not best]
    beaten = [name for name in others if found.get(name)]
    return beaten, [name for name in others if found.get(name) is False], [name for name in others if name not in found]


def _answers(results: Results, ranked: list[tuple[TaskResult, Record]], set_name: str) -> Iterator[tuple[str, str]]:
    found = " ".join(_how_good(results, ranked, set_name))
    if found:
        yield "How good", found
    if len(results.tasks) > 1:
        yield "Is the difference real", " ".join(_differences(results, set_name))
    stated = " ".join(goals.sentences(results, set_name))
    if stated:
        yield "Are the stated goals met", stated
    thresholds = " ".join(_thresholds(results))
    if thresholds:
        yield "At which threshold", thresholds
    yield "On whom", " ".join(_whom(results, set_name))


def _ranked(results: Results, set_name: str) -> list[tuple[TaskResult, Record]]:
    found = [(task, record) for task in results.tasks if (record := headline(task, results.primary, set_name))]
    return sorted(found, key=lambda pair: -(pair[1].value if pair[1].value is not None else -1))


def _how_good(results: Results, ranked: list[tuple[TaskResult, Record]], set_name: str) -> Iterator[str]:
    unranked = [task for task in results.tasks if task not in [one for one, _ in ranked]]
    spelled = [*(task for task, _ in ranked), *unranked]
    for task in spelled if len(spelled) <= SPELLED_OUT else spelled[:1]:
        found = _at_threshold(results, task, set_name)
        if found:
            yield found


def _at_threshold(results: Results, task: TaskResult, set_name: str) -> str | None:
    sensitivity, specificity = (task.figure(name, set_name) for name in ("sensitivity", "specificity"))
    if sensitivity is None or specificity is None or sensitivity.value is None or specificity.value is None:
        return None
    return (
        f"{_deciding(task)}, {task.name} finds {_short(sensitivity)} of the images with {results.positive} "
        f"(sensitivity) and rightly clears {_short(specificity)} of those without it (specificity)."
    )


def _deciding(task: TaskResult) -> str:
    return "By its own decisions" if task.info.scale == "decision" else "At its threshold"


def _short(record: Record) -> str:
    bounds = wording.interval(record)
    return wording.number(record.value, record.metric) + (f" ({bounds})" if bounds else "")


def _differences(results: Results, set_name: str) -> Iterator[str]:
    compared = results.compared(results.primary, set_name)
    if not compared:
        yield from results.refused or ["It was not tested: the models were not compared on the same images in one run."]
    if len(compared) == 1:
        yield verdict(compared[0])
        yield from _exploratory(results, set_name)
    elif len(compared) <= SPELLED_OUT:
        yield from _of_each(results, compared)
    else:
        yield from _of_the_pairs(results, compared)


def _of_each(results: Results, compared: list[ComparisonRecord]) -> Iterator[str]:
    """Say of a few pairs what each comparison shows, with one explanation for all."""
    yield f"By {wording.label(results.primary)}: {'; '.join(_shortly(record) for record in compared)}."
    family = any(record.p_adjusted is not None for record in compared)
    corrected = f", p after Holm's correction for {len(compared)} comparisons" if family else ""
    yield f"{wording.level(results.level)} intervals of the paired difference{corrected}."
    if any(better(record) is None for record in compared):
        yield "Where no difference was shown, the models may still differ."


def _shortly(record: ComparisonRecord) -> str:
    winner = better(record)
    if winner is None:
        return f"no difference was shown between {record.task} and {record.reference} ({difference_shortly(record)})"
    told = record if winner == record.task else turned(record)
    return f"{winner} is better than {told.reference} ({difference_shortly(told)})"


def _of_the_pairs(results: Results, compared: list[ComparisonRecord]) -> Iterator[str]:
    """Say what was found where there are too many pairs to tell of each."""
    decided = sum(better(record) is not None for record in compared)
    yield (
        f"Of the {len(compared)} pairs compared by {wording.label(results.primary)}, {decided} differ after Holm's "
        "correction: the interval of the difference excludes 0. Where no difference was shown, the models may still "
        "differ."
    )


def _exploratory(results: Results, set_name: str) -> Iterator[str]:
    """Say in which of the figures at the threshold the two models differ, labelled as exploratory."""
    found = [record for name in ("sensitivity", "specificity") for record in results.compared(name, set_name)]
    parts = [
        f"{record.better} has the higher {wording.inside(record.metric)} "
        f"({record.task} minus {record.reference}: {wording.signed(record.difference, record.metric)}, "
        f"{wording.signed_bounds(record)})"
        for record in found
        if better(record) is not None and record.metric != results.primary
    ]
    if parts:
        yield f"Exploratory, each at its own threshold: {wording.listed(parts)}."


def _thresholds(results: Results) -> Iterator[str]:
    """Say how the thresholds came about; their values stand in the table below."""
    known = with_thresholds(results)
    origins: dict[str, list[str]] = {}
    for task, threshold in known:
        origins.setdefault(threshold_origin(threshold), []).append(task.name)
    if len(known) == 1:
        whose = f"{known[0][0].name}: " if len(results.tasks) > 1 else ""
        yield f"{whose}{threshold_value(known[0][1])}, {next(iter(origins))}."
    elif len(origins) == 1:
        yield f"Each model decides at a threshold of its own, {next(iter(origins))}."
    else:
        yield from (f"{wording.listed(names)}: {origin}." for origin, names in origins.items())


def _whom(results: Results, set_name: str) -> Iterator[str]:
    text = population(results, set_name)
    yield f"{text}." if text[0].isdigit() else text
    for source in results.sources:
        data = source.info.data
        if data and data.counts.get("train") and not source.shares_patients:
            yield f"No patient is in more than one split (patients: {data.patient_rule})."
            break


def _headline_tables(results: Results, set_name: str) -> list[Table]:
    caption = f"The most important figures on the {set_title(set_name)}, with {wording.level(results.level)} intervals"
    return figures_tables(results, set_name, HEADLINE, caption, in_short=True)


def _glance(results: Results, ranked: list[tuple[TaskResult, Record]], set_name: str) -> Iterator[Plots]:
    """Draw the intervals of the most important figures, best model first, so that their overlap is seen."""
    metrics = [one for one in GLANCE if any(headline(task, one, set_name) for task, _ in ranked)]
    if len(ranked) < 2 or not metrics:  # noqa: PLR2004 - one model has nothing to overlap with
        return
    rows = [
        ForestRow(
            task.name,
            task.number,
            {one: record for one in metrics if (record := headline(task, one, set_name))},
        )
        for task, _ in ranked
    ]
    level = wording.level(results.level)
    yield Plots(
        (
            Plot(
                "glance",
                forest(rows, metrics),
                f"The models side by side on the {set_title(set_name)}, with {level} intervals, best AUC first.",
                "Each line is the range in which the figure may well lie. The test of a difference is paired and can "
                "be surer than the overlap of two lines suggests.",
                " ".join(_spoken(row, metrics) for row in rows),
                wide=True,
            ),
        )
    )


def _spoken(row: ForestRow, metrics: Sequence[str]) -> str:
    told = [f"{wording.inside(one)} {wording.with_interval(row.figures[one])}" for one in metrics if one in row.figures]
    return f"{row.label}: {', '.join(told)}."


def _cautions(results: Results, set_name: str) -> Iterator[str]:
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
    """Tell figures whose interval on test lies below that on validation: the threshold may not carry over."""
    for task in results.tasks:
        for metric in ("sensitivity", "specificity"):
            before, now = task.figure(metric, "val"), task.figure(metric, set_name)
            if before and now and before.low is not None and now.high is not None and now.high < before.low:
                yield (
                    f"The {metric} of {task.name} falls from {wording.number(before.value, metric)} on validation to "
                    f"{wording.number(now.value, metric)} on test: its threshold does not carry over well."
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
