"""An interrupted training goes on within its epoch and ends as if nothing had happened."""

import threading

import numpy as np
import pytest
import torch
from cxrkit_plugins.trainers import fit
from lightning_fabric import Fabric
from torch import nn

from cxrkit.api import Imbalance
from cxrkit.errors import RunError, StopTraining
from cxrkit.plans import Notice
from cxrkit.rundir import SeedDirectory
from cxrkit.training import predict, state
from cxrkit.training.context import Context, ValidationImages
from cxrkit.training.pace import Pace

LABELS = np.tile([0, 1], 12).astype(np.int64)
GREYS = (np.random.default_rng(0).integers(0, 90, (24, 8, 8)) + 60 * LABELS[:, None, None]).astype(np.uint8)
EVERYTHING = {"scheduler": "cosine", "warmup_epochs": 1.0, "ema": 0.9, "early_stopping": 3, "learning_rate": 0.02}
STEPS = 6


class Memory:
    def batches(self, visits):
        torch.rand(3)  # as torch's loader draws where it begins
        for batch in visits:
            yield torch.from_numpy(GREYS[[visit.image for visit in batch]])


class Drawing(nn.Module):
    """Draws from every generator that a network may draw from, and can be stopped at a given step."""

    def __init__(self, at=None, act=lambda: None):
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(48, 8), nn.BatchNorm1d(8), nn.Dropout(0.4))
        self.last = nn.Linear(8, 2)
        self.at, self.act, self.steps = at, act, 0

    def forward(self, images):
        if self.training:
            self.steps += 1
            if self.steps == self.at:
                self.act()
            images = images * (1 + 0.1 * np.random.normal())  # noqa: NPY002
        return self.last(self.body(images))


@pytest.fixture
def make_context(tmp_path):
    def make(name, model=None, **changes) -> Context:
        values = {
            "fabric": Fabric(accelerator="cpu", devices=1),
            "model": model or Drawing(),
            "class_names": ("NORMAL", "PNEUMONIA"),
            "imbalance": Imbalance(),
            "epochs": 4,
            "batch_size": 4,
            "seed": 0,
            "directory": tmp_path / name,
            "loader": Memory(),
            "labels": LABELS,
            "validation": ValidationImages(GREYS, LABELS, 1),
            "tell": lambda _event: None,
            "notify": lambda _context, _row: None,
            "pace": Pace(steps=2),
        }
        return Context(**(values | changes))

    return make


def outcome(context):
    history = SeedDirectory(context.directory).history.read_bytes()
    return history, {name: value.tolist() for name, value in context.model.state_dict().items()}, context.selected_epoch


def states(context):
    return sorted(path.stem for path in SeedDirectory(context.directory).last.iterdir())


@pytest.fixture
def whole(make_context):
    context = make_context("whole", pace=Pace(minutes=99))
    fit(context, **EVERYTHING)
    return outcome(context)


def killed(make_context, at, **changes):
    """Train until a step at which the process is as good as killed."""

    def die():
        raise KeyboardInterrupt

    context = make_context("again", Drawing(at, die), **changes)
    with pytest.raises(KeyboardInterrupt):
        fit(context, **EVERYTHING)
    return context


def asking(stop):
    def ask():  # the average's copy of the network cannot have the event itself
        stop.set()

    return ask


@pytest.mark.parametrize("at", [1, 4, 2 * STEPS + 4])
def test_a_killed_training_goes_on_within_its_epoch(make_context, whole, at):
    killed(make_context, at)
    again = make_context("again")
    fit(again, **EVERYTHING)
    assert outcome(again) == whole
    assert again.model.steps == len(whole[0].splitlines()[1:]) * STEPS - (at - 1) // 2 * 2
    assert [entry["epoch"] for entry in again.timing] == list(range(1, 1 + len(whole[0].splitlines()[1:])))


def test_killed_again_and_again(make_context, whole):
    for at in (4, 9):
        killed(make_context, at)
    again = make_context("again")
    fit(again, **EVERYTHING)
    assert outcome(again) == whole


def test_whoever_asks_stops_it_after_the_step_and_loses_none(make_context, whole):
    stop = threading.Event()
    first = make_context("again", Drawing(STEPS + 3, asking(stop)), stop=stop, pace=Pace(minutes=99))
    with pytest.raises(StopTraining, match="Stopped in epoch 2 after step 3"):
        fit(first, **EVERYTHING)
    assert states(first) == ["epoch-1", "epoch-2-step-3"]
    again = make_context("again")
    fit(again, **EVERYTHING)
    assert outcome(again) == whole
    assert first.model.steps + again.model.steps == len(whole[0].splitlines()[1:]) * STEPS


def test_stopped_in_validation_the_steps_of_the_epoch_are_kept(make_context, whole, monkeypatch):
    stop = threading.Event()
    first = make_context("again", stop=stop)
    monkeypatch.setattr(first, "_note_time", stop.set)  # the last thing before validation
    with pytest.raises(StopTraining, match="Stopped in epoch 1 after step 6"):
        fit(first, **EVERYTHING)
    again = make_context("again")
    fit(again, **EVERYTHING)
    assert outcome(again) == whole
    assert first.model.steps == STEPS


class Uncertain(Drawing):
    """Draws while it is evaluated too, as Monte Carlo dropout does, and can be stopped at a given batch of that."""

    def __init__(self, at=None, act=lambda: None):
        super().__init__()
        self.stop_at, self.stop, self.batches = at, act, 0

    def forward(self, images):
        if not self.training:
            self.batches += 1
            if self.batches == self.stop_at:
                self.stop()
            images = images * (1 + np.random.normal())  # noqa: NPY002
        return super().forward(images)


@pytest.mark.parametrize("at", [1, 2, 5])
def test_stopped_in_validation_the_generators_are_as_they_were_before_it(make_context, monkeypatch, at):
    monkeypatch.setattr(predict, "BATCH", 8)  # three in a validation
    undisturbed = make_context("undisturbed", Uncertain())
    fit(undisturbed, learning_rate=0.02)
    stop = threading.Event()
    first = make_context("again", Uncertain(at, asking(stop)), stop=stop)
    with pytest.raises(StopTraining, match=rf"Stopped in epoch {1 + at // 4} after step 6"):
        fit(first, learning_rate=0.02)

    again = make_context("again", Uncertain())
    fit(again, learning_rate=0.02)

    assert outcome(again) == outcome(undisturbed)


def test_a_state_that_could_not_be_written_is_none(make_context, monkeypatch):
    stop = threading.Event()
    first = make_context("again", Drawing(STEPS + 3, asking(stop)), stop=stop, pace=Pace(minutes=99))
    save = state.save

    def full(folder, content, position):
        if position.step is not None:
            raise RunError("full")
        save(folder, content, position)

    monkeypatch.setattr(state, "save", full)
    with pytest.raises(RunError, match="full"):
        fit(first, **EVERYTHING)
    assert first._kept() == "Stopped after epoch 1"


def test_a_damaged_state_is_told_and_the_one_before_counts(make_context, whole):
    first = killed(make_context, STEPS + 6)
    newest = SeedDirectory(first.directory).last / "epoch-2-step-4.safetensors"
    newest.write_bytes(newest.read_bytes()[:-20])
    told = []
    again = make_context("again", tell=told.append)
    fit(again, **EVERYTHING)
    assert outcome(again) == whole
    [notice] = [event.message for event in told if isinstance(event, Notice)]
    assert notice.endswith("going on from the state before, epoch-2-step-2")
    assert again.notes == []


def test_a_note_is_told_and_kept_as_json_can_have_it(make_context):
    told = []
    context = make_context("noted", tell=told.append)
    context.note("left out caf\udce9.png")
    assert context.notes == [event.message for event in told] == ["left out caf\\udce9.png"]


def plain(context):
    """A trainer of an earlier time, which saves after epochs alone."""
    optimizer = torch.optim.SGD(context.model.parameters(), lr=0.1, momentum=0.9)
    state = context.restore() or {"epoch": 0, "model": context.model.state_dict(), "optimizer": optimizer.state_dict()}
    context.model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    for epoch in range(state["epoch"] + 1, context.epochs + 1):
        context.model.train()
        for images, labels in context.train_batches(epoch):
            loss = nn.functional.cross_entropy(context.model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            context.step_finished(loss)
        context.epoch_finished({"epoch": epoch, **context.validate(context.model)})
        kept = {"epoch": epoch, "model": context.model.state_dict(), "optimizer": optimizer.state_dict()}
        context.save(kept)


def test_a_trainer_that_saves_after_epochs_alone_stops_before_its_next_step(make_context):
    undisturbed = make_context("undisturbed")
    plain(undisturbed)
    stop = threading.Event()
    first = make_context("again", Drawing(STEPS + 3, asking(stop)), stop=stop)
    with pytest.raises(StopTraining, match="Stopped after epoch 1"):
        plain(first)
    assert first.model.steps == STEPS + 3
    again = make_context("again")
    plain(again)
    assert outcome(again) == outcome(undisturbed)
    assert again.model.steps == 3 * STEPS


def test_nothing_is_kept_where_nothing_was_saved(make_context):
    stop = threading.Event()
    with pytest.raises(StopTraining, match="Stopped before the first epoch was saved"):
        plain(make_context("first", Drawing(3, asking(stop)), stop=stop))
