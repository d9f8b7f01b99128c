"""Everything that a run needs to know before it begins; all of the user's input is checked here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cxrkit import config
from cxrkit.config.schema import Configuration, TaskTable
from cxrkit.data import build, classes
from cxrkit.data.manifest import Manifest
from cxrkit.discovery import Plugins, load
from cxrkit.errors import InputError, nearest
from cxrkit.rundir import RunDirectory


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
    """

    path: Path
    sets: Sequence[str] = ()
    only: Sequence[str] = ()
    output: Path | None = None
    fresh: bool = False
    strict: bool = False


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
        class_names: in the order of the logits; empty where only predictions can tell.
        positive: the class whose detection is evaluated; None where only predictions can tell.
    """

    written: Configuration
    configuration: Configuration
    run: RunDirectory
    right: Plugins
    train: Plugins | None
    selected: tuple[TaskTable, ...]
    manifest: Manifest | None
    class_names: tuple[str, ...]
    positive: str | None

    @property
    def sets(self) -> list[str]:
        """The sets that trained models predict: val, test and the external ones."""
        external = self.configuration.data.external if self.configuration.data else {}
        return ["val", "test", *external]

    @property
    def notices(self) -> tuple[str, ...]:
        """What the user should know about plugins that could not be loaded."""
        return self.right.notices + (self.train.notices if self.train else ())


def prepare(request: Request, *, advance: Callable[[int, int], None] | None = None) -> Study:
    """Read and check everything that the user gave.

    Args:
        request: from the command line.
        advance: hears how many of how many images have been read.

    Raises:
        InputError: anything of it is wrong; nothing has been written.
    """
    read = config.load(request.path, sets=request.sets)
    trains = any(task.model is not None for task in read.task)
    right = load("cxrkit", strict=request.strict)
    train = load("cxrkit.train", strict=request.strict) if trains else None
    written = config.check_components(read, train, right)
    configuration = config.located(written, request.path)
    manifest = _manifest(configuration, request.path.parent, right, advance)
    class_names, positive = _classes(configuration, manifest)
    return Study(
        written=written,
        configuration=configuration,
        run=RunDirectory(request.output.absolute() if request.output else Path(configuration.run.output)),
        right=right,
        train=train,
        selected=_selected(written, request.only),
        manifest=manifest,
        class_names=class_names,
        positive=positive,
    )


def _manifest(
    configuration: Configuration, base: Path, right: Plugins, advance: Callable[[int, int], None] | None
) -> Manifest | None:
    data = configuration.data
    if data is None:
        return None
    return build(data, base, right.datasets, seed=configuration.run.seed, progress=advance)


def _classes(configuration: Configuration, manifest: Manifest | None) -> tuple[tuple[str, ...], str | None]:
    if manifest is None or configuration.data is None:
        return (), None
    return classes(manifest, configuration.data)


def _selected(configuration: Configuration, only: Sequence[str]) -> tuple[TaskTable, ...]:
    names = {task.name for task in configuration.task}
    unknown = [f"--task {name}: no such task, {nearest(name, names)}" for name in only if name not in names]
    if unknown:
        raise InputError(*unknown)
    return tuple(task for task in configuration.task if not only or task.name in only)
