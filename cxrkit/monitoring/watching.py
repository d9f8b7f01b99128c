"""Set periods of new images against a reference, and say where something has changed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from cxrkit import environment
from cxrkit.api import Predictions
from cxrkit.monitoring import drifts, performance, rules
from cxrkit.monitoring.charts import CHARTS, Called, Chart, called, chart, plotted
from cxrkit.monitoring.measured import Measures
from cxrkit.monitoring.periods import Period
from cxrkit.monitoring.reference import Reference
from cxrkit.records import MonitoredImages, Monitoring, MonitoringRecord

FEW_IMAGES = 30


@dataclass(frozen=True)
class Watched:
    """Everything that is compared.

    Attributes:
        reference: what new images are set against.
        past: its periods, where it has dates, for the variance between periods.
        periods: of the new images.
        before: statistics of the reference's images, where there are any.
        now: of the new ones.
        latest: whether alarms are raised of the last period alone.
        notes: sentences on what was read.
    """

    reference: Reference
    past: Sequence[Period]
    periods: Sequence[Period]
    before: Measures | None
    now: Measures | None
    latest: bool = False
    notes: Sequence[str] = ()


def monitored(watched: Watched, limits: rules.Limits) -> Monitoring:
    """Compute every figure, judge it and state the rules.

    Args:
        watched: reference and new images.
        limits: thresholds of the rules.
    """
    threshold = watched.reference.threshold.value
    names = [period.name for period in watched.periods]
    alarmed = names[-1:] if watched.latest else names
    charts = _charts(watched, threshold)
    records = rules.judged(list(_records(watched, charts, alarmed, limits)), alarmed, limits)
    stated = rules.told(records, alarmed, limits)
    found = watched.reference.batch.found
    edges = drifts.score_edges([one.score[np.isfinite(one.score)] for one in _all(watched)], found.scale)
    return Monitoring(
        environment=environment.describe(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        task=watched.reference.model.task,
        reference=_images(Period("reference", found), watched.before, edges),
        reference_set=watched.reference.set,
        class_names=list(watched.reference.model.class_names),
        positive=watched.reference.model.positive,
        scale=found.scale,
        threshold=watched.reference.threshold,
        dispersion=max([1.0, *(one.dispersion for one in charts)]),
        score_edges=edges,
        periods=[
            _images(period, watched.now, edges).model_copy(update={"judged": period.name in alarmed})
            for period in watched.periods
        ],
        rules=stated,
        records=records,
        alarms=rules.alarms(records),
        false_alarms=sum(rule.false_alarms for rule in stated),
        notes=[*watched.notes, *_notes(watched)],
    )


def _all(watched: Watched) -> list[Predictions]:
    return [watched.reference.batch.found, *(period.found for period in watched.periods)]


def _charts(watched: Watched, threshold: float) -> list[Chart]:
    reference = called(watched.reference.batch.found, threshold)
    past = [called(period.found, threshold) for period in watched.past]
    found = [chart(rule, reference, past) for rule in CHARTS]
    return [one for one in found if one is not None]


def _records(
    watched: Watched, charts: Sequence[Chart], alarmed: Sequence[str], limits: rules.Limits
) -> Iterator[MonitoringRecord]:
    """Compute the figures of every period, period by period."""
    found, threshold = watched.reference.batch.found, watched.reference.threshold.value
    before = drifts.Values(drifts.scores(found), None if watched.before is None else watched.before.of(found))
    known = performance.labelled(found)
    estimating = None if known is None else performance.prepared(known, threshold)
    level = _level(watched, known, alarmed, threshold, limits)
    for period in watched.periods:
        decided = called(period.found, threshold)
        yield from _plotted(charts, period.name, decided, limits)
        statistics = None if watched.now is None else watched.now.of(period.found)
        now = drifts.Values(drifts.scores(period.found), statistics)
        yield from drifts.of_period(period.name, before, now, 1 - limits.alpha)
        own = performance.labelled(period.found)
        if known is not None and own is not None:
            yield from performance.observed(period.name, known, own, threshold, limits.margin, level)
        if estimating is not None:
            yield from performance.estimated(period.name, period.found, decided, estimating)


def _plotted(charts: Sequence[Chart], period: str, decided: Called, limits: rules.Limits) -> Iterator[MonitoringRecord]:
    for one in charts:
        record = plotted(one, period, decided, limits.sigma)
        if record is not None:
            yield record


def _level(
    watched: Watched, known: Predictions | None, alarmed: Sequence[str], threshold: float, limits: rules.Limits
) -> float:
    """Give the level of the intervals that judge a drop: one-sided alpha over all of them (Bonferroni)."""
    own = [performance.labelled(period.found) for period in watched.periods if period.name in alarmed]
    tests = 0 if known is None else sum(performance.drops(known, one, threshold) for one in own if one is not None)
    return 1 - 2 * limits.alpha / max(1, tests)


def _images(period: Period, measures: Measures | None, edges: list[float]) -> MonitoredImages:
    decided = called(period.found, 0.0)
    return MonitoredImages(
        name=period.name,
        first=period.first,
        last=period.last,
        n=len(period.found.images),
        n_patients=len(np.unique(period.found.patients)),
        patients_known=decided.patients_known,
        without_result=int((~decided.has_result).sum()),
        labelled=int((decided.truth >= 0).sum()),
        positives=int((decided.truth == 1).sum()),
        with_statistics=0 if measures is None else len(measures.of(period.found)),
        scores=[int(n) for n in drifts.histogram(period.found.score, edges)] if edges else [],
    )


# ── What to know of it ────────────────────────────────────────────────────────────────────────────────────────────────


def _notes(watched: Watched) -> Iterator[str]:
    found = watched.reference.batch.found
    if performance.labelled(found) is None:
        yield (
            "The reference has no labels: false-positive rate, sensitivity, performance and its estimates cannot be "
            "told."
        )
    elif not any((period.found.labels >= 0).any() for period in watched.periods):
        yield "No new image has a label: performance is estimated, under assumptions that only labels can test."
    unknown = [period.name for period in watched.periods if not called(period.found, 0.0).patients_known]
    if unknown:
        yield (
            "Nothing tells the patients of new images apart: every image counts as a patient of its own. Where "
            "patients have several images, limits are too narrow and p values too small."
        )
    small = [period.name for period in watched.periods if len(period.found.images) < FEW_IMAGES]
    if small:
        yield (
            f"{len(small)} of {len(watched.periods)} periods have fewer than {FEW_IMAGES} images: only a large change "
            "can show in them."
        )
    if watched.now is None or watched.before is None:
        yield _unmeasured(watched)
    yield from () if watched.before is None else watched.before.notes
    yield from () if watched.now is None else watched.now.notes
    if watched.latest and len(watched.periods) > 1:
        yield "Alarms are raised of the last period alone; the earlier ones are shown."


def _unmeasured(watched: Watched) -> str:
    if watched.now is None:
        return "The images themselves were not compared: --images gives the folder of the new ones."
    return "The images themselves were not compared, as those of the reference are not known: --reference-images."
