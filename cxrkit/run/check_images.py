"""The images on which an exported file is compared with its network."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cxrkit.data import listing, phantom
from cxrkit.data.manifest import Manifest
from cxrkit.errors import InputError
from cxrkit.plans import recorded_roots
from cxrkit.run.saved import Origin

if TYPE_CHECKING:
    from cxrkit.training.images import Grey

Advance = Callable[[int, int], None]
GENERATED = 32  # images, where none are at hand
PATHOGENS = ("normal", "bacteria", "virus")  # of these
TEST = "test"


@dataclass(frozen=True)
class CheckImages:
    """What an exported file is checked on.

    Attributes:
        what: in words, without their number.
        paths: files; none where they are generated.
    """

    what: str
    paths: Sequence[Path] = ()


def choose(given: Path | None, origin: Origin | None, *, besides: Path) -> CheckImages:
    """Take the images that are given, else those of the test set of the model's run, else generated ones.

    Raises:
        InputError: no image is where they are said to be.
    """
    if given is not None:
        found = [one for one in listing.images([given], besides=besides) if one.refused is None]
        if not found:
            raise InputError(f"--images: {given} holds no image")
        return CheckImages(f"images of {given}", [one.path for one in found])
    paths = [path for path in _tested(origin) if path.is_file()] if origin else []
    return CheckImages("images of the run's test set", paths) if paths else CheckImages("generated radiographs")


def _tested(origin: Origin) -> list[Path]:
    """Locate the images of a run's test set, as far as the run tells."""
    roots = _roots(origin)
    if TEST not in roots or not origin.run.manifest.is_file():
        return []
    return Manifest.read(origin.run.manifest, {TEST: roots[TEST]}).paths(TEST)


def _roots(origin: Origin) -> Mapping[str, Path]:
    """Read from the plan of a training, else of an evaluated model, where each set's images lie."""
    task = origin.run.task(origin.task.task)
    for plan in (task.seed(origin.seed).plan, task.root / "plan.json"):
        if roots := recorded_roots(plan):
            return roots
    return {}


def seen(images: CheckImages, size: int, advance: Advance) -> "Iterator[Grey]":
    """Give what a network with an input of ``size`` pixels sees of each image that can be read.

    Yields:
        uint8[size, size].
    """
    total = len(images.paths) or GENERATED
    for done, view in enumerate(_views(images, size), start=1):
        advance(done, total)
        if not isinstance(view, str):
            yield view


def _views(images: CheckImages, size: int) -> "Iterator[Grey | str]":
    from cxrkit.training import devices, loading
    from cxrkit.training.images import view

    if images.paths:
        yield from loading.views(images.paths, size, devices.usable_cores())
        return
    for patient in range(GENERATED):
        case = phantom.Case(TEST, PATHOGENS[patient % len(PATHOGENS)], patient, image=0, name="")
        yield view(phantom.render(case, max(size, phantom.SIZES.start), seed=0)[0], size)
