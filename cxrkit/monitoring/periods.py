"""Periods: each file one, or all images together divided by their dates or by their number."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cxrkit.api import IntArray, Predictions
from cxrkit.errors import InputError
from cxrkit.evaluation.predictions import taken
from cxrkit.monitoring.dates import Dates, Span, period_of, shown
from cxrkit.monitoring.reading import Batch

MOST = 400
TABLE = "predictions.csv"  # of cxrkit predict; its folder tells more


@dataclass(frozen=True)
class Period:
    """The images of a period.

    Attributes:
        name: unique.
        found: the results.
        first: date of the earliest image; None without dates.
        last: of the latest one.
    """

    name: str
    found: Predictions
    first: str | None = None
    last: str | None = None


def of_files(paths: Sequence[Path], batches: Sequence[Batch]) -> list[Period]:
    """Make each file a period, named as it; a table of ``cxrkit predict`` as its folder.

    Raises:
        InputError: a file is given twice.
    """
    resolved = [path.resolve() for path in paths]
    doubled = sorted({str(path) for path, place in zip(paths, resolved, strict=True) if resolved.count(place) > 1})
    if doubled:
        raise InputError(*(f"{path}: is given twice, once is enough" for path in doubled))
    names = _names(resolved)
    return [_period(name, batch.found, batch.dates) for name, batch in zip(names, batches, strict=True)]


def _names(paths: Sequence[Path]) -> list[str]:
    """Name files by as few folders as tell them apart, else by number."""
    parts = [_parts(path) for path in paths]
    for depth in range(1, 1 + max(map(len, parts))):
        names = ["/".join(part[-depth:]) for part in parts]
        if len(set(names)) == len(names):
            return names
    return [str(number) for number in range(1, 1 + len(paths))]


def _parts(path: Path) -> Sequence[str]:
    parts = path.with_suffix("").parts
    return parts[:-1] if path.name == TABLE else parts


def by_date(paths: Sequence[Path], batches: Sequence[Batch], span: Span) -> list[Period]:
    """Divide all images by day, week or month; a time without images is no period.

    Raises:
        InputError: an image is in two files; there are more periods than a page can show.
    """
    found, dates = _together(paths, batches)
    assert dates is not None  # noqa: S101 - the command asks for a date column
    names = [period_of(date, span) for date in dates]
    order = sorted(dict.fromkeys(names))
    if len(order) > MOST:
        raise InputError(f"--period: {span} makes {len(order)} periods, at most {MOST} are allowed, take a longer one")
    rows = {name: np.array([row for row, own in enumerate(names) if own == name]) for name in order}
    return [_part(name, found, dates, rows[name]) for name in order]


def by_number(paths: Sequence[Path], batches: Sequence[Batch], every: int) -> list[Period]:
    """Divide all images into groups of a size, by their dates or else in the order of the files; the last may be less.

    Raises:
        InputError: an image is in two files; there are more periods than a page can show.
    """
    found, dates = _together(paths, batches)
    n = len(found.images)
    if n > MOST * every:
        raise InputError(
            f"--every: {every} makes {-(-n // every)} periods, at most {MOST} are allowed, take more images"
        )
    order = np.arange(n) if dates is None else np.array(sorted(range(n), key=lambda row: dates[row]))
    starts = range(0, n, every)
    return [
        _part(f"{start + 1}\N{EN DASH}{min(start + every, n)}", found, dates, order[start : start + every])
        for start in starts
    ]


def _part(name: str, found: Predictions, dates: Dates | None, rows: IntArray) -> Period:
    return _period(name, taken(found, rows), None if dates is None else [dates[row] for row in rows.tolist()])


def _period(name: str, found: Predictions, dates: Dates | None) -> Period:
    if not dates:
        return Period(name, found)
    return Period(name, found, shown(min(dates)), shown(max(dates)))


def _together(paths: Sequence[Path], batches: Sequence[Batch]) -> tuple[Predictions, Dates | None]:
    place: dict[str, Path] = {}
    for path, batch in zip(paths, batches, strict=True):
        for image in batch.found.images.tolist():
            if image in place:
                raise InputError(f'{path}: "{image}" is in {place[image]} already, an image counts once')
        place |= dict.fromkeys(batch.found.images.tolist(), path)
    dates = [date for batch in batches for date in batch.dates or ()]
    together = replace(
        batches[0].found,
        images=np.concatenate([batch.found.images for batch in batches]),
        patients=np.concatenate([batch.found.patients for batch in batches]),
        labels=np.concatenate([batch.found.labels for batch in batches]),
        status=np.concatenate([batch.found.status for batch in batches]),
        probabilities=np.concatenate([batch.found.probabilities for batch in batches]),
    )
    return together, dates or None
