"""What must fit together across the tables of a file.

It is looked at in the document as it was read, so that an error in one table hides none in another.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from cxrkit.config.columns import wrong_columns, wrong_label_columns
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
        *(problem for index, task in _tasks(document) for problem in _labels(task, index)),
        *(problem for index, task in _tasks(document) for problem in _probability(task, ("task", index), document)),
        *(problem for index, one in _views(document) for problem in _judging(one, index, document)),
        *(problem for index, one in _ensembles(document) for problem in _members(one, index, document)),
        *_robust_tasks(document),
        *_margins(document),
        *_searched_task(document),
    ]


def names(document: Mapping[str, Any]) -> list[str]:
    """List the names of the tasks that have one."""
    return _names(_tasks(document))


def _names(tables: Iterator[tuple[int, Mapping[str, Any]]]) -> list[str]:
    return [table["name"] for _, table in tables if isinstance(table.get("name"), str)]


def _evaluated(document: Mapping[str, Any]) -> list[str]:
    """List the names of the tasks, ``[[tta]]`` and ensembles that have one."""
    return names(document) + _names(_views(document)) + _names(_ensembles(document))


def _tasks(document: Mapping[str, Any]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    yield from _array(document, "task")


def _views(document: Mapping[str, Any]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    yield from _array(document, "tta")


def _ensembles(document: Mapping[str, Any]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    yield from _array(document, "ensemble")


def _array(document: Mapping[str, Any], key: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    tables = document.get(key)
    if isinstance(tables, list):
        yield from ((index, table) for index, table in enumerate(tables) if isinstance(table, Mapping))


def _no_tasks(document: Mapping[str, Any]) -> Iterator[Problem]:
    tasks = document.get("task", [])
    if isinstance(tasks, Mapping):
        yield ("task",), "is one table, write [[task]] in place of [task]"
    elif not isinstance(tasks, list):
        yield ("task",), f"must be an array of tables, each under [[task]], got {found(tasks)}"
    elif not tasks:
        yield ("task",), "is missing, write each task under [[task]]"


def _same_names(document: Mapping[str, Any]) -> Iterator[Problem]:
    known = _evaluated(document)
    folders = Counter(name.lower() for name in known)  # some file systems take no notice of case
    for name, count in folders.items():
        if count > 1:
            alike = " and ".join(f'"{each}"' for each in known if each.lower() == name)
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
    known = _evaluated(document)
    if isinstance(reference, str) and reference not in known:
        yield ("evaluation", "reference"), f'unknown task "{reference}", {nearest(reference, known)}'


def _predictions(task: Mapping[str, Any], index: int, document: Mapping[str, Any]) -> Iterator[Problem]:
    files = task.get("predictions")
    if "model" in task or not isinstance(files, Mapping):
        return
    for key in task:
        if key in TaskTable.model_fields and key not in OF_PREDICTIONS:
            yield ("task", index, key), "means nothing for a task of predictions, which trains nothing"
    if "val" not in files and not _gives(task, "decision"):  # which needs no threshold
        bare = ', or columns = { decision = "…" } for bare decisions'
        yield from _chosen_without_validation(task, ("task", index), document, bare)


def _gives(task: Mapping[str, Any], column: str) -> bool:
    """Say whether a task of predictions maps a column: ``score``, ``decision``."""
    columns = task.get("columns")
    return isinstance(columns, Mapping) and column in columns


def _chosen_without_validation(
    table: Mapping[str, Any], at: KeyPath, document: Mapping[str, Any], otherwise: str = ""
) -> Iterator[Problem]:
    threshold = table.get("threshold", document.get("threshold", {}))
    if not isinstance(threshold, Mapping):
        return
    needed = 'predictions for val, or threshold = { rule = "fixed", value = … }'
    rule = threshold.get("rule", "youden")
    if rule != "fixed":
        yield (*at, "threshold"), f'rule "{rule}" chooses on validation, so it needs {needed}{otherwise}'
    elif "refer" in threshold:
        yield (*at, "threshold", "refer"), "is chosen on validation, so it needs predictions for val"


def _columns(task: Mapping[str, Any], index: int) -> Iterator[Problem]:
    if "columns" in task and "predictions" not in task:
        yield ("task", index, "columns"), "means nothing for a task without predictions"
        return
    for key, wrong in (("columns", wrong_columns), ("label_columns", wrong_label_columns)):
        mapped = task.get(key)
        if isinstance(mapped, Mapping):
            yield from ((("task", index, key, name), sentence) for name, sentence in wrong(mapped))


def _labels(task: Mapping[str, Any], index: int) -> Iterator[Problem]:
    files, labels = task.get("predictions"), task.get("labels")
    if not isinstance(labels, Mapping):
        for key in {"label_columns", "join"} & set(task):
            yield ("task", index, key), "means nothing for a task without labels"
    elif isinstance(files, Mapping):
        for name in labels:
            if name not in files:
                yield ("task", index, "labels", name), f"has no predictions of its own, {nearest(str(name), files)}"


def _probability(task: Mapping[str, Any], at: KeyPath, document: Mapping[str, Any]) -> Iterator[Problem]:
    """Check what a fixed threshold of a model can be; a vendor's score has a range of its own."""
    own = "threshold" in task
    table = task.get("threshold", document.get("threshold"))
    value = table.get("value") if isinstance(table, Mapping) else None
    if "predictions" not in task and isinstance(value, int | float) and not 0 <= value <= 1:
        place: KeyPath = (*at, "threshold", "value") if own else ("threshold", "value")
        yield place, f"must be a probability from 0 to 1, got {found(value)}"


def _judging(tta: Mapping[str, Any], index: int, document: Mapping[str, Any]) -> Iterator[Problem]:
    """Check that a ``[[tta]]`` is of a task that has a model."""
    yield from _probability(tta, ("tta", index), document)
    tasks = {task.get("name"): task for _, task in _tasks(document)}
    name = tta.get("task")
    if isinstance(name, str) and name not in tasks:
        yield ("tta", index, "task"), f'unknown task "{name}", {nearest(name, names(document))}'
    elif isinstance(name, str) and "predictions" in tasks[name]:
        yield ("tta", index, "task"), f'"{name}" brings predictions, only a task with a model can judge further views'


def _members(ensemble: Mapping[str, Any], index: int, document: Mapping[str, Any]) -> Iterator[Problem]:
    members = ensemble.get("members")
    if not isinstance(members, list):
        return
    tasks = {table.get("name"): table for tables in (_tasks, _views) for _, table in tables(document)}
    known = names(document) + _names(_views(document))
    for place, member in enumerate(members):
        if isinstance(member, str) and member not in tasks:
            yield ("ensemble", index, "members", place), f'unknown task "{member}", {nearest(member, known)}'
        elif isinstance(member, str):
            for column in ("score", "decision"):
                if _gives(tasks[member], column):
                    sentence = f'"{member}" gives a {column}, only probabilities can be put together'
                    yield ("ensemble", index, "members", place), sentence
    lacking = [name for name in members if isinstance(name, str) and _lacks_validation(tasks.get(name, {}))]
    if not lacking:
        return
    yield from _chosen_without_validation(ensemble, ("ensemble", index), document)
    if ensemble.get("method") == "validation-weighted":
        yield ("ensemble", index, "method"), f'weighs by validation, and "{lacking[0]}" has no predictions for val'


def _lacks_validation(task: Mapping[str, Any]) -> bool:
    files = task.get("predictions")
    return "model" not in task and isinstance(files, Mapping) and "val" not in files


def _robust_tasks(document: Mapping[str, Any]) -> Iterator[Problem]:
    table = document.get("robustness")
    trained = [task["name"] for _, task in _tasks(document) if "model" in task and isinstance(task.get("name"), str)]
    if isinstance(table, Mapping) and not trained:
        yield ("robustness",), "corrupts images and predicts them again, so it needs a task with a model"
    wanted = table.get("tasks") if isinstance(table, Mapping) else None
    for place, name in enumerate(wanted if isinstance(wanted, list) else ()):
        if isinstance(name, str) and name not in trained:
            yield ("robustness", "tasks", place), f'no task with a model is named "{name}", {nearest(name, trained)}'


def _margins(document: Mapping[str, Any]) -> Iterator[Problem]:
    table = document.get("evaluation")
    if isinstance(table, Mapping) and table.get("non_inferiority") and "reference" not in table:
        yield ("evaluation", "non_inferiority"), "is to a task, so it needs evaluation.reference"


def _searched_task(document: Mapping[str, Any]) -> Iterator[Problem]:
    table = document.get("search")
    task = table.get("task") if isinstance(table, Mapping) else None
    trained = [one["name"] for _, one in _tasks(document) if "model" in one and isinstance(one.get("name"), str)]
    if isinstance(task, str) and task not in trained:
        yield ("search", "task"), f'no task with a model is named "{task}", {nearest(task, trained)}'
