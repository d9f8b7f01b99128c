"""The training context: everything around a trainer that is the same for every trainer."""

import csv
import io
import math
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric, is_wrapped
from torch import Tensor, nn

from cxrkit.api import Batch, Imbalance, IntArray
from cxrkit.errors import RunError
from cxrkit.files import write_text
from cxrkit.plans import EpochRow, Event, Notice, Step
from cxrkit.rundir import SeedDirectory
from cxrkit.training import order, predict, state
from cxrkit.training.images import Grey, normalised
from cxrkit.training.loading import TrainLoader


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
        selected_epoch: the epoch whose weights the model has at the end, if the trainer says so.
        timing: an entry for each epoch.
        notes: sentences of the trainer's.
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
    train_size: int = 0
    selected_epoch: int | None = None
    timing: list[dict[str, float]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    _rows: list[dict[str, float]] = field(default_factory=list)
    _losses: list[float] = field(default_factory=list)
    _sizes: list[int] = field(default_factory=list)
    _epoch: int = 0
    _started: float = 0.0

    def __post_init__(self) -> None:
        """Find out how many images an epoch visits."""
        self.train_size = len(order.epoch_order(self.imbalance, len(self.labels), self.seed, 1))

    def steps_per_epoch(self) -> int:
        """Count the optimiser steps of one epoch."""
        return order.batch_count(self.train_size, self.batch_size, self.fabric.world_size)

    def train_batches(self, epoch: int) -> Iterator[Batch]:
        """Yield this device's augmented batches of an epoch (from 1), the same whenever it is asked again."""
        visited = order.epoch_order(self.imbalance, len(self.labels), self.seed, epoch)
        whole = order.batches(visited, self.batch_size, self.fabric.world_size)
        own = order.shard(whole, epoch, self.fabric.global_rank, self.fabric.world_size)
        self._epoch, self._losses, self._sizes = epoch, [], [len(batch) for batch in whole]
        self._seed_generators(epoch)
        self._started = time.perf_counter()
        for visits, greys in zip(own, self.loader.batches(own), strict=True):
            labels = torch.from_numpy(self.labels[[visit.image for visit in visits]])
            yield Batch(normalised(self._moved(greys)), self._moved(labels))
        self._note_time()

    def _seed_generators(self, epoch: int) -> None:
        """Seed what draws outside the data (dropout), so that an epoch does not depend on those before."""
        words = np.random.SeedSequence([self.seed, epoch, self.fabric.global_rank]).generate_state(1)
        seed = int(words[0])
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002 - a plugin's network may draw from it
        torch.manual_seed(seed)

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
        value = self._mean_over_devices(loss.detach().float())
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

    def note(self, sentence: str) -> None:
        """Tell what the user should know of this training: shown, logged, kept in ``timing.json`` and reported."""
        self.notes.append(sentence)
        if self.fabric.is_global_zero:
            print(sentence, file=sys.stderr, flush=True)  # noqa: T201 - the training's log
            self.tell(Notice(message=sentence))

    def _mean_over_devices(self, value: Tensor) -> float:
        if self.fabric.world_size > 1:
            value = self.fabric.all_reduce(value, reduce_op="mean")  # type: ignore[assignment]  # a tensor stays one
        return float(value)

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Compute the validation figures of ``model`` in fp32; every process has the same."""
        module: nn.Module = model.module if is_wrapped(model) else model  # type: ignore[assignment]  # theirs is loose
        found = predict.sharded_logits(self.fabric, module, self.validation.greys, len(self.class_names))
        return predict.figures(found, self.validation.labels, self.validation.positive)

    def epoch_finished(self, row: Mapping[str, float]) -> None:
        """Write the epoch's row, with the mean ``train_loss`` in it, to ``history.csv`` and tell the trackers."""
        whole = {"epoch": row["epoch"]}
        if self._losses:
            whole["train_loss"] = float(np.average(self._losses, weights=self._sizes[: len(self._losses)]))
        whole |= row
        self._rows.append(whole)
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
        """Keep what going on after this epoch needs, in ``last/``; call it after :meth:`epoch_finished`."""
        if self.fabric.is_global_zero:
            whole = {"trainer": state_of_trainer, "rows": self._rows, "timing": self.timing, "notes": self.notes}
            state.save(SeedDirectory(self.directory).last, whole, self._epoch)
        self.fabric.barrier()

    def restore(self) -> dict[str, Any] | None:
        """Return what was last saved, or None at the start of a training; the history goes back to that epoch."""
        whole = state.restore(SeedDirectory(self.directory).last)
        if whole is None:
            return None
        self._rows, self.timing, self.notes = whole["rows"], whole["timing"], whole["notes"]
        self._epoch = int(self._rows[-1]["epoch"])
        trainer: dict[str, Any] = whole["trainer"]
        return trainer
