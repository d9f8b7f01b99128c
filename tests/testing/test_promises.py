"""Each promise is found broken in a component that breaks it and nothing else."""

import time
from itertools import count

import numpy as np
import pytest
import torch
from torch import nn

from cxrkit.api import Figure, Imbalance, ManifestRow, MetricReport, ReportSection
from cxrkit.errors import InputError
from cxrkit.testing import (
    BrokenPromiseError,
    check_dataset,
    check_imbalance_strategy,
    check_metric_reporter,
    check_model,
    check_report_section,
    check_trainer,
)

calls = count()


def found(check, component, **options):
    """What is told of a component: a line for each broken promise."""
    with pytest.raises(BrokenPromiseError) as broken:
        check(component, **options)
    return str(broken.value).splitlines()


# ── Signatures ────────────────────────────────────────────────────────────────────────────────────────────────────────


def kwargs(predictions, settings, **options):
    """Takes anything."""


def untyped(predictions, settings, *, near=0.1):
    """Has an option without a type."""


def wrong_default(predictions, settings, *, near: float = "much", far: "NotThere" = 1) -> MetricReport:  # noqa: F821
    """Has a default that its type does not allow, and a type that cannot be read."""
    return MetricReport((Figure("x", 0.5, n=1, n_patients=1),))


def silent(predictions, settings) -> MetricReport:
    return MetricReport((Figure("x", 0.5, n=1, n_patients=1),))


@pytest.mark.parametrize(
    ("reporter", "messages"),
    [
        (kwargs, ["it takes **kwargs, must be f(predictions, settings, *, …options)"]),
        (untyped, ["it has options without a type (near)"]),
        (
            wrong_default,
            ['the default of near: must be a valid number, got "much"; far: the type NotThere cannot be read'],
        ),
        (silent, ["there is no docstring"]),
    ],
)
def test_signatures(reporter, messages):
    lines = found(check_metric_reporter, reporter)
    assert len(lines) == len(messages)
    assert all(message in line for message, line in zip(messages, lines, strict=True)), lines


# ── Models ────────────────────────────────────────────────────────────────────────────────────────────────────────────


class Net(nn.Module):
    """Takes images of any size; each fault breaks one promise."""

    def __init__(self, classes, fault):
        super().__init__()
        self.body, self.head = nn.Conv2d(3, 4, 5, stride=8), nn.Linear(4, 5 if fault == "classes" else classes)
        self.unused = nn.Linear(1, 1) if fault == "unused" else None
        self.noise = nn.Dropout(0.5)
        self.fault, self.hidden = fault, next(calls)

    def forward(self, images):
        logits = self.head(self.body(images).relu().mean((2, 3)))
        if self.fault == "noise":
            logits = nn.functional.dropout(logits + 1, 0.5, training=True)
        if self.fault == "hidden":
            logits = logits + self.hidden
        return logits / 0 if self.fault == "nan" else logits


def net(num_classes: int, *, fault: str = "none", weights: str = "imagenet") -> nn.Module:
    """A small network."""
    if weights != "none":
        raise InputError("would be downloaded")
    return Net(num_classes, fault)


def closure():
    def build(num_classes: int) -> nn.Module:
        """A builder that nothing can pickle."""
        return Net(num_classes, "none")

    return build


def test_a_model_that_keeps_its_promises():
    check_model(net)


@pytest.mark.parametrize(
    ("fault", "promise", "message"),
    [
        ("classes", "Gives logits", "gives [4, 5] for 4 images and 2 classes, [4, 2] is needed"),
        ("nan", "are finite", "8 of 8 logits are not finite"),
        ("unused", "A gradient reaches", "none reaches 2 of 6: unused.weight, unused.bias"),
        ("noise", "In evaluation mode", "they differ from one time to the next"),
        ("hidden", "Its state dict", "something that they depend on is neither parameter nor buffer"),
    ],
)
def test_models(fault, promise, message):
    lines = found(check_model, net, fault=fault)
    assert any(promise in line and message in line for line in lines), lines


def test_a_builder_that_cannot_be_pickled_is_told():
    (line,) = found(check_model, closure())
    assert "define the builder at the top of a module, or with functools.partial" in line


def test_a_wrong_option_is_the_callers():
    with pytest.raises(InputError, match=r"net\.fualt: unknown option, did you mean \"fault\"\?"):
        check_model(net, fualt="nan")


# ── Imbalance strategies ──────────────────────────────────────────────────────────────────────────────────────────────


def strategy(labels, num_classes, *, fault: str) -> Imbalance:
    """Break one promise."""
    memory = []
    rows = np.arange(len(labels))
    counts = np.bincount(labels, minlength=num_classes)
    if fault == "labels":
        labels[:] = 0
    return {
        "labels": Imbalance,
        "shape": lambda: Imbalance(class_weights=np.ones(num_classes + 1)),
        "sign": lambda: Imbalance(class_weights=-np.ones(num_classes)),
        "empty": lambda: Imbalance(class_weights=np.array([1 / n if n else np.inf for n in counts])),
        "loss": lambda: Imbalance(loss=lambda logits, _labels: logits.sum(1)),
        "range": lambda: Imbalance(epoch_indices=lambda _epoch, _rng: rows + 1),
        "generator": lambda: Imbalance(epoch_indices=lambda _epoch, _rng: np.random.choice(rows, 50)),  # noqa: NPY002
        "memory": lambda: Imbalance(epoch_indices=lambda _epoch, _rng: rows[len(memory.append(0) or memory) :]),
    }[fault]()


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("labels", "changes the labels that it is given"),
        ("shape", "are [3] for 2 classes, [2] is needed"),
        ("sign", "are [-1.0, -1.0], finite numbers above 0 are needed"),
        ("empty", "its weight is not finite, raise cxrkit.errors.InputError"),
        ("loss", "a finite scalar is needed"),
        ("range", "must lie in 0 … 51"),
        ("generator", "draw from the rng that is given"),
        ("memory", "keep nothing from one epoch to the next"),
    ],
)
def test_imbalance_strategies(fault, message):
    assert any(message in line for line in found(check_imbalance_strategy, strategy, fault=fault))


# ── Trainers ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def fit(context, *, fault: str = "none") -> None:
    """Train, and break one promise."""
    model = context.fabric.setup(context.model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0 if fault == "still" else 0.1, momentum=0.9)
    saved = context.restore() or {"epoch": 0}
    if saved["epoch"]:
        context.model.load_state_dict(saved["model"])
    if fault == "clock":
        torch.manual_seed(time.perf_counter_ns())
    weights = context.imbalance.class_weights if fault != "weights" else None
    weighted = nn.CrossEntropyLoss(None if weights is None else torch.tensor(weights, dtype=torch.float32))
    loss_of = context.imbalance.loss if context.imbalance.loss and fault != "loss" else weighted
    for epoch in range(saved["epoch"] + 1, context.epochs + 1):
        model.train(fault != "still")
        for images, labels in context.train_batches(epoch):
            pixels = images + torch.rand(()) * (fault == "clock")
            loss = loss_of(model(pixels).float(), labels)
            optimizer.zero_grad()
            context.fabric.backward(loss)
            optimizer.step()
            if fault != "steps":
                context.step_finished(loss)
        if fault == "clock":
            context.model[-1].bias.data += torch.tensor(time.perf_counter_ns() % 997)
        context.epoch_finished({"epoch": epoch + (fault == "late")})
        context.save({"epoch": epoch, "model": context.model.state_dict()})  # and not the momentum
    context.selected_epoch = 7 if fault == "selected" else epoch


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("none", "ends with other weights"),
        ("still", "leaves the weights as they were"),
        ("steps", "history.csv has epoch alone"),
        ("late", "tells the epochs [2, 3], 1 … 2 are needed"),
        ("selected", "selects the epoch 7 of 2"),
        ("clock", "a second training gives others"),
        ("loss", "context.imbalance.loss is never called"),
        ("weights", "context.imbalance.class_weights changes nothing"),
    ],
)
def test_trainers(fault, message):
    assert any(message in line for line in found(check_trainer, fit, fault=fault))


# ── Data sets ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def index(root, *, fault: str = "none"):
    """Break one promise."""
    if not root.is_dir() and fault != "missing":
        raise InputError(f"{root}: no such folder")
    rows = [
        ManifestRow(path.relative_to(root).as_posix(), path.parent.name, path.parents[1].name)
        for path in sorted(root.glob("t*/*/*.jpeg"))
    ]
    first = rows[0] if rows else None
    return {
        "none": lambda: rows,
        "missing": lambda: rows,
        "type": lambda: [vars(row) for row in rows],
        "label": lambda: [ManifestRow(first.image, "", "train"), *rows[1:]],
        "split": lambda: [ManifestRow(first.image, first.label, "holdout"), *rows[1:]],
        "twice": lambda: [first, *rows],
        "path": lambda: [ManifestRow(str(root / first.image), first.label, "train"), *rows[1:]],
        "gone": lambda: [ManifestRow("train/gone.jpeg", first.label, "train"), *rows[1:]],
        "column": lambda: [ManifestRow(first.image, first.label, "train", columns={"age": 3}), *rows[1:]],
        "order": lambda: rows[next(calls) % 2 :],
    }[fault]()


def test_a_dataset_that_keeps_its_promises():
    check_dataset(index)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("missing", "raise cxrkit.errors.InputError"),
        ("type", "lists a dict, cxrkit.api.ManifestRow is needed"),
        ("label", "1 rows have no label"),
        ("split", "has the splits 'holdout', allowed are train, val, test"),
        ("twice", "1 images are named twice"),
        ("path", "a relative path with forward slashes is needed"),
        ("gone", 'names "train/gone.jpeg", which is no file below'),
        ("column", "the columns are {'age': 3}, text is needed"),
        ("order", "the second time gives others"),
    ],
)
def test_datasets(fault, message):
    assert any(message in line for line in found(check_dataset, index, fault=fault))


def test_a_dataset_reads_what_it_is_given(tmp_path):
    with pytest.raises(BrokenPromiseError, match="lists 0 rows with the classes of nothing"):
        check_dataset(index, tmp_path)


# ── Metric reporters ──────────────────────────────────────────────────────────────────────────────────────────────────


def reporter(predictions, settings, *, fault: str = "none") -> MetricReport:
    """Break one promise."""
    there = predictions.status == "ok"
    n = int(there.sum())
    value = float(predictions.truth[there].mean()) if n else None
    figure = Figure("share", value, n=n, n_patients=1 if n else 0)
    if fault == "write":
        predictions.labels[0] = 1
    if fault == "two classes" and len(predictions.class_names) > 2:
        raise ValueError("two classes alone")
    if fault == "scores" and predictions.scale != "probability":
        raise ValueError("probabilities alone")
    if fault == "one class" and predictions.truth.all():
        raise ZeroDivisionError("no negatives")
    if fault == "one image" and len(predictions.images) < 2:
        raise IndexError("no second image")
    if fault == "no result" and n < len(there):
        raise ValueError("no result")
    changed = {
        "random": {"value": np.random.rand()},  # noqa: NPY002
        "nan": {"value": float("nan")},
        "bounds": {"low": 0.0},
        "outside": {"value": 0.2, "low": 0.3, "high": 0.4, "method": "Wilson"},
        "method": {"value": 0.2, "low": 0.1, "high": 0.4},
        "count": {"n": 1000},
    }.get(fault, {})
    figure = Figure(**{**vars(figure), **changed})
    section = ReportSection("" if fault == "title" else "Share", ("x",))
    return MetricReport((figure, figure) if fault == "doubled" else (figure,), (section,))


def test_a_reporter_that_keeps_its_promises():
    check_metric_reporter(reporter)


@pytest.mark.parametrize(
    ("fault", "promise", "message"),
    [
        ("random", "the same report", "two reports differ"),
        ("write", "the same report", "writes to an array that it is given, work on a copy"),
        ("nan", "MetricReport of figures", "share: value is nan, a finite number or None is needed"),
        ("bounds", "MetricReport of figures", "share: has one bound alone, 0.0 … None"),
        ("outside", "An interval contains", "share is 0.2 with the interval 0.3 … 0.4"),
        ("method", "An interval contains", "by the method None"),
        ("count", "MetricReport of figures", "rests on 1000 of 60 images"),
        ("doubled", "told apart", "share come twice"),
        ("title", "MetricReport of figures", "a section with the title ''"),
        ("two classes", "Three classes", "raises ValueError: two classes alone"),
        ("scores", "Scores that only rank", "raises ValueError: probabilities alone"),
        ("one class", "Images of one class", "raises ZeroDivisionError: no negatives"),
        ("one image", "A single image", "raises IndexError"),
        ("no result", "without a result", "raises ValueError: no result"),
    ],
)
def test_metric_reporters(fault, promise, message):
    lines = found(check_metric_reporter, reporter, fault=fault)
    assert any(promise in line and message in line for line in lines), lines


# ── Report sections ───────────────────────────────────────────────────────────────────────────────────────────────────


def make(study, *, fault: str = "none") -> ReportSection:
    """Break one promise."""
    for model in study.models:
        predictions = model.predictions["test"]
        if fault == "write":
            predictions.probabilities[:] = 0
        if fault == "threshold":
            model.threshold.value  # noqa: B018
        if fault == "no result" and not (predictions.status == "ok").any():
            raise ZeroDivisionError("no results")
    if fault == "two classes" and len(study.class_names) > 2:
        raise ValueError("two classes alone")
    text = str(next(calls)) if fault == "memory" else "x"
    return ReportSection("Mine", (text,), ("A",), (("1", "2"),) if fault == "row" else (("1",),))


def test_a_section_that_keeps_its_promises():
    check_report_section(make)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("write", "writes to an array that it is given"),
        ("threshold", "raises AttributeError"),
        ("no result", "raises ZeroDivisionError: no results"),
        ("two classes", "raises ValueError: two classes alone"),
        ("memory", "two sections differ"),
        ("row", "a table whose row 1 is ('1', '2'), 1 texts are needed"),
    ],
)
def test_report_sections(fault, message):
    assert any(message in line for line in found(check_report_section, make, fault=fault))
