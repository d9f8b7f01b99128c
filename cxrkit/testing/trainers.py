"""What a trainer promises."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from math import isfinite
from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cxrkit.api import Imbalance
from cxrkit.testing import contexts
from cxrkit.testing.check import UncheckedError, need
from cxrkit.testing.contexts import EPOCHS, Trained


@dataclass
class Trainer:
    """A trainer under examination.

    Attributes:
        fit: the plugin's function.
        options: of it.
    """

    fit: Callable[..., Any]
    options: Mapping[str, Any]
    _done: list[Trained] = field(default_factory=list)

    def train(self, **how: Any) -> Trained:
        """Train in a folder of its own; see :func:`cxrkit.testing.contexts.train`."""
        return contexts.train(partial(self.fit, **self.options), **how)

    @property
    def trained(self) -> Trained:
        """A training from beginning to end, made once."""
        if not self._done:
            self._done.append(self.train())
        return self._done[0]


# ── Promises ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def trains(trainer: Trainer) -> None:
    """Trains a tiny network for two epochs on the phantom."""
    need(trainer.trained.after, "leaves no weights")


def tells_each_epoch(trainer: Trainer) -> None:
    """Tells each epoch with epoch_finished: `epoch` from 1 on, one after the other, and numbers beside it."""
    told = trainer.trained.told
    epochs = [row.get("epoch") for row in told]
    expected = list(range(1, len(told) + 1))
    need(told and epochs == expected and len(told) <= EPOCHS, f"tells the epochs {epochs}, 1 … {EPOCHS} are needed")
    wrong = [f"{name} = {value!r}" for row in told for name, value in row.items() if not isinstance(value, Real)]
    need(not wrong, f"tells {', '.join(wrong[:3])}, numbers are needed")


def changes_the_weights(trainer: Trainer) -> None:
    """Leaves other weights in context.model than it began with, all of them finite."""
    before, after = trainer.trained.before, trainer.trained.after
    need(before.keys() == after.keys(), "leaves a model of other layers")
    changed = [name for name, tensor in after.items() if not torch.equal(tensor, before[name])]
    need([name for name in changed if before[name].is_floating_point()], "leaves the weights as they were")
    broken = [name for name, tensor in after.items() if not bool(tensor.isfinite().all())]
    need(not broken, f"leaves weights that are not finite: {', '.join(broken[:3])}")


def names_an_epoch(trainer: Trainer) -> None:
    """The selected epoch, where it is told, is one that was trained."""
    selected, trained = trainer.trained.selected_epoch, len(trainer.trained.told)
    need(selected is None or selected in range(1, trained + 1), f"selects the epoch {selected} of {trained}")


def is_repeatable(trainer: Trainer) -> None:
    """The same training gives the same bytes in weights and history.csv."""
    need(trainer.train().content == trainer.trained.content, "a second training gives others, draw from no other seed")


def goes_on_as_if_nothing_had_happened(trainer: Trainer) -> None:
    """A training that is interrupted after an epoch goes on and ends with the same bytes."""
    if 1 not in trainer.trained.saved:
        raise UncheckedError("nothing is saved after the first epoch: an interrupted training begins anew")
    again = trainer.train(interrupted_after=1)
    epochs = [row.get("epoch") for row in again.told]
    need(epochs == [row["epoch"] for row in trainer.trained.told[1:]], f"goes on with the epochs {epochs}")
    weights, history = (one == other for one, other in zip(again.content, trainer.trained.content, strict=True))
    lost = " and ".join(name for name, same in (("weights", weights), ("history.csv", history)) if not same)
    need(not lost, f"ends with other {lost}: something that matters is not in what is saved")


def takes_the_loss_of_the_strategy(trainer: Trainer) -> None:
    """A loss of the imbalance strategy takes the place of cross-entropy."""
    asked: list[int] = []

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        asked.append(len(labels))
        return nn.functional.cross_entropy(logits, labels)

    trainer.train(imbalance=Imbalance(loss=loss))
    need(asked, "context.imbalance.loss is never called")


def takes_the_weights_of_the_strategy(trainer: Trainer) -> None:
    """Class weights of the imbalance strategy change what is learned."""
    weighted = trainer.train(imbalance=Imbalance(class_weights=np.array([5.0, 0.1])))
    need(weighted.content[0] != trainer.trained.content[0], "context.imbalance.class_weights changes nothing")


def visits_what_the_strategy_says(trainer: Trainer) -> None:
    """What the imbalance strategy lets an epoch visit is what it is trained on."""
    few = Imbalance(epoch_indices=lambda _epoch, _rng: np.arange(8, dtype=np.int64))
    need(trainer.train(imbalance=few).content[0] != trainer.trained.content[0], "train_batches are not what is used")


def tells_each_step(trainer: Trainer) -> None:
    """Each step's loss is told with step_finished, so that history.csv has the mean train_loss."""
    heads = trainer.trained.history.decode().partition("\n")[0].split(",")
    need("train_loss" in heads, f"history.csv has {', '.join(heads)} alone")
    values = [float(row["val_loss"]) for row in trainer.trained.told if "val_loss" in row]
    need(all(map(isfinite, values)), f"val_loss is {values}")


PROMISES = (
    trains,
    tells_each_epoch,
    tells_each_step,
    changes_the_weights,
    names_an_epoch,
    is_repeatable,
    goes_on_as_if_nothing_had_happened,
    visits_what_the_strategy_says,
    takes_the_weights_of_the_strategy,
    takes_the_loss_of_the_strategy,
)
