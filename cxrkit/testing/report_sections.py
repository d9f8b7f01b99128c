"""What a report section promises."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cxrkit import sections
from cxrkit.api import ReportedStudy, ReportSection
from cxrkit.testing import samples
from cxrkit.testing.check import need
from cxrkit.testing.frozen import twice, unwritable


@dataclass
class Maker:
    """A report section under examination.

    Attributes:
        make: the plugin's function.
        options: of it.
    """

    make: Callable[..., Any]
    options: Mapping[str, Any]

    def of(self, study: ReportedStudy) -> ReportSection:
        """Make the section of a study, and make sure that it can be shown."""
        with unwritable(study):
            section = self.make(study, **self.options)
        wrong = sections.fault(section)
        need(wrong is None, str(wrong))
        return section  # type: ignore[no-any-return]  # it has just been looked at


# ── Promises ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def makes_a_section(maker: Maker) -> None:
    """Returns a ReportSection that can be shown: title, texts, rows as long as the columns, pictures with a text."""
    maker.of(samples.study())


def is_pure(maker: Maker) -> None:
    """The same study gives the same section, and stays as it is."""
    first, second = twice(lambda: maker.of(samples.study()))
    need(first == second, "two sections differ: seed what is drawn, and keep nothing between calls")


def copes_without_results(maker: Maker) -> None:
    """Images without a result are coped with, and so is a model that has none at all."""
    for missing in (slice(0, 12), slice(None)):
        maker.of(samples.study(missing=missing))


def copes_with_three_classes(maker: Maker) -> None:
    """Three classes are coped with."""
    maker.of(samples.study(samples.THREE))


def copes_without_a_threshold(maker: Maker) -> None:
    """A model whose threshold is not recorded is coped with."""
    maker.of(samples.study(settled=False))


PROMISES = (makes_a_section, is_pure, copes_without_results, copes_with_three_classes, copes_without_a_threshold)
