"""``search.csv``: a row for each trial; and a trial in a line."""

import csv
from io import StringIO
from pathlib import Path
from typing import Any

from cxrkit.config.writing import inline
from cxrkit.files import write_text
from cxrkit.records import SearchInfo, TrialRecord
from cxrkit.report.formats.spreadsheets import harmless


def write(path: Path, info: SearchInfo) -> None:
    """Write the table whole or not at all: trial, varied keys, metric, epochs, other figures, seconds, state, reason.

    Texts that a spreadsheet would take for a formula begin with an apostrophe.
    """
    figures = dict.fromkeys(name for trial in info.trials for name in trial.figures)
    others = [name for name in figures if name != info.metric]
    file = StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(map(harmless, ("trial", *info.space, info.metric, "epoch", *others, "seconds", "state", "reason")))
    for trial in info.trials:
        cells = [
            str(trial.number),
            *(shown(trial.values[key]) for key in info.space),
            _number(trial.metric),
            " ".join(map(str, trial.epochs)),
            *(_number(trial.figures.get(name)) for name in others),
            f"{trial.seconds:.1f}",
            trial.state,
            harmless(remark(trial)),
        ]
        writer.writerow(cells)
    write_text(path, file.getvalue())


def line(trial: TrialRecord, trials: int, metric: str) -> str:
    """Tell a trial in a line: ``trial 3 of 20: val_roc_auc 0.912 (epoch 4) with batch_size = 16``."""
    values = ", ".join(f"{key} = {inline(value)}" for key, value in trial.values.items())
    if trial.metric is None:
        return f"trial {trial.number} of {trials}: failed with {values}: {trial.reason}"
    epochs = "epoch" if len(trial.epochs) == 1 else "epochs"
    found = f"{metric} {trial.metric:.4f} ({epochs} {', '.join(map(str, trial.epochs))})"
    note = f", {remark(trial)}" if trial.same_as is not None else ""
    return f"trial {trial.number} of {trials}: {found} with {values}{note}"


def remark(trial: TrialRecord) -> str:
    """Say why a trial failed, or that it was not trained again."""
    return trial.reason or ("" if trial.same_as is None else f"the same values as trial {trial.same_as}")


def shown(value: Any) -> str:
    """Write a value as a table shows it: a text without quotes, everything else as TOML."""
    return harmless(value) if isinstance(value, str) else inline(value)


def _number(value: float | None) -> str:
    return "" if value is None else repr(value)
