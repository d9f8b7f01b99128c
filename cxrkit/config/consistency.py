"""What must fit together across the tables of a file.

It is looked at in the document as it was read, so that an error in one table hides none in another.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from cxrkit.config.merging import OF_PREDICTIONS
from cxrkit.config.origin import KeyPath
from cxrkit.config.problems import found
from cxrkit.config.schema import TaskTable
from cxrkit.errors import nearest

Problem = tuple[KeyPath, str]


def problems(document: Mapping[str, Any]) -> list[Problem]:
    """List what does not fit together in a document whose defaults are merged."""
    return [
        *_no_tasks(document),
        *_same_names(document),
        *_missing_data(document),
        *_unknown_reference(document),
        *(problem for index, task in _tasks(document) for problem in _predictions(task, index, document)),
        *(problem for index, task in _tasks(document) for problem in _columns(task, index)),
    ]


def names(document: Mapping[str, Any]) -> list[str]:
    """List the names of the tasks that have one."""
    return [task["name"] for _, task in _tasks(document) if isinstance(task.get("name"), str)]


def _tasks(document: Mapping[str, Any]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    tasks = document.get("task")
    if isinstance(tasks, list):
        yield from ((index, task) for index, task in enumerate(tasks) if isinstance(task, Mapping))


def _no_tasks(document: Mapping[str, Any]) -> Iterator[Problem]:
    tasks = document.get("task", [])
    if isinstance(tasks, Mapping):
        yield ("task",), "is one table, write [[task]] in place of [task]"
    elif not isinstance(tasks, list):
        yield ("task",), f"must be an array of tables, each under [[task]], got {found(tasks)}"
    elif not tasks:
        yield ("task",), "is missing, write each task under [[task]]"


def _same_names(document: Mapping[str, Any]) -> Iterator[Problem]:
    folders = Counter(name.lower() for name in names(document))  # some file systems take no notice of case
    for name, count in folders.items():
        if count > 1:
            alike = " and ".join(f'"{each}"' for each in names(document) if each.lower() == name)
            yield ("task",), f"names must differ, also by more than upper and lower case, got {alike}"


def _missing_data(document: Mapping[str, Any]) -> Iterator[Problem]:
    if not any("model" in task for _, task in _tasks(document)):
        return
    data = document.get("data")
    if data is None:
        yield ("data",), "is missing, a task with a model needs it"
    elif isinstance(data, Mapping) and not {"root", "manifest"} & set(data):
        yield ("data",), "needs root or manifest, got neither"


def _unknown_reference(document: Mapping[str, Any]) -> Iterator[Problem]:
    table = document.get("evaluation")
    reference = table.get("reference") if isinstance(table, Mapping) else None
    if isinstance(reference, str) and reference not in names(document):
        yield ("evaluation", "reference"), f'unknown task "{reference}", {nearest(reference, names(document))}'


def _predictions(task: Mapping[str, Any], index: int, document: Mapping[str, Any]) -> Iterator[Problem]:
    files = task.get("predictions")
    if "model" in task or not isinstance(files, Mapping):
        return
    for key in task:
        if key in TaskTable.model_fields and key not in OF_PREDICTIONS:
            yield ("task", index, key), "means nothing for a task of predictions, which trains nothing"
    table = task.get("threshold", document.get("threshold", {}))
    if "val" not in files and isinstance(table, Mapping) and table.get("rule", "youden") != "fixed":
        rule = table.get("rule", "youden")
        needed = 'predictions for val, or threshold = { rule = "fixed", value = … }'
        yield ("task", index, "threshold"), f'rule "{rule}" chooses on validation, so it needs {needed}'


def _columns(task: Mapping[str, Any], index: int) -> Iterator[Problem]:
    if "columns" in task and "predictions" not in task:
        yield ("task", index, "columns"), "means nothing for a task without predictions"
