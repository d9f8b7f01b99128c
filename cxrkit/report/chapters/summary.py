"""The first page: which model, how good, is the difference real, at which threshold, on whom, beware of what."""

from collections.abc import Iterator, Sequence

from cxrkit.records import ComparisonRecord, Record
from cxrkit.report import wording
from cxrkit.report.chapters import cautions, goals
from cxrkit.report.content import Block, Bullets, Plot, Plots, Section, Table, Terms, Text
from cxrkit.report.drawn.forest import ForestRow, forest
from cxrkit.report.phrases import (
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
    beware = tuple(cautions.sentences(results, set_name))
    if beware:
        yield Bullets(beware, "What to beware of", caution=True)


def _question(results: Results) -> str:
    names = wording.listed([task.name for task in results.tasks])
    rest = wording.listed(results.negatives, "or")
    many = len(results.tasks) > 1
    what = f"{len(results.tasks)} models, {names}," if many else f"one model, {names},"
    return f"How well do{'' if many else 'es'} {what} tell {results.positive} from {rest} on chest X-rays?"


def _answer(results: Results, ranked: list[tuple[TaskResult, Record]], set_name: str) -> str:
    """Say in a sentence which model ranks the images best, and over which others that is shown."""
    best, record = ranked[0]
    name, where = wording.inside(results.primary), set_title(set_name)
    if len(results.tasks) == 1:
        figure = f"{wording.with_article(results.primary)} of {wording.with_interval(record)}"
        return f"On the {where}, {best.name} has {figure}."
    beaten, open_, untested = _against(results, best, set_name)
    parts = [f"better than {wording.listed(beaten)}"] if beaten else []
    parts += [f"no difference to {wording.listed(open_)} was shown"] if open_ else []
    parts += [f"not tested against {wording.listed(untested)}{_planned(results, set_name)}"] if untested else []
    return f"{best.name} has the highest {name} on the {where}, {wording.with_interval(record)}: {'; '.join(parts)}."


def _planned(results: Results, set_name: str) -> str:
    """Say that all comparisons were planned with one reference, where they were."""
    references = {record.reference for record in results.compared(results.primary, set_name)}
    return f", as only comparisons with {references.pop()} were planned" if len(references) == 1 else ""


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
        yield "Is the difference more than chance", " ".join(_differences(results, set_name))
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
    many = f"for {len(compared)} comparisons" if len(results.sources) == 1 else "within each run"
    corrected = f", p after Holm's correction {many}" if _is_family(compared) else ""
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
    corrected = " after Holm's correction" if _is_family(compared) else ""
    yield (
        f"Of the {len(compared)} pairs compared by {wording.label(results.primary)}, {decided} differ{corrected}: the "
        "interval of the difference excludes 0. Where no difference was shown, the models may still differ."
    )


def _is_family(compared: list[ComparisonRecord]) -> bool:
    """Say whether p values were corrected for their number, as those of the primary figure on test are."""
    return any(record.p_adjusted is not None for record in compared)


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
    yield f"{population(results, set_name)}."
    for source in results.sources:
        data = source.info.data
        if data and data.counts.get("train") and not source.shares_patients:
            yield f"No patient is in more than one split (patients are told apart by {data.patient_rule})."
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
    level, best = wording.level(results.level), wording.inside(results.primary)
    yield Plots(
        (
            Plot(
                "glance",
                forest(rows, metrics),
                f"The models side by side on the {set_title(set_name)}, with {level} intervals, best {best} first.",
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
