"""``cxrkit data preview``: what a data set and its augmentation look like before anything is trained."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from cxrkit.config.schema import AugmentationTable, DataTable
from cxrkit.data.audit import as_it_is
from cxrkit.data.building import recognised_positive
from cxrkit.data.manifest import Manifest
from cxrkit.discovery import load
from cxrkit.errors import InputError
from cxrkit.records import AugmentationPreviews, SampleImages
from cxrkit.report import pseudonyms
from cxrkit.report.chapters import shown
from cxrkit.report.content import Plot
from cxrkit.report.drawn import plotting, splits, tiles
from cxrkit.report.naming import AS_THEY_ARE, Names
from cxrkit.run import samples
from cxrkit.run.samples import Distinct
from cxrkit.run.study import Request, Study, prepare
from cxrkit.rundir import RunDirectory

EACH = 4
TRAIN = "train"
Advance = Callable[[int, int], None]


@dataclass(frozen=True)
class Looked:
    """Images that have been read.

    Attributes:
        manifest: of them.
        positive: the class whose detection matters; empty where it is not known.
        augmentations: that trainings would use.
        image_size: pixels of the network's input.
        each: images of a set and class that are shown, at most.
        seed: of the draw.
        names: what images and patients are called.
    """

    manifest: Manifest
    positive: str
    augmentations: Sequence[Distinct]
    image_size: int
    each: int
    seed: int
    names: Names = AS_THEY_ARE


def of_tasks(path: Path, sets: Sequence[str], advance: Advance) -> Looked:
    """Read the images of a ``tasks.toml`` as a run would, with its splits and augmentations.

    Raises:
        InputError: anything in the file is wrong, or it has no images.
    """
    study = prepare(Request(path, sets=sets), advance=advance)
    table, data = study.configuration.report, study.configuration.data
    if study.manifest is None or data is None:
        raise InputError(f"{path}: has no images to preview, [data] root or manifest is needed")
    return Looked(
        manifest=study.manifest,
        positive=study.positive,
        augmentations=samples.distinct(study),
        image_size=data.image_size,
        each=table.samples or EACH,
        seed=study.configuration.run.seed,
        names=_names(study, study.manifest),
    )


def _names(study: Study, manifest: Manifest) -> Names:
    images, patients = manifest.frame["image"].tolist(), manifest.frame["patient"].tolist()
    words = (*study.class_names, *manifest.sets, study.run.root.name)
    return pseudonyms.of_preview(study.configuration.report, study.run, images, patients, words)


def of_images(table: DataTable, advance: Advance) -> Looked:
    """Read images as they are split now, with the augmentation that is used where none is configured.

    Raises:
        InputError: there is nothing to look at.
    """
    manifest = as_it_is(table, Path(), load("cxrkit").datasets, advance)
    names = sorted(set(manifest.usable["label"]))
    default = [Distinct(AugmentationTable(), 0, ["any model"])]
    return Looked(manifest, recognised_positive(names) or "", default, table.image_size, EACH, 0)


def write(looked: Looked, folder: Path, *, dpi: int) -> list[Path]:
    """Write samples, classes and augmentation as PNG files, and an index with captions and alternative texts.

    Args:
        looked: what was read.
        folder: where to.
        dpi: pixels per inch.

    Returns:
        The files, the index last.

    Raises:
        InputError: an image cannot be read.
        RunError: a file cannot be written.
    """
    with TemporaryDirectory(prefix="cxrkit-") as place:
        run = RunDirectory(Path(place))
        samples.write_samples(run, looked.manifest, looked.each, seed=looked.seed)
        found = {plot.name: plot for plot in _plots(run, looked)}
    return plotting.write(folder, found, ("png",), width=None, dpi=dpi)


def _plots(run: RunDirectory, looked: Looked) -> Iterator[Plot]:
    for block in shown.samples(run, looked.names.document(SampleImages.read(run.samples))):
        yield tiles.plot(block)
    yield splits.plot(looked.manifest.summary(), looked.positive)
    split = TRAIN if TRAIN in looked.manifest.sets else looked.manifest.sets[0]
    if not looked.augmentations:
        return
    samples.write_previews(run, looked.manifest, looked.augmentations, looked.image_size, seed=looked.seed, split=split)
    index = looked.names.document(AugmentationPreviews.read(run.previews)).previews
    for place, preview in enumerate(index):
        tasks = preview.tasks if len(index) > 1 else []
        for block in shown.preview_tiles(run, place, preview, tasks, shown.augmentation_name(place)):
            yield tiles.plot(block)
