"""The chapter on use: what calls mean where the disease is rarer, and whether acting on them does good."""

from collections.abc import Callable, Iterator, Sequence

from cxrkit.api import Calibrated
from cxrkit.records import Record
from cxrkit.report import wording
from cxrkit.report.chapters.curve_tables import (
    PREVALENCES,
    THRESHOLDS,
    at_prevalence,
    finite,
    nearest,
    over_prevalence,
    over_thresholds,
)
from cxrkit.report.content import Block, Cell, Column, Plot, Plots, Section, Table
from cxrkit.report.drawn import spoken
from cxrkit.report.drawn import utility as utility_figures
from cxrkit.report.drawn.marks import BANDED
from cxrkit.report.drawn.reliability import VARIANTS
from cxrkit.report.phrases import anchor, lacking, observed_prevalence, set_title, stated_prevalence, thresholds_short
from cxrkit.report.results import Results, TaskResult
from cxrkit.report.tables import by_method, figure_cell, model_cell

RATIOS = {
    "lr_positive": "LR+: how much a positive call raises the odds of disease, whatever its prevalence; 10 is much.",
    "lr_negative": "LR\N{MINUS SIGN}: how much a negative call lowers them, below 0.1 much.",
}
PREDICTIVE = ("ppv", "npv")
BENEFITS = {"net_benefit": "Model", "net_benefit_treat_all": "Treat all"}
Finder = Callable[[TaskResult], Callable[..., Record | None]]
OUTCOMES = {
    "true_positives_per_1000": "found",
    "false_negatives_per_1000": "missed",
    "true_negatives_per_1000": "cleared",
    "false_positives_per_1000": "false alarms",
}
THOUSAND = 1000


def section(results: Results, set_name: str) -> Section | None:
    """Show predictive values, outcomes and net benefit of a set; None where nothing of it is known."""
    name = anchor(results, "utility", set_name)
    blocks = tuple(_blocks(results, set_name, name))
    return Section(name, f"Prevalence and use on the {set_title(set_name)}", blocks) if blocks else None


def _blocks(results: Results, set_name: str, name: str) -> Iterator[Block]:
    yield from _outcomes(results, set_name)
    yield from _measures(results, set_name)
    benefits = _net_benefits(results, set_name)
    plots = (_predictive(results, set_name, f"{name}-predictive"), _decision(results, set_name, f"{name}-decision"))
    tables = (over_prevalence(results, set_name), over_thresholds(results, set_name))
    blocks = (plots[0], tables[0], benefits, plots[1], tables[1])
    yield from (Plots((one,)) if isinstance(one, Plot) else one for one in blocks if one is not None)


# ── Of a thousand ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _outcomes(results: Results, set_name: str) -> Iterator[Table]:
    """Show what a thousand people would meet, at the set's share of the disease and at the stated one."""
    origins = (
        (observed_prevalence(results, set_name), False, f"as in the {set_title(set_name)}"),
        (stated_prevalence(results, set_name), True, "as stated in the configuration"),
    )
    for prevalence, stated, origin in origins:
        rows = [
            row
            for task in results.tasks
            if prevalence and (row := _outcome_row(task, set_name, prevalence, stated=stated))
        ]
        if prevalence and rows:
            titles = ("Model", "With the disease", "found", "missed", "Without it", "cleared", "false alarms")
            share = wording.number(prevalence, "prevalence")
            notes = (
                "Expected from sensitivity and specificity.",
                *([told] if (told := thresholds_short(results)) else []),
            )
            yield Table(
                f"Of 1,000 people of whom {share} have {results.positive} ({origin})",
                tuple(Column(title, numeric=place > 0) for place, title in enumerate(titles)),
                tuple(rows),
                notes,
                sortable=True,
            )


def _outcome_row(task: TaskResult, set_name: str, prevalence: float, *, stated: bool) -> tuple[Cell, ...] | None:
    find = task.at_prevalence if stated else task.figure
    diseased = round(THOUSAND * prevalence)
    cells = {metric: figure_cell(record) for metric in OUTCOMES if (record := find(metric, set_name))}
    if len(cells) < len(OUTCOMES):
        cells = _expected(task, set_name, diseased)
    if not cells:
        return None
    found, missed, cleared, alarms = (cells[metric] for metric in OUTCOMES)
    with_it, without = (Cell(wording.count(number)) for number in (diseased, THOUSAND - diseased))
    return (model_cell(task), with_it, found, missed, without, cleared, alarms)


def _expected(task: TaskResult, set_name: str, diseased: int) -> dict[str, Cell]:
    """Compute the outcomes where the run does not hold them, rounded to whole people."""
    sensitivity, specificity = (task.figure(name, set_name) for name in ("sensitivity", "specificity"))
    if sensitivity is None or specificity is None or sensitivity.value is None or specificity.value is None:
        return {}
    healthy = THOUSAND - diseased
    found, cleared = round(diseased * sensitivity.value), round(healthy * specificity.value)
    numbers = (found, diseased - found, cleared, healthy - cleared)
    return {metric: Cell(wording.count(number)) for metric, number in zip(OUTCOMES, numbers, strict=True)}


# ── At the threshold ──────────────────────────────────────────────────────────────────────────────────────────────────


def _measures(results: Results, set_name: str) -> Iterator[Table]:
    known = [metric for metric in RATIOS if any(task.figure(metric, set_name) for task in results.tasks)]
    stated = [name for name in PREDICTIVE if any(task.at_prevalence(name, set_name) for task in results.tasks)]
    if not known and not stated:
        return
    share = wording.number(stated_prevalence(results, set_name), "prevalence")
    columns = (
        Column("Model", numeric=False),
        *(Column(wording.label(metric)) for metric in known),
        *(Column(f"{wording.label(metric)} at {share}") for metric in stated),
    )
    rows = tuple(
        (
            model_cell(task),
            *(figure_cell(task.figure(metric, set_name)) for metric in known),
            *(figure_cell(task.at_prevalence(metric, set_name)) for metric in stated),
        )
        for task in results.tasks
    )
    records = [
        *(task.figure(metric, set_name) for task in results.tasks for metric in known),
        *(task.at_prevalence(metric, set_name) for task in results.tasks for metric in stated),
    ]
    notes = (*(RATIOS[metric] for metric in known), *_notes(results, records))
    yield Table(f"What a call means, on the {set_title(set_name)}", columns, rows, notes, sortable=True)


def _notes(results: Results, records: Sequence[Record | None]) -> Iterator[str]:
    told = by_method([(record.metric, record.method) for record in records if record])
    if told:
        yield f"{wording.level(results.level)} intervals by {told}."
    if of := thresholds_short(results):
        yield of


def _net_benefits(results: Results, set_name: str) -> Table | None:
    """Show net benefit at each model's own threshold, at the set's own and at the stated prevalence."""
    finders: dict[str | None, Finder] = {
        wording.number(observed_prevalence(results, set_name), "prevalence"): lambda task: task.figure,
        wording.number(stated_prevalence(results, set_name), "prevalence"): lambda task: task.at_prevalence,
    }
    places = [
        (metric, share, find)
        for share, find in finders.items()
        for metric in BENEFITS
        if any(find(task)(metric, set_name) for task in results.tasks)
    ]
    if not places:
        return None
    columns = (
        Column("Model", numeric=False),
        Column("Probabilities", numeric=False),
        *(Column(f"{BENEFITS[metric]} at {share}") for metric, share, _ in places),
    )
    kinds: tuple[Calibrated | None, ...] = (None, "prior")
    found = {
        (task.number, kind): [find(task)(metric, set_name, calibrated=kind) for metric, _, find in places]
        for task in results.tasks
        for kind in kinds
    }
    rows = tuple(
        (
            model_cell(task),
            Cell(VARIANTS[kind]),
            *(figure_cell(one, lacking(task, "net_benefit")) for one in found[task.number, kind]),
        )
        for task in results.tasks
        for kind in kinds
        if kind is None or any(found[task.number, kind])
    )
    note = (
        "Each model's own threshold is taken as the probability from which acting is worth it, so that models of "
        "different thresholds are not comparable here; the curves below are. Columns: prevalence. At another "
        "prevalence than the set's own the probabilities are shifted to it first, so that other images are called "
        "than in the tables above, which keep the calls."
    )
    records = [record for records in found.values() for record in records]
    return Table(
        f"Net benefit at each model's threshold, on the {set_title(set_name)}",
        columns,
        rows,
        (note, *_notes(results, records)),
        small=True,
        sortable=True,
    )


# ── Over prevalence ───────────────────────────────────────────────────────────────────────────────────────────────────


def _predictive(results: Results, set_name: str, name: str) -> Plot | None:
    marked = {
        "this set's own prevalence": observed_prevalence(results, set_name),
        "the stated one": stated_prevalence(results, set_name),
    }
    known = {name: share for name, share in marked.items() if share}
    drawing = utility_figures.predictive(results.tasks, set_name, [*known.values()])
    if drawing is None:
        return None
    lines = ", and ".join(f"{name}, {wording.number(share, 'prevalence')}" for name, share in known.items())
    return Plot(
        name,
        drawing,
        f"Predictive values over prevalence, from sensitivity and specificity on the {set_title(set_name)}, "
        f"{spoken.n(results.tasks, set_name)}{_bands(results)}.{f' Dotted: {lines}.' if lines else ''}",
        "The rarer the disease, the more positive calls are wrong, however good the model: read the curves where your "
        "own patients are.",
        f"PPV rises and NPV falls with prevalence. {_spoken(results, set_name)}",
        wide=True,
    )


def _bands(results: Results) -> str:
    return f", with {wording.level(results.level)} bands" if len(results.tasks) <= BANDED else ""


def _spoken(results: Results, set_name: str) -> str:
    told = []
    for task in results.tasks:
        if curve := task.curve(set_name, "predictive"):
            place = nearest(curve["prevalence"], PREVALENCES[2])
            at = wording.number(curve["prevalence"][place], "prevalence")
            ppv, npv = (wording.number(finite(curve[one][place]), one) for one in PREDICTIVE)
            told.append(f"{task.name} at {at}: PPV {ppv}, NPV {npv}.")
    return " ".join(told)


# ── Net benefit ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _decision(results: Results, set_name: str, name: str) -> Plot | None:
    drawing = utility_figures.decision(results.tasks, set_name)
    if drawing is None:
        return None
    return Plot(
        name,
        drawing,
        f"Decision curves on the {set_title(set_name)}, {spoken.n(results.tasks, set_name)}, at "
        f"{at_prevalence(results, set_name)}{_bands(results)}. Grey: treat everyone as diseased; the line at 0: treat "
        "no one. Probabilities are shifted to that prevalence first.",
        "To the left missing a case weighs more, to the right a false alarm does: at 10% one case found is worth nine "
        "false alarms. A model is of use where its curve lies above both other lines (Vickers and Elkin 2006).",
        f"Decision curves. {_benefits(results, set_name)}",
        wide=True,
    )


def _benefits(results: Results, set_name: str) -> str:
    told = []
    for task in results.tasks:
        if curve := task.curve(set_name, "decision"):
            place = nearest(curve["threshold_probability"], THRESHOLDS[1])
            benefit = wording.number(finite(curve["net_benefit"][place]), "net_benefit")
            told.append(f"{spoken.of_use(task, curve)} At 10% its net benefit is {benefit}.")
    return " ".join(told)
