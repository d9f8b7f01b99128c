"""The chapter on what the models are meant for, what these results support, and what limits them."""

from collections.abc import Iterator
from typing import Any

from cxrkit.records import Record
from cxrkit.report import wording
from cxrkit.report.content import Block, Bullets, Heading, Section, Terms, Text
from cxrkit.report.phrases import headline, observed_prevalence, set_title
from cxrkit.report.results import Results, Source, TaskResult

SMALL = 200  # pixels of a network's input below which faint or small findings are in doubt

NOT_STATED = """No intended use was stated. The author has to say for whom the models are meant, on which patients, and
    at which point of their care: set intended_use in [report] to show it here."""
WITH_READER = """Not evaluated. No reader worked with a model's calls, so whether readers get better or faster with
    them, or follow them where they are wrong, is not known."""
KERMANY = """Patients were told apart by the file names of the Kermany collection. If the images are that collection's,
    they come from one hospital in Guangzhou, age and sex of each child are not available, and only its official test
    labels had a third reader."""
FLIPPED = """trained on images some of which were flipped left to right, which moves the heart to the other side; such a
    model cannot learn what depends on the side."""


def section(results: Results) -> Section:
    """Say what the models are for, what the results support and do not, and list what limits them."""
    return Section("limitations", "Intended use and limitations", tuple(_blocks(results)))


def _blocks(results: Results) -> Iterator[Block]:
    yield Heading("Intended use")
    yield from (Text(text) for text in _stated(results))
    yield Heading("What these results support")
    yield Terms(tuple((use, wording.unfolded(text)) for use, text in _uses(results)))
    yield Bullets(tuple(dict.fromkeys(map(wording.unfolded, _out_of_scope(results)))), "Outside of what was evaluated")
    yield Heading("Limitations")
    yield Bullets(tuple(dict.fromkeys(map(wording.unfolded, _limitations(results)))))


def _stated(results: Results) -> list[str]:
    """Give the intended use in the author's words, that of each run once."""
    tables: list[dict[str, Any]] = [source.info.configuration.get("report") or {} for source in results.sources]
    stated = dict.fromkeys(wording.unfolded(table["intended_use"]) for table in tables if table.get("intended_use"))
    return [f"As the author states it: {text}" for text in stated] or [wording.unfolded(NOT_STATED)]


# ── What was evaluated ────────────────────────────────────────────────────────────────────────────────────────────────


def _uses(results: Results) -> Iterator[tuple[str, str]]:
    """Go through the ways of use, from the least to the most that a model would decide."""
    yield (
        "Detection without a reader",
        f"""Evaluated was how the calls of the model{_s(results)} alone agree with the labels of the images,
        {results.positive} or {wording.listed(results.negatives, "or")}.""",
    )
    yield "Support for a reader", WITH_READER
    if any(headline(task, "roc_auc", results.shown_set) for task in results.tasks):
        yield (
            "Sorting a worklist",
            """Partly evaluated. AUC says how well diseased images are put before the others. Whether patients are
            treated earlier was not measured.""",
        )
    if any(task.zone(results.shown_set) for task in results.tasks):
        yield (
            "Deciding the clear cases",
            """Partly evaluated: how often the models are right outside of the uncertain zone. What a reader makes of
            the referred images was not measured.""",
        )
    yield "Deciding alone", f"Not supported by an evaluation like this one. {' '.join(_alone(results))}".strip()


def _s(results: Results) -> str:
    return "" if len(results.tasks) == 1 else "s"


def _alone(results: Results) -> Iterator[str]:
    """Say what the best model would miss and raise if nobody looked after it."""
    found = [(task, record) for task in results.tasks if (record := headline(task, results.primary, results.shown_set))]
    if not found:
        return
    task = max(found, key=lambda pair: pair[1].value if pair[1].value is not None else -1)[0]
    missed, alarms = (_left(task.figure(one, results.shown_set)) for one in ("sensitivity", "specificity"))
    if missed and alarms:
        yield (
            f"Without a reader, {task.name}{_which(results)} would have missed {missed} of every 100 "
            f"images with {results.positive} of the {set_title(results.shown_set)}, and raised a false alarm for "
            f"{alarms} of every 100 without."
        )


def _which(results: Results) -> str:
    return "" if len(results.tasks) == 1 else f", the best by {wording.label(results.primary)},"


def _left(record: Record | None) -> str | None:
    """Write how many of a hundred a figure leaves over, with the interval turned round; None where it is not known."""
    if record is None or record.value is None:
        return None
    bounds = ""
    if record.low is not None and record.high is not None:
        bounds = f" ({100 * (1 - record.high):.1f} to {100 * (1 - record.low):.1f})"
    return f"{100 * (1 - record.value):.1f}{bounds}"


def _out_of_scope(results: Results) -> Iterator[str]:
    """Name uses that the data cannot speak of."""
    yield (
        f"Any other finding than {results.positive}: an image that is called {wording.listed(results.negatives, 'or')} "
        "may show something else that matters."
    )
    yield from dict.fromkeys(_ages(source) for source in results.sources)
    yield """Other projections, devices or settings than those of the images: these are not recorded here, so what holds
        for a portable or lateral radiograph, or for another hospital, is not known."""
    prevalence = observed_prevalence(results, results.shown_set)
    if prevalence is not None:
        share = wording.number(prevalence, "prevalence")
        yield (
            f"Places where {results.positive} is not as frequent as here ({share}): predictive values and accuracy do "
            "not carry over, and the patients without it may be other ones."
        )


def _ages(source: Source) -> str:
    rule = (source.info.data.patient_rule if source.info.data else None) or ""
    if "kermany" in rule:
        return "Adults, and children under one or over five years, if the images are those of the Kermany collection."
    return "Groups of patients that may not be among these: age and sex are not available to this report."


# ── Limitations ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _limitations(results: Results) -> Iterator[str]:
    yield from (f"Task {one.name} is missing: {one.reason}." for one in results.unfinished)
    yield """This is research software's output on the images described here. It is no medical device, and no figure
        shows a benefit for patients."""
    if len(results.sets) < 2:  # noqa: PLR2004 - one set is no external one
        yield "One test set, and none from elsewhere to set beside it."
    yield from _of_labels(results)
    if any(task.info.kind == "trained" for task in results.tasks):
        yield from _of_training(results)
    if any(task.info.threshold and task.info.threshold.rule != "fixed" for task in results.tasks):
        yield """Thresholds were chosen on validation images of the same origin; with another machine or mix of patients
            they may be too low or too high."""
    for source in results.sources:
        yield from _of_patients(source)
    yield from (f"{task.name}: {limit}" for task in results.tasks for limit in task.metrics.limits)
    if not any(record.subgroup for task in results.tasks for record in task.metrics.records):
        yield "No subgroup was evaluated, so that a group of patients for whom a model fails would not be seen here."


def _of_labels(results: Results) -> Iterator[str]:
    yield """Labels are taken as they are: errors in them count as errors of the models, or hide them. Who set them, and
        by what, the author must say."""
    if len(results.negatives) == 1:
        yield (
            f"The images without {results.positive} all carry one label, {results.negatives[0]}. If these are healthy "
            "patients, specificity is likely to be lower in practice, where others have diseases that look alike."
        )


def _of_training(results: Results) -> Iterator[str]:
    yield """A single split: another division of the patients into training, validation and test would give other
        models and figures."""
    yield "The same validation images choose the epoch and the threshold, so that figures on them are likely too good."
    once = [task.name for task in results.tasks if len(task.info.seeds) == 1]
    if once:
        yield f"{wording.listed(once)}: trained with one seed; how much luck is in that is not known."
    yield from _of_inputs(results)
    flipped = [task.name for task in results.tasks if _flips(task.info.options)]
    if flipped:
        yield f"{wording.listed(flipped)}: {FLIPPED}"
    pointed = any(task.checks and task.checks.pointing_game for task in results.tasks)
    if any(task.cam and task.cam.entries for task in results.tasks) and not pointed:
        yield """Activation maps were not compared with lesions that a reader marked; a plausible map is no proof of a
            right reason."""


def _of_inputs(results: Results) -> Iterator[str]:
    """Name networks that see so few pixels that a radiologist would not read such an image."""
    sizes: dict[int, list[str]] = {}
    for task in results.tasks:
        size = _input(task)
        if size is not None and size < SMALL:
            sizes.setdefault(size, []).append(task.name)
    for size, names in sizes.items():
        yield (
            f"{wording.listed(names)}: the network sees {size} \N{MULTIPLICATION SIGN} {size} pixels; small or faint "
            "findings may be lost at that size."
        )


def _input(task: TaskResult) -> int | None:
    return next((seed.model.preprocessing.image_size for seed in task.seeds if seed.model is not None), None)


def _flips(options: dict[str, Any]) -> bool:
    augmentation = options.get("augmentation") or {}
    return bool(augmentation.get("horizontal_flip"))


def _of_patients(source: Source) -> Iterator[str]:
    data = source.info.data
    if data is None:
        yield "Whether patients of the test files took part in the models' training cannot be told from predictions."
        return
    yield "How the patients were selected is not known here; a selection of clear cases makes figures better."
    if "kermany" in (data.patient_rule or ""):
        yield KERMANY
    if source.shares_patients:
        yield """Patients were not told apart, or splits were allowed to share them: figures may be too good, and the
            intervals too narrow."""
