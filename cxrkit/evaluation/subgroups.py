"""The manifest's columns that subgroups are made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cxrkit.api import Predictions, TextArray
from cxrkit.errors import InputError, nearest
from cxrkit.evaluation.table import records
from cxrkit.rundir import RunDirectory

if TYPE_CHECKING:
    from pandas import DataFrame

MOST_VALUES = 50
NOT_OFFERED = {"image", "split", "sha256", "excluded"}


@dataclass(frozen=True)
class Subgroups:
    """Column → set and image → value; an image's name alone may occur in several sets."""

    columns: Mapping[str, Mapping[tuple[str, str], str]]

    def of(self, found: Predictions) -> dict[str, TextArray]:
        """Align the columns with predictions: column → str[n], empty where an image has no value."""
        images = found.images.tolist()
        return {
            column: np.array([values.get((found.set, image), "") for image in images], dtype=np.str_)
            for column, values in self.columns.items()
        }


def read_subgroups(run: RunDirectory, columns: Sequence[str]) -> Subgroups:
    """Read the columns from ``manifest.csv``.

    Raises:
        InputError: there is no manifest, a column is missing, or it has too many values to be subgroups.
    """
    if not columns:
        return Subgroups({})
    frame = _read(run) if run.manifest.is_file() else None
    check_subgroups(columns, frame)
    assert frame is not None  # noqa: S101 - checked
    keys = list(zip(frame["split"], frame["image"], strict=True))
    return Subgroups({name: dict(zip(keys, frame[name], strict=True)) for name in columns})


def check_subgroups(columns: Sequence[str], frame: "DataFrame | None") -> None:
    """Check that every column can be a subgroup's.

    Args:
        columns: as configured.
        frame: the manifest's rows; None where there is none.

    Raises:
        InputError: there is no manifest, a column is missing, or it has too many values.
    """
    if columns and frame is None:
        raise InputError(f"evaluation.subgroups: {', '.join(columns)} cannot be found without [data], leave it out")
    if frame is None:
        return
    offered = [name for name in frame.columns if name not in NOT_OFFERED]
    problems = [_problem(name, offered, frame) for name in columns]
    if any(problems):
        raise InputError(*(problem for problem in problems if problem))


def _read(run: RunDirectory) -> "DataFrame":
    import pandas as pd

    return pd.DataFrame(records(run.manifest))


def _problem(name: str, offered: Sequence[str], frame: "DataFrame") -> str | None:
    if name not in offered:
        return f'evaluation.subgroups: the manifest has no column "{name}", {nearest(name, offered)}'
    values = len(set(frame[name]))
    if values > MOST_VALUES:
        return f'evaluation.subgroups: column "{name}" has {values} values, at most {MOST_VALUES} are allowed'
    return None
