"""Paths of a configuration: written relative to its file, used absolute."""

from pathlib import Path
from typing import Any

from cxrkit.config.schema import Configuration, DataTable, ReportTable, TaskTable, Use


def located(configuration: Configuration, path: Path) -> Configuration:
    """Make the paths of a configuration absolute; they are written relative to its file.

    These are the output folder, the data, the files of predictions, the report's templates and logo, and the
    components' options that name a file.

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
            "report": located_report(configuration.report, folder),
        }
    )


def located_report(report: ReportTable, folder: Path) -> ReportTable:
    """Make the paths of ``[report]`` absolute, which are relative to ``folder``."""
    return report.model_copy(
        update={
            "templates": None if report.templates is None else _seen_from(folder, report.templates),
            "logo": None if report.logo is None else _seen_from(folder, report.logo),
            "pseudonym_key": None if report.pseudonym_key is None else _seen_from(folder, report.pseudonym_key),
            "sections": tuple(_located_use(section, folder) for section in report.sections),
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
    return (_file(folder, value) or value) if has_form else value


def _file(folder: Path, value: str) -> str | None:
    try:
        path = _seen_from(folder, value)
        return path if Path(path).is_file() else None
    except (OSError, ValueError):  # too long for a name, or with a NUL
        return None


def _seen_from(folder: Path, written: str) -> str:
    """Make a path absolute; ``..`` leads out of a folder that does not exist yet, too."""
    path = folder / written
    return str(path if folder.is_dir() else path.resolve())


def _located_data(data: DataTable, folder: Path) -> DataTable:
    return data.model_copy(
        update={
            "root": None if data.root is None else _seen_from(folder, data.root),
            "manifest": None if data.manifest is None else _seen_from(folder, data.manifest),
            "dataset": None if data.dataset is None else _located_use(data.dataset, folder),
            "external": {name: _seen_from(folder, root) for name, root in data.external.items()},
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
