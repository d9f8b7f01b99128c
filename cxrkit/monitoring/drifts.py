"""Whether scores and images of a period are distributed as those of the reference."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cxrkit.api import FloatArray, IntArray, Predictions
from cxrkit.data.drift import WORDING, cliffs_delta, kolmogorov_smirnov
from cxrkit.data.measures import SHARES, STATISTICS
from cxrkit.evaluation.predictions import OK
from cxrkit.monitoring.stability import LARGE, MODERATE, stability
from cxrkit.records import ImageStatistic, MonitoringRecord

NEGLIGIBLE = 0.147  # Cliff's delta (Romano et al. 2006); what differs then is the spread
ONE_EACH = "one image a patient"
HISTOGRAM = 20  # bins


@dataclass(frozen=True)
class Values:
    """What is compared: scores float64[n] and statistics, each of one image a patient; None where there are none."""

    scores: FloatArray | None
    statistics: pd.DataFrame | None


def scores(found: Predictions) -> FloatArray | None:
    """Take the score of one image of each patient, the first by name with a result; None of bare decisions."""
    if found.scale == "decision":
        return None
    usable = np.flatnonzero(found.status == OK)
    order = usable[np.argsort(found.images[usable], kind="stable")]
    first = np.unique(found.patients[order], return_index=True)[1]
    return found.score[np.sort(order[first])]


def of_period(period: str, reference: Values, now: Values, level: float) -> Iterator[MonitoringRecord]:
    """Compare a period with the reference; the sentences lack their end, the p value adjusted for all tests.

    Scores by the population stability index and by Kolmogorov and Smirnov's test, image statistics by the latter. What
    is alike in all images of both is left out.

    Args:
        period: its name.
        reference: what it is compared with.
        now: of the period.
        level: 1 less the chance that an index exceeds its limit.
    """
    if reference.scores is not None and now.scores is not None and len(now.scores):
        yield _stability(period, reference.scores, now.scores, level)
        yield _moved(period, "score", reference.scores, now.scores)
    if reference.statistics is None or now.statistics is None or now.statistics.empty:
        return
    for name in STATISTICS:
        if name in reference.statistics and name in now.statistics:
            before, after = (table[name].to_numpy() for table in (reference.statistics, now.statistics))
            if min(before.min(), after.min()) < max(before.max(), after.max()):
                yield _moved(period, name, before, after)


def _stability(period: str, before: FloatArray, after: FloatArray, level: float) -> MonitoringRecord:
    found = stability(before, after, level)
    size = "large" if found.value >= LARGE else "moderate" if found.value >= MODERATE else "small"
    return MonitoringRecord(
        period=period,
        kind="drift",
        figure="psi",
        value=found.value,
        method=f"{found.bins} bins, permutation test, {ONE_EACH}",
        reference=0.0,
        upper_limit=found.limit,
        expected=found.expected,
        p_value=found.p_value,
        n=len(after),
        n_patients=len(after),
        rule="psi",
        sentence=f"{period}: the distribution of the scores has a PSI of {found.value:.2f}, {size} by custom; of "
        f"{len(after)} images {found.expected:.2f} is to be expected without a change",
    )


def _moved(period: str, name: str, before: FloatArray, after: FloatArray) -> MonitoringRecord:
    test, effect = kolmogorov_smirnov(before, after), cliffs_delta(before, after)
    typical = np.mean if name in SHARES else np.median
    then, now = float(typical(before)), float(typical(after))
    told = f"Kolmogorov-Smirnov D {test.statistic:.2f}"
    return MonitoringRecord(
        period=period,
        kind="drift",
        figure=f"ks_{name}",
        value=test.statistic,
        method=f"Kolmogorov-Smirnov, {ONE_EACH}",
        reference=0.0,
        effect=effect,
        p_value=test.p_value,
        n=len(after),
        n_patients=len(after),
        rule="ks",
        sentence=f"{period}: {_direction(name, effect)}: {_values(name, then, now)}, {told}",
    )


def _direction(name: str, effect: float) -> str:
    if name == "score":
        if abs(effect) < NEGLIGIBLE:
            return "scores have about the middle that they had"
        return f"scores are {'higher' if effect > 0 else 'lower'} than in the reference"
    told = WORDING[_statistic(name)]
    if abs(effect) < NEGLIGIBLE:
        return f"images are about as they were in {told.name}"
    return f"images are {told.larger if effect > 0 else told.smaller} than in the reference"


def _values(name: str, then: float, now: float) -> str:
    if name == "score":
        return f"median {now:.3f} against {then:.3f}"
    if name in SHARES:
        return f"{WORDING[_statistic(name)].name} {100 * now:.1f}% against {100 * then:.1f}%"
    digits = 2 if name == "aspect" else 0
    unit = " pixels" if name in ("width", "height") else ""
    return f"median of {WORDING[_statistic(name)].name} {now:.{digits}f} against {then:.{digits}f}{unit}"


def _statistic(name: str) -> ImageStatistic:
    return next(one for one in STATISTICS if one == name)


# ── Histograms ────────────────────────────────────────────────────────────────────────────────────────────────────────


def score_edges(all_scores: list[FloatArray], scale: str) -> list[float]:
    """Give the edges of a histogram of all scores: of probabilities steps of 0.05; none where there are no scores."""
    if scale == "probability":
        return [round(edge, 2) for edge in np.linspace(0, 1, HISTOGRAM + 1).tolist()]
    values = np.concatenate(all_scores) if all_scores else np.array([])
    if scale == "decision" or not len(values) or values.min() == values.max():
        return []
    return [float(edge) for edge in np.linspace(values.min(), values.max(), HISTOGRAM + 1)]


def histogram(values: FloatArray, edges: list[float]) -> IntArray:
    """Count scores between edges; the last bin holds its upper edge."""
    known = values[np.isfinite(values)]
    place = np.clip(np.searchsorted(np.array(edges), known, side="right") - 1, 0, len(edges) - 2)
    return np.bincount(place, minlength=len(edges) - 1).astype(np.int64)
