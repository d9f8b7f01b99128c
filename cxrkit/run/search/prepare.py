"""Everything that a search needs to know before it begins; all of the user's input is checked here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cxrkit import config
from cxrkit.config.schema import Configuration, TaskTable
from cxrkit.config.search import SearchTable
from cxrkit.config.writing import inline
from cxrkit.data import Manifest, build, classes
from cxrkit.data.building import SEARCHED
from cxrkit.discovery import load
from cxrkit.errors import InputError, RunError
from cxrkit.run import tasks
from cxrkit.run.search import points, space
from cxrkit.run.search.points import Values
from cxrkit.run.study import Study
from cxrkit.rundir import RunDirectory


@dataclass(frozen=True)
class Request:
    """What the user asked for on the command line.

    Attributes:
        path: the TOML file.
        sets: ``key=value`` texts that override it; the trials and what is chosen have them too.
        over: ``key=values`` texts: keys to be varied, beside the file's or in their place.
        task: to be varied, in place of the file's.
        method: in place of the file's.
        trials: in place of the file's.
        output: folder in place of ``<output of the run>-search/<task>``.
        strict: a plugin that fails to load is an error.
    """

    path: Path
    sets: Sequence[str] = ()
    over: Sequence[str] = ()
    task: str | None = None
    method: str | None = None
    trials: int | None = None
    output: Path | None = None
    strict: bool = False


@dataclass(frozen=True)
class Search:
    """A checked request.

    Attributes:
        request: as it was given.
        table: ``[search]`` with what the command line changes.
        study: of the file as it stands; its manifest holds train and val alone.
        task: that is varied.
        points: the values of every trial; None where they depend on what the trials find.
        output: where everything is written.
    """

    request: Request
    table: SearchTable
    study: Study
    task: TaskTable
    points: list[Values] | None
    output: Path

    @property
    def trials(self) -> int:
        """How many there are to be."""
        return self.table.trials if self.points is None else len(self.points)

    @property
    def manifest(self) -> Manifest:
        """The images of train and val."""
        assert self.study.manifest is not None  # noqa: S101 - a search has images
        return self.study.manifest

    @property
    def images(self) -> dict[str, int]:
        """How many images train and val have."""
        return {name: len(self.manifest.of(name)) for name in SEARCHED}

    def sets(self, values: Values) -> list[str]:
        """Write the values of a trial as ``--set`` texts."""
        return [f"{self.key(name)}={inline(value)}" for name, value in values.items()]

    def key(self, name: str) -> str:
        """Say where a varied key stands, as ``--set`` calls it: in the task, or in the file for all tasks."""
        return space.key(name, self.task)

    def trial(self, values: Values, folder: Path) -> tuple[Study, TaskTable]:
        """Give the study of one trial, whose run directory is ``folder``.

        Raises:
            InputError: these values make no configuration.
        """
        written = self._configuration(values)
        located = config.located(written, self.request.path)
        [task] = [one for one in located.task if one.name == self.task.name]
        study = replace(self.study, written=written, configuration=located, run=RunDirectory(folder), selected=(task,))
        return study, task

    def _configuration(self, values: Values) -> Configuration:
        read = config.load(self.request.path, sets=[*self.request.sets, *self.sets(values)])
        return config.check_components(read, self.study.train, self.study.right)


def prepare(request: Request, *, advance: Callable[[int, int], None] | None = None) -> Search:
    """Read and check everything that the user gave; of the images, only those of train and val are opened.

    Args:
        request: from the command line.
        advance: hears how many of how many images have been read.

    Raises:
        InputError: anything of it is wrong; nothing has been written.
    """
    read = _read(request)
    table = read.search or SearchTable()
    task = _task(read, table, request)
    space.refuse_keys(table, read, request.path, request.over)
    study = _study(read, request, advance)
    base = Path(study.configuration.run.output)
    output = request.output.absolute() if request.output else base.parent / f"{base.name}-search" / task.name
    search = Search(request, table, study, task, points.planned(table), output)
    _refuse_values(search)
    _refuse_models(search)
    return search


# ── The file ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _read(request: Request) -> Configuration:
    """Read the file with what the command line says of the search, and name its options by their own names."""
    options = {"--task": "task", "--method": "method", "--trials": "trials"}
    given = {option: (key, getattr(request, key)) for option, key in options.items()}
    texts = {
        f"search.{key}={inline(value)}": f"{option} {value}"
        for option, (key, value) in given.items()
        if value is not None
    } | {f"search.space.{text}": f"--over {text}" for text in request.over}
    try:
        return config.load(request.path, sets=[*request.sets, *texts])
    except InputError as error:
        raise InputError(*(_as_given(problem, texts) for problem in error.problems)) from None


def _as_given(problem: str, texts: Mapping[str, str]) -> str:
    for text, option in texts.items():
        if problem.startswith(f"--set {text}"):
            return option + problem.removeprefix(f"--set {text}")
    return problem


def _task(read: Configuration, table: SearchTable, request: Request) -> TaskTable:
    trained = {task.name: task for task in read.task if task.model is not None}
    where = f"{request.path}: search.task"
    if not trained:
        raise InputError(f"{where}: no task has a model, a search trains one")
    if table.task is None and len(trained) > 1:
        raise InputError(f"{where}: is missing, several tasks are trained: {', '.join(trained)}")
    return trained[table.task or next(iter(trained))]


def _study(read: Configuration, request: Request, advance: Callable[[int, int], None] | None) -> Study:
    right, train = load("cxrkit", strict=request.strict), load("cxrkit.train", strict=request.strict)
    written = config.check_components(read, train, right)
    configuration = config.located(written, request.path)
    data = configuration.data
    assert data is not None  # noqa: S101 - a task with a model needs it, which the schema has checked
    seed, base = configuration.run.seed, request.path.parent
    manifest = build(data, base, right.datasets, seed=seed, progress=advance, searching=True)
    class_names, positive = classes(manifest, data)
    return Study(
        written=written,
        configuration=configuration,
        run=RunDirectory(Path(configuration.run.output)),
        right=right,
        train=train,
        selected=(),
        manifest=manifest,
        class_names=class_names,
        positive=positive,
        imported={},
    )


# ── The values ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _refuse_values(search: Search) -> None:
    """Refuse a value, an end of a range or a trial that makes no configuration; every problem is told once."""
    problems: dict[str, None] = {}
    for values in points.corners(search.table):
        problems |= dict.fromkeys(_wrong_values(search, values))
    if not problems:
        for values in search.points or ():
            problems |= dict.fromkeys(_wrong_values(search, values))
    if problems:
        raise InputError(*problems)


def _wrong_values(search: Search, values: Values) -> Sequence[str]:
    try:
        search.trial(values, search.output)
    except InputError as error:
        return [_of_space(problem, values, search) for problem in error.problems]
    return ()


def _of_space(problem: str, values: Values, search: Search) -> str:
    """Say where in the space a value stands that was tried as ``--set``."""
    for key, text in zip(values, search.sets(values), strict=True):
        if problem.startswith(f"--set {text}"):
            return space.place(key, search.request.path, search.request.over) + problem.removeprefix(f"--set {text}")
    return problem


def _refuse_models(search: Search) -> None:
    """Build each model that is to be tried once, so that none fails after hours."""
    seen: set[str] = set()
    problems: list[str] = []
    for values in [*points.corners(search.table), *(search.points or ())]:
        study, task = search.trial(values, search.output)
        told = repr((task.model, task.precision))
        if told not in seen:
            seen.add(told)
            problems += _fault_of_model(study, task)
    if problems:
        raise InputError(*dict.fromkeys(problems))


def _fault_of_model(study: Study, task: TaskTable) -> Sequence[str]:
    try:
        tasks.rehearse(study, task)
    except InputError as error:
        return error.problems
    except (
        RunError
    ):  # what a plugin fails of otherwise is left to the trial's own process, where it ends that trial alone
        return ()
    return ()
