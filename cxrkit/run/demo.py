"""The demonstration: a phantom data set and a ``tasks.toml`` that compares imbalance strategies on it."""

from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from cxrkit.data.phantom import write as write_phantom
from cxrkit.errors import InputError
from cxrkit.files import write_text

IMAGES = 900
IMAGE_SIZE = 96


def prepare(directory: Path, *, seed: int) -> Path:
    """Write the demonstration's data and ``tasks.toml`` unless they are there; return the latter's path.

    Raises:
        InputError: ``directory`` holds something else, or a demonstration of another seed.
    """
    path = directory / "tasks.toml"
    text = tasks_toml(seed)
    if path.is_file():
        if path.read_text(encoding="utf-8") != text:
            raise InputError(f"{path}: is not what the demo of seed {seed} writes, choose another directory")
        return path
    if directory.is_dir() and any(directory.iterdir()):
        raise InputError(f"{directory}: is not empty, the demo needs a directory of its own")
    write_phantom(directory / "data", images=IMAGES, size=IMAGE_SIZE, seed=seed)
    write_text(path, text)
    return path


def tasks_toml(seed: int) -> str:
    """Render the demonstration's ``tasks.toml``."""
    # Not HTML: nothing to escape, and every value is a number of ours.
    environment = Environment(loader=PackageLoader("cxrkit_templates", ""), undefined=StrictUndefined, autoescape=False)  # noqa: S701
    return environment.get_template("demo.toml.j2").render(seed=seed, image_size=IMAGE_SIZE)
