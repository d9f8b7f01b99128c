import math
from itertools import count

import numpy as np
import pytest
import torch
from cxrkit_plugins.trainers import fit
from lightning_fabric import Fabric
from torch import nn

from cxrkit import options
from cxrkit.api import Imbalance
from cxrkit.errors import InputError, RunError
from cxrkit.training.context import Context, ValidationImages

LABELS = np.tile([0, 1], 12).astype(np.int64)
GREYS = (np.random.default_rng(0).integers(0, 90, (24, 8, 8)) + 60 * LABELS[:, None, None]).astype(np.uint8)


class Memory:
    def batches(self, visits):
        for batch in visits:
            yield torch.from_numpy(GREYS[[visit.image for visit in batch]])


@pytest.fixture
def make_context(tmp_path):
    """A real context on one CPU process, over images in memory, in a folder of its own."""
    numbers = count()

    def make(**changes) -> Context:
        torch.manual_seed(0)
        values = {
            "fabric": Fabric(accelerator="cpu", devices=1),
            "model": nn.Sequential(nn.AvgPool2d(4), nn.Flatten(), nn.Linear(12, 2)),
            "class_names": ("NORMAL", "PNEUMONIA"),
            "imbalance": Imbalance(),
            "epochs": 4,
            "batch_size": 8,
            "seed": 0,
            "directory": tmp_path / str(next(numbers)),
            "loader": Memory(),
            "labels": LABELS,
            "validation": ValidationImages(GREYS, LABELS, 1),
            "tell": lambda _event: None,
            "notify": lambda _context, _row: None,
        }
        return Context(**(values | changes))

    return make


def rows(context: Context) -> list[str]:
    return (context.directory / "history.csv").read_text(encoding="utf-8").splitlines()


def test_training_learns_and_keeps_the_weights_of_the_best_epoch(make_context):
    context = make_context(epochs=6)
    fit(context, learning_rate=0.05)
    history = [dict(zip(rows(context)[0].split(","), map(float, line.split(",")), strict=True)) for line in
               rows(context)[1:]]  # fmt: skip
    best = max(history, key=lambda row: (row["val_roc_auc"], -row["val_loss"]))
    assert context.selected_epoch == best["epoch"]
    assert context.validate(context.model)["val_loss"] == pytest.approx(best["val_loss"])
    assert history[-1]["train_loss"] < history[0]["train_loss"]


def test_val_loss_is_better_where_it_is_lower(make_context):
    rising = make_context(epochs=8)
    fit(rising, learning_rate=5.0, optimizer="sgd", select="val_loss", early_stopping=2)
    losses = [float(line.split(",")[rows(rising)[0].split(",").index("val_loss")]) for line in rows(rising)[1:]]
    assert rising.selected_epoch == int(np.argmin(losses)) + 1


def test_early_stopping_ends_after_so_many_epochs_without_a_better_one(make_context, monkeypatch):
    context = make_context(epochs=9)
    figures = iter([0.5, 0.8, 0.7, 0.7, 0.9])
    monkeypatch.setattr(context, "validate", lambda _model: {"val_roc_auc": next(figures), "val_loss": 1.0})
    fit(context, early_stopping=2)
    assert len(rows(context)) == 1 + 4
    assert context.selected_epoch == 2


def test_frozen_parameters_stay_as_they_are_even_with_weight_decay(make_context):
    context = make_context(model=nn.Sequential(nn.Flatten(), nn.Linear(192, 4), nn.Linear(4, 2)))
    context.model[1].requires_grad_(False)
    before = context.model[1].weight.clone(), context.model[2].weight.clone()
    fit(context, optimizer="adamw", weight_decay=0.5)
    assert torch.equal(before[0], context.model[1].weight)
    assert not torch.equal(before[1], context.model[2].weight)


def test_nothing_to_train_is_told(make_context):
    context = make_context()
    context.model.requires_grad_(False)
    with pytest.raises(RunError, match="no trainable parameter, freeze fewer layers"):
        fit(context)


def test_a_loss_that_is_not_finite_stops_with_epoch_and_step(make_context):
    imbalance = Imbalance(loss=lambda logits, _labels: logits.sum() * math.inf)
    with pytest.raises(RunError, match=r"epoch 1, step 1 of 3: the loss is (-?inf|nan), must be finite"):
        fit(make_context(imbalance=imbalance))


def test_a_figure_that_cannot_be_computed_is_not_selected_by(make_context):
    context = make_context(validation=ValidationImages(GREYS[::2], LABELS[::2], 1))
    with pytest.raises(RunError, match="epoch 1: val_roc_auc cannot be computed on this validation set"):
        fit(context)


def test_class_weights_weigh_and_a_loss_of_its_own_replaces_the_cross_entropy(make_context):
    weighted, own, plain = (
        make_context(imbalance=imbalance, epochs=1)
        for imbalance in (
            Imbalance(class_weights=np.array([0.0, 2.0])),
            Imbalance(loss=lambda logits, _labels: -logits[:, 1].mean()),
            Imbalance(),
        )
    )
    for context in (weighted, own, plain):
        fit(context, learning_rate=0.1, optimizer="sgd", momentum=0.0)
    called = [context.model(torch.zeros(1, 3, 8, 8)).softmax(1)[0, 1].item() for context in (weighted, own, plain)]
    assert called[0] > called[2]
    assert called[1] > called[2]


def test_the_moving_average_is_what_is_kept(make_context):
    context = make_context(epochs=2)
    fit(context, ema=0.99, learning_rate=0.5, optimizer="sgd")
    plain = make_context(epochs=2)
    fit(plain, learning_rate=0.5, optimizer="sgd")
    start = make_context().model[2].weight
    assert (context.model[2].weight - start).norm() < (plain.model[2].weight - start).norm()


def test_saved_state_continues_the_same_training(make_context, tmp_path):
    whole = make_context(directory=tmp_path / "whole")
    fit(whole, scheduler="one-cycle", ema=0.5)
    part = make_context(directory=tmp_path / "part")

    class StopError(Exception):
        pass

    def stop_after_two(_context, row):
        if row["epoch"] == 3:
            raise StopError

    part.notify = stop_after_two
    with pytest.raises(StopError):
        fit(part, scheduler="one-cycle", ema=0.5)
    again = make_context(directory=tmp_path / "part")
    fit(again, scheduler="one-cycle", ema=0.5)
    assert rows(again) == rows(whole)
    assert torch.equal(again.model[2].weight, whole.model[2].weight)


# ── Out of memory ─────────────────────────────────────────────────────────────────────────────────────────────────────


class Narrow(nn.Module):
    """A network on a device that has no room for more than ``most`` images of a training step."""

    def __init__(self, most, error):
        super().__init__()
        self.body = nn.Sequential(nn.AvgPool2d(4), nn.Flatten(), nn.Linear(12, 2))
        self.most, self.error, self.seen = most, error, []

    def forward(self, images):
        if self.training and len(images) > self.most:
            raise self.error
        if self.training:
            self.seen.append(len(images))
        return self.body(images)


CUDA = torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
CPU = RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried to")
WINDOWS = RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 4096 bytes.")
MPS = RuntimeError("MPS backend out of memory (MPS allocated: 8.00 GB, other allocations: 1.00 GB)")


def narrow_and_wide(make_context, most, error, **changes):
    """The same training with little memory and with enough."""
    made = []
    for limit in (most, 99):
        torch.manual_seed(0)
        made.append(make_context(model=Narrow(limit, error), **changes))
    return made


@pytest.mark.parametrize("error", [CUDA, CPU, WINDOWS, MPS, MemoryError()], ids=["cuda", "cpu", "windows", "mps", "os"])
def test_where_memory_runs_out_the_same_steps_are_made_of_parts(make_context, error):
    narrow, wide = narrow_and_wide(make_context, 3, error)
    for context in (narrow, wide):
        fit(context, learning_rate=0.05)
    assert narrow.model.seen == [2] * 4 * 3 * 4
    assert torch.allclose(narrow.model.body[2].weight, wide.model.body[2].weight, atol=1e-5)
    assert narrow.notes == [one for one in narrow.notes if one.startswith("Memory ran out in epoch 1")]
    assert "batch of 8 images was computed in 4 parts of about 2" in narrow.notes[1]
    assert wide.notes == []


def test_parts_weigh_as_their_classes_do(make_context):
    weights = Imbalance(class_weights=np.array([0.5, 3.0]))
    narrow, wide = narrow_and_wide(make_context, 4, CUDA, imbalance=weights)
    for context in (narrow, wide):
        fit(context, learning_rate=0.05, label_smoothing=0.1)
    assert torch.allclose(narrow.model.body[2].weight, wide.model.body[2].weight, atol=1e-5)
    losses = [[float(line.split(",")[1]) for line in rows(context)[1:]] for context in (narrow, wide)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)


def test_what_was_halved_stays_so_and_is_told_after_an_interruption(make_context, tmp_path):
    def stop_after_two(_context, row):
        if row["epoch"] == 3:
            raise KeyboardInterrupt

    torch.manual_seed(0)
    whole, part = (make_context(model=Narrow(4, CUDA), directory=tmp_path / name) for name in ("whole", "part"))
    part.model.load_state_dict(whole.model.state_dict())
    fit(whole)
    part.notify = stop_after_two
    with pytest.raises(KeyboardInterrupt):
        fit(part)
    again = make_context(model=Narrow(99, CUDA), directory=tmp_path / "part")
    fit(again)
    assert set(again.model.seen) == {4}
    assert again.notes == whole.notes
    assert rows(again) == rows(whole)


def test_stop_stops_and_what_is_no_want_of_memory_is_not_tried_again(make_context):
    stopped = make_context(model=Narrow(4, CUDA))
    with pytest.raises(torch.cuda.OutOfMemoryError):
        fit(stopped, on_out_of_memory="stop")
    broken = make_context(model=Narrow(4, RuntimeError("mat1 and mat2 shapes cannot be multiplied")))
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        fit(broken)
    assert stopped.notes == broken.notes == []


def test_two_images_at_a_time_are_the_fewest(make_context):
    with pytest.raises(
        RunError, match="epoch 1: memory ran out even with 2 images at a time, use a smaller image_size"
    ):
        fit(make_context(model=Narrow(1, CUDA)))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"learning_rate": 0.0}, "trainer.learning_rate"),
        ({"select": "val_auc"}, "trainer.select"),
        ({"optimizer": "lion"}, "trainer.optimizer"),
        ({"on_out_of_memory": "half"}, "trainer.on_out_of_memory"),
        ({"warmup": 1}, 'did you mean "warmup_epochs"'),
    ],
)
def test_options_are_checked_from_the_signature(given, message):
    assert options.check(fit, {}, "trainer")["learning_rate"] == 1e-3
    with pytest.raises(InputError, match=message):
        options.check(fit, given, "trainer")


def three_layers() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.AdaptiveAvgPool2d(1),
                         nn.Flatten(), nn.Dropout(0.5), nn.Linear(4, 2))  # fmt: skip


def weights_after(context, epochs) -> list[dict[str, torch.Tensor]]:
    """The network's state after each epoch, by the epoch hook."""
    states = []
    context.notify = lambda told, _row: states.append({k: v.clone() for k, v in told.model.state_dict().items()})
    return states


def test_the_head_is_trained_alone_first_and_then_everything(make_context):
    context = make_context(model=three_layers(), epochs=3)
    start = {name: value.clone() for name, value in context.model.state_dict().items()}
    states = weights_after(context, 3)
    fit(context, head_epochs=2, ema=0.5)
    for state in states[:2]:  # batch norm's running mean and variance among them
        assert all(torch.equal(state[name], start[name]) for name in start if not name.startswith("7."))
        assert not torch.equal(state["7.weight"], start["7.weight"])
    assert not torch.equal(states[1]["7.weight"], states[0]["7.weight"])
    assert not torch.equal(states[2]["0.weight"], start["0.weight"])
    assert not torch.equal(states[2]["1.running_mean"], start["1.running_mean"])
    assert all(parameter.requires_grad for parameter in context.model.parameters())


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_two_stages_that_were_interrupted_in_either_end_alike(make_context, optimizer):
    whole = make_context(model=three_layers(), epochs=4)
    fit(whole, head_epochs=2, scheduler="cosine", optimizer=optimizer)
    for first in (1, 2, 3):
        broken = make_context(model=three_layers(), epochs=4)
        stop_after(broken, first)
        with pytest.raises(KeyboardInterrupt):
            fit(broken, head_epochs=2, scheduler="cosine", optimizer=optimizer)
        again = make_context(model=three_layers(), epochs=4, directory=broken.directory)
        fit(again, head_epochs=2, scheduler="cosine", optimizer=optimizer)
        assert rows(again) == rows(whole)
        assert all(map(torch.equal, again.model.state_dict().values(), whole.model.state_dict().values()))


def stop_after(context: Context, epoch: int) -> None:
    saving = context.save

    def save(state) -> None:
        saving(state)
        if state["epoch"] == epoch:
            raise KeyboardInterrupt

    context.save = save


def test_early_stopping_waits_for_the_second_stage(make_context, monkeypatch):
    context = make_context(model=three_layers(), epochs=9)
    monkeypatch.setattr(context, "validate", lambda _model: {"val_roc_auc": 0.5, "val_loss": 1.0})
    fit(context, head_epochs=4, early_stopping=2)
    assert len(rows(context)) == 1 + 6


@pytest.mark.parametrize(
    ("changes", "head_epochs", "said"),
    [
        ({"epochs": 2}, 2, "trainer.head_epochs: got 2, must be less than epochs, 2"),
        ({"epochs": 2, "model": nn.Sequential(nn.Flatten(), nn.Linear(192, 2))}, 1, "trains its classifier alone"),
    ],
)
def test_two_stages_need_something_for_the_second(make_context, changes, head_epochs, said):
    with pytest.raises(InputError, match=said):
        fit(make_context(**({"model": three_layers()} | changes)), head_epochs=head_epochs)


def test_each_layer_towards_the_input_moves_by_a_smaller_rate(make_context):
    context = make_context(model=three_layers(), epochs=1, batch_size=24)
    start = {name: value.clone() for name, value in context.model.named_parameters()}
    fit(context, learning_rate=0.01, optimizer="adam", layer_decay=0.1)
    moved = {
        name: float((value - start[name]).detach().abs().max()) for name, value in context.model.named_parameters()
    }
    # Adam's first step moves each weight that has a gradient by the rate itself
    assert moved["7.weight"] == pytest.approx(0.01, rel=1e-3)
    assert moved["3.weight"] == pytest.approx(0.001, rel=1e-3)
    assert moved["0.weight"] == pytest.approx(0.0001, rel=1e-2)
    assert moved["1.weight"] == pytest.approx(0.0001, rel=1e-2)
    assert float(rows(context)[1].split(",")[rows(context)[0].split(",").index("learning_rate")]) == 0.01
