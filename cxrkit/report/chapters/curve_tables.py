"""Tables of what curves say at a few places: for readers of the text, and to quote."""

from collections.abc import Sequence
from math import isfinite, log

from cxrkit.report import wording
from cxrkit.report.content import Cell, Column, Table
from cxrkit.report.drawn import utility as utility_figures
from cxrkit.report.drawn.ranking import Curve
from cxrkit.report.phrases import observed_prevalence, stated_prevalence
from cxrkit.report.results import Results
from cxrkit.report.tables import model_cell

PREVALENCES = (0.01, 0.05, 0.1, 0.2, 0.5)
THRESHOLDS = (0.05, 0.1, 0.2, 0.3, 0.5)


def over_prevalence(results: Results, set_name: str) -> Table | None:
    """Show PPV and NPV at a few prevalences; None where no model has such a curve."""
    curves = [(task, curve) for task in results.tasks if (curve := task.curve(set_name, "predictive"))]
    if not curves:
        return None
    first = curves[0][1]["prevalence"]
    places = [nearest(first, one) for one in PREVALENCES]
    columns = (
        Column("Model", numeric=False),
        Column("", numeric=False),
        *(Column(f"at {wording.number(first[place], 'prevalence')}") for place in places),
    )
    rows = tuple(
        (model_cell(task), Cell(metric.upper()), *(_curve_cell(curve, metric, place) for place in places))
        for task, curve in curves
        for metric in ("ppv", "npv")
    )
    return Table("Predictive values over prevalence", columns, rows, small=True, sortable=True)


def _curve_cell(curve: Curve, metric: str, place: int) -> Cell:
    value, low, high = (finite(curve[name][place]) for name in (metric, f"{metric}_low", f"{metric}_high"))
    return Cell(wording.number(value, metric), wording.bounds(low, high, metric))


def over_thresholds(results: Results, set_name: str) -> Table | None:
    """Show net benefit at a few threshold probabilities; None where no model has such a curve."""
    curves = [
        (task, kind, curve)
        for task in results.tasks
        for kind in utility_figures.KINDS
        if (curve := task.curve(set_name, kind))
    ]
    if not curves:
        return None
    first = curves[0][2]
    places = [nearest(first["threshold_probability"], one) for one in THRESHOLDS]
    columns = (
        Column("Model", numeric=False),
        Column("Probabilities", numeric=False),
        *(Column(f"at {100 * first['threshold_probability'][place]:.0f}%") for place in places),
    )
    rows = [
        (
            model_cell(task),
            Cell("prior-corrected" if kind.endswith("prior") else "as given"),
            *(_benefit_cell(curve, place) for place in places),
        )
        for task, kind, curve in curves
    ]
    everyone = (Cell(wording.number(finite(first["treat_all"][place]), "net_benefit")) for place in places)
    rows.append((Cell("treat everyone"), Cell(""), *everyone))
    at = at_prevalence(results, set_name)
    note = f"At {at}; treating no one has a net benefit of 0. Columns: threshold probability."
    return Table("Net benefit by threshold probability", columns, tuple(rows), (note,), small=True, sortable=True)


def _benefit_cell(curve: Curve, place: int) -> Cell:
    value, low, high = (finite(curve[name][place]) for name in ("net_benefit", "low", "high"))
    return Cell(wording.number(value, "net_benefit"), wording.bounds(low, high, "net_benefit"))


def at_prevalence(results: Results, set_name: str) -> str:
    """Say at which prevalence net benefit is given."""
    stated, observed = stated_prevalence(results, set_name), observed_prevalence(results, set_name)
    if stated is not None:
        return f"the stated prevalence of {wording.number(stated, 'prevalence')}"
    return f"this set's own prevalence of {wording.number(observed, 'prevalence')}"


def finite(value: float) -> float | None:
    """Turn what a curve has no number for into None."""
    return value if isfinite(value) else None


def nearest(values: Sequence[float], wanted: float) -> int:
    """Find the place of the value that is nearest by ratio."""
    return min(range(len(values)), key=lambda place: abs(log(max(values[place], 1e-9) / wanted)))
