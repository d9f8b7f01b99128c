"""Figures counted in another way: by patient instead of by image, over several trainings, without lacking results."""

from collections.abc import Iterator

from cxrkit.api import Unit
from cxrkit.records import SeedSpread
from cxrkit.report import wording
from cxrkit.report.content import Block, Cell, Column, Heading, Table, Text
from cxrkit.report.phrases import lacking, represented, set_title, thresholds_short
from cxrkit.report.results import Results, TaskResult
from cxrkit.report.tables import figure_cell, model_cell, threshold_cell

MAIN = ("roc_auc", "sensitivity", "specificity", "ppv", "npv")
OF_SEEDS = ("roc_auc", "average_precision", "sensitivity", "specificity", "accuracy", "balanced_accuracy", "brier")
WORST_CASE = ("sensitivity", "specificity", "accuracy")
WORST_CASE_NOTE = (
    "Worst case is the primary analysis: an image without a result counts as a wrong call, since a reader would still "
    "have to look at it. Complete cases leave it out, and flatter a model that fails on difficult images."
)
UNITS: dict[Unit, str] = {
    "image": "images",
    "patient-max": "patients, by their largest probability",
    "patient-mean": "patients, by their mean probability",
}


# ── By patient ────────────────────────────────────────────────────────────────────────────────────────────────────────


def by_patient(results: Results, set_name: str) -> Iterator[Block]:
    """Set the figures by patient beside those by image; nothing where every patient has one image."""
    units = [
        unit for unit in UNITS if any(task.figure(name, set_name, unit=unit) for task in results.tasks for name in MAIN)
    ]
    if len(units) < 2:  # noqa: PLR2004 - by image alone
        return
    yield Heading("By patient")
    columns = (
        Column("Model", numeric=False),
        Column("Counted", numeric=False),
        Column("n"),
        Column("Threshold"),
        *(Column(wording.label(metric)) for metric in MAIN),
    )
    rows = tuple(_unit_row(task, set_name, unit) for task in results.tasks for unit in units)
    note = (
        "A patient with several images counts once: as positive where the largest, or the mean, probability of the "
        "images reaches a threshold chosen on validation patients by the same rule as that of images. A patient shows "
        f"{results.positive} where any image does."
    )
    caption = f"By image and by patient on the {set_title(set_name)}"
    yield Table(caption, columns, rows, (note,), small=True, sortable=True)


def _unit_row(task: TaskResult, set_name: str, unit: Unit) -> tuple[Cell, ...]:
    threshold = task.info.threshold if unit == "image" else task.info.patient_thresholds.get(unit)
    records = [task.figure(metric, set_name, unit=unit) for metric in MAIN]
    whole = task.figure("accuracy", set_name, unit=unit) or task.figure("roc_auc", set_name, unit=unit)
    return (
        model_cell(task),
        Cell(UNITS[unit]),
        Cell(wording.count(whole.n) if whole else wording.NONE),
        threshold_cell(threshold) if threshold else Cell(wording.NONE),
        *(figure_cell(record, lacking(task, metric)) for metric, record in zip(MAIN, records, strict=True)),
    )


# ── Over seeds ────────────────────────────────────────────────────────────────────────────────────────────────────────


def over_seeds(results: Results, set_name: str) -> Iterator[Block]:
    """Show how much another training would change the figures; nothing where no task was trained more than once."""
    spreads = {task.number: spread for task in results.tasks if (spread := task.spread(set_name))}
    if not spreads:
        return
    metrics = [metric for metric in OF_SEEDS if any(metric in spread for spread in spreads.values())]
    yield Heading("Several trainings")
    yield Text(
        "Training again with another seed gives another model. How far its figures move is a second uncertainty, "
        "beside that of which patients were tested; the intervals elsewhere in this report do not contain it."
    )
    columns = (
        Column("Model", numeric=False),
        Column("Trainings", numeric=False),
        *(Column(wording.label(metric)) for metric in metrics),
    )
    tasks = [task for task in results.tasks if task.number in spreads]
    rows = tuple(row for task in tasks for row in _seed_rows(task, spreads[task.number], metrics))
    notes = ["Mean ± standard deviation over seeds, below it the range; then each seed at its own threshold."]
    if told := represented(results):
        notes.append(f"In the other tables: {told}")
    yield Table(f"Figures over seeds on the {set_title(set_name)}", columns, rows, tuple(notes), small=True)


def _seed_rows(task: TaskResult, spread: dict[str, SeedSpread], metrics: list[str]) -> Iterator[tuple[Cell, ...]]:
    seeds = list(next(iter(spread.values())).values)
    yield (
        model_cell(task),
        Cell(f"{len(seeds)} seeds", "mean ± SD, range"),
        *(_spread_cell(spread.get(metric)) for metric in metrics),
    )
    for seed in seeds:
        values = [one.values.get(seed) if (one := spread.get(metric)) else None for metric in metrics]
        cells = [Cell(wording.number(value, metric)) for value, metric in zip(values, metrics, strict=True)]
        yield (Cell(""), Cell(f"seed {seed}"), *cells)


def _spread_cell(one: SeedSpread | None) -> Cell:
    if one is None:
        return Cell(wording.NONE)
    text = wording.number(one.mean, one.metric)
    if one.sd is not None and one.mean is not None:
        text = f"{wording.bare(one.mean, one.metric)} ± {wording.number(one.sd, one.metric)}"
    return Cell(text, wording.bounds(one.low, one.high, one.metric))


# ── Without a result ──────────────────────────────────────────────────────────────────────────────────────────────────


def without_result(results: Results, set_name: str) -> Iterator[Block]:
    """Show what images without a result do to the figures; nothing where every image has one."""
    lacking = [task for task in results.tasks if _lacking(task, set_name)]
    if not lacking:
        return
    metrics = [name for name in WORST_CASE if any(task.figure(name, set_name) for task in lacking)]
    yield Heading("Images without a result")
    columns = (
        Column("Model", numeric=False),
        Column("Without a result"),
        Column("Counted", numeric=False),
        *(Column(wording.label(metric)) for metric in metrics),
    )
    rows = tuple(row for task in lacking for row in _result_rows(task, set_name, metrics))
    notes = [WORST_CASE_NOTE, *([told] if (told := thresholds_short(results)) else [])]
    caption = f"Images that a model gave no result for, on the {set_title(set_name)}"
    yield Table(caption, columns, rows, tuple(notes))


def _lacking(task: TaskResult, set_name: str) -> int:
    confusion = task.confusion(set_name)
    return confusion.no_result if confusion else 0


def _result_rows(task: TaskResult, set_name: str, metrics: list[str]) -> Iterator[tuple[Cell, ...]]:
    share = task.figure("no_result", set_name)
    number = wording.counted(_lacking(task, set_name), "image")
    worst = [figure_cell(task.figure(metric, set_name)) for metric in metrics]
    yield (
        model_cell(task),
        Cell(number, wording.number(share.value, "no_result") if share else None),
        Cell("worst case"),
        *worst,
    )
    complete = [task.figure(f"{metric}_complete_cases", set_name) for metric in metrics]
    if any(complete):
        yield (Cell(""), Cell(""), Cell("complete cases"), *map(figure_cell, complete))
