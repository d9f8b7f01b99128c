"""The chapter on how each model was made: settings, ensembles, thresholds, layers."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cxrkit.api import Unit
from cxrkit.records import ModelInfo, TaskKind, ThresholdRecord
from cxrkit.report import wording
from cxrkit.report.chapters import shown
from cxrkit.report.chapters.repeats import UNITS
from cxrkit.report.content import Block, Cell, Column, Section, Table
from cxrkit.report.phrases import ENSEMBLE_METHODS, threshold_origin
from cxrkit.report.results import Results, TaskResult
from cxrkit.report.tables import model_cell, threshold_cell

TIMES = " \N{MULTIPLICATION SIGN} "
KINDS: dict[TaskKind, str] = {
    "trained": "trained here",
    "predictions": "predictions given",
    "tta": "test-time augmentation",
    "ensemble": "ensemble",
    "checkpoint": "saved model",
}
SCALES = {"score": "a score, no probability", "decision": "bare decisions"}


def section(results: Results) -> Section:
    """Describe how each model was made."""
    return Section("models", "Models", tuple(_models(results)))


def _models(results: Results) -> Iterator[Block]:
    yield _settings(results)
    yield from _views(results)
    yield from _ensembles(results)
    yield _thresholds(results)
    yield from shown.previews(results)
    yield from _layers(results)


def _settings(results: Results) -> Table:
    titles = ("Model", "Kind", "Architecture", "Imbalance", "Training", "Settings")
    rows = tuple(_setting_row(task) for task in results.tasks)
    notes = [
        f"{task.name}: {_augmentation(task.info.options)}"
        for task in results.tasks
        if "augmentation" in task.info.options
    ]
    texts = {note.split(": ", 1)[1] for note in notes}
    shared = (
        (f"Augmentation of training images, all models: {texts.pop()}.",)
        if len(texts) == 1
        else tuple(f"Augmentation, {note}." for note in notes)
    )
    return Table("How each model was made", tuple(Column(title, numeric=False) for title in titles), rows, shared)


def _setting_row(task: TaskResult) -> tuple[Cell, ...]:
    info = task.info
    options = info.options
    plain: dict[str, Any] = {key: options[key] for key in ("epochs", "batch_size", "precision") if key in options}
    plain |= {"views": info.tta.views} if info.tta else {}
    seeds = f"seed{'s' if len(info.seeds) > 1 else ''} {wording.listed([str(seed) for seed in info.seeds])}"
    if len(info.seeds) > 1:
        seeds += f", represented by {'their mean logit' if info.represent == 'ensemble' else info.represent}"
    return (
        model_cell(task),
        Cell(KINDS[info.kind], SCALES.get(info.scale)),
        Cell(info.model or wording.NONE, _told(options.get("model", {})) or None),
        Cell(info.imbalance or wording.NONE, _told(options.get("imbalance", {})) or None),
        Cell(info.trainer or wording.NONE, _told(options.get("trainer", {})) or None),
        Cell(_told(plain) or wording.NONE, seeds if info.seeds else None),
    )


def _told(options: Mapping[str, Any]) -> str:
    """List options as ``learning rate 0.001, freeze layer2``; those that are off are left out."""
    return ", ".join(
        f"{name.replace('_', ' ')} {_option(value)}" for name, value in options.items() if value not in (None, False)
    )


def _option(value: Any) -> str:
    if value is True:
        return "on"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        return f"({_told(value)})"
    if isinstance(value, list | tuple):
        told = [_option(one) for one in value]
        is_range = len(value) == 2 and not any(isinstance(one, str) for one in value)  # noqa: PLR2004 - from, to
        return " to ".join(told) if is_range else wording.listed(told)
    text = str(value)
    return Path(text).name if Path(text).is_absolute() else text  # a folder of this machine tells no reader anything


def _augmentation(options: Mapping[str, Any]) -> str:
    used = {name: value for name, value in options["augmentation"].items() if value not in (0, False, None)}
    return _told(used) or "none"


def _views(results: Results) -> Iterator[Table]:
    """Show in which views each model with test-time augmentation judges an image."""
    rows = [
        (
            model_cell(task),
            Cell(wording.listed(task.info.members)),
            Cell(str(told.views)),
            Cell(_augmentation({"augmentation": told.augmentation})),
        )
        for task in results.tasks
        if (told := task.info.tta) is not None
    ]
    if rows:
        titles = ("Model", "Networks of", "Views", "Augmentation of all views but the plain one")
        columns = tuple(Column(title, numeric=title == "Views") for title in titles)
        note = (
            "An image is judged in several views of it, and the logits are averaged. The random choices depend on the "
            "run's seed, the image and the number of the view alone: the same image gives the same result again."
        )
        yield Table("Test-time augmentation", columns, tuple(rows), (note,))


def _ensembles(results: Results) -> Iterator[Table]:
    """Show of what each ensemble consists, and with which weights."""
    rows = []
    for task in results.tasks:
        told = task.info.ensemble
        for place, name in enumerate(task.info.members if task.info.kind == "ensemble" else ()):
            weight = told.weights.get(name) if told else None
            rows.append(
                (
                    model_cell(task) if place == 0 else Cell(""),
                    Cell(name),
                    Cell(f"{weight:.3f}" if weight is not None else wording.NONE),
                    Cell(ENSEMBLE_METHODS[told.method] if told and place == 0 else ""),
                )
            )
    if rows:
        columns = (
            Column("Ensemble", numeric=False),
            Column("Member", numeric=False),
            Column("Weight"),
            Column("Put together as", numeric=False),
        )
        yield Table("Ensembles and their members", columns, tuple(rows))


def _thresholds(results: Results) -> Table:
    rows = []
    for task in results.tasks:
        own = {"images": task.info.threshold} if task.info.threshold else {}
        for what, one in {**own, **{UNITS[unit]: one for unit, one in _of_patients(task)}}.items():
            of_images = what == "images"
            rows.append(
                (
                    model_cell(task) if of_images else Cell(""),
                    Cell(what),
                    threshold_cell(one),
                    Cell(one.rule),
                    Cell(threshold_origin(one, "image" if of_images else "patient"), one.note),
                )
            )
    columns = (
        Column("Model", numeric=False),
        Column("Of", numeric=False),
        Column("Threshold"),
        Column("Rule", numeric=False),
        Column("Origin", numeric=False),
    )
    called = (
        f"An image is called {results.positive} where its probability of it, or its score, is at least the threshold."
    )
    notes = [called]
    if any(task.info.threshold and task.info.threshold.low is not None for task in results.tasks):
        notes.append(_interval_note(results))
    return Table("Decision thresholds and where they come from", columns, tuple(rows), tuple(notes))


def _of_patients(task: TaskResult) -> list[tuple[Unit, ThresholdRecord]]:
    """Give the thresholds of patients, where they were used for any figure."""
    used = {record.unit for record in task.metrics.records}
    return [
        (unit, task.info.patient_thresholds[unit])
        for unit in UNITS
        if unit in used & task.info.patient_thresholds.keys()
    ]


def _interval_note(results: Results) -> str:
    known = [one for task in results.tasks if (one := task.info.threshold) and one.level]
    level = f"{wording.level(known[0].level or 0)} interval" if known else "interval"
    methods = dict.fromkeys(one.method for one in known if one.method)
    by = f" ({'; '.join(methods)})" if methods else ""
    return f"Below a threshold its own {level}{by}: how far another validation set of this size would move it."


def _layers(results: Results) -> Iterator[Table]:
    """Show the layers of each network; those of several models alike once."""
    alike: dict[str, tuple[ModelInfo, list[str]]] = {}
    for task in results.tasks:
        model = next((seed.model for seed in task.seeds if seed.model is not None), None)
        if model is not None and model.layers:
            key = model.model_dump_json(include={"model", "layers", "parameters", "trainable", "preprocessing"})
            alike.setdefault(key, (model, []))[1].append(task.name)
    for model, names in alike.values():
        yield _layer_table(model, names)


def _layer_table(model: ModelInfo, names: list[str]) -> Table:
    titles = ("Part", "Kind", "Output", "Parameters", "Trained")
    rows = [
        (layer.name, layer.kind, TIMES.join(map(str, layer.output_shape)), layer.parameters, layer.trainable)
        for layer in model.layers
    ]
    rows.append(("total", "", "", model.parameters, model.trainable))
    cells = tuple(tuple(Cell(wording.count(one) if isinstance(one, int) else one) for one in row) for row in rows)
    columns = tuple(Column(title, numeric=title in {"Parameters", "Trained"}) for title in titles)
    size = model.preprocessing.image_size
    caption = f"Layers of {wording.listed(names)} ({model.model}), for an input of {size}{TIMES}{size} pixels"
    return Table(caption, columns, cells, small=True)
