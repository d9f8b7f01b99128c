"""What a metric reporter promises."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from math import isfinite
from typing import Any

import numpy as np

from cxrkit import sections
from cxrkit.api import Figure, MetricReport, Predictions
from cxrkit.records import Record
from cxrkit.testing import samples
from cxrkit.testing.check import need
from cxrkit.testing.frozen import twice, unwritable

ROUNDING = 1e-9
SAME = ("metric", "class_name", "subgroup", "threshold", "prevalence", "calibrated")  # what tells figures apart


@dataclass
class Reporter:
    """A metric reporter under examination.

    Attributes:
        report: the plugin's function.
        options: of it.
    """

    report: Callable[..., Any]
    options: Mapping[str, Any]

    def of(self, found: Predictions) -> MetricReport:
        """Report, and make sure that it can be written into ``metrics.json`` and shown."""
        settings = samples.settings(found)
        with unwritable(found, settings):
            report = self.report(found, settings, **self.options)
        need(isinstance(report, MetricReport), f"returns {type(report).__name__}, a cxrkit.api.MetricReport is needed")
        for figure in report.figures:
            need(isinstance(figure, Figure), f"returns a {type(figure).__name__} among its figures, cxrkit.api.Figure")
            _check(figure, len(found.images))
        for section in report.sections:
            wrong = sections.fault(section)
            need(wrong is None, str(wrong))
        return report  # type: ignore[no-any-return]  # it has just been looked at


def _check(figure: Figure, images: int) -> None:
    named = {name: getattr(figure, name) for name in ("value", "low", "high", "p_value")}
    for name, value in named.items():
        finite = value is None or isfinite(value)
        need(finite, f"{figure.metric}: {name} is {value}, a finite number or None is needed")
    need(0 <= figure.n_patients <= figure.n <= images, f"{figure.metric}: rests on {figure.n} of {images} images")
    both = (figure.low is None) == (figure.high is None)
    need(both, f"{figure.metric}: has one bound alone, {figure.low} … {figure.high}")
    plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in asdict(figure).items()}
    Record(**plain, set="test", level=0.95)


# ── Promises ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def reports(reporter: Reporter) -> None:
    """Returns a MetricReport of figures and sections for two classes."""
    found = reporter.of(samples.predictions())
    need(found.figures or found.sections, "returns neither a figure nor a section")


def is_pure(reporter: Reporter) -> None:
    """The same predictions give the same report, and stay as they are."""
    first, second = twice(lambda: reporter.of(samples.predictions()))
    need(first == second, "two reports differ: seed a generator with settings.seed, and keep nothing between calls")


def has_intervals_around_its_figures(reporter: Reporter) -> None:
    """An interval contains its figure and names how it was made."""
    for found in _all():
        for figure in reporter.of(found).figures:
            if figure.low is None or figure.high is None:
                continue
            where = f"{figure.metric} is {figure.value} with the interval {figure.low} … {figure.high}"
            need(figure.value is not None and figure.method, f"{where}, by the method {figure.method}")
            inside = figure.low - ROUNDING <= (figure.value or 0.0) <= figure.high + ROUNDING
            need(inside, f"{where}")


def has_figures_that_differ(reporter: Reporter) -> None:
    """No two figures are told apart by nothing."""
    for found in _all():
        keys = [tuple(getattr(figure, name) for name in SAME) for figure in reporter.of(found).figures]
        doubled = sorted({str(key[0]) for key in keys if keys.count(key) > 1})
        need(not doubled, f"{', '.join(doubled)} come twice, with nothing that tells them apart")


def copes_without_results(reporter: Reporter) -> None:
    """Images without a result are coped with, and so are images that all have none."""
    for rows in (slice(0, 12), slice(None)):
        reporter.of(samples.without_results(samples.predictions(), rows))


def copes_with_three_classes(reporter: Reporter) -> None:
    """Three classes are coped with."""
    reporter.of(samples.predictions(samples.THREE))


def copes_with_one_class(reporter: Reporter) -> None:
    """Images of one class alone are coped with, whichever it is; what cannot be estimated is None."""
    for positive in (False, True):
        reporter.of(samples.of_one_class(positive=positive))


def copes_with_scores(reporter: Reporter) -> None:
    """Scores that only rank, and bare decisions, are coped with."""
    reporter.of(samples.scores())
    reporter.of(samples.decisions())


def copes_with_few_images(reporter: Reporter) -> None:
    """A single image is coped with."""
    found = samples.predictions()
    rows = {one.name: getattr(found, one.name)[:1] for one in fields(found) if _is_by_image(getattr(found, one.name))}
    reporter.of(replace(found, **rows))


def _is_by_image(value: Any) -> bool:
    return isinstance(value, np.ndarray)


def _all() -> Iterator[Predictions]:
    found = samples.predictions()
    yield from (found, samples.predictions(samples.THREE), samples.without_results(found, slice(0, 12)))
    yield from (samples.of_one_class(positive=False), samples.scores())


PROMISES = (
    reports,
    is_pure,
    has_intervals_around_its_figures,
    has_figures_that_differ,
    copes_without_results,
    copes_with_three_classes,
    copes_with_one_class,
    copes_with_scores,
    copes_with_few_images,
)
