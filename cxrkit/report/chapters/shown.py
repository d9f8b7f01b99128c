"""What the images are like, and what training makes of them: small pictures from the run directory."""

from collections.abc import Iterator, Mapping, Sequence
from math import isclose
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cxrkit.config.schema import AugmentationTable
from cxrkit.errors import InputError
from cxrkit.records import AugmentationPreview, PreviewedImage, SampleImage, SampleImages
from cxrkit.report import wording
from cxrkit.report.chapters.cases import jpeg
from cxrkit.report.content import Block, Heading, Tile, TileRow, Tiles
from cxrkit.report.results import Results
from cxrkit.rundir import RunDirectory

SETS = {"train": "Training", "val": "Validation", "test": "Test", "no split": "No split"}
LOOK = """They show what the images are like: the views, the devices, borders and marks on the film. What the images
    of one class have in common besides the disease, a model can learn in its place."""
FLIPPED = """A mirrored radiograph shows the heart on the other side and the side marker in mirror writing: a model that
    is trained so learns that sides do not matter, and cannot tell dextrocardia or a mirrored picture."""
STILL = "What these views still show of a lesion, the model can learn; what they cut off or hide, it cannot."


def set_name(name: str) -> str:
    """Name a split, or an external set."""
    return SETS.get(name, f"External: {name}")


# ── Samples ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def samples(run: RunDirectory, found: SampleImages | None, name: str = "data-samples") -> Iterator[Tiles]:
    """Show the images that were drawn of each set and class, those whose thumbnails are there."""
    groups: dict[tuple[str, str], list[SampleImage]] = {}
    for image in found.images if found is not None else ():
        if run.thumbnail(image.sha256).is_file() and jpeg(run.thumbnail(image.sha256)):
            groups.setdefault((image.set, image.label), []).append(image)
    if found is None or not groups:
        return
    number = sum(map(len, groups.values()))
    rows = tuple(
        TileRow(f"{set_name(of)}: {label}", tuple(_sample(run, image) for image in images))
        for (of, label), images in groups.items()
    )
    told = "; ".join(
        f"{set_name(of)}, {label}: {wording.listed([_whose(image.patient, image.image) for image in images])}"
        for (of, label), images in groups.items()
    )
    yield Tiles(
        name,
        rows,
        f"Sample images, n = {wording.count(number)}: at most {found.each} of each set and class, drawn at random by "
        f"patient (seed {found.seed}), whatever a model says of them. Below each, whose it is.",
        " ".join(LOOK.split()),
        f"Chest X-rays by set and class. {told}.",
    )


def _sample(run: RunDirectory, image: SampleImage) -> Tile:
    where = set_name(image.set)
    return Tile(
        jpeg(run.thumbnail(image.sha256)) or b"",
        image.patient if _is_told_apart(image.patient, image.image) else Path(image.image).name,
        f"Chest X-ray {image.image}, {where[:1].lower()}{where[1:]}, shows {image.label}",
    )


def _whose(patient: str, image: str) -> str:
    """Name the patient; the file, where every image counts as a patient of its own."""
    return f"patient {patient}" if _is_told_apart(patient, image) else Path(image).name


def _is_told_apart(patient: str, image: str) -> bool:
    return patient not in {"", image}


# ── Augmentation ──────────────────────────────────────────────────────────────────────────────────────────────────────


def previews(results: Results) -> Iterator[Block]:
    """Show training images under each augmentation of each run."""
    found = [
        (source, place, preview, tasks)
        for number, source in enumerate(results.sources)
        for place, preview in enumerate(source.previews.previews if source.previews is not None else ())
        if (tasks := _tasks(results, number, preview))
    ]
    tiles = [
        one
        for number, (source, place, preview, tasks) in enumerate(found)
        for one in preview_tiles(source.run, place, preview, tasks if len(found) > 1 else [], augmentation_name(number))
    ]
    if tiles:
        yield Heading("What augmentation makes of training images")
        yield from tiles


def _tasks(results: Results, source: int, preview: AugmentationPreview) -> list[str]:
    """Name the finished models that were trained with an augmentation."""
    return [task.name for task in results.tasks if task.source == source and task.info.task in preview.tasks]


def augmentation_name(number: int) -> str:
    """Name the figure of an augmentation."""
    return f"training-augmentation-{number}" if number else "training-augmentation"


def preview_tiles(
    run: RunDirectory, place: int, preview: AugmentationPreview, tasks: Sequence[str], name: str
) -> Iterator[Tiles]:
    """Show one preview, as far as its pictures are there.

    Args:
        run: whose it is.
        place: of the preview in its index.
        preview: what is shown.
        tasks: to be named; none where it is everyone's.
        name: of the figure.
    """
    rows = tuple(
        row for number, image in enumerate(preview.images) if (row := _views(run, place, number, preview)).tiles
    )
    if not rows:
        return
    yield Tiles(
        name,
        rows,
        _caption(preview, tasks, steps(_table(run, preview.settings))),
        " ".join((FLIPPED if preview.settings.get("horizontal_flip") else STILL).split()),
        f"{wording.counted(len(rows), 'image')}, each plain and under {len(preview.epochs)} draws of the "
        f"augmentation. {'; '.join(row.title for row in rows)}.",
    )


def _caption(preview: AugmentationPreview, tasks: Sequence[str], told: Sequence[str]) -> str:
    whose = f" of {wording.listed(tasks)}" if tasks else ""
    epochs = wording.listed([str(epoch) for epoch in preview.epochs])
    size = f"{preview.image_size} \N{MULTIPLICATION SIGN} {preview.image_size} pixels"
    return (
        f"The augmentation{whose}: {'; '.join(told) or 'nothing is drawn by chance'}. Left, each image as the "
        f"network sees it plain ({size}); then as the training with seed {preview.seed} draws it for epochs {epochs}."
    )


def _views(run: RunDirectory, place: int, number: int, preview: AugmentationPreview) -> TileRow:
    image = preview.images[number]
    tiles = tuple(
        Tile(picture, "Plain" if epoch is None else f"Epoch {epoch}", _alt(image, epoch, preview.seed))
        for epoch in (None, *preview.epochs)
        if (path := run.view(place, number, epoch)).is_file() and (picture := jpeg(path))
    )
    return TileRow(f"{image.label}, {_whose(image.patient, image.image)}", tiles)


def _alt(image: PreviewedImage, epoch: int | None, seed: int) -> str:
    how = "as the network sees it plain" if epoch is None else f"as augmented in epoch {epoch} of seed {seed}"
    return f"Chest X-ray {image.image}, shows {image.label}, {how}"


def _table(run: RunDirectory, settings: Mapping[str, Any]) -> AugmentationTable:
    try:
        return AugmentationTable.model_validate(dict(settings))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{run.previews}: settings.{where}: {first['msg']}") from None


def steps(table: AugmentationTable) -> list[str]:
    """Say in words what an augmentation does, one step after the other."""
    told = [_crop(table)] if table.random_resized_crop is not False else []
    if table.horizontal_flip:
        told.append(
            f"mirrored, and with it the heart to the other side, with a probability of {table.horizontal_flip:g}"
        )
    if table.rotation:
        told.append(f"turned by up to {table.rotation:g}\N{DEGREE SIGN} either way")
    if table.zoom:
        told.append(f"enlarged or reduced by up to {_percent(table.zoom)}")
    if table.elastic:
        told.append(f"deformed elastically (strength {table.elastic:g} pixels)")
    told += [
        f"{name} up or down by up to {_percent(share)}"
        for name, share in (("contrast", table.contrast), ("brightness", table.brightness))
        if share
    ]
    return told


def _crop(table: AugmentationTable) -> str:
    crop = table.random_resized_crop
    assert crop is not False  # noqa: S101 - asked before
    low, high = crop.scale
    share = _percent(low) if isclose(low, high) else f"{_percent(low)} to {_percent(high)}"
    return f"a cut-out of {share} of the image's area, stretched to the input's size"


def _percent(share: float) -> str:
    return f"{100 * share:.4g}%"
