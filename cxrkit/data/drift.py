"""How the images of a class differ between two sets: in size, brightness, contrast, colour."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import ks_2samp, mannwhitneyu

from cxrkit.data.measures import SHARES, STATISTICS
from cxrkit.multiplicity import holm
from cxrkit.records import Drift, ImageStatistic

ALPHA = 0.05
LEAST_KS = 0.2  # what a medium effect makes (Cohen's d of 0.5 between normal distributions): 2 Φ(d / 2) - 1
_NEGLIGIBLE_DELTA = 0.147  # Romano et al. 2006; what differs then is the spread
_EXACT_UP_TO = 1000  # patients


class Wording(NamedTuple):
    """How a statistic is told: what it is, and how images of larger and of smaller values are called."""

    name: str
    larger: str
    smaller: str


WORDING: dict[ImageStatistic, Wording] = {
    "width": Wording("width", "wider", "narrower"),
    "height": Wording("height", "taller", "less tall"),
    "aspect": Wording("width over height", "wider for their height", "narrower for their height"),
    "intensity": Wording("mean grey value", "brighter", "darker"),
    "contrast": Wording("SD of the grey values", "of more contrast", "of less contrast"),
    "black": Wording("nearly black part", "in larger part black", "in smaller part black"),
    "white": Wording("nearly white part", "in larger part white", "in smaller part white"),
    "colour": Wording("files with colour channels", "more often in colour", "less often in colour"),
}


def drift(used: pd.DataFrame, measures: pd.DataFrame, comparisons: Sequence[tuple[str, str]]) -> list[Drift]:
    """Compare every statistic of every class between pairs of sets.

    Two-sample Kolmogorov-Smirnov tests on one image of each patient (the first by name), as images of one patient are
    not independent; Holm's correction over all of them. Classes are compared apart, so that another share of a class is
    no drift. What is alike in all images of both sets is left out.

    Args:
        used: usable rows with ``image``, ``split``, ``label``, ``patient``.
        measures: their statistics, on the same index.
        comparisons: pairs of sets, before and after.
    """
    single = used.sort_values("image", kind="stable").drop_duplicates(["split", "label", "patient"])
    rows = {key: measures.loc[group.index] for key, group in single.groupby(["split", "label"])}
    found = [
        _compared(statistic, label, pair, rows[pair[0], label][statistic], rows[pair[1], label][statistic])
        for pair in comparisons
        for label in sorted(set(single["label"]))
        if (pair[0], label) in rows and (pair[1], label) in rows
        for statistic in STATISTICS
    ]
    return _adjusted([comparison for comparison in found if comparison is not None])


def _compared(
    statistic: ImageStatistic, label: str, pair: tuple[str, str], first: "pd.Series[float]", second: "pd.Series[float]"
) -> Drift | None:
    before, after = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if min(before.min(), after.min()) == max(before.max(), after.max()):
        return None
    test = kolmogorov_smirnov(before, after)
    typical = np.mean if statistic in SHARES else np.median
    return Drift(
        statistic=statistic,
        class_name=label,
        from_set=pair[0],
        to_set=pair[1],
        before=float(typical(before)),
        after=float(typical(after)),
        effect=cliffs_delta(before, after),
        ks=test.statistic,
        p_value=test.p_value,
        p_adjusted=1.0,  # until all are there
        named=False,
        n_before=len(before),
        n_after=len(after),
        sentence="",
    )


class KolmogorovSmirnov(NamedTuple):
    """The largest distance of two distributions, 0 … 1, and its p value."""

    statistic: float
    p_value: float


def kolmogorov_smirnov(before: NDArray[np.float64], after: NDArray[np.float64]) -> KolmogorovSmirnov:
    """Test two samples of independent values for one distribution (Smirnov 1939), exactly where there are few.

    Args:
        before: float64[m].
        after: float64[n].
    """
    test = ks_2samp(after, before, method="exact" if max(len(before), len(after)) <= _EXACT_UP_TO else "asymp")
    return KolmogorovSmirnov(float(test.statistic), float(test.pvalue))


def cliffs_delta(before: NDArray[np.float64], after: NDArray[np.float64]) -> float:
    """Compute how much more often a value after exceeds one before than the reverse (Cliff 1993)."""
    return 2 * float(mannwhitneyu(after, before, method="asymptotic").statistic) / (len(before) * len(after)) - 1


def _adjusted(found: list[Drift]) -> list[Drift]:
    """Adjust the p values for their number (Holm 1979), and name what is shown and large enough to matter."""
    adjusted = holm([comparison.p_value for comparison in found])
    return [_named(comparison, p_adjusted) for comparison, p_adjusted in zip(found, adjusted, strict=True)]


def _named(found: Drift, p_adjusted: float) -> Drift:
    named = p_adjusted < ALPHA and found.ks >= LEAST_KS
    told = found.model_copy(update={"p_adjusted": p_adjusted, "named": named})
    return told.model_copy(update={"sentence": _sentence(told)})


def _sentence(found: Drift) -> str:
    name = WORDING[found.statistic].name
    if not found.named:
        return f"{found.class_name}: {name} is much the same in {found.to_set} as in {found.from_set}."
    p = "p < 0.001" if found.p_adjusted < 0.001 else f"p = {found.p_adjusted:.3f}"  # noqa: PLR2004  # as p is printed
    return (
        f"{found.class_name} images of {found.to_set} are {direction(found)} than those of {found.from_set}: "
        f"{name} {values(found)} (Kolmogorov-Smirnov D {found.ks:.2f}, {p})."
    )


def direction(found: Drift) -> str:
    """Say how the later set's images differ: ``brighter``; where it is the spread, ``differently spread in width``."""
    wording = WORDING[found.statistic]
    if abs(found.effect) < _NEGLIGIBLE_DELTA:
        return f"differently spread in {wording.name}"
    return wording.larger if found.effect > 0 else wording.smaller


def values(found: Drift) -> str:
    """Give both medians (of shares the means), with units."""
    if found.statistic in SHARES:
        return f"{100 * found.after:.1f}% against {100 * found.before:.1f}%"
    if found.statistic == "aspect":
        return f"{found.after:.2f} against {found.before:.2f}"
    unit = " pixels" if found.statistic in ("width", "height") else ""
    return f"{found.after:.0f} against {found.before:.0f}{unit}"
