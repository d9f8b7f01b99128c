"""What was asked of monitoring, read and checked before anything is computed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite
from pathlib import Path

import numpy as np

from cxrkit.config.columns import COLUMN_HINT, lacks_column, wrong_columns, wrong_label_columns
from cxrkit.data.inspection import Progress
from cxrkit.errors import InputError
from cxrkit.evaluation.classes import BINARY, stand_in
from cxrkit.evaluation.labels import Join, LabelFile, known
from cxrkit.evaluation.predictions import OK
from cxrkit.evaluation.table import read_sheet
from cxrkit.monitoring import measured, periods, reference
from cxrkit.monitoring.dates import Span
from cxrkit.monitoring.periods import Period
from cxrkit.monitoring.reading import Batch, Reading, check_any_labelled, read
from cxrkit.monitoring.reference import Asked, Reference
from cxrkit.monitoring.rules import Limits
from cxrkit.monitoring.watching import Watched
from cxrkit.report.inputs import NO_TABLES


@dataclass(frozen=True)
class Request:
    """What was asked: the options of ``cxrkit monitor``."""

    reference: Path
    new: Sequence[Path]
    asked: Asked = field(default_factory=Asked)
    columns: Mapping[str, str] = field(default_factory=dict)
    labels: Path | None = None
    label_columns: Mapping[str, str] = field(default_factory=dict)
    join: Join = "image"
    date_column: str | None = None
    span: Span | None = None
    every: int | None = None
    images: Sequence[Path] = ()
    reference_images: Sequence[Path] = ()
    reference_statistics: Path | None = None
    latest: bool = False
    limits: Limits = field(default_factory=Limits)


def prepare(request: Request, progress: Progress | None = None) -> Watched:
    """Read everything that is to be compared.

    Args:
        request: what was asked.
        progress: called with the images measured and their total.

    Raises:
        InputError: what is wrong with an option or a file.
    """
    _check_options(request)
    labels = None if request.labels is None else LabelFile(request.labels, request.label_columns, request.join)
    reading = Reading(request.columns, labels, request.asked.task, request.date_column)
    past_dates = _has_dates(request)
    of_reference = replace(reading, labels=None, date_column=request.date_column if past_dates else None)
    try:
        opened = reference.opened(request.reference, request.asked, of_reference)
        opened = _with_named_classes(opened, request, labels)
        batches = [_new(path, reading, opened) for path in request.new]
    except InputError as error:
        raise InputError(*error.problems, *[COLUMN_HINT] * lacks_column(error)) from None
    check_any_labelled(batches, labels)
    new = _periods(request, batches)
    before, now = _measures(request, opened, new, progress)
    past = _past(request, opened) if past_dates else []
    return Watched(opened, past, new, before, now, request.latest, tuple(_notes(batches, request, opened)))


def _check_options(request: Request) -> None:
    problems = [f"--column: {name}: {sentence}" for name, sentence in wrong_columns(request.columns)]
    problems += [f"--label-column: {name}: {sentence}" for name, sentence in wrong_label_columns(request.label_columns)]
    if request.labels is None:
        needless = {"--label-column": request.label_columns, "--join": request.join == "study"}
        problems += [f"{name}: means nothing without --labels" for name, given in needless.items() if given]
    if request.span is not None and request.every is not None:
        problems.append("--every: is another way to divide than --period, give one of them")
    if request.span is not None and request.date_column is None:
        problems.append("--period: needs dates, say by --date-column which column has them")
    if request.date_column is not None and request.span is None and request.every is None:
        problems.append("--date-column: divides nothing by itself, add --period day, week or month, or --every N")
    if (request.reference_images or request.reference_statistics) and not request.images:
        problems.append("--reference-images, --reference-statistics: mean nothing without --images of the new images")
    limits = request.limits
    given = {"--psi": limits.psi, "--ks": limits.ks, "--sigma": limits.sigma, "--margin": limits.margin}
    problems += [f"{name}: {value} is no finite number" for name, value in given.items() if not isfinite(value)]
    problems += [
        f"{path}: is no CSV of predictions, one or several are needed"
        for path in request.new
        if path.is_dir() or path.suffix.lower() in NO_TABLES
    ]
    if problems:
        raise InputError(*problems)


def _has_dates(request: Request) -> bool:
    """Say whether the reference is a file with the column of dates, and so has periods of its own."""
    if request.date_column is None or not request.reference.is_file():
        return False
    return request.date_column in read_sheet(request.reference, {}).columns


def _with_named_classes(opened: Reference, request: Request, labels: LabelFile | None) -> Reference:
    """Call the other class as the new labels do, where the reference has no labels to name it by."""
    positive = opened.model.positive
    unnamed = stand_in(positive)
    if unnamed not in opened.model.class_names:
        return opened
    cells = {cell for path in request.new for cell in read_sheet(path, request.columns).columns.get("label", ())}
    cells |= set() if labels is None else set(known(labels).cells)
    others = cells - {"", positive, unnamed, *BINARY}
    if len(others) != 1:
        return opened
    names = tuple(others.pop() if name == unnamed else name for name in opened.model.class_names)
    found = replace(opened.batch.found, class_names=names)
    model = replace(opened.model, class_names=names)
    return replace(opened, model=model, batch=replace(opened.batch, found=found))


def _new(path: Path, reading: Reading, opened: Reference) -> Batch:
    batch = read(path, reading, opened.model)
    scale = opened.batch.found.scale
    if batch.found.scale != scale:
        raise InputError(f"{path}: gives a {batch.found.scale}, the reference a {scale}, the same is needed")
    return batch


def _periods(request: Request, batches: Sequence[Batch]) -> list[Period]:
    if request.span is not None:
        return periods.by_date(request.new, batches, request.span)
    if request.every is not None:
        return periods.by_number(request.new, batches, request.every)
    return periods.of_files(request.new, batches)


def _past(request: Request, opened: Reference) -> list[Period]:
    """Divide the reference as the new images are divided."""
    if request.span is not None:
        return periods.by_date([request.reference], [opened.batch], request.span)
    return periods.by_number([request.reference], [opened.batch], request.every or len(opened.batch.found.images))


def _measures(
    request: Request, opened: Reference, new: Sequence[Period], progress: Progress | None
) -> tuple[measured.Measures | None, measured.Measures | None]:
    """Measure the images of both sides, where new ones are given."""
    if not request.images:
        return None, None
    before = measured.of_reference(opened, request.reference_images, request.reference_statistics, progress)
    names = list(dict.fromkeys(str(name) for period in new for name in period.found.images.tolist()))
    now = measured.of_folders(names, request.images, progress)
    if now is None:
        raise InputError(f'{request.images[0]}: none of the new images can be read there, e.g. "{names[0]}"')
    return before, now


def _notes(batches: Sequence[Batch], request: Request, opened: Reference) -> Iterator[str]:
    """Tell what flatters the reference, and where a file's own decisions are not those of its threshold."""
    threshold, positive = opened.threshold.value, opened.model.positive
    if opened.set is not None and opened.threshold.set == opened.set:
        yield f"The threshold was chosen on {opened.set}, the reference itself, whose figures are therefore flattering."
    for path, batch in zip(request.new, batches, strict=True):
        if batch.decisions is None:
            continue
        own = np.array([cell == positive for cell in batch.decisions])
        has_result = batch.found.status == OK
        differing = int(np.count_nonzero(has_result & (own != (batch.found.score >= threshold))))
        if differing:
            yield (
                f"{path.name}: {differing} decisions in it are not those of the reference's threshold of "
                f"{threshold:.3f}, which is used here."
            )
