"""What the images are like, and what training makes of them, written before anything is trained."""

import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from cxrkit.config.schema import AugmentationTable
from cxrkit.data import sampling
from cxrkit.data.images import ImageChangedError, UnreadableImage
from cxrkit.data.manifest import Manifest
from cxrkit.errors import CxrkitError
from cxrkit.files import digest, write_bytes
from cxrkit.records import (
    AugmentationPreview,
    AugmentationPreviews,
    Document,
    PreviewedImage,
    SampleImage,
    SampleImages,
)
from cxrkit.run import thumbnails
from cxrkit.run.progress import Display
from cxrkit.run.study import Study
from cxrkit.rundir import RunDirectory

MOST = 48  # images of all sets and classes together, as far as each has one
PREVIEWED = 4  # images of one preview
EPOCHS = (1, 2, 3, 4)
LONGER_SIDE = 256  # pixels of a view at most; a network's usual input of 224 stays as it is


@dataclass(frozen=True)
class Distinct:
    """An augmentation, the tasks that train with it, and the seed of the first of their trainings."""

    table: AugmentationTable
    seed: int
    tasks: list[str] = field(default_factory=list)


def carry_out(study: Study, display: Display) -> None:
    """Write samples of a study's images and previews of its augmentations, or remove what is no longer asked for.

    A file that cannot be read is left out here; whether it stops a training is that one's to say.
    """
    each = study.configuration.report.samples
    if study.manifest is None or each == 0:
        forget(study.run)
        return
    write_samples(study.run, study.manifest, each, seed=study.configuration.run.seed)
    data, found = study.configuration.data, distinct(study)
    if data is None or not found:
        _forget_previews(study.run)
        return
    try:
        write_previews(study.run, study.manifest, found, data.image_size, seed=study.configuration.run.seed)
    except CxrkitError as error:
        _forget_previews(study.run)
        display.warn(f"no preview of the augmentation: {error}")


def forget(run: RunDirectory) -> None:
    """Remove the samples and the previews."""
    run.samples.unlink(missing_ok=True)
    _forget_previews(run)


def distinct(study: Study) -> list[Distinct]:
    """Tell the augmentations of a study's trainings apart; one that leaves every image as it is counts for none."""
    found: dict[str, Distinct] = {}
    for task in study.configuration.task:
        table = task.augmentation or study.configuration.augmentation
        if task.model is not None and draws(table):
            found.setdefault(table.model_dump_json(), Distinct(table, task.seeds[0])).tasks.append(task.name)
    return list(found.values())


def draws(table: AugmentationTable) -> bool:
    """Say whether anything of an augmentation is drawn by chance."""
    return any(getattr(table, name) is not False and getattr(table, name) != 0 for name in type(table).model_fields)


# ── Samples ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def write_samples(run: RunDirectory, manifest: Manifest, each: int, *, seed: int) -> None:
    """Write ``samples.json`` and its thumbnails.

    Args:
        run: where to.
        manifest: of the images.
        each: images of a set and class at most; fewer where there are many sets and classes.
        seed: of the draw.
    """
    cells = len(manifest.usable.groupby(["split", "label"]))
    fewer = max(1, min(each, MOST // max(1, cells)))
    images = [one for name in manifest.sets for one in _of_set(run, manifest, name, fewer, seed)]
    found = SampleImages(seed=seed, each=fewer, images=images)
    if not _says(run.samples, found):
        found.write(run.samples)


def _of_set(run: RunDirectory, manifest: Manifest, name: str, each: int, seed: int) -> Iterator[SampleImage]:
    frame = manifest.of(name)
    rows = frame.set_index("image")
    for label, images in sampling.draw_of_each_class(frame, each, seed=seed).items():
        for image in _written(run, manifest, name, images):
            row = rows.loc[image]
            yield SampleImage(
                image=image, set=name, label=label, patient=str(row["patient"]), sha256=str(row["sha256"])
            )


def _written(run: RunDirectory, manifest: Manifest, name: str, images: Iterable[str]) -> Iterator[str]:
    for image in images:
        try:
            thumbnails.write(run, manifest, name, [image])
        except (ImageChangedError, UnreadableImage):
            continue
        yield image


# ── Augmentation ──────────────────────────────────────────────────────────────────────────────────────────────────────


def write_previews(
    run: RunDirectory,
    manifest: Manifest,
    found: Sequence[Distinct],
    image_size: int,
    *,
    seed: int,
    split: str = "train",
) -> None:
    """Write training images plain and under each augmentation, where they are not there yet; the index last.

    Args:
        run: where to.
        manifest: of the images.
        found: the augmentations.
        image_size: pixels of the network's input.
        seed: of the draw of images.
        split: whose images are shown.

    Raises:
        UnreadableImage: one of the images has become unreadable.
        ImageChangedError: one is another file by now.
        RunError: the folder cannot be written.
    """
    images = _previewed(manifest, split, seed)
    index = AugmentationPreviews(
        made_of=_made_of(manifest, split, images),
        previews=[
            AugmentationPreview(
                tasks=one.tasks,
                settings=one.table.model_dump(mode="json"),
                seed=one.seed,
                epochs=list(EPOCHS),
                image_size=image_size,
                images=images,
            )
            for one in found
        ],
    )
    if _says(run.previews, index):
        return
    _forget_previews(run)
    for number, one in enumerate(found):
        _write_views(run, manifest, number, one, index.previews[number], split)
    index.write(run.previews)


def _previewed(manifest: Manifest, split: str, seed: int) -> list[PreviewedImage]:
    frame = manifest.of(split)
    rows = frame.set_index("image")
    drawn = sampling.draw_of_each_class(frame, max(1, PREVIEWED // max(1, frame["label"].nunique())), seed=seed)
    return [
        PreviewedImage(image=image, label=label, patient=str(rows.loc[image, "patient"]))
        for label, images in [*drawn.items()][:PREVIEWED]
        for image in images
    ]


def _write_views(
    run: RunDirectory, manifest: Manifest, number: int, one: Distinct, preview: AugmentationPreview, split: str
) -> None:
    from cxrkit.training.previews import views

    names = [image.image for image in preview.images]
    paths = [manifest.roots[split] / name for name in names]
    hashes = _hashes(manifest, split, preview.images)
    shown = views(paths, names, hashes, one.table, preview.image_size, one.seed, preview.epochs)
    for place, of_image in enumerate(shown):
        for epoch, grey in zip((None, *preview.epochs), of_image, strict=True):
            write_bytes(run.view(number, place, epoch), thumbnails.jpeg(grey, LONGER_SIDE))


def _made_of(manifest: Manifest, split: str, images: Sequence[PreviewedImage]) -> str:
    """Describe what the index itself does not tell."""
    return digest(json.dumps([version("cxrkit"), _hashes(manifest, split, images)]))


def _hashes(manifest: Manifest, split: str, images: Sequence[PreviewedImage]) -> list[str]:
    found = manifest.of(split).set_index("image")["sha256"]
    return [str(found[one.image]) for one in images]


def _says(path: Path, document: Document) -> bool:
    return path.is_file() and json.loads(path.read_bytes()) == document.model_dump(mode="json", by_alias=True)


def _forget_previews(run: RunDirectory) -> None:
    shutil.rmtree(run.augmentation, ignore_errors=True)
