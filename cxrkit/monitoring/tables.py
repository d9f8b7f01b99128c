"""The tables of monitoring: of the page, and the CSV file with a row for each period and figure."""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import replace

from cxrkit.monitoring.drifts import NEGLIGIBLE
from cxrkit.monitoring.wordings import bounds, label, number, signed
from cxrkit.records import MonitoredImages, Monitoring, MonitoringRecord
from cxrkit.report import wording
from cxrkit.report.content import Cell, Column, Table
from cxrkit.report.formats.spreadsheets import harmless
from cxrkit.report.wording import NONE, count, counted

ALARM = "alarm"
OF_SAMPLING = "The 95% intervals tell of the sampling of images alone, not of how wrong the assumption may be."
UP, DOWN = " \N{UPWARDS ARROW}", " \N{DOWNWARDS ARROW}"
ALARMED = 1  # number of the colour that alarms have in the figures
COLUMNS = tuple(MonitoringRecord.model_fields)


def as_csv(found: Monitoring) -> str:
    """Write every figure as a row: RFC 4180, texts that a spreadsheet would carry out begin with an apostrophe."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for one in found.records:
        values = one.model_dump().values()
        writer.writerow(["" if value is None else _cell(value) for value in values])
    return text.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return harmless(value) if isinstance(value, str) else value


def size(images: MonitoredImages) -> str:
    """Say how many images there are: ``624 images of 428 patients, 390 of them diseased``."""
    patients = f" of {counted(images.n_patients, 'patient')}" if images.patients_known else ""
    if not images.labelled:
        return f"{counted(images.n, 'image')}{patients}, without labels"
    of = "" if images.labelled == images.n else f"{count(images.labelled)} with a label, "
    return f"{counted(images.n, 'image')}{patients}, {of}{count(images.positives)} of them diseased"


def periods(found: Monitoring) -> Table:
    """List the periods."""
    alarms = {period.name: sum(one.period == period.name for one in found.alarms) for period in found.periods}
    dated = any(one.first for one in found.periods)
    heads = ["Images", "Patients", "With a label", "Diseased", "Without a result", "Alarms"]
    rows = []
    for one in (found.reference, *found.periods):
        dates = [Cell(_dates(one))] if dated else []
        raised = NONE if one is found.reference or not one.judged else str(alarms[one.name])
        numbers = [one.n, one.n_patients if one.patients_known else None, one.labelled]
        numbers += [one.positives if one.labelled else None, one.without_result]
        cells = [Cell(NONE if value is None else count(value)) for value in numbers]
        rows.append((Cell(one.name), *dates, *cells, _marked(raised, alarm=raised not in (NONE, "0"))))
    columns = [Column("", numeric=False), *([Column("Dates", numeric=False)] if dated else []), *map(Column, heads)]
    return Table("Reference and periods", tuple(columns), tuple(rows))


def _dates(one: MonitoredImages) -> str:
    if one.first is None or one.last is None:
        return NONE
    return one.first if one.first == one.last else f"{one.first} to {one.last}"


def _marked(text: str, detail: str | None = None, *, alarm: bool) -> Cell:
    """Make a cell that has the colour of alarms where it is one, and says so."""
    told = ", ".join(part for part in (detail, ALARM if alarm else None) if part)
    return Cell(text, told or None, model=ALARMED if alarm else None)


# ── By period ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def control(found: Monitoring, figures: Sequence[str]) -> Table:
    """Give the shares of the control charts with their limits."""
    present = [name for name in figures if _records(found, name, "control")]
    return _by_period(found, "Shares by period, with control limits", present, "control", _with_limits)


def _with_limits(one: MonitoringRecord) -> Cell:
    limits = bounds(one.lower_limit, one.upper_limit, one.figure)
    return _marked(number(one.value, one.figure), f"limits {limits}, n {count(one.n)}", alarm=one.alarm)


def stability(found: Monitoring) -> Table:
    """Give the index of the scores, what is to be expected and what chance makes."""
    rows = []
    for one in _records(found, "psi", "drift"):
        moved = next(iter(_records(found, "ks_score", "drift", one.period)), None)
        rows.append(
            (
                Cell(one.period),
                _marked(f"{one.value:.2f}", alarm=one.alarm),
                Cell(f"{one.expected:.2f}"),
                Cell(f"{one.upper_limit:.2f}"),
                Cell(_p(one)),
                *((Cell(NONE), Cell(NONE)) if moved is None else (_distance(moved), Cell(_p(moved)))),
                Cell(count(one.n)),
            )
        )
    heads = ("PSI", "Expected unchanged", "Limit of chance", "p, Holm", "KS distance", "p, Holm", "Images compared")
    return Table("Scores against the reference", (Column("", numeric=False), *map(Column, heads)), tuple(rows))


def _p(one: MonitoringRecord) -> str:
    """Write the adjusted p value; in brackets that of a test that belongs to no family."""
    if one.p_adjusted is None:
        return f"({wording.p_value(one.p_value)})"
    return wording.p_value(one.p_adjusted)


def _distance(one: MonitoringRecord) -> Cell:
    return _marked(f"{one.value:.2f}", alarm=one.alarm)


def images(found: Monitoring) -> Table | None:
    """Give the distance of each image statistic; None where images were not measured."""
    names = dict.fromkeys(one.figure for one in found.records if one.figure.startswith("ks_"))
    names.pop("ks_score", None)
    if not names:
        return None
    table = _by_period(found, "Kolmogorov-Smirnov distance of image statistics", list(names), "drift", _moved)
    return replace(
        table,
        notes=(
            "0 is no difference, 1 none in common; p values are adjusted after Holm over all of them and the scores.",
        ),
        small=True,
    )


def _moved(one: MonitoringRecord) -> Cell:
    arrow = "" if one.effect is None or abs(one.effect) < NEGLIGIBLE else UP if one.effect > 0 else DOWN
    return _marked(f"{one.value:.2f}{arrow}", f"p {_p(one)}", alarm=one.alarm)


def performance(found: Monitoring, kind: str) -> Table | None:
    """Give performance with intervals, as labels tell it or as it is estimated; None where there is none."""
    names = list(dict.fromkeys(one.figure for one in found.records if one.kind == kind))
    if not names:
        return None
    caption = "Performance by the labels" if kind == "performance" else "Performance and prevalence, estimated"
    table = _by_period(found, caption, names, kind, _with_interval)
    return table if kind == "performance" else replace(table, notes=(OF_SAMPLING,))


def _with_interval(one: MonitoringRecord) -> Cell:
    parts = [bounds(one.low, one.high, one.figure)]
    if one.difference is not None:
        parts.append(signed(one.difference, one.figure))
    return _marked(number(one.value, one.figure), "; ".join(part for part in parts if part) or None, alarm=one.alarm)


def _by_period(
    found: Monitoring, caption: str, figures: Sequence[str], kind: str, cell: Callable[[MonitoringRecord], Cell]
) -> Table:
    rows: list[tuple[Cell, ...]] = []
    if kind != "drift":
        known = {one.figure: one.reference for one in found.records if one.reference is not None and one.kind == kind}
        of_reference = [Cell(number(known[name], name) if name in known else NONE) for name in figures]
        rows.append((Cell("reference"), *of_reference))
    for period in found.periods:
        own = {one.figure: one for one in found.records if one.period == period.name and one.kind == kind}
        if own:
            rows.append((Cell(period.name), *(cell(own[name]) if name in own else Cell(NONE) for name in figures)))
    return Table(caption, (Column("", numeric=False), *(Column(label(name)) for name in figures)), tuple(rows))


def _records(found: Monitoring, figure: str, kind: str, period: str | None = None) -> list[MonitoringRecord]:
    return [one for one in found.records if one.figure == figure and one.kind == kind and period in (None, one.period)]


def rules(found: Monitoring) -> Table:
    """State the rules with their limits, and what false alarms are to be expected of each."""
    heads = (Column("Rule", numeric=False), Column("An alarm is raised where", numeric=False), Column("Option"))
    rows = tuple(
        (
            Cell(RULES[one.name]),
            Cell(one.sentence),
            Cell(f"{one.option} {one.limit:g}"),
            Cell(count(one.tests)),
            Cell(f"{one.false_alarms:.3f}"),
        )
        for one in found.rules
    )
    last = (
        Cell("all"),
        Cell(""),
        Cell(""),
        Cell(count(sum(one.tests for one in found.rules))),
        Cell(f"{found.false_alarms:.3f}"),
    )
    return Table("Rules", (*heads, Column("Figures judged"), Column("False alarms expected, at most")), (*rows, last))


RULES = {
    "psi": "Scores, PSI",
    "ks": "Scores and images, KS",
    "alert_rate": "Alert rate",
    "no_result": "Without a result",
    "false_positive_rate": "False-positive rate",
    "sensitivity": "Sensitivity",
    "drop": "Performance",
}
