"""Paths of a configuration: written relative to its file, used absolute."""

from pathlib import Path
from typing import Any

from cxrkit.config.schema import Configuration, DataTable, TaskTable, Use


def located(configuration: Configuration, path: Path) -> Configuration:
    """Make the paths of a configuration absolute; they are written relative to its file.

    These are the output folder, the data, the files of predictions, and the components' options that name a file.

    Args:
        configuration: as loaded, or with its components checked.
        path: the file that it was loaded from.
    """
    folder = path.absolute().parent
    data = configuration.data
    return configuration.model_copy(
        update={
            "run": configuration.run.model_copy(update={"output": str(folder / configuration.run.output)}),
            "data": None if data is None else _located_data(data, folder),
            "task": tuple(_located_task(task, folder) for task in configuration.task),
        }
    )


def located_option(value: Any, folder: Path) -> Any:
    """Make an option absolute that is a path, or a text that has the form of one and names a file of the folder.

    ``weights = "resnet18.pth"`` beside the ``tasks.toml`` is a file; ``scheduler = "cosine"`` has no such form, so that
    no file of this name can change what it means.
    """
    if isinstance(value, Path):
        return folder / value
    has_form = isinstance(value, str) and (Path(value).suffix or len(Path(value).parts) > 1)
    return str(folder / value) if has_form and _is_file(folder / value) else value


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long for a name, or with a NUL
        return False


def _located_data(data: DataTable, folder: Path) -> DataTable:
    return data.model_copy(
        update={
            "root": None if data.root is None else str(folder / data.root),
            "manifest": None if data.manifest is None else str(folder / data.manifest),
            "dataset": None if data.dataset is None else _located_use(data.dataset, folder),
            "external": {name: str(folder / root) for name, root in data.external.items()},
        }
    )


def _located_task(task: TaskTable, folder: Path) -> TaskTable:
    files, labels = task.predictions, task.labels
    return task.model_copy(
        update={
            "model": None if task.model is None else _located_use(task.model, folder),
            "imbalance": _located_use(task.imbalance, folder),
            "trainer": _located_use(task.trainer, folder),
            "predictions": None if files is None else {name: str(folder / file) for name, file in files.items()},
            "labels": None if labels is None else {name: str(folder / file) for name, file in labels.items()},
        }
    )


def _located_use(component: Use, folder: Path) -> Use:
    return Use(use=component.use, **{key: located_option(value, folder) for key, value in component.options.items()})
