"""``cxrkit run --verify RUN``: train again what a run directory says, and compare bytes."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import ValidationError

from cxrkit.config.schema import Configuration
from cxrkit.config.writing import inline
from cxrkit.errors import InputError
from cxrkit.records import Environment, RunInfo, TaskInfo
from cxrkit.run.execute import execute
from cxrkit.run.progress import Display
from cxrkit.run.study import Request, Study, prepare
from cxrkit.rundir import RunDirectory, TaskDirectory

Verdict = Literal["same", "differs", "missing", "gone"]

NOT_COMPARED = ('explain.method="none"', 'report.formats=["txt"]', "run.trackers=[]")
"""What no figure depends on is not made again."""

MATTER = ("cxrkit", "python", "platform", "processor", "threads", "accelerator")
"""Of the environment, what a training's last bits may depend on, beside the packages."""


@dataclass(frozen=True)
class Compared:
    """A file of the run beside the one that was made again.

    Attributes:
        file: its place in the run directory.
        verdict: ``same`` bytes, ``differs``, ``missing`` where it was not made again, or ``gone`` where it was, and the
            run directory has none.
        largest: largest absolute difference of a number; None where the bytes are the same, or rows or columns differ.
    """

    file: str
    verdict: Verdict
    largest: float | None = None


@dataclass(frozen=True)
class Verification:
    """What came of training again.

    Attributes:
        run: the run directory.
        files: compared.
        changed: sentences on what is not as it was when the run was made: versions, hardware, threads.
        failures: task, ``[[tta]]`` or ensemble that had finished → why it failed this time.
    """

    run: Path
    files: tuple[Compared, ...]
    changed: tuple[str, ...]
    failures: dict[str, str]

    @property
    def is_same(self) -> bool:
        """Whether every file has the same bytes."""
        return not self.failures and all(file.verdict == "same" for file in self.files)

    def to_json(self) -> str:
        """Tell the same as JSON."""
        told = asdict(self) | {"run": str(self.run), "same": self.is_same}
        return json.dumps(told, indent=1)


def verify(
    path: Path, display: Display, *, sets: Sequence[str] = (), only: Sequence[str] = (), output: Path | None = None
) -> Verification:
    """Train every trained task of a run that has finished again, evaluate it, and compare the files.

    Compared are ``history.csv``, ``model.safetensors``, ``predictions/*.csv`` and ``metrics.json`` of every task, of
    ``[[tta]]`` and of ensembles, as far as they have finished.

    Args:
        path: the run directory; it is only read.
        display: shows what happens.
        sets: ``key=value`` texts that say where the images lie now.
        only: names of tasks; all that have finished by default.
        output: run directory of the second training, which can then be gone on with; else a temporary folder.

    Raises:
        InputError: there is no such run, it trained nothing that has finished, its images have changed, or ``output``
            lies in it.
        RunError: the second training failed as a whole.
    """
    run = RunDirectory.open(path)
    refuse_within(run, output)
    info = RunInfo.read(run.info)
    written = _written(run, info)
    tasks = _finished_tasks(run, written, only)
    with TemporaryDirectory(prefix="cxrkit-verify-") as temporary:
        again = prepare(_request(run, info, written, sets, tasks, output or Path(temporary) / "run"))
        for notice in again.notices:
            display.warn(notice)
        _refuse_changed_images(run, info, again)
        outcome = execute(again, display)
        names = [name for name in _made(written, tasks) if _is_finished(run.task(name))]
        files = tuple(compared for name in names for compared in _compare(run.task(name), again.run.task(name), run))
        changed = tuple(_changed(info.environment, RunInfo.read(again.run.info).environment))
        failures = {name: why for name, why in outcome.failures.items() if name in names}
        return Verification(run.root, files, changed, failures)


def refuse_within(run: RunDirectory, output: Path | None) -> None:
    """Refuse to train again where the run itself lies, which would be compared with itself.

    Raises:
        InputError: ``output`` is the run directory, or lies in it.
    """
    if output is not None and output.resolve().is_relative_to(run.root.resolve()):
        raise InputError(f"--output {output}: lies in {run.root}, which is only read, choose another folder")


def _written(run: RunDirectory, info: RunInfo) -> Configuration:
    try:
        return Configuration.model_validate(info.configuration)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InputError(
            f"{run.info}: configuration: {place}: {first['msg']}, one that this cxrkit would write is needed"
        ) from None


def _request(
    run: RunDirectory, info: RunInfo, written: Configuration, sets: Sequence[str], only: Sequence[str], output: Path
) -> Request:
    """Ask for what the run's configuration says, its paths seen from where they were written."""
    given = written.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude_none=True)
    text = "\n".join(f"{key} = {inline(value)}" for key, value in given.items())
    return Request(run.root / (info.folder or "") / "run.json", (*NOT_COMPARED, *sets), only, output, text=text)


def _finished_tasks(run: RunDirectory, written: Configuration, only: Sequence[str]) -> list[str]:
    """Name the tasks to carry out again: one that has failed is not tried once more."""
    names = [task.name for task in written.task if not only or task.name in only]
    finished = [name for name in names if _is_finished(run.task(name))]
    if not set(only) <= {task.name for task in written.task}:
        return list(only)  # what is wrong with them is told where the configuration is checked
    if not any(task.model is not None and task.name in finished for task in written.task):
        raise InputError(f"{run.root}: no trained task has finished, there is nothing to verify")
    return finished


def _made(written: Configuration, tasks: Sequence[str]) -> list[str]:
    """Name what comes of some tasks: themselves, their test-time augmentation, and ensembles of nothing else."""
    made = [*tasks, *(view.name for view in written.tta if view.task in tasks)]
    return [*made, *(one.name for one in written.ensemble if set(one.members) <= set(made))]


def _is_finished(directory: TaskDirectory) -> bool:
    return directory.info.is_file() and TaskInfo.read(directory.info).state == "finished"


def _refuse_changed_images(run: RunDirectory, info: RunInfo, again: Study) -> None:
    before = info.data.manifest_sha256 if info.data is not None else None
    now = again.manifest.digest() if again.manifest is not None else None
    if before != now:
        raise InputError(
            f"{run.root}: these are not the images of the run (manifest {str(now)[:12]}, was {str(before)[:12]}), "
            "bring the same files to the same place"
        )


# ── Comparing ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _compare(before: TaskDirectory, now: TaskDirectory, run: RunDirectory) -> Iterator[Compared]:
    patterns = ("seeds/*/history.csv", "seeds/*/model.safetensors", "seeds/*/predictions/*.csv", "predictions/*.csv",
                "metrics.json")  # fmt: skip
    found = {path.relative_to(one.root) for one in (before, now) for each in patterns for path in one.root.glob(each)}
    for place in sorted(found):
        yield _compared(before.root / place, now.root / place, (before.root / place).relative_to(run.root).as_posix())


def _compared(old: Path, new: Path, name: str) -> Compared:
    if not old.is_file():
        return Compared(name, "gone")
    if not new.is_file():
        return Compared(name, "missing")
    if old.read_bytes() == new.read_bytes():
        return Compared(name, "same")
    return Compared(name, "differs", _largest_difference(old, new) if old.suffix == ".csv" else None)


def _largest_difference(old: Path, new: Path) -> float | None:
    before, now = pd.read_csv(old), pd.read_csv(new)
    if list(before.columns) != list(now.columns) or len(before) != len(now):
        return None
    numbers = before.select_dtypes("number").columns
    differences = np.abs(before[numbers].to_numpy(np.float64) - now[numbers].to_numpy(np.float64))
    return float(np.nanmax(differences)) if np.isfinite(differences).any() else None


def _changed(before: Environment, now: Environment) -> Iterator[str]:
    for name in MATTER:
        was, found = getattr(before, name), getattr(now, name)
        if was != found:
            yield f"{name} was {was}, is {found}"
    for package in sorted(before.packages.keys() | now.packages.keys()):
        was, found = before.packages.get(package), now.packages.get(package)
        if was != found:
            yield f"{package} was {was or 'not installed'}, is {found or 'not installed'}"


# ── Telling ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def sentences(found: Verification) -> list[str]:
    """Tell what is the same, what is not and by how much, and what may be the cause."""
    same = sum(file.verdict == "same" for file in found.files)
    told = [f"{found.run}: {same} of {len(found.files)} files were made again with the same bytes."]
    told += [f"  {file.file}: {_difference(file)}" for file in found.files if file.verdict != "same"]
    told += [f'  task "{task}" failed this time: {why}' for task, why in found.failures.items()]
    if found.changed and not found.is_same:
        told.append("Bytes are promised for the same machine, threads and versions alone, and these have changed:")
    elif found.changed:
        told.append("The same bytes, although these have changed:")
    return told + [f"  {sentence}" for sentence in found.changed]


def _difference(file: Compared) -> str:
    if file.verdict == "missing":
        return "not made again"
    if file.verdict == "gone":
        return "made again, and not in the run directory any more"
    return "differs" if file.largest is None else f"differs by {file.largest:.2g} at most"
