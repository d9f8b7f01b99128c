"""Where things lie in a run directory: a public contract, see ``docs/contracts.md``."""

from dataclasses import dataclass
from pathlib import Path

from cxrkit.errors import InputError
from cxrkit.files import digest


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

    def predictions(self, set_name: str, condition: str | None = None) -> Path:
        """This seed's own predictions."""
        return self.root / "predictions" / f"{set_name}{f'@{condition}' if condition else ''}.csv"


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
    def curves(self) -> Path:
        """The folder of ``<set>_roc.csv`` and the other curves."""
        return self.root / "curves"

    @property
    def cam(self) -> Path:
        """The folder of overlays, raw maps and ``index.json``."""
        return self.root / "cam"

    def predictions(self, set_name: str, condition: str | None = None) -> Path:
        """What represents the task on a set."""
        return self.root / "predictions" / f"{set_name}{f'@{condition}' if condition else ''}.csv"

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
            InputError: it does not exist, is a file, or holds no ``run.json``.
        """
        if not path.exists():
            raise InputError(f"{path}: does not exist, a run directory is needed")
        if path.is_file():
            raise InputError(f"{path}: is a file, a run directory is needed (cxrkit report makes one of predictions)")
        if not (path / "run.json").is_file():
            near = cls.near(path)
            meant = f", did you mean {near}?" if near else ""
            raise InputError(f"{path}: is no run directory, as it holds no run.json{meant}")
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

    def task(self, name: str) -> TaskDirectory:
        """The folder of one task."""
        return TaskDirectory(self.root / "tasks" / name)

    def thumbnail(self, sha256: str) -> Path:
        """The thumbnail of the image file with this hash."""
        return self.root / "images" / f"{sha256}.jpg"


def image_file_name(image: str) -> str:
    """Make a file name for an image: its stem, made harmless, and a digest that keeps two of one stem apart."""
    return f"{harmless(Path(image).stem)}-{digest(image)[:12]}"


def harmless(name: str) -> str:
    """Make a name fit for files: at most 60 letters, digits, ``-`` and ``_``."""
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in name)[:60]
