"""The chapters on what went in: the images, the patients, and how each model was made."""

from collections.abc import Iterator, Mapping
from typing import Any

from cxrkit.records import DataSummary, ModelInfo
from cxrkit.report import wording
from cxrkit.report.content import Block, Bullets, Cell, Column, Flow, FlowBox, Heading, Section, Table, Text
from cxrkit.report.phrases import population, threshold_origin
from cxrkit.report.results import Results, TaskResult
from cxrkit.report.tables import model_cell

TIMES = " \N{MULTIPLICATION SIGN} "
ORDER = {"train": 0, "val": 1, "test": 2}
SPLIT_TITLES = {"train": "Training", "val": "Validation", "test": "Test"}
SPLIT_USES = {
    "train": "the weights are fitted on these",
    "val": "chooses epoch and threshold",
    "test": "for the figures alone",
}


def section(results: Results) -> Section:
    """Describe the images and where they came from."""
    return Section("data", "Images and patients", tuple(_data(results)))


def models_section(results: Results) -> Section:
    """Describe how each model was made."""
    return Section("models", "Models", tuple(_models(results)))


def _data(results: Results) -> Iterator[Block]:
    several = len(results.sources) > 1
    shown: list[str | None] = []
    for source in results.sources:
        if source.info.data is None:
            continue
        if source.info.data.manifest_sha256 in shown and source.info.data.manifest_sha256 is not None:
            continue
        shown.append(source.info.data.manifest_sha256)
        if several:
            yield Heading(f"Run {source.run.root.name}")
        yield from _summary(source.info.data, results.positive)
    if not shown:
        yield Text(
            f"The figures come from prediction files: {population(results)}. Which images were left out before, and "
            "whether any of these patients took part in training, these files cannot tell."
        )


def _summary(data: DataSummary, positive: str) -> Iterator[Block]:
    yield _flow(data)
    yield _splits(data, positive)
    facts = [f"Patients: {data.patient_rule}."] if data.patient_rule else []
    facts += data.notes
    if data.licence:
        facts.append(f"Licence of the images: {data.licence}.")
    if data.manifest_sha256:
        facts.append(f"SHA-256 of the manifest, which lists each file with its own: {data.manifest_sha256}.")
    if facts:
        yield Bullets(tuple(facts), "Audit")


def _flow(data: DataSummary) -> Flow:
    excluded = sum(data.excluded.values())
    reasons = tuple(f"{wording.count(number)} {reason}" for reason, number in data.excluded.items())
    return Flow(
        found=FlowBox("Files found", wording.count(data.found)),
        excluded=FlowBox("Excluded", wording.count(excluded), reasons) if excluded else None,
        splits=tuple(_box(data, name) for name in _split_names(data)),
        caption="From the files found to the images used (n: images).",
    )


def _box(data: DataSummary, split: str) -> FlowBox:
    counts = data.counts[split]
    lines = [f"{name} {wording.count(number)}" for name, number in counts.items()]
    if split in data.patients:
        lines.append(wording.counted(data.patients[split], "patient"))
    if split in SPLIT_USES:
        lines.append(SPLIT_USES[split])
    return FlowBox(SPLIT_TITLES.get(split, f"External: {split}"), wording.count(sum(counts.values())), tuple(lines))


def _split_names(data: DataSummary) -> list[str]:
    return sorted(data.counts, key=lambda name: (ORDER.get(name, len(ORDER)), name))


def _splits(data: DataSummary, positive: str) -> Table:
    classes = list(dict.fromkeys(name for counts in data.counts.values() for name in counts))
    titles = ("Split", "Images", *classes, f"Share of {positive}", "Patients", "Images per patient")
    rows = tuple(_split_row(data, name, classes, positive) for name in _split_names(data))
    columns = tuple(Column(title, numeric=place > 0) for place, title in enumerate(titles))
    return Table("Images and patients in each split", columns, rows)


def _split_row(data: DataSummary, split: str, classes: list[str], positive: str) -> tuple[Cell, ...]:
    counts = data.counts[split]
    images = sum(counts.values())
    patients = data.patients.get(split)
    return (
        Cell(SPLIT_TITLES.get(split, split)),
        Cell(wording.count(images)),
        *(Cell(wording.count(counts.get(name, 0))) for name in classes),
        Cell(wording.number(counts.get(positive, 0) / images, "prevalence") if images else wording.NONE),
        Cell(wording.count(patients) if patients is not None else wording.NONE),
        Cell(f"{images / patients:.2f}" if patients else wording.NONE),
    )


def _models(results: Results) -> Iterator[Block]:
    yield _settings(results)
    yield _thresholds(results)
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
    seeds = f"seed{'s' if len(info.seeds) > 1 else ''} {wording.listed([str(seed) for seed in info.seeds])}"
    if len(info.seeds) > 1:
        seeds += f", represented by {'their mean logit' if info.represent == 'ensemble' else info.represent}"
    return (
        model_cell(task),
        Cell({"trained": "trained here", "predictions": "predictions given"}.get(info.kind, info.kind)),
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
    return str(value)


def _augmentation(options: Mapping[str, Any]) -> str:
    used = {name: value for name, value in options["augmentation"].items() if value not in (0, False, None)}
    return _told(used) or "none"


def _thresholds(results: Results) -> Table:
    rows = tuple(
        (model_cell(task), Cell(wording.threshold(one.value)), Cell(one.rule), Cell(threshold_origin(one), one.note))
        for task in results.tasks
        if (one := task.info.threshold)
    )
    columns = (
        Column("Model", numeric=False),
        Column("Threshold"),
        Column("Rule", numeric=False),
        Column("Origin", numeric=False),
    )
    note = (
        f"An image is called {results.positive} where its probability of {results.positive} is at least the threshold."
    )
    return Table("Decision thresholds and where they come from", columns, rows, (note,))


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
