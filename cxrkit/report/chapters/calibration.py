"""The chapter on probabilities: can they be taken at their word, and what recalibration makes of them."""

from collections.abc import Iterator, Sequence

from cxrkit.api import Calibrated
from cxrkit.records import PriorRecord, Record, TemperatureRecord
from cxrkit.report import wording
from cxrkit.report.content import Block, Bullets, Cell, Column, Plot, Plots, Section, Table
from cxrkit.report.drawn import reliability, spoken
from cxrkit.report.drawn.drawing import Drawing
from cxrkit.report.drawn.ranking import OVERLAID
from cxrkit.report.drawn.reliability import VARIANTS
from cxrkit.report.phrases import anchor, lacking, set_title, threshold_value
from cxrkit.report.results import Results, TaskResult
from cxrkit.report.tables import by_method, figure_cell, model_cell

FIGURES = (
    "calibration_intercept",
    "calibration_slope",
    "ece_equal_width",
    "ece_equal_mass",
    "brier",
    "log_loss",
)
TITLES = {"calibration_intercept": "Intercept", "calibration_slope": "Slope"}
PARTS = ("brier", "brier_reliability", "brier_resolution", "brier_uncertainty", "brier_within_bins")
READING = (
    "Intercept: 0 is right; above 0 the probabilities are too low on the whole, below 0 too high. Slope: 1 is right; "
    "below 1 they are too extreme, above 1 too timid. ECE, Brier score and log loss: less is better."
)
PARTS_READING = (
    "Brier score = reliability \N{MINUS SIGN} resolution + uncertainty + within bins. Reliability is the "
    "miscalibration (less is better), resolution how far the model tells images apart (more is better), uncertainty "
    "what the mix of images alone brings, and the last part what the bins leave out."
)


def section(results: Results, set_name: str) -> Section | None:
    """Show how far probabilities can be trusted; None where no model has any figure of it."""
    name = anchor(results, "calibration", set_name)
    blocks = tuple(_blocks(results, set_name, name))
    return Section(name, f"Probabilities on the {set_title(set_name)}", blocks) if blocks else None


def distorted(results: Results) -> Iterator[str]:
    """Say whose probabilities are distorted since an imbalance strategy changed the class shares of the training."""
    alike: dict[tuple[str, str, str], list[TaskResult]] = {}
    for task in results.tasks:
        if task.info.prior is not None:
            alike.setdefault(_shift(results, task, task.info.prior), []).append(task)
    yield from (_distorted(results, tasks, *shift) for shift, tasks in alike.items())


def _shift(results: Results, task: TaskResult, prior: PriorRecord) -> tuple[str, str, str]:
    """Tell the share of the finding that the training saw, that of its images, and which way that distorts."""
    place = task.metrics.class_names.index(results.positive)
    seen, natural = (wording.number(shares[place], "prevalence") for shares in (prior.seen, prior.natural))
    return seen, natural, "high" if prior.seen[place] > prior.natural[place] else "low"


def _distorted(results: Results, tasks: Sequence[TaskResult], seen: str, natural: str, way: str) -> str:
    names = wording.listed([task.name for task in tasks])
    strategies = dict.fromkeys(task.info.imbalance for task in tasks if task.info.imbalance)
    why = f" ({', '.join(strategies)})" if strategies else ""
    whose = "its" if len(tasks) == 1 else "their"
    return (
        f"The probabilities of {names} are distorted: {whose} handling of class imbalance{why} made training see "
        f"{seen} {results.positive} where the training images have {natural}, so that they come out too {way}; "
        "the prior-corrected figures undo this shift and no other distortion."
    )


def _blocks(results: Results, set_name: str, name: str) -> Iterator[Block]:
    rows = _rows(results, set_name, FIGURES)
    drawings = reliability.diagrams(results.tasks, set_name)
    if not drawings and not rows:
        return
    notes = (*distorted(results), *_temperatures(results))
    if notes:
        yield Bullets(notes)
    yield from (Plots((_diagrams(results, set_name, f"{name}-{place}", *one),)) for place, one in enumerate(drawings))
    if rows:
        caption = f"Can the probabilities be taken at their word? Calibration on the {set_title(set_name)}"
        yield _table(results, set_name, FIGURES, caption, READING)
    if _rows(results, set_name, PARTS[1:]):
        yield _table(results, set_name, PARTS, "What the Brier score is made of", PARTS_READING)
    yield from _fixed_threshold(results, set_name)


def _temperatures(results: Results) -> Iterator[str]:
    """Tell the temperatures, those that were fitted on equally many images together."""
    alike: dict[str, list[str]] = {}
    for task in results.tasks:
        if fitted := task.info.temperature:
            alike.setdefault(_fitted_on(fitted), []).append(f"{task.name} {fitted.value:.2f}")
    for images, told in alike.items():
        yield (
            f"Temperature, fitted on {images} (Guo et al. 2017): {wording.listed(told)}. Above 1 the probabilities "
            "were too extreme there, below 1 too timid. The ranking, and so the AUC, does not change, and a shift of "
            "the class shares is not mended."
        )


def _fitted_on(fitted: TemperatureRecord) -> str:
    if fitted.n is None or fitted.n_patients is None:
        return "validation images of its training"
    return f"{wording.counted(fitted.n, 'validation image')} of {wording.counted(fitted.n_patients, 'patient')}"


# ── Tables ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _rows(results: Results, set_name: str, metrics: Sequence[str]) -> list[tuple[TaskResult, Calibrated | None]]:
    """Name the models and recalibrations that have any of the figures, and models that cannot have them."""
    return [
        (task, calibrated)
        for task in results.tasks
        for calibrated in VARIANTS
        if any(task.figure(metric, set_name, calibrated=calibrated) for metric in metrics if metric != "brier")
    ]


def _table(results: Results, set_name: str, metrics: Sequence[str], caption: str, reading: str) -> Table:
    rows = _rows(results, set_name, metrics)
    shown = [metric for metric in metrics if any(task.figure(metric, set_name, calibrated=one) for task, one in rows)]
    columns = (
        Column("Model", numeric=False),
        Column("Probabilities", numeric=False),
        *(Column(TITLES.get(metric) or wording.label(metric)) for metric in shown),
    )
    cells = [
        (
            model_cell(task),
            Cell(VARIANTS[calibrated]),
            *(figure_cell(task.figure(metric, set_name, calibrated=calibrated)) for metric in shown),
        )
        for task, calibrated in rows
    ]
    known = {task.number for task, _ in rows}
    unable = [task for task in results.tasks if task.number not in known and lacking(task, "brier")]
    cells += [
        (model_cell(task), Cell(""), *(figure_cell(None, lacking(task, one)) for one in shown)) for task in unable
    ]
    records = [task.figure(metric, set_name, calibrated=one) for task, one in rows for metric in shown]
    notes = (reading, *_methods(results, records))
    return Table(caption, columns, tuple(cells), notes, small=True, sortable=True)


def _methods(results: Results, records: Sequence[Record | None]) -> Iterator[str]:
    told = by_method([(record.metric, record.method) for record in records if record])
    if told:
        yield f"{wording.level(results.level)} intervals by {told}."


def _fixed_threshold(results: Results, set_name: str) -> Iterator[Table]:
    """Set sensitivity and specificity before and after the correction side by side, at a threshold fixed beforehand."""
    metrics = ("sensitivity", "specificity")
    tasks = [task for task in results.tasks if any(task.figure(one, set_name, calibrated="prior") for one in metrics)]
    if not tasks:
        return
    columns = (
        Column("Model", numeric=False),
        Column("Probabilities", numeric=False),
        *(Column(wording.label(metric)) for metric in metrics),
    )
    known: tuple[Calibrated | None, ...] = (None, "prior")
    rows = tuple(
        (
            model_cell(task),
            Cell(VARIANTS[calibrated]),
            *(figure_cell(task.figure(metric, set_name, calibrated=calibrated)) for metric in metrics),
        )
        for task in tasks
        for calibrated in known
    )
    at = [f"{task.name} {threshold_value(one)}" for task in tasks if (one := task.info.threshold)]
    note = (
        f"Thresholds: {wording.listed(at)}, fixed beforehand. A fixed threshold means something else on distorted "
        "probabilities; one that is chosen on validation moves with them, and loses nothing."
    )
    yield Table("What the distortion does at a fixed threshold", columns, rows, (note,))


# ── Figure ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _diagrams(results: Results, set_name: str, name: str, drawing: Drawing, tasks: Sequence[TaskResult]) -> Plot:
    known = reliability.variants(results.tasks, set_name)
    many = len(known) > 1 or len(results.tasks) > OVERLAID
    bins = ""
    if many and any(reliability.curve(task, set_name, None, mass=True) for task in results.tasks):
        bins = " Marks joined by a line: bins of equal width; hollow marks: bins of equally many images."
    told = [
        spoken.off_the_diagonal(task, found) for task in tasks if (found := reliability.curve(task, set_name, None))
    ]
    return Plot(
        name,
        drawing,
        f"Reliability on the {set_title(set_name)}, {spoken.n(tasks, set_name)}. Bars: "
        f"{wording.level(results.level)} intervals of the bins.{bins}",
        "Where the model says 80%, do 80% have the disease? On the diagonal the probabilities can be taken at their "
        "word; below it they are too high, above it too low.",
        f"Reliability diagram of probabilities as given. {' '.join(told)}",
        wide=many,
    )
