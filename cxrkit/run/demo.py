"""The demonstration: a phantom data set and a ``tasks.toml`` that compares imbalance strategies on it."""

import shutil
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from cxrkit import locking
from cxrkit.data.phantom import write as write_phantom
from cxrkit.errors import InputError
from cxrkit.files import write_text

IMAGES = 900
IMAGE_SIZE = 96


def prepare(directory: Path, *, seed: int) -> Path:
    """Write the demonstration's data and ``tasks.toml`` unless they are there; return the latter's path.

    Args:
        directory: that the caller has for itself alone.
        seed: of the radiographs and the trainings.

    Raises:
        InputError: ``directory`` holds something else, or a demonstration of another seed.
    """
    path, data = directory / "tasks.toml", directory / "data"
    text = tasks_toml(seed)
    _remove_partial(directory)
    if not path.is_file():
        if directory.is_dir() and not locking.is_empty(directory):
            raise InputError(f"{directory}: is not empty, the demo needs a directory of its own")
        write_text(path, text)  # before the images, so that a demo that was killed meanwhile is known again
    elif path.read_text(encoding="utf-8") != text:
        raise InputError(f"{path}: is not what the demo of seed {seed} writes, choose another directory")
    if not data.is_dir():
        write_phantom(data, images=IMAGES, size=IMAGE_SIZE, seed=seed)
    return path


def _remove_partial(directory: Path) -> None:
    """Remove what a demo that was killed has left half written."""
    for path in directory.glob(".tasks.toml.*.partial"):
        path.unlink(missing_ok=True)
    for path in directory.glob(".data.*.partial"):
        shutil.rmtree(path, ignore_errors=True)


def tasks_toml(seed: int) -> str:
    """Render the demonstration's ``tasks.toml``."""
    # Not HTML: nothing to escape, and every value is a number of ours.
    environment = Environment(loader=PackageLoader("cxrkit_templates", ""), undefined=StrictUndefined, autoescape=False)  # noqa: S701
    return environment.get_template("demo.toml.j2").render(seed=seed, image_size=IMAGE_SIZE)
