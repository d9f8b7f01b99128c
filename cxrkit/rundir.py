"""Where things lie in a run directory: a public contract, see ``docs/contracts.md``."""

import os
from dataclasses import dataclass
from pathlib import Path

from cxrkit.errors import InputError
from cxrkit.files import digest

FORBIDDEN = "/\\:\0" if os.name == "nt" else "/\0"  # in a name, which they would make a path
LONGEST = 255  # bytes of a name


@dataclass(frozen=True)
class SeedDirectory:
    """``tasks/<task>/seeds/<n>/``: one training."""

    root: Path

    @property
    def plan(self) -> Path:
        """What the training process reads."""
        return self.root / "plan.json"

    @property
    def history(self) -> Path:
        """A row for each epoch."""
        return self.root / "history.csv"

    @property
    def timing(self) -> Path:
        """Seconds, images per second, memory."""
        return self.root / "timing.json"

    @property
    def model(self) -> Path:
        """The chosen weights."""
        return self.root / "model.safetensors"

    @property
    def model_info(self) -> Path:
        """Architecture, class order, preprocessing, threshold."""
        return self.root / "model.json"

    @property
    def last(self) -> Path:
        """What going on needs; gone when the training has finished."""
        return self.root / "last"

    @property
    def log(self) -> Path:
        """What the training process printed."""
        return self.root / "log.txt"

    @property
    def is_trained(self) -> bool:
        """Whether the training has finished; its predictions were written before, and may have gone since."""
        return all(path.is_file() for path in (self.model, self.model_info, self.timing))

    def predictions(self, set_name: str, condition: str | None = None) -> Path:
        """This seed's own predictions."""
        return self.root / "predictions" / part(f"{set_name}{f'@{condition}' if condition else ''}.csv", self.root)


@dataclass(frozen=True)
class TaskDirectory:
    """``tasks/<task>/``."""

    root: Path

    @property
    def name(self) -> str:
        """The task's name."""
        return self.root.name

    @property
    def info(self) -> Path:
        """``task.json``."""
        return self.root / "task.json"

    @property
    def metrics(self) -> Path:
        """``metrics.json``."""
        return self.root / "metrics.json"

    @property
    def timing(self) -> Path:
        """What predicting in several views took."""
        return self.root / "timing.json"

    @property
    def curves(self) -> Path:
        """The folder of ``<set>_roc.csv`` and the other curves."""
        return self.root / "curves"

    @property
    def cam(self) -> Path:
        """The folder of overlays, raw maps and ``index.json``."""
        return self.root / "cam"

    def predictions(self, set_name: str, condition: str | None = None) -> Path:
        """What represents the task on a set."""
        return self.root / "predictions" / part(f"{set_name}{f'@{condition}' if condition else ''}.csv", self.root)

    def overlay(self, name: str) -> Path:
        """A picture that ``cam/index.json`` names.

        Raises:
            InputError: the name leads out of the folder.
        """
        return self.cam.joinpath(*(part(one, self.cam) for one in name.split("/")))

    def seed(self, seed: int) -> SeedDirectory:
        """The folder of one training."""
        return SeedDirectory(self.root / "seeds" / str(seed))


@dataclass(frozen=True)
class RunDirectory:
    """The only thing that passes from training to evaluation and report."""

    root: Path

    @classmethod
    def open(cls, path: Path) -> "RunDirectory":
        """Take an existing run directory.

        Raises:
            InputError: it does not exist, is a file, holds no ``run.json``, or a link in it leads out of it.
        """
        if not path.exists():
            raise InputError(f"{path}: does not exist, a run directory is needed")
        if path.is_file():
            raise InputError(f"{path}: is a file, a run directory is needed (cxrkit report makes one of predictions)")
        if not (path / "run.json").is_file():
            near = cls.near(path)
            meant = f", did you mean {near}?" if near else ""
            raise InputError(f"{path}: is no run directory, as it holds no run.json{meant}")
        _refuse_links(path)
        return cls(path)

    @staticmethod
    def near(path: Path) -> Path | None:
        """Name the run directory around a path, or the only one in it; None where there is none."""
        around = [parent for parent in path.absolute().parents if (parent / "run.json").is_file()]
        inside = [found.parent for found in path.glob("*/run.json")] if path.is_dir() else []
        return around[0] if around else inside[0] if len(inside) == 1 else None

    @property
    def info(self) -> Path:
        """``run.json``."""
        return self.root / "run.json"

    @property
    def manifest(self) -> Path:
        """``manifest.csv``."""
        return self.root / "manifest.csv"

    @property
    def audit(self) -> Path:
        """``audit.json``."""
        return self.root / "audit.json"

    @property
    def samples(self) -> Path:
        """``samples.json``."""
        return self.root / "samples.json"

    @property
    def augmentation(self) -> Path:
        """The folder of the views of training images under augmentation and of ``index.json``."""
        return self.root / "augmentation"

    @property
    def previews(self) -> Path:
        """``augmentation/index.json``."""
        return self.augmentation / "index.json"

    @property
    def robustness(self) -> Path:
        """``robustness.json``."""
        return self.root / "robustness.json"

    @property
    def explanations(self) -> Path:
        """``explanations.json``."""
        return self.root / "explanations.json"

    @property
    def comparison(self) -> Path:
        """``comparison.json``."""
        return self.root / "comparison.json"

    @property
    def report(self) -> Path:
        """The folder of the report: ``report.html`` and its other formats."""
        return self.root / "report"

    @property
    def pseudonym_key(self) -> Path:
        """The key that pseudonyms are made with; its owner's alone."""
        return self.root / "pseudonym.key"

    @property
    def pseudonyms(self) -> Path:
        """``pseudonyms.csv``: who is meant by which pseudonym; its owner's alone."""
        return self.root / "pseudonyms.csv"

    def task(self, name: str) -> TaskDirectory:
        """The folder of one task."""
        return TaskDirectory(self.root / "tasks" / part(name, self.root))

    @property
    def images(self) -> Path:
        """The folder of thumbnails."""
        return self.root / "images"

    def thumbnail(self, sha256: str) -> Path:
        """The thumbnail of the image file with this hash."""
        return self.images / part(f"{sha256}.jpg", self.root)

    def view(self, preview: int, image: int, epoch: int | None) -> Path:
        """What the network sees of an image of a preview in an epoch; None for the plain image."""
        return self.augmentation / f"{preview}-{image}-{'plain' if epoch is None else f'epoch-{epoch}'}.jpg"


def _refuse_links(run: Path) -> None:
    """Refuse links that lead out: what a stranger's run directory shows of this machine would end up in a report."""
    home = os.path.realpath(run)
    for place, folders, files in os.walk(run):
        for name in (*folders, *files):
            path = os.path.join(place, name)  # noqa: PTH118 - thousands of files, of which hardly any is a link
            if os.path.islink(path) and not Path(os.path.realpath(path)).is_relative_to(home):  # noqa: PTH114
                raise InputError(f"{path}: is a link that leads out of the run directory, put what it stands for there")


def part(name: str, where: Path) -> str:
    """Check a name that becomes a file's or folder's: a run directory may come from anyone.

    Args:
        name: as a file of the run directory has it, without its folder.
        where: it is used, for messages.

    Raises:
        InputError: it would lead to another folder, or is no name.
    """
    if name in {"", ".", ".."} or any(letter in FORBIDDEN for letter in name) or len(name.encode()) > LONGEST:
        raise InputError(f'{where}: "{name[:60]}" is no name of a file in it, a run directory names no other folder')
    return name


def image_file_name(image: str) -> str:
    """Make a file name for an image: its stem, made harmless, and a digest that keeps two of one stem apart."""
    return f"{harmless(Path(image).stem)}-{digest(image)[:12]}"


def harmless(name: str) -> str:
    """Make a name fit for files: at most 60 letters, digits, ``-`` and ``_``, and 180 bytes of UTF-8."""
    plain = "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in name)[:60]
    return plain.encode()[:180].decode(errors="ignore")  # file systems take 255 bytes
