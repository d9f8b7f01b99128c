"""The chapter on what went in: the images and the patients."""

from collections.abc import Iterator

from cxrkit.records import DataSummary
from cxrkit.report import wording
from cxrkit.report.chapters import audit, shown
from cxrkit.report.content import Block, Bullets, Cell, Column, Flow, FlowBox, Heading, Section, Table, Text
from cxrkit.report.phrases import population
from cxrkit.report.results import Results

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


def _data(results: Results) -> Iterator[Block]:
    several = len(results.sources) > 1
    told: list[str | None] = []
    for number, source in enumerate(results.sources):
        if source.info.data is None:
            continue
        if source.info.data.manifest_sha256 in told and source.info.data.manifest_sha256 is not None:
            continue
        told.append(source.info.data.manifest_sha256)
        if several:
            yield Heading(f"Images of {source.name}")
        yield from summary(source.info.data, results.positive)
        yield from shown.samples(source.run, source.samples, f"data-samples-{number}" if number else "data-samples")
        if source.audit is not None:
            yield from audit.blocks(source.audit)
    if not told:
        yield Text(
            f"The figures come from prediction files: {population(results)}. Which images were left out before, and "
            "whether any of these patients took part in training, these files cannot tell."
        )


def summary(data: DataSummary, positive: str) -> Iterator[Block]:
    """Show the way of the images from files to splits, the splits, and where the images come from."""
    yield _flow(data)
    yield _splits(data, positive)
    facts = [f"Patients: {data.patient_rule}."] if data.patient_rule else []
    facts += data.notes
    if data.licence:
        facts.append(f"Licence of the images: {data.licence}.")
    if data.manifest_sha256:
        facts.append(f"SHA-256 of the manifest, which lists each file with its own: {data.manifest_sha256}.")
    if facts:
        yield Bullets(tuple(facts), "Origin and notes")


def _flow(data: DataSummary) -> Flow:
    excluded = sum(data.excluded.values())
    reasons = tuple(f"{wording.count(number)} {reason}" for reason, number in data.excluded.items())
    return Flow(
        found=FlowBox("Files found", wording.count(data.found)),
        excluded=FlowBox("Excluded", wording.count(excluded), reasons) if excluded else None,
        splits=tuple(_box(data, name) for name in split_names(data)),
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


def split_names(data: DataSummary) -> list[str]:
    """Name the splits: training, validation, test, then the external sets."""
    return sorted(data.counts, key=lambda name: (ORDER.get(name, len(ORDER)), name))


def _splits(data: DataSummary, positive: str) -> Table:
    classes = list(dict.fromkeys(name for counts in data.counts.values() for name in counts))
    titles = ("Split", "Images", *classes, f"Share of {positive}", "Patients", "Images per patient")
    rows = tuple(_split_row(data, name, classes, positive) for name in split_names(data))
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
