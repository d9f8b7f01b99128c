"""Carries out the tasks of a study one after another and keeps what each has reached in its ``task.json``."""

import shutil
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import count
from pathlib import Path

from cxrkit.config.schema import TaskTable
from cxrkit.data.manifest import Manifest
from cxrkit.discovery import Plugins
from cxrkit.errors import CxrkitError, InputError, RunError
from cxrkit.evaluation.importing import write_task
from cxrkit.files import writing
from cxrkit.records import TaskInfo, TaskState
from cxrkit.run import children, fingerprints, plans
from cxrkit.run.progress import Display
from cxrkit.run.representing import represent
from cxrkit.run.study import Study
from cxrkit.rundir import SeedDirectory, TaskDirectory


def set_aside(study: Study) -> list[Path]:
    """Move what the selected tasks left earlier into ``old/<time>/``; return where to."""
    folders = [folder for task in study.selected if (folder := study.run.task(task.name).root).is_dir()]
    aside = _aside(study, folders)
    for folder in folders:
        aside.mkdir(parents=True, exist_ok=True)
        shutil.move(folder, aside / folder.name)
    return [aside / folder.name for folder in folders]


def _aside(study: Study, folders: list[Path]) -> Path:
    """Name a folder by the time that holds none of these yet: of an hour that comes twice, the second has a number."""
    now = datetime.now().astimezone().strftime("%Y-%m-%dT%H-%M-%S")
    names = (now if number == 1 else f"{now}-{number}" for number in count(1))
    places = (study.run.root / "old" / name for name in names)
    return next(place for place in places if not any((place / folder.name).exists() for folder in folders))


def refuse_changed(study: Study) -> None:
    """Refuse to go on with a training whose configuration has changed since.

    Raises:
        InputError: names the task and the keys, for every task at once.
    """
    problems = [problem for task in study.selected for problem in _changes(study, task)]
    if problems:
        raise InputError(*problems)


def _changes(study: Study, task: TaskTable) -> Iterator[str]:
    """Tell what keeps the trainings that a task has left from being gone on with."""
    if task.model is None or study.manifest is None:
        return
    directory = study.run.task(task.name)
    info, begun = read_info(directory), [seed for seed in task.seeds if _has_work(directory.seed(seed))]
    known = info.training_fingerprints if info is not None else {}
    keys = {key for seed in begun for key in _changed(study, study.manifest, known, task, seed)}
    if keys:
        yield (
            f'task "{task.name}": was trained with another {", ".join(sorted(keys))}, '
            f"change it back, choose another [run] output, or begin again with --fresh"
        )
    unknown = [str(seed) for seed in begun if str(seed) not in known]
    if unknown:
        yield (
            f'task "{task.name}": {directory.info} does not tell with what seed {", ".join(unknown)} was trained, '
            f"choose another [run] output, or begin again with --fresh"
        )


def refuse_impossible(study: Study) -> None:
    """Look for the device and build the model of each task that is to be trained, so that neither fails after hours.

    Raises:
        InputError: there is no such device, or a model refuses its options (wrong weights), for every task at once.
            What a plugin fails of otherwise is left to the task's own process, where it ends that task alone.
    """
    problems: list[str] = []
    for task in _to_train(study):
        try:
            rehearse(study, task)
        except InputError as error:
            problems += error.problems
        except RunError:
            continue
    if problems:
        raise InputError(*dict.fromkeys(problems))  # what holds for every task is told once


def carry_out(study: Study, task: TaskTable, display: Display) -> TaskInfo:
    """Train a task, or take in its predictions; a failure is recorded and ends this task alone."""
    directory = study.run.task(task.name)
    before = read_info(directory)
    if before is not None and is_finished(study, task, before):
        return before
    try:
        if task.predictions is not None:
            info = write_task(study.run, task, study.imported[task.name])
        else:
            info = _train(study, task, directory, display)
    except CxrkitError as error:
        info = _recorded(study, task, "failed").model_copy(update={"failure": str(error)})
        display.warn(f'task "{task.name}" failed: {error}')
    info.write(directory.info)
    return info


def read_info(directory: TaskDirectory) -> TaskInfo | None:
    """Read ``task.json``, if there is one."""
    return TaskInfo.read(directory.info) if directory.info.is_file() else None


def is_finished(study: Study, task: TaskTable, info: TaskInfo) -> bool:
    """Say whether nothing is left to do for a trained task; predictions are cheap to take in again."""
    if task.predictions is not None or study.manifest is None:
        return False
    now = _recorded(study, task, "finished")
    directory = study.run.task(task.name)
    return (
        info.state == "finished"
        and (info.seeds, info.represent, info.sources) == (now.seeds, now.represent, now.sources)
        and all(directory.seed(seed).is_trained for seed in task.seeds)
        and all(directory.predictions(name).is_file() for name in study.sets)
    )


def _to_train(study: Study) -> list[TaskTable]:
    infos = {task.name: read_info(study.run.task(task.name)) for task in study.selected if task.model is not None}
    trained = {name for name, info in infos.items() if info is not None and info.state == "finished"}
    return [task for task in study.selected if task.name in infos.keys() - trained]


def rehearse(study: Study, task: TaskTable) -> None:
    """Look for the task's device and build its model.

    Raises:
        InputError: there is no such device, or the model refuses its options.
        RunError: what a plugin fails of otherwise.
    """
    from cxrkit.training.devices import available_device, native_precision
    from cxrkit.training.models import build

    assert study.train is not None and task.model is not None  # noqa: S101, PT018 - the schema has checked it
    plan = plans.training(study, task, task.seeds[0])
    native_precision(plan.devices.precision, available_device(plan.devices))
    build(plan.model, len(study.class_names), study.train.models, f'task "{task.name}"')


def _train(study: Study, task: TaskTable, directory: TaskDirectory, display: Display) -> TaskInfo:
    assert study.manifest is not None  # noqa: S101 - the schema has checked it
    info = _recorded(study, task, "running")
    _drop_stale(study, task, directory)
    info.write(directory.info)
    for seed in task.seeds:
        _train_seed(study, task, directory.seed(seed), display)
    represent(study, task, [(name, None) for name in study.sets])
    return info.model_copy(update={"state": "finished"})


def _train_seed(study: Study, task: TaskTable, directory: SeedDirectory, display: Display) -> None:
    """Train with one seed; the child does only what its folder does not hold yet."""
    seed = int(directory.root.name)
    plan = plans.training(study, task, seed)
    if directory.is_trained and all(directory.predictions(name).is_file() for name in plan.sets):
        shutil.rmtree(directory.last, ignore_errors=True)  # killed between the last file and this
        return
    plan.write(directory.plan)
    name = task.name if len(task.seeds) == 1 else f"{task.name}, seed {seed}"
    with display.work(name) as work:
        children.carry_out("train", directory.plan, directory.log, work.hear, time_limit=task.time_limit)


def _recorded(study: Study, task: TaskTable, state: TaskState) -> TaskInfo:
    """Describe a task; what depends on its predictions is added by the evaluation."""
    if task.model is None:
        return TaskInfo(task=task.name, kind="predictions", state=state)
    assert study.manifest is not None  # noqa: S101 - the schema has checked it
    now = {str(seed): fingerprint(study, study.manifest, task, seed) for seed in task.seeds}
    components = {"model": task.model, "imbalance": task.imbalance, "trainer": task.trainer}
    return TaskInfo(
        task=task.name,
        kind="trained",
        state=state,
        class_names=list(study.class_names),
        positive=study.positive,
        seeds=list(task.seeds),
        represent="ensemble" if task.represent == "ensemble" else f"seed {task.represent}",
        sets=study.sets,
        training_fingerprints=_of_other_seeds(study.run.task(task.name)) | now,
        sources=fingerprints.of_sets(study.manifest, study.sets),
        model=task.model.use,
        imbalance=task.imbalance.use,
        trainer=task.trainer.use,
        options={name: use.options for name, use in components.items()}
        | {
            "epochs": task.epochs,
            "batch_size": task.batch_size,
            "precision": task.precision,
            "augmentation": (task.augmentation or study.configuration.augmentation).model_dump(mode="json"),
        },
    )


def _of_other_seeds(directory: TaskDirectory) -> dict[str, dict[str, str]]:
    """Tell with what each seed was trained whose folder is still there, whether it is asked for now or not."""
    info = read_info(directory)
    known = info.training_fingerprints if info is not None else {}
    there = {path.name for path in directory.root.glob("seeds/*")}
    return {seed: before for seed, before in known.items() if seed in there}


def _changed(
    study: Study, manifest: Manifest, known: Mapping[str, Mapping[str, str]], task: TaskTable, seed: int
) -> list[str]:
    """Name the keys by which a training differs from what is asked for now, where it is known what it was."""
    before = known.get(str(seed))
    return [] if before is None else fingerprints.differing(before, fingerprint(study, manifest, task, seed))


def _has_work(directory: SeedDirectory) -> bool:
    """Say whether a training has finished, even if its weights are gone since, or has left a state to go on from."""
    return directory.timing.is_file() or any(directory.last.glob("*.safetensors"))


def _drop_stale(study: Study, task: TaskTable, directory: TaskDirectory) -> None:
    """Remove what a training of another configuration left that came to nothing, and predictions of changed images.

    Those are removed of every seed, asked for now or not, as ``task.json`` tells of the images of all of them at once.
    What stands for the task under conditions is made of the seeds' own predictions again.

    Raises:
        SurroundingsError: the folder of such a training cannot be removed.
    """
    before = read_info(directory)
    if before is None or study.manifest is None:
        return
    for seed in task.seeds:
        left, known = directory.seed(seed), before.training_fingerprints
        changed = str(seed) not in known or _changed(study, study.manifest, known, task, seed)
        if changed and left.root.is_dir() and not _has_work(left):
            with writing(left.root):
                shutil.rmtree(left.root)
    for name in fingerprints.differing(before.sources, fingerprints.of_sets(study.manifest, study.sets)):
        for folder in directory.root.glob("seeds/*/predictions"):
            SeedDirectory(folder.parent).predictions(name).unlink(missing_ok=True)
    for path in directory.root.glob("predictions/*@*.csv"):
        path.unlink()


def fingerprint(study: Study, manifest: Manifest, task: TaskTable, seed: int) -> dict[str, str]:
    """Describe all that a training of a task depends on, key by key."""
    return fingerprints.of_training(plans.training(study, task, seed), manifest, _distributions(study.train, task))


def _distributions(train: Plugins | None, task: TaskTable) -> Mapping[str, str]:
    assert train is not None and task.model is not None  # noqa: S101, PT018 - the schema has checked it
    chosen = {
        "model": train.models.get(task.model.use, task.name),
        "imbalance": train.imbalance_strategies.get(task.imbalance.use, task.name),
        "trainer": train.trainers.get(task.trainer.use, task.name),
    }
    return {kind: f"{found.distribution} {found.version}" for kind, found in chosen.items()}
