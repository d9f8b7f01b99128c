"""What an imbalance strategy promises."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from cxrkit.api import Imbalance, IntArray
from cxrkit.errors import InputError
from cxrkit.testing.check import need
from cxrkit.training.order import epoch_order

COUNTS = ((12, 40), (25, 7), (9, 30, 4))  # images of each class: either of two is the rare one, or there are three


@dataclass
class Strategy:
    """An imbalance strategy under examination.

    Attributes:
        plan: the plugin's function.
        options: of it.
    """

    plan: Callable[..., Any]
    options: Mapping[str, Any]

    def planned(self, labels: IntArray, classes: int) -> Imbalance:
        """Plan for labels."""
        found = self.plan(labels, classes, **self.options)
        need(isinstance(found, Imbalance), f"returns {type(found).__name__}, a cxrkit.api.Imbalance is needed")
        return found  # type: ignore[no-any-return]  # it has just been looked at

    def plans(self) -> Iterator[tuple[IntArray, int, Imbalance]]:
        """Plan for each of the samples: labels, number of classes, plan."""
        for counts in COUNTS:
            labels = sample(counts)
            yield labels, len(counts), self.planned(labels.copy(), len(counts))


def sample(counts: tuple[int, ...]) -> IntArray:
    """Make int64[n] labels with so many of each class, in no order."""
    return np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts)).astype(np.int64)


# ── Promises ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def plans(strategy: Strategy) -> None:
    """Plans for 2 and for 3 classes, and leaves the labels as they are."""
    for counts in COUNTS:
        labels = sample(counts)
        strategy.planned(labels, len(counts))
        need(np.array_equal(labels, sample(counts)), "changes the labels that it is given, work on a copy")


def weighs_each_class(strategy: Strategy) -> None:
    """Class weights, where there are any, are one positive number for each class."""
    for _, classes, plan in strategy.plans():
        if plan.class_weights is None:
            continue
        weights = np.asarray(plan.class_weights)
        need(weights.shape == (classes,), f"are {list(weights.shape)} for {classes} classes, [{classes}] is needed")
        usable = np.isfinite(weights).all() and (weights > 0).all()
        need(usable, f"are {weights.tolist()}, finite numbers above 0 are needed")


def has_a_loss_that_teaches(strategy: Strategy) -> None:
    """A loss, where there is one, is a finite scalar whose gradient reaches the logits."""
    for labels, classes, plan in strategy.plans():
        if plan.loss is None:
            continue
        logits = torch.randn(len(labels), classes, generator=torch.Generator().manual_seed(0), requires_grad=True)
        found = plan.loss(logits, torch.from_numpy(labels))
        need(found.ndim == 0 and bool(found.isfinite()), f"is {list(found.shape)} {found}, a finite scalar is needed")
        found.backward()  # type: ignore[no-untyped-call]  # torch has it so
        need(logits.grad is not None and bool(logits.grad.any()), "its gradient does not reach the logits")


def visits_training_images(strategy: Strategy) -> None:
    """An epoch visits training images: integers [m] within 0 … n - 1."""
    for labels, _, plan in strategy.plans():
        for epoch in (1, 2):
            epoch_order(plan, len(labels), 0, epoch)


def is_drawn_from_the_generator(strategy: Strategy) -> None:
    """What an epoch visits depends on the epoch and the generator given, and on nothing else."""
    for labels, classes, plan in strategy.plans():
        again = strategy.planned(labels.copy(), classes)
        np.random.seed(1)  # noqa: NPY002 - a plugin must not draw from it
        first = [epoch_order(plan, len(labels), 0, epoch) for epoch in (1, 2)]
        np.random.seed(2)  # noqa: NPY002 - as above
        second = [epoch_order(again, len(labels), 0, epoch) for epoch in (1, 2)]
        need(all(map(np.array_equal, first, second)), "the same epoch visits others: draw from the rng that is given")


def can_go_back(strategy: Strategy) -> None:
    """An epoch that is asked for again, after others, visits the same images."""
    for labels, _, plan in strategy.plans():
        orders = [epoch_order(plan, len(labels), 0, epoch) for epoch in (1, 2, 3, 1)]
        need(np.array_equal(orders[0], orders[3]), "it visits others: keep nothing from one epoch to the next")


def refuses_an_empty_class(strategy: Strategy) -> None:
    """A class without training images is planned for, or refused with an InputError."""
    labels = sample((12, 0, 40))
    try:
        plan = strategy.planned(labels, 3)
    except InputError:
        return
    usable = plan.class_weights is None or bool(np.isfinite(plan.class_weights).all())
    need(usable, "its weight is not finite, raise cxrkit.errors.InputError")


PROMISES = (
    plans,
    weighs_each_class,
    has_a_loss_that_teaches,
    visits_training_images,
    is_drawn_from_the_generator,
    can_go_back,
    refuses_an_empty_class,
)
