"""The chapter on limitations that hold for this very run."""

from collections.abc import Iterator
from typing import Any

from cxrkit.report import wording
from cxrkit.report.content import Bullets, Section
from cxrkit.report.results import Results, Source

KERMANY = """Patients were told apart by the file names of the Kermany collection. If the images are that collection's,
    they are of children of one to five years from one hospital in Guangzhou, so that nothing here holds for adults; age
    and sex of each child are not available, and only its official test labels had a third reader."""
FLIPPED = """trained on images some of which were flipped left to right, which moves the heart to the other side; such a
    model cannot learn what depends on the side."""


def section(results: Results) -> Section:
    """List what limits these results."""
    items = dict.fromkeys(_one_line(text) for text in _limitations(results))
    return Section("limitations", "Limitations", (Bullets(tuple(items)),))


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _limitations(results: Results) -> Iterator[str]:
    yield from (f"Task {one.name} is missing: {one.reason}." for one in results.unfinished)
    yield """This is research software's output on the images described here. It is no medical device, and no figure
        shows a benefit for patients."""
    if len(results.sets) < 2:  # noqa: PLR2004 - one set is no external one
        yield "One test set of one origin; there is no external set."
    if any(task.info.kind == "trained" for task in results.tasks):
        yield from _of_training(results)
    yield """Thresholds were carried over from elsewhere (validation, or fixed beforehand); at another place, with
        another machine or mix of patients, they may be too low or too high."""
    for source in results.sources:
        yield from _of_patients(source)
    yield "Labels are taken as they are: errors in them count as errors of the models, or hide them."
    yield from (f"{task.name}: {limit}" for task in results.tasks for limit in task.metrics.limits)
    if not any(record.subgroup for task in results.tasks for record in task.metrics.records):
        yield "No subgroup was evaluated, so that a group of patients for whom a model fails would not be seen here."


def _of_training(results: Results) -> Iterator[str]:
    yield """A single split: another division of the patients into training, validation and test would give other
        models and figures."""
    yield "The same validation images choose the epoch and the threshold, so that figures on them are too good."
    once = [task.name for task in results.tasks if len(task.info.seeds) == 1]
    if once:
        yield f"{wording.listed(once)}: trained with one seed; how much luck is in that is not known."
    flipped = [task.name for task in results.tasks if _flips(task.info.options)]
    if flipped:
        yield f"{wording.listed(flipped)}: {FLIPPED}"
    pointed = any(task.checks and task.checks.pointing_game for task in results.tasks)
    if any(task.cam and task.cam.entries for task in results.tasks) and not pointed:
        yield """Activation maps were not compared with lesions that a reader marked; a plausible map is no proof of a
            right reason."""


def _flips(options: dict[str, Any]) -> bool:
    augmentation = options.get("augmentation") or {}
    return bool(augmentation.get("horizontal_flip"))


def _of_patients(source: Source) -> Iterator[str]:
    data = source.info.data
    if data is None:
        yield "Whether patients of the test files took part in the models' training cannot be told from predictions."
        return
    rule = data.patient_rule or ""
    if "kermany" in rule:
        yield KERMANY
    else:
        yield "Age and sex of the patients are not available to this report."
    if source.shares_patients:
        yield """Patients were not told apart, or splits were allowed to share them: figures may be too good, and the
            intervals too narrow."""
