"""A generated data set that looks like Kermany's and needs no download: radiographs of a phantom with known lesions."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cxrkit.data import anatomy, exposure
from cxrkit.data.folders import creating
from cxrkit.data.inspection import Progress
from cxrkit.data.opacities import PATTERNS
from cxrkit.data.patients import kermany
from cxrkit.errors import InputError

SIZES = range(64, 1025)
FEWEST_IMAGES = 40
COLUMNS = "image,label,split,patient,pathogen,mask\n"
_PNEUMONIA = {"train": 0.74, "val": 0.5, "test": 0.62}  # as in Kermany's splits
_BACTERIAL = 0.62  # of pneumonia
_MOST_PER_PATIENT = {"normal": 2, "bacteria": 4, "virus": 4}


@dataclass(frozen=True)
class Case:
    """An image to make.

    Attributes:
        split: train, val or test.
        pathogen: normal, bacteria or virus.
        patient: number among all patients, from 0.
        image: number among the patient's images, from 0.
        name: of the file, without suffix.
    """

    split: str
    pathogen: str
    patient: int
    image: int
    name: str

    @property
    def label(self) -> str:
        """The class."""
        return "NORMAL" if self.pathogen == "normal" else "PNEUMONIA"

    @property
    def path(self) -> str:
        """Of the image, relative to the phantom's folder."""
        return f"{self.split}/{self.label}/{self.name}.jpeg"

    @property
    def mask(self) -> str:
        """Path of the lesion's mask; empty where there is no lesion."""
        return "" if self.pathogen == "normal" else f"masks/{self.split}/{self.label}/{self.name}.png"


def write(
    directory: Path,
    *,
    images: int = 600,
    size: int = 128,
    seed: int = 0,
    progress: Progress | None = None,
) -> None:
    """Write a phantom: class folders with Kermany's file names, ``masks/`` and ``phantom.csv``.

    Three of four training images and 62 % of the test images show pneumonia, bacterial as focal and viral as diffuse
    opacity; patients have up to four images. The same arguments give the same phantom.

    Args:
        directory: new or empty folder.
        images: of all splits together, at least 40.
        size: pixels, height and width, 64 to 1,024.
        seed: of everything.
        progress: called with the images done and their total.

    Raises:
        InputError: the folder is not empty, or a number is out of range.
        RunError: the folder cannot be written.
    """
    if images < FEWEST_IMAGES:
        raise InputError(f"images: must be at least {FEWEST_IMAGES}, got {images}")
    if size not in SIZES:
        raise InputError(f"size: must be {SIZES.start} to {SIZES.stop - 1} pixels, got {size}")
    if seed < 0:
        raise InputError(f"seed: must be at least 0, got {seed}")
    cases = list(_cases(images, np.random.default_rng(seed)))
    with creating(directory) as folder:
        _write_all(folder, cases, size, seed, progress)
        text = COLUMNS + "".join(_row(case) for case in cases)
        (folder / "phantom.csv").write_text(text, encoding="utf-8", newline="\n")


def render(case: Case, size: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Make an image.

    Returns:
        uint8[size, size], grey values, and bool[size, size], the lesion's mask.
    """
    child = anatomy.draw(np.random.default_rng([seed, case.patient]))
    rng = np.random.default_rng([seed, case.patient, case.image + 1])
    x, y = exposure.grid(rng, size)
    thorax = anatomy.project(child, x, y)
    attenuation, mask = thorax.attenuation, np.zeros((size, size), dtype=bool)
    if case.pathogen != "normal":
        opacity = PATTERNS[case.pathogen](rng, x, y, thorax.lungs, rng.uniform(0.3, 1))
        attenuation, mask = attenuation + opacity.attenuation, opacity.mask
    return exposure.develop(rng, attenuation), mask


def _cases(images: int, rng: np.random.Generator) -> Iterator[Case]:
    patient = 0
    numbers = {"normal": 114, "bacteria": 0, "virus": 0}  # bacterial and viral patients are numbered apart
    val, test = max(4, round(images * 0.05)), round(images * 0.25)
    for split, count in {"train": images - val - test, "val": val, "test": test}.items():
        wanted = _wanted(count, _PNEUMONIA[split])
        for pathogen, images_of_class in wanted.items():
            for images_of_patient in _per_patient(images_of_class, _MOST_PER_PATIENT[pathogen], rng):
                numbers[pathogen] += int(rng.integers(1, 4))
                for image in range(images_of_patient):
                    yield Case(split, pathogen, patient, image, _name(split, pathogen, numbers[pathogen], image))
                patient += 1


def _per_patient(images: int, most: int, rng: np.random.Generator) -> Iterator[int]:
    while images > 0:
        count = min(images, int(rng.integers(1, most + 1)))
        yield count
        images -= count


def _wanted(images: int, share: float) -> dict[str, int]:
    pneumonia = round(images * share)
    bacteria = round(pneumonia * _BACTERIAL)
    return {"normal": images - pneumonia, "bacteria": bacteria, "virus": pneumonia - bacteria}


def _name(split: str, pathogen: str, number: int, image: int) -> str:
    if pathogen == "normal":
        series = "IM" if split == "train" else "NORMAL2-IM"
        return f"{series}-{number:04d}-{image + 1:04d}"
    return f"person{number}_{pathogen}_{4 * number + image}"


def _write_all(folder: Path, cases: list[Case], size: int, seed: int, progress: Progress | None) -> None:
    for path in {(folder / name).parent for case in cases for name in (case.path, case.mask) if name}:
        path.mkdir(parents=True)
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:  # numpy and Pillow release the interpreter
        work = pool.map(lambda case: _write_case(folder, case, size, seed), cases)
        for done, _ in enumerate(work, start=1):
            if progress is not None:
                progress(done, len(cases))


def _write_case(folder: Path, case: Case, size: int, seed: int) -> None:
    grey, mask = render(case, size, seed)
    Image.fromarray(grey).save(folder / case.path, quality=95)
    if case.mask:
        Image.fromarray(mask).save(folder / case.mask)


def _row(case: Case) -> str:
    name = kermany(case.path)
    patient = name.patient if name else case.name
    return f"{case.path},{case.label},{case.split},{patient},{case.pathogen},{case.mask}\n"
