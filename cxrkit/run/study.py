"""Everything that a run needs to know before it begins; all of the user's input is checked here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cxrkit import config, guard
from cxrkit.api import Predictions
from cxrkit.config.schema import Configuration, TaskTable
from cxrkit.data import build, classes
from cxrkit.data.manifest import Manifest
from cxrkit.discovery import Plugins, load
from cxrkit.errors import InputError
from cxrkit.evaluation.importing import read_task
from cxrkit.evaluation.subgroups import check_subgroups
from cxrkit.report.house import check_table as check_house
from cxrkit.rundir import RunDirectory

SPLIT_FOLDERS = {"train", "training", "val", "valid", "validation", "dev", "test", "testing"}


@dataclass(frozen=True)
class Request:
    """What the user asked for on the command line.

    Attributes:
        path: the TOML file.
        sets: ``key=value`` texts that override it.
        only: names of tasks to carry out; all where there are none.
        output: run directory in place of the file's.
        fresh: move what the tasks left earlier aside and start again.
        strict: a plugin that fails to load is an error.
        text: what the file will say, where it is not written yet.
    """

    path: Path
    sets: Sequence[str] = ()
    only: Sequence[str] = ()
    output: Path | None = None
    fresh: bool = False
    strict: bool = False
    text: str | None = None


@dataclass(frozen=True)
class Study:
    """A checked request.

    Attributes:
        written: the configuration with paths as the file has them, defaults and options filled in.
        configuration: the same with absolute paths.
        run: the run directory.
        right: the plugins that need no torch.
        train: the plugins that train; None where every task brings predictions.
        selected: the tasks to carry out.
        manifest: of the images; None where there are none.
        class_names: in the order of the logits.
        positive: the class whose detection is evaluated.
        imported: task of predictions → set → what its file holds.
    """

    written: Configuration
    configuration: Configuration
    run: RunDirectory
    right: Plugins
    train: Plugins | None
    selected: tuple[TaskTable, ...]
    manifest: Manifest | None
    class_names: tuple[str, ...]
    positive: str
    imported: dict[str, dict[str, Predictions]]

    @property
    def sets(self) -> list[str]:
        """The sets that trained models predict: val, test and the external ones."""
        external = self.configuration.data.external if self.configuration.data else {}
        return ["val", "test", *external]

    @property
    def shown_set(self) -> str:
        """The set whose images are looked at one by one: test, or an external one where test's are not at hand."""
        tested = [name for name in self.manifest.sets if name not in {"train", "val"}] if self.manifest else []
        return "test" if "test" in tested or not tested else tested[0]

    @property
    def notices(self) -> tuple[str, ...]:
        """What the user should know about plugins that could not be loaded."""
        return self.right.notices + (self.train.notices if self.train else ())


def prepare(
    request: Request,
    *,
    advance: Callable[[int, int], None] | None = None,
    take: Callable[[Path], None] | None = None,
) -> Study:
    """Read and check everything that the user gave.

    Args:
        request: from the command line.
        advance: hears how many of how many images have been read.
        take: keeps others out of the run directory; is called once that is known, before the images are read.

    Raises:
        InputError: anything of it is wrong; nothing has been written.
    """
    read = config.load(request.path, sets=request.sets, only=request.only, text=request.text)
    guard.limit_calls(60 * read.run.plugin_minutes)
    trains = any(task.model is not None for task in read.task)
    right = load("cxrkit", strict=request.strict)
    train = load("cxrkit.train", strict=request.strict) if trains else None
    written = config.check_components(read, train, right)
    configuration = config.located(written, request.path)
    check_house(configuration.report, lambda key: configuration.origin.place(("report", key)))
    run = RunDirectory(request.output.absolute() if request.output else Path(configuration.run.output))
    _refuse_among_images(run.root, configuration)
    if take is not None:
        take(run.root)
    manifest = _manifest(configuration, request.path.parent, right, advance, training=trains)
    check_subgroups(configuration.evaluation.subgroups, manifest.frame if manifest is not None else None)
    class_names, positive = _classes(configuration, manifest)
    imported = _imported(configuration, manifest, class_names, positive)
    if imported and (class_names is None or positive is None):
        first = next(iter(next(iter(imported.values())).values()))
        class_names, positive = first.class_names, first.positive
    return Study(
        written=written,
        configuration=configuration,
        run=run,
        right=right,
        train=train,
        selected=tuple(task for task in configuration.task if not request.only or task.name in request.only),
        manifest=manifest,
        class_names=class_names or (),
        positive=positive or "",
        imported=imported,
    )


def _refuse_among_images(run: Path, configuration: Configuration) -> None:
    """Refuse a run directory whose files and pictures would lie among the images that are read.

    Raises:
        InputError: it is the folder of the images itself, or lies in a split's folder of it or in an external set.
    """
    data, place = configuration.data, run.resolve()
    if data is None or not data.has_images:
        return
    source = Path(data.root or data.manifest or "")
    images = source.resolve() if data.root else source.resolve().parent
    external = (Path(folder).resolve() for folder in data.external.values() if Path(folder).is_dir())
    among = [folder for folder in external if place.is_relative_to(folder)]
    if place == images or (data.root and place.is_relative_to(images) and _in_a_split(place.relative_to(images))):
        among.append(images)
    if among:
        raise InputError(f"{run}: the images of {among[0]} lie there, choose another folder for the run's output")


def _in_a_split(inside: Path) -> bool:
    return any(part.lower() in SPLIT_FOLDERS for part in inside.parts)


def _manifest(
    configuration: Configuration,
    base: Path,
    right: Plugins,
    advance: Callable[[int, int], None] | None,
    *,
    training: bool,
) -> Manifest | None:
    data = configuration.data
    if data is None or not data.has_images:
        return None
    return build(data, base, right.datasets, seed=configuration.run.seed, progress=advance, training=training)


def _classes(configuration: Configuration, manifest: Manifest | None) -> tuple[tuple[str, ...] | None, str | None]:
    data = configuration.data
    if manifest is None or data is None:
        return None, data.positive if data else None
    return classes(manifest, data)


def _imported(
    configuration: Configuration, manifest: Manifest | None, class_names: tuple[str, ...] | None, positive: str | None
) -> dict[str, dict[str, Predictions]]:
    """Read every prediction file; the first one's classes hold for the others where nothing else tells them."""
    found: dict[str, dict[str, Predictions]] = {}
    problems: list[str] = []
    for task in configuration.task:
        if task.predictions is None:
            continue
        try:
            found[task.name] = read_task(task, manifest, class_names, positive)
        except InputError as error:
            problems += error.problems
            continue
        first = next(iter(found[task.name].values()))
        class_names, positive = class_names or first.class_names, positive or first.positive
    if problems:
        raise InputError(*problems)
    return found
