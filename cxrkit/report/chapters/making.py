"""The chapters on how the models came to be: training, computing, versions."""

from collections.abc import Iterator
from math import isfinite

from cxrkit.evaluation import hints
from cxrkit.evaluation.hint_rules import Trained
from cxrkit.records import Environment
from cxrkit.report import wording
from cxrkit.report.content import Block, Bullets, Cell, Column, Heading, Plot, Plots, Section, Table
from cxrkit.report.drawn import training as training_figure
from cxrkit.report.drawn.drawing import Drawing
from cxrkit.report.results import Results, SeedResult, TaskResult
from cxrkit.report.tables import model_cell

PACKAGES = ("torch", "torchvision", "lightning-fabric", "torchcam", "numpy", "scipy", "scikit-learn", "pandas")


def training_section(results: Results) -> Section | None:
    """Show how the trainings went; None where nothing was trained here."""
    if not any(seed.history for task in results.tasks for seed in task.seeds):
        return None
    return Section("training", "Training", tuple(_training(results)))


def compute_section(results: Results) -> Section:
    """Show what it cost, on which hardware, with which versions."""
    return Section("compute", "Computing and versions", tuple(_compute(results)))


def _training(results: Results) -> Iterator[Block]:
    drawing = training_figure.training(results.tasks)
    if drawing is not None:
        yield Plots((_curves(results, drawing),))
    rows = tuple(_epoch_row(task, seed) for task in results.tasks for seed in task.seeds if seed.history)
    titles = (
        "Model",
        "Seed",
        "Epochs",
        "Chosen epoch",
        "Training loss",
        "Validation loss",
        "Validation AUC",
        "Validation accuracy",
    )
    yield Table(
        "Trainings, with the figures of the chosen epoch",
        tuple(Column(title, numeric=place > 0) for place, title in enumerate(titles)),
        rows,
        ("Validation figures have chosen the epoch, so they are likely too good; the test set had no part in it.",),
    )
    yield from _notes(results)


def _notes(results: Results) -> Iterator[Bullets]:
    """Tell what the trainers noted, and what the histories may suggest."""
    noted = [
        f"{task.name}, seed {seed.seed}: {note}"
        for task in results.tasks
        for seed in task.seeds
        if seed.timing
        for note in seed.timing.notes
    ]
    if noted:
        yield Bullets(tuple(noted), "What happened in training", caution=True)
    found = hints.of_tasks(Trained(task.name, task.directory, task.info) for task in results.tasks)
    if found:
        yield Bullets(tuple(found), "Hints: what simple rules see in the losses and in the validation images")


def _curves(results: Results, drawing: Drawing) -> Plot:
    seeds = [(task, seed) for task in results.tasks for seed in task.seeds if seed.history]
    measure = training_figure.selection_column(results.tasks)
    metric = measure.removeprefix("val_")
    spoken = " ".join(
        f"{task.name}, seed {seed.seed}: {wording.inside(metric)} {_figure(seed, measure, metric)} at the chosen "
        f"epoch of {len(seed.history)}."
        for task, seed in seeds
    )
    return Plot(
        "training-curves",
        drawing,
        f"Training by epoch, {wording.counted(len(seeds), 'training')}. Points: the epoch whose weights were chosen.",
        "The loss is what training makes smaller. Where the validation loss rises while the training loss still falls, "
        "the model learns its training images by heart.",
        f"Training curves. {spoken}",
        wide=True,
    )


def _epoch_row(task: TaskResult, seed: SeedResult) -> tuple[Cell, ...]:
    chosen = seed.model.selected_epoch if seed.model else None
    return (
        model_cell(task),
        Cell(str(seed.seed)),
        Cell(str(len(seed.history))),
        Cell(str(chosen) if chosen is not None else wording.NONE),
        Cell(_figure(seed, "train_loss", "loss")),
        Cell(_figure(seed, "val_loss", "loss")),
        Cell(_figure(seed, "val_roc_auc", "roc_auc")),
        Cell(_figure(seed, "val_accuracy", "accuracy")),
    )


def _figure(seed: SeedResult, column: str, metric: str) -> str:
    """Write a column of the chosen epoch, else of the last."""
    row = seed.selected_row or (seed.history[-1] if seed.history else {})
    value = row.get(column, float("nan"))
    if not isfinite(value):
        return wording.NONE
    return f"{value:.4f}" if metric == "loss" else wording.number(value, metric)


def _compute(results: Results) -> Iterator[Block]:
    rows = tuple(_cost_row(task, seed) for task in results.tasks for seed in task.seeds if seed.timing)
    if rows:
        titles = ("Model", "Seed", "Training time", "Images/s", "Peak memory", "Parameters", "trained", "Device")
        columns = tuple(Column(title, numeric=place not in {0, 7}) for place, title in enumerate(titles))
        yield Table("What the trainings cost", columns, rows)
    yield from _cost_of_views(results)
    for source in results.sources:
        if len(results.sources) > 1:
            yield Heading(f"Run {source.name}")
        yield _environment(source.info.environment, source.info.started)


def _cost_of_views(results: Results) -> Iterator[Table]:
    """Show what judging every image in several views took."""
    rows = tuple(
        (
            model_cell(task),
            Cell(str(tta.views)),
            Cell(str(len(task.info.seeds))),
            Cell(wording.duration(timing.seconds)),
            Cell(f"{timing.images_per_second:.1f}" if timing.images_per_second else wording.NONE),
            Cell(wording.memory(timing.peak_memory_bytes)),
            Cell(timing.device or wording.NONE, timing.precision),
        )
        for task in results.tasks
        if (tta := task.info.tta) is not None and (timing := task.timing) is not None
    )
    if rows:
        titles = ("Model", "Views", "Trainings", "Time", "Images/s", "Peak memory", "Device")
        columns = tuple(Column(title, numeric=title not in {"Model", "Device"}) for title in titles)
        note = "Of all sets together. Images/s: images that one network judges in all of their views in a second."
        yield Table("What test-time augmentation cost", columns, rows, (note,))


def _cost_row(task: TaskResult, seed: SeedResult) -> tuple[Cell, ...]:
    timing, model = seed.timing, seed.model
    assert timing is not None  # noqa: S101 - chosen so
    rate = f"{timing.images_per_second:.1f}" if timing.images_per_second else wording.NONE
    device = timing.device or wording.NONE
    on_device = timing.peak_device_memory_bytes
    return (
        model_cell(task),
        Cell(str(seed.seed)),
        Cell(wording.duration(timing.seconds)),
        Cell(rate),
        Cell(
            wording.memory(timing.peak_memory_bytes),
            f"{wording.memory(on_device)} on the device" if on_device else None,
        ),
        Cell(wording.count(model.parameters) if model else wording.NONE),
        Cell(wording.count(model.trainable) if model else wording.NONE),
        Cell(device, timing.precision),
    )


def _environment(environment: Environment, started: str) -> Table:
    revision = f", revision {environment.git_revision[:12]}" if environment.git_revision else ""
    packages = [f"{name} {environment.packages[name]}" for name in PACKAGES if name in environment.packages]
    facts = {
        "cxrkit": environment.cxrkit + revision,
        "Python": environment.python,
        "Packages": ", ".join(packages) or None,
        "Platform": environment.platform,
        "Processor": f"{environment.processor}, {wording.counted(environment.cpu_count, 'core')}",
        "Memory": wording.memory(environment.memory_bytes) if environment.memory_bytes else None,
        "Threads": str(environment.threads) if environment.threads else None,
        "Accelerator": environment.accelerator or "none",
        "Started": wording.moment(started),
    }
    rows = tuple((Cell(name), Cell(value)) for name, value in facts.items() if value)
    return Table("Versions and hardware", (Column("", numeric=False), Column("", numeric=False)), rows)
