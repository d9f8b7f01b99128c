"""Trains the trials one after another and keeps what each has reached; a trial that fails ends itself alone."""

import math
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cxrkit.config.schema import TaskTable
from cxrkit.data import Manifest
from cxrkit.errors import CxrkitError, InputError, RunError, SurroundingsError
from cxrkit.evaluation.hints import history
from cxrkit.files import writing
from cxrkit.plans import TrainingPlan
from cxrkit.records import ModelInfo, SearchInfo, Timing, TrialRecord
from cxrkit.run import children, fingerprints, plans, tasks
from cxrkit.run.progress import Display
from cxrkit.run.search import points, table_file
from cxrkit.run.search.points import Values
from cxrkit.run.search.prepare import Search
from cxrkit.run.study import Study
from cxrkit.rundir import SeedDirectory

INFO, TABLE = "search.json", "search.csv"
PREDICTED = ("val",)  # the test set is no business of a search


def carry_out(search: Search, display: Display) -> SearchInfo:
    """Carry out every trial that has not ended yet.

    Args:
        search: checked.
        display: shows what happens.

    Returns:
        All trials, the best one chosen.

    Raises:
        InputError: the folder holds another search.
        SurroundingsError: the disk, an image or a process is not as it should be; the trials before stay, and what
            the one under way has saved.
        RunError: no trial has finished.
    """
    info = begin(search)
    for trial in info.trials:  # of which a search may have been killed just before it did so itself
        _remove_bulk(trial_folder(search.output, trial.number))
    while len(info.trials) < search.trials:
        record = _next(search, info, display)
        info = _with(info, record)
        write(search.output, info)
        display.say(table_file.line(record, search.trials, info.metric))
        _remove_bulk(trial_folder(search.output, record.number))
    if info.chosen is None:
        whys = dict.fromkeys(f"trial {trial.number}: {trial.reason}" for trial in info.trials)
        raise RunError("\n".join(["no trial has finished", *whys]))
    return info


def begin(search: Search) -> SearchInfo:
    """Give what an earlier command has left of this search, or a new one.

    Raises:
        InputError: the folder holds another search, or something else; nothing was written.
    """
    new = _new(search)
    path = search.output / INFO
    if not path.is_file():
        if (search.output / "run.json").exists():
            raise InputError(f"{search.output}: is a run directory, choose another --output")
        return new
    old = SearchInfo.read(path)
    changed = _changed(old, new)
    if changed:
        raise InputError(
            f"{search.output}: holds a search with another {', '.join(changed)}, "
            "change it back, or choose another --output"
        )
    return old.model_copy(update={"asked": max(new.asked, len(old.trials))})


def trial_folder(output: Path, number: int) -> Path:
    """Say where a trial lies: a run directory of its one task."""
    return output / "trials" / str(number)


def ranked(info: SearchInfo) -> list[TrialRecord]:
    """Order the finished trials, the best first; among equals the lower loss, then the earlier one. Each point once."""
    finished = [trial for trial in info.trials if trial.metric is not None and trial.same_as is None]
    sign = 1 if points.is_falling(info.metric) else -1
    return sorted(
        finished, key=lambda one: (sign * (one.metric or 0.0), one.figures.get("val_loss", math.inf), one.number)
    )


# ── What a search depends on ──────────────────────────────────────────────────────────────────────────────────────────


def _new(search: Search) -> SearchInfo:
    manifest, table = search.manifest, search.table
    first = search.points[0] if search.points is not None else points.proposed(table, [])
    study, task = search.trial(first, trial_folder(search.output, 1))
    return SearchInfo(
        task=task.name,
        method=table.method,
        metric=table.metric,
        seed=table.seed,
        space=table.model_dump(mode="json")["space"],
        asked=search.trials,
        seeds=list(task.seeds),
        images=search.images,
        patients=manifest.summary().patients,
        fingerprints={str(seed): tasks.fingerprint(study, manifest, task, seed) for seed in task.seeds},
    )


def _changed(old: SearchInfo, new: SearchInfo) -> list[str]:
    keys = ["task", "method", "metric", "space", "seeds", *(["seed"] if new.method != "grid" else [])]
    changed = [f"search.{key}" if key != "seeds" else key for key in keys if getattr(old, key) != getattr(new, key)]
    if changed:  # which change the first trial as well
        return changed
    seeds = old.fingerprints.keys() & new.fingerprints.keys()
    return sorted(
        {key for seed in seeds for key in fingerprints.differing(old.fingerprints[seed], new.fingerprints[seed])}
    )


def _with(info: SearchInfo, record: TrialRecord) -> SearchInfo:
    info = info.model_copy(update={"trials": [*info.trials, record]})
    best = ranked(info)
    return info.model_copy(update={"chosen": best[0].number if best else None})


def write(output: Path, info: SearchInfo) -> None:
    """Write ``search.json`` and its table."""
    info.write(output / INFO)
    table_file.write(output / TABLE, info)


# ── One trial ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _next(search: Search, info: SearchInfo, display: Display) -> TrialRecord:
    number = len(info.trials) + 1
    values = search.points[number - 1] if search.points is not None else points.proposed(search.table, info.trials)
    for earlier in info.trials:
        if earlier.values == values:  # Optuna may come back to a point, and would find the same figures
            return earlier.model_copy(update={"number": number, "seconds": 0.0, "same_as": earlier.number})
    started = time.perf_counter()
    try:
        return _train(search, values, number, display)
    except SurroundingsError:  # no fault of these values: the same command tries them again
        display.say(f"trial {number} of {search.trials} has not ended, the same command goes on with it")
        raise
    except CxrkitError as error:
        seconds = time.perf_counter() - started
        return TrialRecord(number=number, values=values, state="failed", reason=str(error), seconds=seconds)


def _train(search: Search, values: Values, number: int, display: Display) -> TrialRecord:
    study, task = search.trial(values, trial_folder(search.output, number))
    if _drop_other(search, study, task):
        display.say(f"trial {number} of {search.trials} begins again: what was left of it was of another training")
    search.manifest.write(study.run.manifest)
    for seed in task.seeds:
        _train_seed(study, task, seed, _name(task, seed, number, search.trials), display)
    directories = [study.run.task(task.name).seed(seed) for seed in task.seeds]
    epochs = [_selected(directory) for directory in directories]
    figures = _mean([_figures(directory, epoch) for directory, epoch in zip(directories, epochs, strict=True)])
    metric = search.table.metric
    if metric not in figures:
        known = ", ".join(figures) or "nothing"
        raise RunError(f"{metric} could not be computed in epoch {epochs[0]}, known is {known}")
    return TrialRecord(
        number=number,
        values=values,
        state="finished",
        metric=figures[metric],
        epochs=epochs,
        figures=figures,
        seconds=sum(Timing.read(directory.timing).seconds for directory in directories),
    )


def _name(task: TaskTable, seed: int, number: int, trials: int) -> str:
    return f"trial {number} of {trials}" + (f", seed {seed}" if len(task.seeds) > 1 else "")


def _drop_other(search: Search, study: Study, task: TaskTable) -> list[Path]:
    """Remove the seeds that an earlier search has left with other values or images; return their folders."""
    seeds = [(study.run.task(task.name).seed(seed), _plan(study, task, seed)) for seed in task.seeds]
    others = [one.root for one, plan in seeds if one.root.is_dir() and not _is_of(one, plan, study, search.manifest)]
    for root in others:
        with writing(root):
            shutil.rmtree(root)
    return others


def _plan(study: Study, task: TaskTable, seed: int) -> TrainingPlan:
    return plans.training(study, task, seed).model_copy(update={"sets": list(PREDICTED)})


def _train_seed(study: Study, task: TaskTable, seed: int, name: str, display: Display) -> None:
    """Train with one seed, or go on with what an interrupted search has left of it."""
    directory = study.run.task(task.name).seed(seed)
    if _is_finished(directory):
        return
    _plan(study, task, seed).write(directory.plan)
    with display.work(name) as work:
        children.carry_out("train", directory.plan, directory.log, work.hear, time_limit=task.time_limit)


def _is_of(directory: SeedDirectory, plan: TrainingPlan, study: Study, manifest: Manifest) -> bool:
    """Say whether what a seed has left is of the same training; where, and by how many workers, is all the same."""
    try:
        before = TrainingPlan.read(directory.plan), Manifest.read(study.run.manifest, manifest.roots)
    except InputError:
        return False
    now = TrainingPlan.model_validate_json(plan.model_dump_json())  # read as well: there, a 0 becomes a 0.0
    return fingerprints.of_training(*before, {}) == fingerprints.of_training(now, manifest, {})


def _is_finished(directory: SeedDirectory) -> bool:
    files = [directory.model_info, directory.timing, *(directory.predictions(name) for name in PREDICTED)]
    return all(path.is_file() for path in files)


def _selected(directory: SeedDirectory) -> int:
    """Tell the epoch whose weights were kept; the last one where the trainer does not tell."""
    rows = history(directory)
    if not rows:
        raise RunError(f"{directory.history}: holds no epoch, a trainer must tell at least one")
    selected = ModelInfo.read(directory.model_info).selected_epoch
    return int(rows[-1]["epoch"]) if selected is None else selected


def _figures(directory: SeedDirectory, epoch: int) -> dict[str, float]:
    """Read the validation figures of an epoch."""
    [row] = [row for row in history(directory) if row["epoch"] == epoch]
    return {name: value for name, value in row.items() if name.startswith("val_") and math.isfinite(value)}


def _mean(figures: Sequence[dict[str, float]]) -> dict[str, float]:
    """Average over the seeds what all of them have."""
    names = [name for name in figures[0] if all(name in one for one in figures)]
    return {name: float(np.mean([one[name] for one in figures])) for name in names}


def _remove_bulk(folder: Path) -> None:
    """Remove what only the training needed; ``cxrkit run best.toml`` makes the chosen weights again."""
    (folder / "manifest.csv").unlink(missing_ok=True)
    for weights in folder.glob("tasks/*/seeds/*/model.safetensors"):
        weights.unlink()
    for last in folder.glob("tasks/*/seeds/*/last"):
        shutil.rmtree(last, ignore_errors=True)
