"""Figures of subgroups, and whether subgroups differ."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from cxrkit.api import EvaluationSettings, Figure
from cxrkit.heterogeneity import WaldTest, equal_areas, equal_proportions
from cxrkit.intervals import proportion
from cxrkit.metrics import BoolArray

from .results import Results, count, fewest, figure, predictive, sensitivity_and_specificity

Ranking = Callable[[Results, float], Figure]
SEVERAL = 2  # subgroups, which a test needs


def of_subgroups(results: Results, settings: EvaluationSettings, ranking: Ranking) -> list[Figure]:
    """Evaluate every subgroup of every column, and test whether a column's subgroups differ."""
    figures: list[Figure] = []
    for column, values in settings.subgroups.items():
        members = {value: values == value for value in np.unique(values[values != ""]).tolist()}
        for value, rows in members.items():
            figures += _subgroup(results, rows, f"{column}={value}", settings, ranking)
        figures += _differences(results, column, members, settings)
    return figures


def _subgroup(
    results: Results, rows: BoolArray, name: str, settings: EvaluationSettings, ranking: Ranking
) -> list[Figure]:
    """Give a subgroup's shares and its ranking.

    A subgroup of one class has no predictive values, and is ranked against all images of the other classes.
    """
    inside, threshold, level = results.of(rows), settings.threshold.value, settings.level
    sensitivity, specificity = sensitivity_and_specificity(inside, level)
    accuracy = proportion(inside.called == inside.labels, inside.patients, level)
    shares = {"sensitivity": sensitivity, "specificity": specificity, "accuracy": accuracy}
    if not _of_one_class(results, rows):  # else they are 1 or 0 by definition
        shares |= predictive(inside, level)
    smallest = {"accuracy": fewest(inside.labels, inside.patients)}
    figures = [
        figure(
            metric,
            share,
            threshold=threshold,
            subgroup=name,
            fewest_patients=smallest.get(metric, share.n_patients),
        )
        for metric, share in shares.items()
        if share.n
    ]
    if results.scale == "decision":
        return figures
    ranked = results.of(_ranked(results, rows) & results.complete)
    metric = "roc_auc_against_all" if _of_one_class(results, rows) else "roc_auc"
    area = ranking(ranked, level)
    if metric != "roc_auc":
        alone = results.of(rows & results.complete)  # the opposite class is shared and large
        area = replace(area, fewest_patients=min(area.fewest_patients or 0, count(alone.patients)))
    return [*figures, replace(area, metric=metric, subgroup=name)]


def _of_one_class(results: Results, rows: BoolArray) -> bool:
    inside = results.truth[rows]
    return bool(inside.all() or not inside.any())


def _ranked(results: Results, rows: BoolArray) -> BoolArray:
    """Take a subgroup's images; to those of one class all of the other class are added."""
    if not _of_one_class(results, rows):
        return rows
    return np.asarray(rows | (results.truth != results.truth[rows][0]))


# ── Heterogeneity ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _differences(
    results: Results, column: str, members: Mapping[str, BoolArray], settings: EvaluationSettings
) -> list[Figure]:
    """Test sensitivity, specificity and area, each where two subgroups or more have images that it needs."""
    positive, negative = (_holding(members, kind) for kind in (results.truth, ~results.truth))
    figures = [
        _test(results, "sensitivity", column, positive, settings),
        _test(results, "specificity", column, negative, settings),
    ]
    if results.scale != "decision":
        # A subgroup of normal images alone says of the ranking what those of each disease do, all together.
        figures.append(_test_areas(results, column, positive if len(positive) >= SEVERAL else negative))
    return [one for one in figures if one is not None]


def _holding(members: Mapping[str, BoolArray], kind: BoolArray) -> list[BoolArray]:
    return [rows for rows in members.values() if (rows & kind).any()]


def _test(
    results: Results, metric: str, column: str, groups: list[BoolArray], settings: EvaluationSettings
) -> Figure | None:
    if len(groups) < SEVERAL:
        return None
    right = results.complete & ((results.called == results.positive) == results.truth)
    kept = (results.truth if metric == "sensitivity" else ~results.truth) & np.any(groups, axis=0)
    found = equal_proportions(right[kept], [rows[kept] for rows in groups], results.patients[kept])
    rows = [groups[index] & kept for index in found.tested]
    return _figure(results, f"{metric}_heterogeneity", column, found, rows, threshold=settings.threshold.value)


def _test_areas(results: Results, column: str, groups: list[BoolArray]) -> Figure | None:
    if len(groups) < SEVERAL:
        return None
    ranked = [_ranked(results, rows) & results.complete for rows in groups]
    kept = np.any(ranked, axis=0)
    found = equal_areas(
        results.truth[kept], results.score[kept], [rows[kept] for rows in ranked], results.patients[kept]
    )
    return _figure(results, "roc_auc_heterogeneity", column, found, [ranked[index] for index in found.tested])


def _figure(
    results: Results,
    metric: str,
    column: str,
    found: WaldTest,
    rows: list[BoolArray],
    threshold: float | None = None,
) -> Figure:
    of = np.any(rows, axis=0) if rows else np.zeros(len(results.labels), dtype=bool)
    return Figure(
        metric,
        found.statistic,
        method=None if found.statistic is None else f"Wald with Welch's F, clustered by patient, {found.freedom} df",
        n=int(of.sum()),
        n_patients=count(results.patients[of]),
        subgroup=column,
        threshold=threshold,
        p_value=found.p_value,
        fewest_patients=found.fewest_patients,
    )
