"""What new images are set against: the test or validation set of a finished run, or a prediction file."""

from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from cxrkit.errors import InputError, nearest
from cxrkit.evaluation import predictions
from cxrkit.monitoring.reading import DOCUMENT, Batch, Model, Reading, read
from cxrkit.plans import recorded_roots
from cxrkit.records import PredictedImages, RunInfo, TaskInfo, ThresholdRecord
from cxrkit.rundir import RunDirectory

CONVENTIONAL = 0.5
TEST = "test"


@dataclass(frozen=True)
class Reference:
    """The reference.

    Attributes:
        batch: its images.
        model: what it fixes.
        threshold: from which on an image is called positive.
        set: of a run; None of a prediction file.
        manifest: of the run, where there is one.
        images: the folder that the set's image names are relative to, where it is known and there.
    """

    batch: Batch
    model: Model
    threshold: ThresholdRecord
    set: str | None = None
    manifest: Path | None = None
    images: Path | None = None


@dataclass(frozen=True)
class Asked:
    """What was asked of the reference: options of the command, None or empty where they were not given."""

    task: str | None = None
    set: str | None = None
    positive: str | None = None
    threshold: float | None = None


def opened(path: Path, asked: Asked, reading: Reading) -> Reference:
    """Open a reference.

    Args:
        path: a run directory, or a prediction file.
        asked: of it.
        reading: how a prediction file is to be read.

    Raises:
        InputError: it is neither, or it lacks what is asked.
    """
    if not path.exists():
        raise InputError(f"{path}: does not exist, a run directory or a CSV of predictions is needed")
    reference = _of_file(path, asked, reading) if path.is_file() else _of_run(path, asked)
    found = reference.batch.found
    if not (found.status == predictions.OK).any():
        raise InputError(f"{path}: no image has a result, nothing can be set against it")
    _check_threshold(path, reference)
    return reference


# ── Of a run ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _of_run(path: Path, asked: Asked) -> Reference:
    run = RunDirectory.open(path)
    if asked.positive is not None:
        raise InputError("--positive: is for prediction files, a run has its own")
    info = RunInfo.read(run.info)
    finished = [name for name, state in info.tasks.items() if state == "finished"]
    name = _task(path, asked.task, finished)
    task = TaskInfo.read(run.task(name).info)
    set_name = asked.set or TEST
    file = run.task(name).predictions(set_name)
    if not file.is_file():
        there = [one.stem for one in sorted(file.parent.glob("*.csv")) if "@" not in one.stem]
        raise InputError(f'{path}: task "{name}" has no predictions on "{set_name}", {nearest(set_name, there)}')
    model = Model(name, tuple(task.class_names or info.class_names), task.positive or info.positive)
    batch = Batch(
        predictions.read(file, task=name, set_name=set_name, class_names=model.class_names, positive=model.positive)
    )
    threshold = _chosen(asked.threshold) or task.threshold or _conventional(file, batch)
    manifest = run.manifest if run.manifest.is_file() else None
    return Reference(batch, model, threshold, set_name, manifest, _folder(run, set_name))


def _task(path: Path, asked: str | None, finished: list[str]) -> str:
    if not finished:
        raise InputError(f"{path}: has no finished task, cxrkit run goes on with it")
    if asked is not None and asked not in finished:
        raise InputError(f'--task: {path} has no finished task "{asked}", {nearest(asked, finished)}')
    if asked is None and len(finished) > 1:
        raise InputError(f"{path}: has several tasks, choose one of {', '.join(finished)} with --task")
    return asked or finished[0]


def _folder(run: RunDirectory, set_name: str) -> Path | None:
    """Find where a set's images lay when the run read them; None where they are no longer there."""
    for plan in sorted(run.root.glob("tasks/*/seeds/*/plan.json")) + sorted(run.root.glob("tasks/*/plan.json")):
        folder = recorded_roots(plan).get(set_name)
        if folder is not None and folder.is_dir():
            return folder
    return None


# ── Of a file ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _of_file(path: Path, asked: Asked, reading: Reading) -> Reference:
    if asked.set is not None:
        raise InputError("--reference-set: is for run directories, a prediction file is one set")
    batch = read(path, reading, None, positive=asked.positive)
    found = batch.found
    model = Model(found.task, found.class_names, found.positive)
    threshold = _chosen(asked.threshold) or _recorded(path, asked.task) or _conventional(path, batch)
    return Reference(batch, model, threshold)


def _recorded(path: Path, task: str | None) -> ThresholdRecord | None:
    """Take the threshold that ``cxrkit predict`` noted beside its table."""
    document = path.with_name(DOCUMENT)
    if path.name != "predictions.csv" or not document.is_file():
        return None
    models = PredictedImages.read(document).models
    named = [model for model in models if model.name == task] or models
    return named[0].threshold if len(named) == 1 else None


# ── Thresholds ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _chosen(value: float | None) -> ThresholdRecord | None:
    return None if value is None else ThresholdRecord(value=value, rule="fixed", note="given by --threshold")


def _conventional(path: Path, batch: Batch) -> ThresholdRecord:
    if batch.found.scale == "score":
        raise InputError(f"{path}: gives a score, which has no conventional threshold, give --threshold in its range")
    return ThresholdRecord(value=CONVENTIONAL, rule="fixed", note="the conventional one, as none is recorded")


def _check_threshold(path: Path, reference: Reference) -> None:
    value, scale = reference.threshold.value, reference.batch.found.scale
    if not isfinite(value):
        raise InputError(f"--threshold: {value} is no finite number, give a probability or a score")
    if scale == "probability" and not 0 <= value <= 1:
        raise InputError(f"--threshold: {value:g} is no probability, and {path} gives probabilities from 0 to 1")
    if scale == "decision" and value != CONVENTIONAL:
        raise InputError("--threshold: means nothing for files that give decisions")
