"""The chapter on thresholds: what those chosen on validation turn into on a set, and the uncertain zone."""

from collections.abc import Iterator, Sequence

from cxrkit.records import OperatingPoint, Record, ThresholdRecord, ZoneResult
from cxrkit.report import wording
from cxrkit.report.chapters.explorer import explorer
from cxrkit.report.content import Block, Cell, Column, Heading, Section, Table, Text
from cxrkit.report.phrases import anchor, set_title, threshold_origin
from cxrkit.report.results import Results, TaskResult
from cxrkit.report.tables import figure_cell, groups, model_cell, threshold_cell

FIGURES = ("sensitivity", "specificity", "ppv", "npv")
OF_ZONE = ("coverage", *FIGURES, "referred_positives", "referred_negatives")
ZONE_TITLES = {
    "coverage": "Images decided",
    "sensitivity": "Sensitivity of the decided",
    "specificity": "Specificity of the decided",
    "ppv": "PPV of the decided",
    "npv": "NPV of the decided",
}


def section(results: Results, set_name: str) -> Section | None:
    """Show other thresholds than the one that decides; None where there are none."""
    explored = explorer(results, set_name)
    blocks = (*_points(results, set_name), *_zones(results, set_name), *([explored] if explored else []))
    name = anchor(results, "thresholds", set_name)
    return Section(name, f"Other thresholds on the {set_title(set_name)}", blocks) if blocks else None


def _points(results: Results, set_name: str) -> Iterator[Block]:
    found = [(task, point) for task in results.tasks for point in task.operating_points(set_name)]
    if not found:
        return
    yield Text(
        "Each threshold below was chosen on validation images for a stated sensitivity or specificity, and applied to "
        f"the {set_title(set_name)} as it was: what it turns into here shows how well it carries over."
    )
    columns = (
        Column("Model", numeric=False),
        Column("Chosen on validation for", numeric=False),
        Column("Threshold"),
        *(Column(wording.label(metric)) for metric in FIGURES),
    )
    rows = tuple(_point_row(task, point) for task, point in found)
    yield Table(
        f"Operating points: what they turn into on the {set_title(set_name)}",
        columns,
        rows,
        tuple(_point_notes(results, found)),
        small=True,
        sortable=True,
    )


def _point_row(task: TaskResult, point: OperatingPoint) -> tuple[Cell, ...]:
    aim, figures = point.threshold, _by_metric(point.figures)
    return (
        model_cell(task),
        Cell(_aim(aim), wording.NOT_ESTIMABLE if aim.note else None),
        threshold_cell(aim),
        *(figure_cell(figures.get(metric)) for metric in FIGURES),
    )


def _point_notes(results: Results, found: Sequence[tuple[TaskResult, OperatingPoint]]) -> Iterator[str]:
    yield (
        f"Below each figure its {wording.level(results.level)} interval; below a threshold how far another validation "
        "set of the same size would move it."
    )
    notes: dict[str, list[str]] = {}
    for task, point in found:
        if point.threshold.note:
            names = notes.setdefault(point.threshold.note.removesuffix("."), [])
            names.extend([task.name] if task.name not in names else [])
    yield from (f"{note} ({wording.listed(names)})." for note, names in notes.items())


def _zones(results: Results, set_name: str) -> Iterator[Block]:
    found = [(task, zone) for task in results.tasks if (zone := task.zone(set_name))]
    if not found:
        return
    yield Heading("Uncertain zone")
    yield Text(
        "With two thresholds the model decides only where it is sure: below the lower one an image is called negative, "
        "from the upper one on positive, and between them it is referred to a reader."
    )
    zones = {task.number: zone for task, zone in found}
    for tasks in groups([task for task, _ in found]):
        yield _zone_table(results, set_name, tasks, zones)


def _zone_table(results: Results, set_name: str, tasks: Sequence[TaskResult], zones: dict[int, ZoneResult]) -> Table:
    chosen = [zones[task.number] for task in tasks]
    figures = [_by_metric(zone.figures) for zone in chosen]
    rows = [
        (Cell("Lower threshold"), *(threshold_cell(zone.zone.lower) for zone in chosen)),
        (Cell("Upper threshold"), *(threshold_cell(zone.zone.upper) for zone in chosen)),
    ]
    rows += [
        (Cell(_zone_title(results, metric)), *(figure_cell(one.get(metric)) for one in figures))
        for metric in OF_ZONE
        if any(metric in one for one in figures)
    ]
    columns = (Column("", numeric=False), *(Column(task.name, task.number) for task in tasks))
    notes = dict.fromkeys(
        f"{name} threshold {threshold_origin(one)}{f' ({note})' if (note := one.note) else ''}."
        for zone in chosen
        for name, one in (("Lower", zone.zone.lower), ("Upper", zone.zone.upper))
    )
    return Table(f"Uncertain zone on the {set_title(set_name)}", columns, tuple(rows), tuple(notes))


def _zone_title(results: Results, metric: str) -> str:
    referred = {
        "referred_positives": f"Referred of those with {results.positive}",
        "referred_negatives": f"Referred of those without {results.positive}",
    }
    return referred.get(metric) or ZONE_TITLES[metric]


def _aim(threshold: ThresholdRecord) -> str:
    if threshold.target is None:
        return threshold_origin(threshold)
    return f"{threshold.rule} {wording.number(threshold.target, 'sensitivity')}"


def _by_metric(figures: Sequence[Record]) -> dict[str, Record]:
    return {figure.metric: figure for figure in figures}
