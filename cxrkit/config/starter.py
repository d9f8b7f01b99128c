"""Commented ``tasks.toml`` files to start from."""

import csv
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cxrkit.errors import InputError

NEEDED = ("image", "label")


@dataclass(frozen=True)
class _PredictionFile:
    """A file of predictions as the template shows it.

    Attributes:
        name: for the task.
        file: its path relative to the file that is written.
        columns: of its head.
        missing: the columns of cxrkit that its head lacks.
    """

    name: str
    file: str
    columns: list[str]
    missing: list[str]

    @property
    def example(self) -> str:
        """How the missing columns could be named."""
        return ", ".join(f'{name} = "…"' for name in self.missing)


def starter() -> str:
    """Write a ``tasks.toml`` that compares training from scratch with transfer learning."""
    return rendered("tasks.toml.j2")


def starter_for_predictions(files: Sequence[Path], folder: Path) -> str:
    """Write a ``tasks.toml`` that compares files of predictions.

    Args:
        files: one CSV file for each task.
        folder: where the ``tasks.toml`` will lie.

    Raises:
        InputError: a file is missing, or has no head.
    """
    tasks: list[_PredictionFile] = []
    problems: list[str] = []
    for file in files:
        try:
            tasks.append(_described(file, folder, [task.name for task in tasks]))
        except InputError as error:
            problems.extend(error.problems)
    if problems:
        raise InputError(*problems)
    return rendered("predictions.toml.j2", tasks=tasks)


def _described(file: Path, folder: Path, taken: Sequence[str]) -> _PredictionFile:
    columns = _head(file)
    missing = [name for name in NEEDED if name not in columns]
    # A column that is called "score" often holds a probability, so the user is asked which column does.
    if not any(name.startswith("p_") for name in columns) and "decision" not in columns:
        missing.append("p_PNEUMONIA")
    return _PredictionFile(_task_name(file, taken), _relative(file, folder), columns, missing)


def _head(file: Path) -> list[str]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            head = next(csv.reader(lines), [])
    except FileNotFoundError:
        raise InputError(f"{file}: no such file, --predictions needs one that exists") from None
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror})") from None
    except (UnicodeDecodeError, csv.Error):
        raise InputError(f"{file}: is no CSV file in UTF-8") from None
    columns = [" ".join(name.split()) for name in head]
    if not any(columns):
        raise InputError(f"{file}: has no head, the first line must name the columns")
    return columns


def _task_name(file: Path, taken: Sequence[str]) -> str:
    """Make a task's name of a file's, unlike the others also to file systems that take no notice of case."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", file.stem).strip("-_")[:50] or "predictions"
    others = {other.lower() for other in taken}
    numbered = (name if number == 1 else f"{name}-{number}" for number in range(1, len(others) + 2))
    return next(candidate for candidate in numbered if candidate.lower() not in others)


def _relative(file: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(file, folder)).as_posix()
    except ValueError:  # on another drive
        return file.absolute().as_posix()


def rendered(template: str, **values: Any) -> str:
    """Fill in a template of a text file; the filter ``quoted`` writes a text as TOML, JSON and Python have it."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("cxrkit_templates", ""),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 - TOML, and every value is quoted
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["quoted"] = _quoted
    return environment.get_template(template).render(**values)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # a JSON string is a TOML string
