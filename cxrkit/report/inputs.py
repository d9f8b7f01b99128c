"""What a report can be made from: run directories, or prediction files that first become one."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from cxrkit import discovery, environment
from cxrkit.config.base import valid_name
from cxrkit.config.schema import Configuration, TaskTable, ThresholdTable
from cxrkit.errors import InputError
from cxrkit.evaluation import evaluate, importing
from cxrkit.records import RunInfo, TaskInfo
from cxrkit.rundir import RunDirectory

TEST = "test"


def are_predictions(paths: Sequence[Path]) -> bool:
    """Tell prediction files from run directories.

    Raises:
        InputError: some are the one and some the other, or a path does not exist.
    """
    problems = [
        f"{path}: does not exist, a run directory or a CSV of predictions is needed"
        for path in paths
        if not path.exists()
    ]
    if problems:
        raise InputError(*problems)
    files = [path.is_file() for path in paths]
    if any(files) and not all(files):
        raise InputError(
            f"{paths[files.index(True)]}: is a file beside run directories, give either prediction files or run "
            "directories"
        )
    return all(files)


def open_runs(paths: Sequence[Path], warn: Callable[[str], None]) -> list[RunDirectory]:
    """Open run directories; one that was never evaluated is evaluated as its configuration says.

    Args:
        paths: of the run directories.
        warn: hears of plugins that cannot be used, where they are needed.

    Raises:
        InputError: a path is no run directory, or it cannot be evaluated.
    """
    runs = [RunDirectory.open(path) for path in paths]
    doubled = {run.root.resolve() for run in runs if [one.root.resolve() for one in runs].count(run.root.resolve()) > 1}
    if doubled:
        raise InputError(*(f"{path}: is given twice, once is enough" for path in sorted(doubled)))
    for run in runs:
        if not all(
            _is_evaluated(run, task) for task, state in RunInfo.read(run.info).tasks.items() if state == "finished"
        ):
            _evaluate(run, warn)
    return runs


def from_predictions(
    files: Sequence[Path],
    directory: Path,
    *,
    positive: str | None,
    threshold: float,
    warn: Callable[[str], None],
) -> RunDirectory:
    """Make an evaluated run directory of prediction files of the test set, one task for each, named as its file.

    Args:
        files: CSV files with labels of their own.
        directory: where to; nothing is written where a file is wrong.
        positive: the class that is detected; None where the files tell.
        threshold: on its probability, 0 … 1.
        warn: hears of plugins that cannot be used.

    Raises:
        InputError: what is wrong with the files, all problems at once.
    """
    tasks = tuple(TaskTable(name=name, predictions={TEST: path.name}) for name, path in _named(files).items())
    configuration = Configuration(task=tasks, threshold=ThresholdTable(rule="fixed", value=threshold))
    run = RunDirectory(directory)
    importing.from_files(
        {name: {TEST: path} for name, path in _named(files).items()},
        run,
        environment=environment.describe(),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        positive=positive,
        configuration=configuration.model_dump(mode="json", by_alias=True),
    )
    _evaluate(run, warn)
    return run


def _named(files: Sequence[Path]) -> dict[str, Path]:
    """Name each file's task after it."""
    problems: list[str] = []
    named: dict[str, Path] = {}
    for path in files:
        try:
            name = valid_name(path.stem)
        except ValueError as error:
            problems.append(f"{path}: the file's name becomes the model's name and {error}")
            continue
        if name.lower() in (known.lower() for known in named):
            problems.append(f'{path}: another file is named "{name}" too, each model needs a name of its own')
        named[name] = path
    if problems:
        raise InputError(*problems)
    return named


def _is_evaluated(run: RunDirectory, task: str) -> bool:
    directory = run.task(task)
    return directory.metrics.is_file() and TaskInfo.read(directory.info).threshold is not None


def _evaluate(run: RunDirectory, warn: Callable[[str], None]) -> None:
    info = RunInfo.read(run.info)
    try:
        configuration = Configuration.model_validate(info.configuration)
    except ValidationError as error:
        raise InputError(
            f"{run.info}: configuration: {error.errors()[0]['msg']}, so what is not evaluated yet cannot be evaluated"
        ) from None
    plugins = discovery.load("cxrkit")
    for notice in plugins.notices:
        warn(notice)
    evaluate(
        run,
        configuration.evaluation,
        {
            task.name: task.threshold or configuration.threshold
            for task in configuration.task
            if info.tasks.get(task.name) == "finished"
        },
        [
            (plugins.metric_reporters.get(use.use, "evaluation.reporters"), use.options)
            for use in configuration.evaluation.reporters
        ],
    )
