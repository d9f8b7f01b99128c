"""Do subgroups differ? Wald tests that know which images, and which patients, subgroups share."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import f as f_distribution

from cxrkit.api import FloatArray, IntArray
from cxrkit.areas import structural_components
from cxrkit.intervals import count_patients, renumbered
from cxrkit.metrics import BoolArray

VANISHING = 1e-15  # a variance that is rounding alone
VANISHING_SHARE = 1e-12  # of the whole variance: a direction in which subgroups cannot differ
FEWEST = 2  # patients, below which there is no variance between them; and subgroups, below which nothing differs


class WaldTest(NamedTuple):
    """A test that several subgroups share one value.

    Attributes:
        statistic: Wald's, near a chi-square where patients are many; at least 0; None where the test is not estimable.
        p_value: by Welch's F (1951), as the variances are estimated; None likewise.
        freedom: its degrees of freedom, one less than subgroups; 0 where there are fewer than two.
        tested: indices of the subgroups that were tested.
        fewest_patients: of the smallest subgroup tested (of an area, of its smaller class); 0 where none was.
    """

    statistic: float | None
    p_value: float | None
    freedom: int
    tested: tuple[int, ...]
    fewest_patients: int


class JointAreas(NamedTuple):
    """Areas under ROC curves of different images, and how they vary together.

    Attributes:
        areas: float64[k].
        covariance: float64[k, k].
        contributions: float64[patients, k], each patient's part in the areas' deviations.
    """

    areas: FloatArray
    covariance: FloatArray
    contributions: FloatArray


def equal_proportions(success: BoolArray, subgroups: Sequence[BoolArray], patients: IntArray) -> WaldTest:
    """Test that a share, such as the sensitivity, is the same in all subgroups.

    The covariance of the shares sums residuals by patient, who may be in several subgroups (Liang & Zeger 1986).
    Subgroups of fewer than two patients are left out.

    Args:
        success: bool[n].
        subgroups: bool[n] each, the subgroups' images.
        patients: int64[n].

    Returns:
        Not estimable where fewer than two subgroups are left, or all or no images of one succeed: a share of 0 or 1
        tells nothing of its own variance.
    """
    sizes = [count_patients(patients[rows]) for rows in subgroups]
    tested = [index for index, size in enumerate(sizes) if size >= FEWEST]
    if len(tested) < FEWEST:
        return _not_estimable(tested, sizes)
    place = renumbered(patients)
    members = np.stack([subgroups[index] for index in tested], axis=1)
    shares = np.array([success[column].mean() for column in members.T])
    deviations = np.where(members, success[:, None] - shares, 0) / members.sum(axis=0)
    by_patient = _sums(deviations, place).T * _correction(np.array([sizes[index] for index in tested]))
    covariance = by_patient @ by_patient.T
    return _wald(shares, covariance, tested, sizes)


def equal_areas(truth: BoolArray, score: FloatArray, subgroups: Sequence[BoolArray], patients: IntArray) -> WaldTest:
    """Test that the area under the ROC curve is the same in all subgroups.

    Subgroups may share images, such as all normal ones that each pathogen's are ranked against: their areas are then
    correlated, see :func:`joint_areas`. Subgroups with fewer than two patients of either class are left out.

    Args:
        truth: bool[n].
        score: float64[n], finite.
        subgroups: bool[n] each, the images that an area is computed of.
        patients: int64[n].

    Returns:
        Not estimable where fewer than two subgroups are left, or one is separated perfectly.
    """
    sizes = [min(count_patients(patients[rows & truth]), count_patients(patients[rows & ~truth])) for rows in subgroups]
    tested = [index for index, size in enumerate(sizes) if size >= FEWEST]
    if len(tested) < FEWEST:
        return _not_estimable(tested, sizes)
    members = np.stack([subgroups[index] for index in tested], axis=1)
    found = joint_areas(np.where(members, truth[:, None], False), score[:, None], members, patients)
    return _wald(found.areas, found.covariance, tested, sizes)


def joint_areas(truths: BoolArray, scores: FloatArray, members: BoolArray, patients: IntArray) -> JointAreas:
    """Compute areas under several ROC curves and their covariance (Obuchowski 1997, extended).

    Each area has its own images, truth and score; DeLong's structural components of all are summed by patient. Areas of
    the same images and truth have the covariance of :func:`cxrkit.areas.auc_covariance`.

    Args:
        truths: bool[n, k], whether an image is a positive of an area.
        scores: float64[n, k], or [n, 1] for all areas, finite.
        members: bool[n, k], the images of each area, with two patients of either class or more.
        patients: int64[n].
    """
    place = renumbered(patients)
    scores = np.broadcast_to(scores, truths.shape)
    columns = [_of_area(*column, place) for column in zip(truths.T, scores.T, members.T, strict=True)]
    areas, positive, negative = (np.array(part) for part in zip(*columns, strict=True))
    # Each class's sum has its own correction for the number of patients with that class.
    positive_factor, negative_factor = (
        _correction(np.count_nonzero(part, axis=1)) for part in _held(truths, members, place)
    )
    within = (positive * positive_factor) @ (positive * positive_factor).T
    within += (negative * negative_factor) @ (negative * negative_factor).T
    between = positive @ negative.T
    clusters = positive.shape[1]
    covariance = within + clusters / (clusters - 1) * (between + between.T)
    return JointAreas(areas, covariance, (positive + negative).T)


def _of_area(
    truth: BoolArray, score: FloatArray, rows: BoolArray, place: IntArray
) -> tuple[float, FloatArray, FloatArray]:
    """Return an area, and what each patient's positives and negatives add to its deviation: float64[patients] each."""
    inside, number = truth[rows], int(place.max()) + 1
    areas, components = structural_components(inside, score[rows, None])
    deviations = components[:, 0] - areas[0]
    parts = [
        np.bincount(place[rows][kept], weights=deviations[kept], minlength=number) / kept.sum()
        for kept in (inside, ~inside)
    ]
    return float(areas[0]), parts[0], parts[1]


def _held(truths: BoolArray, members: BoolArray, place: IntArray) -> tuple[FloatArray, FloatArray]:
    """Count each patient's positives and negatives of each area: float64[k, patients] each."""
    return _sums(truths & members, place).T, _sums(~truths & members, place).T


def _correction(patients: IntArray) -> FloatArray:
    return np.sqrt(patients / (patients - 1))[:, None]


def _sums(values: FloatArray | BoolArray, place: IntArray) -> FloatArray:
    return np.stack([np.bincount(place, weights=column) for column in values.T], axis=1)


def _wald(values: FloatArray, covariance: FloatArray, tested: Sequence[int], sizes: Sequence[int]) -> WaldTest:
    """Test that all values are the last one; by the generalised inverse where their covariance is singular."""
    if not (np.diagonal(covariance) > VANISHING).all():
        return _not_estimable(tested, sizes)
    contrast = np.eye(len(values) - 1, len(values)) - np.eye(1, len(values), len(values) - 1)
    differences = contrast @ values
    variances, directions = np.linalg.eigh(contrast @ covariance @ contrast.T)
    known = variances > VANISHING_SHARE * np.trace(covariance)
    if not known.any():
        return _not_estimable(tested, sizes)
    statistic = float(np.sum((differences @ directions)[known] ** 2 / variances[known]))
    patients = np.array([sizes[index] for index in tested])
    p_value = _welch(statistic, np.diagonal(covariance), patients)
    return WaldTest(statistic, p_value, len(values) - 1, tuple(tested), int(patients.min()))


def _welch(statistic: float, variances: FloatArray, patients: IntArray) -> float:
    """Return the p value of a Wald statistic whose variances were estimated from few patients (Welch 1951)."""
    k, weights = len(variances), 1 / variances
    unknown = float(np.sum((1 - weights / weights.sum()) ** 2 / (patients - 1)))
    ratio = statistic / (k - 1) / (1 + 2 * (k - 2) / (k**2 - 1) * unknown)
    return float(f_distribution.sf(ratio, k - 1, (k**2 - 1) / (3 * unknown)))


def _not_estimable(tested: Sequence[int], sizes: Sequence[int]) -> WaldTest:
    smallest = min((sizes[index] for index in tested), default=0)
    return WaldTest(None, None, max(0, len(tested) - 1), tuple(tested), smallest)
