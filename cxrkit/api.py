"""What crosses the border between cxrkit and a plugin. Importing it needs no torch."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from lightning_fabric import Fabric
    from torch import Tensor, nn

type_checking_only = (
    "Fabric",
    "Tensor",
    "nn",
)  # names that annotations may carry and that nothing resolves at run time

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
TextArray = NDArray[np.str_]


# ── Data ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class ManifestRow:
    """One image as a dataset plugin found it; the core adds hash, size and patient, and excludes what cannot be read.

    Attributes:
        image: path relative to the root that was indexed, with forward slashes; the image's name everywhere after.
        label: the name of its class.
        split: ``train``, ``val`` or ``test``.
        patient: the patient's key, or None where the configured patient rule derives it from the name.
        columns: anything else by column name, for subgroups (``pathogen``, ``sex``) and masks (``mask``: a path).
        excluded: why this file is not used, or None. A file is never left out in silence: it is a row that says why.
    """

    image: str
    label: str
    split: str
    patient: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    excluded: str | None = None


DatasetIndex: TypeAlias = Callable[..., Iterable[ManifestRow]]
"""``index(root: Path, *, …options)`` lists the images below a folder; an ``InputError`` says why it cannot be read."""


# ── Training ──────────────────────────────────────────────────────────────────────────────────────────────────────────


ModelBuilder: TypeAlias = "Callable[..., nn.Module]"
"""``build(num_classes: int, *, …options)`` gives a classifier whose logits are ``[n, num_classes]``."""


@dataclass(frozen=True)
class Imbalance:
    """How a task treats class imbalance.

    Attributes:
        class_weights: float64[num_classes], each class's weight in the cross-entropy; or None.
        loss: ``loss(logits: float32[n, num_classes], labels: int64[n]) -> scalar``, in place of cross-entropy; or None.
        epoch_indices: ``epoch_indices(epoch, rng) -> int64[m]``, the training images that an epoch (from 1) visits, in
            any order, repetitions allowed; the core shuffles them, shards them over devices and resumes them exactly.
            None visits every image once.
    """

    class_weights: FloatArray | None = None
    loss: "Callable[[Tensor, Tensor], Tensor] | None" = None
    epoch_indices: Callable[[int, np.random.Generator], IntArray] | None = None


ImbalanceStrategy: TypeAlias = Callable[..., Imbalance]
"""``plan(labels: int64[n], num_classes: int, *, …options)`` plans from the training labels what loss and epochs are."""


class Batch(NamedTuple):
    """A batch on the task's device.

    Attributes:
        images: float32[n, 3, height, width], normalised.
        labels: int64[n].
    """

    images: "Tensor"
    labels: "Tensor"


class TrainingContext(Protocol):
    """What a trainer is given. Every process of a data-parallel training has one of its own.

    Attributes:
        fabric: the launched lightning-fabric, for device, precision and data-parallel set-up.
        model: the classifier to train, on the CPU until ``fabric.setup`` moves it; takes the chosen weights.
        class_names: the classes in the order of the logits.
        imbalance: what the task's strategy planned.
        epochs: how many passes to make.
        batch_size: images per optimiser step, over all devices together.
        seed: of this training.
        directory: the folder of this task and seed.
        train_size: images that one epoch visits, over all devices together.
        trackers: names of ``run.trackers``; what sends figures elsewhere does so only where its own is among them.
        selected_epoch: set by the trainer: the epoch (from 1) whose weights the model has at the end; None if unknown.
        checkpoint_due: whether a trainer that can should call :meth:`save` now, after :meth:`step_finished`: the time
            has come, or the user wants to stop. The same in every process.
    """

    fabric: "Fabric"
    model: "nn.Module"
    class_names: tuple[str, ...]
    imbalance: Imbalance
    epochs: int
    batch_size: int
    seed: int
    directory: Path
    train_size: int
    trackers: tuple[str, ...]
    selected_epoch: int | None
    checkpoint_due: bool

    def steps_per_epoch(self) -> int:
        """Count the optimiser steps of one epoch."""
        ...

    def train_batches(self, epoch: int) -> Iterator[Batch]:
        """Yield this device's augmented batches of an epoch (from 1), the same whenever it is asked again.

        The epoch within which the state was saved goes on after the step that was saved.

        Raises:
            cxrkit.errors.StopTraining: the user asked for it, and the trainer did not save after the last step.
        """
        ...

    def step_finished(self, loss: "Tensor") -> None:
        """Tell the loss of an optimiser step: shown as progress, averaged into the row.

        Raises:
            cxrkit.errors.RunError: the loss is not finite; names the epoch and the step.
        """
        ...

    def note(self, sentence: str) -> None:
        """Tell what the user should know of this training: shown, logged, kept in ``timing.json`` and reported."""
        ...

    def validate(self, model: "nn.Module") -> dict[str, float]:
        """Compute the validation figures of ``model`` in fp32: ``val_loss``, ``val_roc_auc``, ``val_accuracy``, ….

        Raises:
            cxrkit.errors.StopTraining: the user asked for it. A trainer that saves within epochs does so and lets it
                pass, so that the epoch's steps are not lost.
        """
        ...

    def epoch_finished(self, row: Mapping[str, float]) -> None:
        """Write the epoch's row to ``history.csv`` and tell the trackers. ``epoch`` must be in it."""
        ...

    def save(self, state: Mapping[str, Any]) -> None:
        """Keep what going on needs: tensors, numbers, strings, and dicts and lists of them.

        Called after :meth:`epoch_finished`, or after a step where ``checkpoint_due`` says so. The step, the losses of
        the epoch and the states of Python's, NumPy's and torch's generators are kept with it. After an epoch nothing is
        written where that would take too much of the time.

        Raises:
            cxrkit.errors.StopTraining: the user asked for it; the state is saved.
        """
        ...

    def restore(self) -> dict[str, Any] | None:
        """Return what was last saved, or None at the start of a training."""
        ...


Trainer: TypeAlias = Callable[..., None]
"""``fit(context: TrainingContext, *, …options)`` trains ``context.model`` and leaves the chosen weights in it."""


# ── Evaluation ────────────────────────────────────────────────────────────────────────────────────────────────────────


Scale = Literal["probability", "score", "decision"]
"""What a model gives: probabilities; a score of any range that only ranks; or a bare decision."""

Unit = Literal["image", "patient-max", "patient-mean"]
"""What a figure counts: images, or patients by the largest or the mean probability of their images."""

Calibrated = Literal["temperature", "prior"]
"""What was done to probabilities: temperature scaling, or correction to the class shares of the training images."""


@dataclass(frozen=True)
class Predictions:
    """One model's results on one set of images; all arrays are aligned and have n rows.

    Attributes:
        task: the task's name.
        set: ``val``, ``test`` or an external set's name.
        condition: what was done to the images (``tta``, a corruption), or None.
        class_names: the classes in the order of the columns of ``logits`` and ``probabilities``.
        positive: the class whose detection is evaluated (the diseased one).
        images: str[n], unique.
        patients: str[n]; where nothing tells patients apart, every image is a patient of its own.
        labels: int64[n], index into ``class_names``.
        status: str[n], ``ok`` or why there is no result; the figures of such a row are NaN.
        probabilities: float64[n, num_classes] in 0 … 1, rows summing to 1. Of a ``score`` (two classes alone) the
            positive column holds the score and the other its negative; of a ``decision`` the called class has 1.
        logits: float64[n, num_classes], or None where only probabilities are known.
        scale: what ``probabilities`` are; what needs probabilities (calibration, utility) is not given for the others.
    """

    task: str
    set: str
    condition: str | None
    class_names: tuple[str, ...]
    positive: str
    images: TextArray
    patients: TextArray
    labels: IntArray
    status: TextArray
    probabilities: FloatArray
    logits: FloatArray | None = None
    scale: Scale = "probability"

    @property
    def positive_index(self) -> int:
        """Column of the positive class."""
        return self.class_names.index(self.positive)

    @property
    def truth(self) -> NDArray[np.bool_]:
        """bool[n]: whether the image shows the positive class."""
        return np.equal(self.labels, self.positive_index)

    @property
    def score(self) -> FloatArray:
        """float64[n]: the probability of the positive class, or its score."""
        return self.probabilities[:, self.positive_index]


ThresholdRule = Literal["fixed", "youden", "sensitivity", "specificity", "cost"]


@dataclass(frozen=True)
class Threshold:
    """A decision threshold on the probability of the positive class, and where it came from.

    Attributes:
        value: in 0 … 1 (of a score: in its range); an image is called positive where its probability is at least this.
        rule: the named rule that chose it.
        set: the set that it was chosen on, ``val``; None for ``fixed``.
        n: images of that set; None for ``fixed``.
        target: the rule's own parameter (a sensitivity, a specificity), if it has one.
        note: a sentence where the rule could not do what it was asked to, e.g. a target beyond what n images can tell.
        low, high: bounds of the threshold's own interval at ``level``: how far another validation set of this size
            would move it; None where there is none.
        level: of that interval.
        method: how it was made.
    """

    value: float
    rule: ThresholdRule
    set: str | None = None
    n: int | None = None
    target: float | None = None
    note: str | None = None
    low: float | None = None
    high: float | None = None
    level: float | None = None
    method: str | None = None


@dataclass(frozen=True)
class PriorShift:
    """By how much an imbalance strategy changed the class shares that a training saw.

    Attributes:
        seen: float64[num_classes], shares that the loss saw, after weights and sampling; they sum to 1.
        natural: float64[num_classes], shares of the training images.
    """

    seen: FloatArray
    natural: FloatArray


@dataclass(frozen=True)
class EvaluationSettings:
    """What a metric reporter needs beside the predictions.

    Attributes:
        threshold: of this task.
        level: of the intervals, e.g. 0.95.
        resamples: of the bootstrap.
        seed: of the bootstrap.
        prevalence: at which predictive values and utility are also given, in 0 … 1; or None.
        subgroups: column name → str[n] aligned with the predictions.
        temperature: by which logits are divided, fitted on validation; None where it could not be.
        prior: the training's class shares, where a strategy changed them; or None.
        unit: what a row of the predictions is.
    """

    threshold: Threshold
    level: float = 0.95
    resamples: int = 2000
    seed: int = 0
    prevalence: float | None = None
    subgroups: Mapping[str, TextArray] = field(default_factory=dict)
    temperature: float | None = None
    prior: PriorShift | None = None
    unit: Unit = "image"


@dataclass(frozen=True)
class Figure:
    """One evaluated figure with its uncertainty; becomes a record of ``metrics.json``.

    Attributes:
        metric: the field's term: ``roc_auc``, ``sensitivity``, …
        value: None where it cannot be estimated.
        low, high: bounds of the interval at ``level``; None where there is none.
        method: how the interval was made, e.g. ``Wilson``; None where there is none.
        n: images that the figure rests on.
        n_patients: patients that these images are of.
        class_name: for figures of one class (precision, recall, F1); None for those of the positive class.
        subgroup: ``column=value``, or None for all images.
        threshold: the threshold that the figure depends on, or None.
        prevalence: the stated prevalence that the figure depends on, or None.
        calibrated: how probabilities were recalibrated before; None where they are the model's own.
        p_value: of a figure that is a test's statistic.
        fewest_patients: patients of the smallest class that the figure rests on; below 30 it is flagged.
    """

    metric: str
    value: float | None
    low: float | None = None
    high: float | None = None
    method: str | None = None
    n: int = 0
    n_patients: int = 0
    class_name: str | None = None
    subgroup: str | None = None
    threshold: float | None = None
    prevalence: float | None = None
    calibrated: Calibrated | None = None
    p_value: float | None = None
    fewest_patients: int | None = None


@dataclass(frozen=True)
class ReportFigure:
    """A picture that a plugin adds to the report; text alone shows its caption and ``alt``.

    Attributes:
        image: a PNG, JPEG or SVG file, told by its content; an SVG is shown as an image, so scripts in it do not run.
        caption: what is shown, with n and units.
        alt: what is seen, for a reader who does not see it; never empty.
    """

    image: bytes
    caption: str
    alt: str


@dataclass(frozen=True)
class ReportSection:
    """A part of the report that a plugin adds.

    Attributes:
        title: heading.
        paragraphs: plain text, escaped when shown.
        columns: heads of a table, or none.
        rows: cells of the table, as text; each as long as ``columns``.
        figures: pictures, shown after the table.
    """

    title: str
    paragraphs: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    figures: tuple[ReportFigure, ...] = ()


@dataclass(frozen=True)
class MetricReport:
    """What a metric reporter returns for one task and set."""

    figures: tuple[Figure, ...]
    sections: tuple[ReportSection, ...] = ()


MetricReporter: TypeAlias = Callable[..., MetricReport]
"""``report(predictions, settings, *, …options)`` evaluates predictions; pure: same input, same output."""


# ── Report ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class ReportedModel:
    """A model as the report knows it.

    Attributes:
        name: as the report calls it.
        predictions: set → its predictions of the images as they were taken; a set is read when it is asked for.
        figures: set → its figures by image, as ``metrics.json`` has them.
        threshold: at which it decides, chosen before the test set was looked at; None where none is recorded.
    """

    name: str
    predictions: Mapping[str, Predictions]
    figures: Mapping[str, tuple[Figure, ...]]
    threshold: Threshold | None


@dataclass(frozen=True)
class ReportedStudy:
    """What a report is made of, to be read and not to be changed.

    Attributes:
        models: in the report's order.
        sets: that the report tells of, ``test`` first where it is there.
        class_names: the classes, in the order of the predictions' columns.
        positive: the class whose detection is evaluated.
        level: of the intervals.
    """

    models: tuple[ReportedModel, ...]
    sets: tuple[str, ...]
    class_names: tuple[str, ...]
    positive: str
    level: float


SectionMaker: TypeAlias = Callable[..., ReportSection]
"""``make(study: ReportedStudy, *, …options)`` writes a section of the report."""


# ── Events ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class FinishedRun:
    """A finished run as trackers see it.

    Attributes:
        directory: the run directory.
        reports: the report files that were written, HTML first; of model cards and tables their folder.
        tasks: task name → ``finished`` or ``failed``.
        trackers: names of ``run.trackers``; what sends figures elsewhere does so only where its own is among them.
    """

    directory: Path
    reports: tuple[Path, ...]
    tasks: Mapping[str, str]
    trackers: tuple[str, ...] = ()
