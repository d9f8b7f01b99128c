"""What a report can be made from: run directories, or prediction files that first become one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path

from pydantic import ValidationError

from cxrkit import discovery, environment
from cxrkit.api import Predictions, Scale
from cxrkit.config.base import valid_name
from cxrkit.config.columns import COLUMN_HINT, lacks_column, wrong_columns, wrong_label_columns
from cxrkit.config.schema import Configuration, EvaluationTable, TaskTable, ThresholdTable
from cxrkit.errors import InputError
from cxrkit.evaluation import evaluate, importing
from cxrkit.evaluation.labels import Join
from cxrkit.records import RunInfo, TaskInfo
from cxrkit.report.phrases import CONVENTIONAL
from cxrkit.report.results import TEST
from cxrkit.rundir import RunDirectory

NO_TABLES = frozenset({".html", ".json", ".log", ".md", ".pdf", ".toml", ".zip"})


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
    problems = [_no_table(path) for path in paths if path.suffix.lower() in NO_TABLES] if all(files) else []
    if problems:
        raise InputError(*problems)
    return all(files)


def _no_table(path: Path) -> str:
    near = RunDirectory.near(path)
    meant = f", did you mean the run directory {near}?" if near else ""
    return f"{path}: is no CSV of predictions{meant or ', one or a run directory is needed'}"


def open_runs(
    paths: Sequence[Path], warn: Callable[[str], None], take: Callable[[Path], None] | None = None
) -> list[RunDirectory]:
    """Open run directories; one that was never evaluated is evaluated as its configuration says.

    Args:
        paths: of the run directories.
        warn: hears of plugins that cannot be used, where they are needed.
        take: keeps others out of a run directory; is called before one is written into.

    Raises:
        InputError: a path is no run directory, or it cannot be evaluated.
    """
    runs = [RunDirectory.open(path) for path in paths]
    doubled = {run.root.resolve() for run in runs if [one.root.resolve() for one in runs].count(run.root.resolve()) > 1}
    if doubled:
        raise InputError(*(f"{path}: is given twice, once is enough" for path in sorted(doubled)))
    for run in runs:
        finished = [task for task, state in RunInfo.read(run.info).tasks.items() if state == "finished"]
        _check_complete(run, finished)
        if not all(_is_evaluated(run, task) for task in finished):
            if take is not None:
                take(run.root)
            _evaluate(run, warn)
    return runs


def _check_complete(run: RunDirectory, finished: Sequence[str]) -> None:
    lost = [run.task(task).info for task in finished if not run.task(task).info.is_file()]
    if lost:
        raise InputError(*(f"{path}: is missing, so the run is incomplete, copy the whole folder" for path in lost))
    _check_classes(run, [TaskInfo.read(run.task(task).info) for task in finished])


def _check_classes(run: RunDirectory, tasks: Sequence[TaskInfo]) -> None:
    """Refuse tasks of other classes than their run's, whose every label and probability would be told as wrong."""
    info = RunInfo.read(run.info)
    problems = [
        f"{run.task(task.task).info}: its classes are {', '.join(task.class_names)} and {task.positive} is detected, "
        f"those of the run are {', '.join(info.class_names)} and {info.positive}, copy the whole folder again"
        for task in tasks
        if task.class_names and (task.class_names, task.positive) != (info.class_names, info.positive)
    ]
    if problems:
        raise InputError(*problems)


@dataclass(frozen=True)
class Reading:
    """How prediction files are to be read and judged.

    Attributes:
        positive: the class that is detected; None where the files tell.
        threshold: on its probability, 0 … 1, or on a score in its range; None for the conventional 0.5.
        prevalence: for predictive values beside the files' own, or None.
        columns: cxrkit's column → the files' own.
        labels: a CSV file of labels for all of them, or None where they have their own.
        label_columns: cxrkit's column → the label file's own.
        join: the column that labels are joined by.
    """

    positive: str | None = None
    threshold: float | None = None
    prevalence: float | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    labels: Path | None = None
    label_columns: Mapping[str, str] = field(default_factory=dict)
    join: Join = "image"


def from_predictions(
    files: Sequence[Path], directory: Path, reading: Reading, *, warn: Callable[[str], None]
) -> RunDirectory:
    """Make an evaluated run directory of prediction files of the test set, one task for each, named as its file.

    Args:
        files: CSV files.
        directory: where to; nothing is written where a file is wrong.
        reading: how they are to be read.
        warn: hears of plugins that cannot be used.

    Raises:
        InputError: what is wrong with the files, all problems at once.
    """
    _check_options(reading)
    named = _named(files)
    tables = [_task(name, path, reading.labels, reading) for name, path in named.items()]
    found = _read(tables, reading)
    scales = {name: sets[TEST].scale for name, sets in found.items()}
    _check_threshold({path: scales[name] for name, path in named.items()}, reading.threshold)
    run = RunDirectory(directory)
    importing.write_run(
        run,
        tables,
        found,
        environment=environment.describe(),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        configuration=_configuration(named, scales, reading).model_dump(mode="json", by_alias=True),
    )
    _evaluate(run, warn)
    return run


def _read(tables: Sequence[TaskTable], reading: Reading) -> Mapping[str, Mapping[str, Predictions]]:
    """Read the files; where columns are missing, say how to tell what a file calls them."""
    try:
        return importing.read_tasks(tables, reading.positive)
    except InputError as error:
        if not lacks_column(error):
            raise
        hint = COLUMN_HINT
        if len(tables) > 1:
            hint += "; files that differ in it need cxrkit run and a TOML with columns for each task"
        raise InputError(*error.problems, hint) from None


def _task(name: str, file: Path, labels: Path | None, reading: Reading) -> TaskTable:
    return TaskTable(
        name=name,
        predictions={TEST: str(file)},
        columns=dict(reading.columns),
        labels=None if labels is None else {TEST: str(labels)},
        label_columns=dict(reading.label_columns),
        join=reading.join,
    )


def _configuration(named: Mapping[str, Path], scales: Mapping[str, Scale], reading: Reading) -> Configuration:
    """Write down what was asked for, without the folders that the files lie in."""
    conventional = ThresholdTable(rule="fixed", value=CONVENTIONAL)
    labels = None if reading.labels is None else Path(reading.labels.name)
    tasks = [_task(name, Path(path.name), labels, reading) for name, path in named.items()]
    return Configuration(
        task=tuple(
            task.model_copy(update={"threshold": conventional}) if scales[task.name] == "decision" else task
            for task in tasks
        ),
        threshold=conventional if reading.threshold is None else ThresholdTable(rule="fixed", value=reading.threshold),
        evaluation=EvaluationTable(prevalence=reading.prevalence),
    )


def _check_options(reading: Reading) -> None:
    problems = [f"--column: {name}: {sentence}" for name, sentence in wrong_columns(reading.columns)]
    problems += [f"--label-column: {name}: {sentence}" for name, sentence in wrong_label_columns(reading.label_columns)]
    if reading.labels is None:
        needless = {"--label-column": reading.label_columns, "--join": reading.join == "study"}
        problems += [f"{name}: means nothing without --labels" for name, given in needless.items() if given]
    if reading.threshold is not None and not isfinite(reading.threshold):
        problems.append(f"--threshold: {reading.threshold} is no finite number, give a probability or a score")
    if problems:
        raise InputError(*problems)


def _check_threshold(files: Mapping[Path, Scale], threshold: float | None) -> None:
    """Check that a threshold is there where a file needs one, and fits what it is on."""
    problems = []
    for path, scale in files.items():
        if scale == "score" and threshold is None:
            problems.append(
                f"{path}: gives a score, which has no conventional threshold, give --threshold in its range"
            )
        elif scale == "probability" and threshold is not None and not 0 <= threshold <= 1:
            problems.append(f"--threshold: {threshold:g} is no probability, and {path} gives probabilities from 0 to 1")
    if threshold is not None and set(files.values()) == {"decision"}:
        problems.append("--threshold: means nothing for files that give decisions")
    if problems:
        raise InputError(*problems)


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
        {name: table for name, table in configuration.thresholds.items() if info.tasks.get(name) == "finished"},
        [
            (plugins.metric_reporters.get(use.use, "evaluation.reporters"), use.options)
            for use in configuration.evaluation.reporters
        ],
        seed=configuration.run.seed,
        warn=warn,
    )
