"""The training context: everything around a trainer that is the same for every trainer."""

import csv
import io
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event as Flag
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric, is_wrapped
from torch import Tensor, nn

from cxrkit.api import Batch, Imbalance, IntArray
from cxrkit.errors import RunError, StopTraining
from cxrkit.files import write_text
from cxrkit.one_line import encodable
from cxrkit.plans import EpochRow, Event, Notice, Step
from cxrkit.rundir import SeedDirectory
from cxrkit.training import order, predict, randomness, state
from cxrkit.training.images import Grey, normalised
from cxrkit.training.loading import TrainLoader
from cxrkit.training.pace import Pace
from cxrkit.training.state import Position

_START = Position(0)


@dataclass(frozen=True)
class ValidationImages:
    """What validation is computed on.

    Attributes:
        greys: uint8[n, image_size, image_size].
        labels: int64[n].
        positive: index of the positive class.
    """

    greys: Grey
    labels: IntArray
    positive: int


@dataclass
class Context:
    """Implements :class:`cxrkit.api.TrainingContext`, where the shared attributes are described.

    Attributes:
        loader: gives the training images.
        labels: int64[n], of the training images.
        validation: what validation is computed on.
        tell: takes events for the parent process.
        notify: calls the epoch hook of every plugin.
        pace: says when the state is due.
        stop: is set by whoever wants the training to stop.
        selected_epoch: the epoch whose weights the model has at the end, if the trainer says so.
        timing: an entry for each epoch.
        notes: sentences of the trainer's.
        earlier_seconds: that the training took before it was interrupted.
    """

    fabric: Fabric
    model: nn.Module
    class_names: tuple[str, ...]
    imbalance: Imbalance
    epochs: int
    batch_size: int
    seed: int
    directory: Path
    loader: TrainLoader
    labels: IntArray
    validation: ValidationImages
    tell: Callable[[Event], None]
    notify: Callable[["Context", Mapping[str, float]], None]
    trackers: tuple[str, ...] = ()
    pace: Pace = field(default_factory=Pace)
    stop: Flag = field(default_factory=Flag)
    train_size: int = 0
    selected_epoch: int | None = None
    checkpoint_due: bool = False
    timing: list[dict[str, float]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    earlier_seconds: float = 0.0
    _rows: list[dict[str, float]] = field(default_factory=list)
    _losses: list[float] = field(default_factory=list)
    _sizes: list[int] = field(default_factory=list)
    _epoch: int = 0
    _within: bool = False
    _resumed: dict[str, Any] | None = None
    _saved: Position = _START
    _stopping: bool = False
    _created: float = field(default_factory=time.perf_counter)
    _started: float = 0.0

    def __post_init__(self) -> None:
        """Find out how many images an epoch visits."""
        self.train_size = len(order.epoch_order(self.imbalance, len(self.labels), self.seed, 1))

    def steps_per_epoch(self) -> int:
        """Count the optimiser steps of one epoch."""
        return order.batch_count(self.train_size, self.batch_size, self.fabric.world_size)

    def train_batches(self, epoch: int) -> Iterator[Batch]:
        """Yield this device's augmented batches of an epoch (from 1), the same whenever it is asked again.

        The epoch that was restored goes on after the step that was saved.

        Raises:
            StopTraining: the user asked for it, and the trainer saves nothing within an epoch.
        """
        own = self._begin(epoch)
        resumed, self._resumed = self._resumed, None
        if resumed is not None and resumed["epoch"] == epoch:
            self._losses, self._started = list(resumed["losses"]), self._started - resumed["seconds"]
            own = own[len(self._losses) :]
            if not own:  # it was stopped in its validation
                randomness.resume(self.fabric, resumed["generators"])
        else:
            resumed = None
        for visits, greys in zip(own, self.loader.batches(own) if own else (), strict=True):
            if resumed is not None:  # only now, as making the loader draws too
                randomness.resume(self.fabric, resumed["generators"])
                resumed = None
            if self._stopping:
                raise StopTraining(self._kept())
            labels = torch.from_numpy(self.labels[[visit.image for visit in visits]])
            yield Batch(normalised(self._moved(greys)), self._moved(labels))
        self._note_time()

    def _begin(self, epoch: int) -> list[list[order.Visit]]:
        """Make an epoch independent of those before, and return what this device visits in each step."""
        visited = order.epoch_order(self.imbalance, len(self.labels), self.seed, epoch)
        whole = order.batches(visited, self.batch_size, self.fabric.world_size)
        self._epoch, self._within, self._losses, self._sizes = epoch, True, [], [len(batch) for batch in whole]
        randomness.seed(self.seed, epoch, self.fabric.global_rank)
        self._started = time.perf_counter()
        return order.shard(whole, epoch, self.fabric.global_rank, self.fabric.world_size)

    def _moved(self, tensor: Tensor) -> Tensor:
        return tensor.to(self.fabric.device, non_blocking=True)

    def _note_time(self) -> None:
        seconds = time.perf_counter() - self._started
        self.timing = [entry for entry in self.timing if entry["epoch"] < self._epoch]
        images = sum(self._sizes)
        entry = {"epoch": self._epoch, "seconds": seconds, "images": images, "images_per_second": images / seconds}
        self.timing.append(entry)

    def step_finished(self, loss: Tensor) -> None:
        """Tell the loss of an optimiser step: shown as progress, averaged into the row.

        Raises:
            RunError: the loss is not finite; names the epoch and the step.
        """
        due = self.pace.is_due_after_step(len(self._losses) + 1)
        value, due, self._stopping = self._agreed(float(loss.detach().float()), due=due)
        self.checkpoint_due = due or self._stopping
        self._losses.append(value)
        step, steps = len(self._losses), len(self._sizes)
        if not math.isfinite(value):
            raise RunError(
                f"epoch {self._epoch}, step {step} of {steps}: the loss is {value}, must be finite; "
                'lower learning_rate, set gradient_clip or use precision = "fp32"'
            )
        rate = sum(self._sizes[:step]) / (time.perf_counter() - self._started)
        self.tell(
            Step(epoch=self._epoch, epochs=self.epochs, step=step, steps=steps, loss=value, images_per_second=rate)
        )

    def _agreed(self, value: float, *, due: bool) -> tuple[float, bool, bool]:
        """Return the mean of a value over devices, whether the first one's state is due, and whether any shall stop."""
        if self.fabric.world_size == 1:
            return value, due, self.stop.is_set()
        own = [value, float(due and self.fabric.is_global_zero), float(self.stop.is_set())]
        told = torch.tensor(own, device=self.fabric.device)
        mean, wants, stops = self.fabric.all_reduce(told, reduce_op="mean").tolist()  # type: ignore[union-attr]  # a tensor stays one
        return mean, wants > 0, stops > 0

    def note(self, sentence: str) -> None:
        """Tell what the user should know of this training: shown, logged, kept in ``timing.json`` and reported."""
        self.notes.append(encodable(sentence))
        self._say(self.notes[-1])

    def _say(self, sentence: str) -> None:
        if self.fabric.is_global_zero:
            print(sentence, file=sys.stderr, flush=True)  # noqa: T201 - the training's log
            self.tell(Notice(message=sentence))

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Compute the validation figures of ``model`` in fp32; every process has the same.

        Raises:
            StopTraining: the user asked for it meanwhile. A trainer that saves within epochs does so before it goes.
        """
        module: nn.Module = model.module if is_wrapped(model) else model  # type: ignore[assignment]  # theirs is loose
        predict.share_buffers(self.fabric, module)
        greys, classes = self.validation.greys, len(self.class_names)
        before = randomness.states(self.fabric) if self.fabric.world_size == 1 else []  # of several none stops here
        try:
            found = predict.sharded_logits(self.fabric, module, greys, classes, self._leave_if_asked)
        except StopTraining:  # it is made again from its first image on
            randomness.resume(self.fabric, before)
            raise
        return predict.figures(found, self.validation.labels, self.validation.positive)

    @property
    def is_asked_to_stop(self) -> bool:
        """Whether the user wants to stop, as this process or another one of the training has heard."""
        return self._stopping or self.stop.is_set()

    def _leave_if_asked(self) -> None:
        if self.fabric.world_size == 1 and self.stop.is_set():  # several would have to agree first
            self._stopping = True
            raise StopTraining(self._kept())

    def epoch_finished(self, row: Mapping[str, float]) -> None:
        """Write the epoch's row, with the mean ``train_loss`` in it, to ``history.csv`` and tell the trackers."""
        whole = {"epoch": row["epoch"]}
        if self._losses:
            whole["train_loss"] = float(np.average(self._losses, weights=self._sizes[: len(self._losses)]))
        whole |= row
        self._rows.append(whole)
        self._within = False
        if self.fabric.is_global_zero:
            self._write_history()
            self.tell(EpochRow(row=whole))
            self.notify(self, whole)

    def _write_history(self) -> None:
        text = io.StringIO()
        columns = dict.fromkeys(name for row in self._rows for name in row)
        writer = csv.DictWriter(text, list(columns), lineterminator="\n")
        writer.writeheader()
        writer.writerows(self._rows)
        write_text(SeedDirectory(self.directory).history, text.getvalue())

    def save(self, state_of_trainer: Mapping[str, Any]) -> None:
        """Keep what going on needs, in ``last/``: after :meth:`epoch_finished`, or after a step where it is due.

        After an epoch nothing is written where that would take too much of the time.

        Raises:
            StopTraining: the user asked for it; the state is saved.
        """
        due = True
        if not self._within:
            _, due, self._stopping = self._agreed(0.0, due=self.pace.is_due_after_epoch())
        if due or self._stopping:
            self._write_state(state_of_trainer)
        if self._stopping:
            raise StopTraining(self._kept())

    def _write_state(self, state_of_trainer: Mapping[str, Any]) -> None:
        began = time.perf_counter()
        step = len(self._losses) if self._within else None
        within = self._within_epoch(began) if self._within else None
        whole = {
            "trainer": state_of_trainer,
            "rows": self._rows,
            "timing": self.timing,
            "notes": self.notes,
            "seconds": self.earlier_seconds + began - self._created,
            "within": within,
        }
        position = Position(self._epoch, step)
        if self.fabric.is_global_zero:
            state.save(SeedDirectory(self.directory).last, whole, position)
        self.fabric.barrier()
        self._saved, self.checkpoint_due = position, False
        self.pace.saved(began)

    def _within_epoch(self, now: float) -> dict[str, Any]:
        return {
            "epoch": self._epoch,
            "losses": self._losses,
            "seconds": now - self._started,
            "generators": randomness.states(self.fabric),
        }

    def restore(self) -> dict[str, Any] | None:
        """Return what was last saved, or None at the start of a training; the history goes back to there."""
        found = state.restore(SeedDirectory(self.directory).last)
        if found is None:
            return None
        for sentence in found.damaged:
            self._say(f"{sentence}, going on from the state before, {found.position}")
        whole = found.state
        self._rows, self.timing, self.notes = whole["rows"], whole["timing"], whole["notes"]
        self.earlier_seconds, self._resumed = whole["seconds"], whole["within"]
        self._saved, self._epoch = found.position, found.position.epoch
        trainer: dict[str, Any] = whole["trainer"]
        return trainer

    def _kept(self) -> str:
        """Say how far the training is that is gone on with."""
        epoch, step = self._saved
        if epoch == 0:
            return "Stopped before the first epoch was saved"
        return f"Stopped after epoch {epoch}" if step is None else f"Stopped in epoch {epoch} after step {step}"


class Seen:
    """A training under way as a tracker sees it: nothing of it can be set anew."""

    def __init__(self, context: Context) -> None:
        """Look at a context."""
        object.__setattr__(self, "_context", context)

    def __getattr__(self, name: str) -> Any:
        return getattr(object.__getattribute__(self, "_context"), name)

    def __setattr__(self, name: str, _value: Any) -> None:
        raise AttributeError(f"sets context.{name}, which only a trainer may")
