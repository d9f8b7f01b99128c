"""Check that every component of a configuration is there and that its options are right."""

import re
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from cxrkit import options
from cxrkit.config.origin import KeyPath
from cxrkit.config.paths import located_option
from cxrkit.config.schema import Configuration, DataTable, TaskTable, Use
from cxrkit.errors import InputError, nearest
from cxrkit.registry import Registry

if TYPE_CHECKING:
    from cxrkit.discovery import Plugins

LIBRARIES = {"mlflow": "mlflow"}  # tracker and extra → what it needs

Check = Callable[[Use, Registry, KeyPath], Use]


def check_components(configuration: Configuration, train: "Plugins | None", right: "Plugins") -> Configuration:
    """Look up every model, imbalance strategy, trainer, data set, reporter and report section, and check its options.

    Args:
        configuration: as loaded.
        train: the plugins of group ``cxrkit.train``; None leaves the tasks' components unchecked.
        right: the plugins of group ``cxrkit``.

    Returns:
        The same configuration, each component's options complete.

    Raises:
        InputError: a component is unknown or offered twice, or an option is unknown, missing or wrong; all at once.
    """
    problems: list[str] = []

    def check(use: Use, registry: Registry, at: KeyPath) -> Use:
        try:
            return _checked(use, registry, configuration, at)
        except InputError as error:
            problems.extend(_placed(problem, configuration, at) for problem in error.problems)
            return use

    evaluation, report = configuration.evaluation, configuration.report
    reporters = tuple(
        check(use, right.metric_reporters, ("evaluation", "reporters", index))
        for index, use in enumerate(evaluation.reporters)
    )
    sections = tuple(
        check(use, right.report_sections, ("report", "sections", index)) for index, use in enumerate(report.sections)
    )
    problems.extend(_wrong_trackers(configuration, train, right))
    update = {
        "task": tuple(_checked_task(task, train, check) for task in configuration.task),
        "data": _checked_data(configuration.data, right, check),
        "evaluation": evaluation.model_copy(update={"reporters": reporters}),
        "report": report.model_copy(update={"sections": sections}),
    }
    if problems:
        raise InputError(*dict.fromkeys(problems))
    return configuration.model_copy(update=update)


def _wrong_trackers(configuration: Configuration, train: "Plugins | None", right: "Plugins") -> Iterator[str]:
    listening = {name for plugins in (train, right) if plugins for name in plugins.listeners}
    where = configuration.origin.place(("run", "trackers"))
    for name in configuration.run.trackers:
        if name not in listening:
            yield f'{where}: no tracker "{name}", {nearest(name, listening)}'
        elif name in LIBRARIES and find_spec(LIBRARIES[name]) is None:
            yield f'{where}: "{name}" needs {LIBRARIES[name]}, pip install "cxrkit[{name}]"'


def _checked_task(task: TaskTable, train: "Plugins | None", check: Check) -> TaskTable:
    if train is None or task.model is None:
        return task
    at = ("task", f'"{task.name}"')
    return task.model_copy(
        update={
            "model": check(task.model, train.models, (*at, "model")),
            "imbalance": check(task.imbalance, train.imbalance_strategies, (*at, "imbalance")),
            "trainer": check(task.trainer, train.trainers, (*at, "trainer")),
        }
    )


def _checked_data(data: DataTable | None, right: "Plugins", check: Check) -> DataTable | None:
    if data is None or data.dataset is None:
        return data
    return data.model_copy(update={"dataset": check(data.dataset, right.datasets, ("data", "dataset"))})


def _checked(use: Use, registry: Registry, configuration: Configuration, at: KeyPath) -> Use:
    where = configuration.origin.written(at)
    factory = registry.get(use.use, where).factory
    folder = Path(configuration.origin.file).absolute().parent
    usable = {key: located_option(value, folder) for key, value in use.options.items()}
    checked = options.check(factory, usable, where)
    as_written = {key: value for key, value in use.options.items() if usable[key] != value}
    return Use(use=use.use, **checked | as_written)


def _placed(problem: str, configuration: Configuration, at: KeyPath) -> str:
    """Say where the key was really written: in the defaults, or on the command line."""
    rest = problem.removeprefix(configuration.origin.written(at))
    key = re.match(r"((?:\.[\w-]+)*)(?=[:\[])", rest)
    if key is None:
        return problem
    path = (*at, *key[1].split(".")[1:])
    return f"{configuration.origin.place(path)}{rest[key.end() :]}"
