"""The built-in trainer: one loop for one CPU, one GPU or many, on lightning-fabric."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from cxrkit import hookimpl
from cxrkit.api import Batch, Trainer, TrainingContext
from cxrkit.errors import InputError, RunError, StopTraining, is_out_of_memory

from .depths import head
from .gradients import FEWEST_IMAGES, Criterion, add_up, free_memory
from .optimizers import Optimizer, layered, prepared, trained
from .schedules import Scheduler, Schedules, schedules

NotNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, lt=1)]
OutOfMemory = Literal["halve", "stop"]
Selection = Literal["val_roc_auc", "val_average_precision", "val_accuracy", "val_balanced_accuracy", "val_loss"]


@hookimpl
def cxrkit_register_trainers() -> Mapping[str, Trainer]:
    """Offer the trainer on lightning-fabric."""
    return {"fabric": fit}


def fit(  # noqa: PLR0913 - each is an option of tasks.toml
    context: TrainingContext,
    *,
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3,
    optimizer: Optimizer = "adam",
    weight_decay: NotNegative = 0.0,
    momentum: Share = 0.9,
    scheduler: Scheduler = "none",
    warmup_epochs: NotNegative = 0.0,
    label_smoothing: Share = 0.0,
    ema: Share = 0.0,
    gradient_clip: NotNegative = 0.0,
    early_stopping: Annotated[int, Field(ge=0)] = 0,
    head_epochs: Annotated[int, Field(ge=0)] = 0,
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0,
    select: Selection = "val_roc_auc",
    on_out_of_memory: OutOfMemory = "halve",
) -> None:
    """Train by gradient descent on any device or several, and keep the weights of the best epoch.

    Args:
        context: the training.
        learning_rate: at its highest.
        optimizer: Adam (as in the course), AdamW or SGD.
        weight_decay: L2 penalty of Adam and SGD, decoupled in AdamW.
        momentum: of SGD.
        scheduler: ``cosine`` falls to 0 in a half wave, ``step`` divides by 10 after each third of the epochs,
            ``plateau`` divides by 10 after 3 epochs without a better ``select``, ``one-cycle`` rises and falls again.
        warmup_epochs: epochs of linear rise at the beginning; of ``one-cycle`` its rising part, by default 30 %.
        label_smoothing: share of the target that is spread over all classes.
        ema: decay per step of the weights' moving average, which is evaluated and kept in their place; 0 is none.
        gradient_clip: largest norm of the gradient; 0 is none.
        early_stopping: epochs without a better ``select`` after which training ends, not counting ``head_epochs``; 0 is
            never.
        head_epochs: epochs at the beginning in which the classifier alone is trained, on features that stay as they
            were (dropout and batch norm before it are in evaluation mode). A new classifier's first gradients would
            spoil pre-trained layers; after these epochs all layers are trained that the model does not freeze.
        layer_decay: factor of the learning rate from each layer to the one before it, the classifier having the whole
            rate: pre-trained layers near the input change less (Howard and Ruder, 2018, whose factor is 0.38).
        select: validation figure that chooses the best epoch; among equals the lower ``val_loss``.
        on_out_of_memory: ``halve`` goes on where memory runs out, with each batch computed in two parts, four, …, of
            2 images at least, whose gradients are added up: the optimiser still steps by the same images at the same
            rate, so that hours of training are not lost to a number that only the device decides. Batch norm sees the
            parts. ``stop`` ends the training; so do several devices, which would wait for each other.

    Raises:
        InputError: no epoch is left for the layers before the classifier, or the model freezes all of them.
        RunError: memory ran out for good, the loss is not finite, or the figure to select by cannot be computed.
    """
    falling = select.endswith("_loss")
    model = context.model.to(memory_format=torch.channels_last)
    backbone = _backbone(model, head_epochs, context.epochs)
    groups = layered(model, learning_rate, layer_decay)
    fused = True if context.fabric.device.type == "cpu" else None  # on a GPU it would forbid clipping in fp16
    raw = prepared(optimizer, groups, learning_rate, weight_decay, momentum, fused=fused)
    training = Training(
        context=context,
        network=context.fabric.setup(model),
        raw_optimizer=raw,
        optimizer=context.fabric.setup_optimizers(raw),
        criterion=_criterion(context, label_smoothing),
        schedules=schedules(raw, scheduler, context.epochs, context.steps_per_epoch(), warmup_epochs, falling=falling),
        average=_average(context.model, ema) if ema else None,
        gradient_clip=gradient_clip,
        select=select,
        patience=early_stopping,
        head_epochs=head_epochs,
        backbone=backbone,
        halves=on_out_of_memory == "halve" and context.fabric.world_size == 1,
    )
    _resume(training, context.restore())
    while not _finished(training):
        _run_epoch(training)
    _take_best(training)


@dataclass
class Best:
    """The epoch whose weights are kept.

    Attributes:
        epoch: from 1; 0 before the first.
        key: its figure, turned so that more is better, and its negative loss, which decides among equals.
        weights: of the network that was evaluated, on the CPU.
    """

    epoch: int
    key: tuple[float, float]
    weights: dict[str, Tensor]


@dataclass
class Training:
    """A training under way; the options are those of :func:`fit`.

    Attributes:
        network: the model as lightning-fabric wraps it.
        raw_optimizer: the optimiser as torch has it.
        optimizer: as lightning-fabric wraps it.
        criterion: mean loss of logits and labels.
        average: of the weights, or None.
        head_epochs: in which the backbone stays as it is.
        backbone: the parameters before the classifier that are trained after them; none where there is one stage.
        halves: whether batches are divided where memory runs out.
        parts: in how many each batch is computed.
        best: the best epoch so far.
        epoch: the last one, from 1; 0 before the first.
        rate: learning rate that the epoch under way began with, None between epochs.
    """

    context: TrainingContext
    network: Any
    raw_optimizer: torch.optim.Optimizer
    optimizer: Any
    criterion: Criterion
    schedules: Schedules
    average: AveragedModel | None
    gradient_clip: float
    select: str
    patience: int
    head_epochs: int
    backbone: list[nn.Parameter]
    halves: bool
    parts: int = 1
    best: Best | None = None
    epoch: int = 0
    rate: float | None = None

    @property
    def evaluated(self) -> nn.Module:
        """The network whose figures count: the moving average, where there is one."""
        return self.context.model if self.average is None else self.average.module


# ── Set-up ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _backbone(model: nn.Module, head_epochs: int, epochs: int) -> list[nn.Parameter]:
    """List what is trained after the classifier's own epochs."""
    if not head_epochs:
        return []
    if head_epochs >= epochs:
        raise InputError(f"trainer.head_epochs: got {head_epochs}, must be less than epochs, {epochs}")
    own = {id(parameter) for parameter in head(model).parameters()}
    backbone = [parameter for parameter in trained(model) if id(parameter) not in own]
    if not backbone:
        raise InputError(
            "trainer.head_epochs: the model trains its classifier alone, freeze fewer layers or leave it out"
        )
    return backbone


def _criterion(context: TrainingContext, label_smoothing: float) -> Criterion:
    imbalance = context.imbalance
    if imbalance.loss is not None:
        return imbalance.loss
    weights = _class_weights(context)
    return nn.CrossEntropyLoss(weight=weights, label_smoothing=label_smoothing)


def _class_weights(context: TrainingContext) -> Tensor | None:
    weights = context.imbalance.class_weights
    if weights is None:
        return None
    return torch.as_tensor(weights, dtype=torch.float32, device=context.fabric.device)


def _average(model: nn.Module, decay: float) -> AveragedModel:
    averaging = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]  # torch has it so
    return AveragedModel(model, multi_avg_fn=averaging, use_buffers=True)


# ── Epochs ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _finished(training: Training) -> bool:
    if training.best is not None and training.patience:
        stale = training.epoch - max(training.best.epoch, training.head_epochs)
        return stale >= training.patience or training.epoch >= training.context.epochs
    return training.epoch >= training.context.epochs


def _run_epoch(training: Training) -> None:
    context = training.context
    training.epoch += 1
    if training.rate is None:
        training.rate = training.raw_optimizer.param_groups[0]["lr"]
    _set_stage(training)
    for batch in context.train_batches(training.epoch):
        context.step_finished(_step(training, batch))
        if context.checkpoint_due:
            context.save(_state(training))
    figures = _validated(training)
    _judge(training, figures)
    context.epoch_finished({"epoch": training.epoch, "learning_rate": training.rate, **figures})
    training.rate = None
    context.save(_state(training))


def _validated(training: Training) -> dict[str, float]:
    try:
        return training.context.validate(training.evaluated)
    except StopTraining:
        training.context.save(_state(training))
        raise


def _set_stage(training: Training) -> None:
    """Set what is trained in this epoch: the classifier alone, or all; wrapped anew, as devices agree on it there."""
    training.network.train()
    if not training.backbone:
        return
    alone = training.epoch <= training.head_epochs
    if training.backbone[0].requires_grad == alone:
        for parameter in training.backbone:
            parameter.requires_grad_(not alone)
        training.network = training.context.fabric.setup(training.context.model)
        training.network.train()
    if alone:
        training.context.model.eval()
        head(training.context.model).train()


def _step(training: Training, batch: Batch) -> Tensor:
    """Make one optimiser step and return its loss, of which the mean over all devices is the global batch's."""
    fabric = training.context.fabric
    training.optimizer.zero_grad()
    loss = _backward(training, batch)
    if training.gradient_clip:
        fabric.clip_gradients(training.network, training.optimizer, max_norm=training.gradient_clip)
    training.optimizer.step()
    training.schedules.step_finished()
    if training.average is not None:
        training.average.update_parameters(training.context.model)
    return loss


def _backward(training: Training, batch: Batch) -> Tensor:
    """Add the batch's gradients up and return its loss; where memory runs out, once more in twice as many parts."""
    while (loss := _backward_or_none(training, batch)) is None:
        training.optimizer.zero_grad()
        free_memory(training.context.fabric.device)
        _halve(training, len(batch.labels))
    return loss


def _backward_or_none(training: Training, batch: Batch) -> Tensor | None:
    """Return None where memory ran out; the error, which holds on to the network's tensors, is gone by then."""
    try:
        return add_up(training.context.fabric, training.network, training.criterion, batch, training.parts)
    except (RuntimeError, MemoryError) as error:
        if not training.halves or not is_out_of_memory(error):
            raise
        return None


def _halve(training: Training, images: int) -> None:
    context = training.context
    parts = 2 * training.parts
    if images // parts < FEWEST_IMAGES:
        raise RunError(
            f"epoch {training.epoch}: memory ran out even with {images // training.parts} images at a time, "
            "use a smaller image_size or model, or another device"
        )
    training.parts = parts
    context.note(
        f"Memory ran out in epoch {training.epoch}: from there on each batch of {context.batch_size} images was "
        f"computed in {parts} parts of about {max(1, context.batch_size // parts)} and their gradients were added up. "
        "The optimiser's steps are those of the whole batch; batch norm, where the model has any, saw the parts."
    )


def _judge(training: Training, figures: Mapping[str, float]) -> None:
    if training.select not in figures:
        raise RunError(
            f"epoch {training.epoch}: {training.select} cannot be computed on this validation set, "
            f"select one of {', '.join(sorted(figures))}"
        )
    figure = figures[training.select]
    training.schedules.epoch_finished(figure)
    key = (-figure if training.select.endswith("_loss") else figure, -figures["val_loss"])
    if training.best is None or key > training.best.key:
        weights = {name: value.detach().to("cpu", copy=True) for name, value in training.evaluated.state_dict().items()}
        training.best = Best(training.epoch, key, weights)


def _take_best(training: Training) -> None:
    if training.best is not None:
        training.context.model.load_state_dict(training.best.weights)
        training.context.selected_epoch = training.best.epoch


# ── Going on ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _state(training: Training) -> dict[str, Any]:
    best = training.best
    return {
        "epoch": training.epoch if training.rate is None else training.epoch - 1,
        "rate": training.rate,
        "model": training.context.model.state_dict(),
        "optimizer": training.raw_optimizer.state_dict(),
        "precision": training.context.fabric.strategy.precision.state_dict(),
        "schedules": training.schedules.state(),
        "average": None if training.average is None else training.average.state_dict(),
        "parts": training.parts,
        "best": None if best is None else {"epoch": best.epoch, "key": best.key, "weights": best.weights},
    }


def _resume(training: Training, state: Mapping[str, Any] | None) -> None:
    if state is None:
        return
    training.epoch, training.rate = state["epoch"], state["rate"]
    training.context.model.load_state_dict(state["model"])
    training.raw_optimizer.load_state_dict(state["optimizer"])
    _restore_memory_order(training.raw_optimizer)
    training.context.fabric.strategy.precision.load_state_dict(state["precision"])
    training.schedules.resume(state["schedules"])
    if training.average is not None:
        training.average.load_state_dict(state["average"])
    training.parts = state["parts"]
    training.best = None if state["best"] is None else Best(**state["best"])


def _restore_memory_order(optimizer: torch.optim.Optimizer) -> None:
    """Lay out the optimiser's tensors like the parameters that they belong to, as at the start of a training."""
    for parameter, kept in optimizer.state.items():
        for name, value in kept.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                kept[name] = torch.empty_like(parameter).copy_(value)
