"""Test-time augmentation: makes a model of its own of a trained task, which judges each image in several views."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from cxrkit.config.schema import TaskTable, TtaTable
from cxrkit.errors import CxrkitError, InputError
from cxrkit.records import TaskInfo, TtaRecord
from cxrkit.run import children, fingerprints, plans
from cxrkit.run.progress import Display
from cxrkit.run.representing import represent
from cxrkit.run.study import Study
from cxrkit.run.tasks import read_info
from cxrkit.rundir import TaskDirectory

_MADE_OF = {"kind", "state", "seeds", "represent", "members", "tta", "sets", "sources"}


def refuse_taken(study: Study) -> None:
    """Refuse a name under which an earlier task left its trained models.

    Raises:
        InputError: for every such ``[[tta]]`` at once.
    """
    taken = [
        study.run.task(table.name).root
        for table in study.configuration.tta
        if any(study.run.task(table.name).root.glob("seeds/*/model.safetensors"))
    ]
    if taken:
        raise InputError(
            *(f'tta "{path.name}": {path} holds trained models, choose another name or move it away' for path in taken)
        )


def carry_out(study: Study, table: TtaTable, trained: Sequence[TaskTable], display: Display) -> TaskInfo:
    """Predict every set in several views of each image; a failure is recorded and ends this model alone.

    Only what is not there yet is predicted: what other weights, images or views gave is removed before.

    Args:
        study: of the run.
        table: which task, which views.
        trained: tasks whose models are there.
        display: shows what happens.
    """
    directory = study.run.task(table.name)
    task = next((task for task in trained if task.name == table.task), None)
    info = _without_models(study, table) if task is None else _described(study, table, task)
    if task is not None:
        before = read_info(directory)
        if before is not None and _is_made_so(directory, before, info):
            return before
        info = _made(study, table, task, info, display)
    if info.failure is not None:
        display.warn(f'tta "{table.name}" failed: {info.failure}')
    info.write(directory.info)
    return info


def is_finished(study: Study, table: TtaTable, trained: Sequence[TaskTable]) -> bool:
    """Say whether every set has been predicted as it would be now."""
    directory = study.run.task(table.name)
    task = next((task for task in trained if task.name == table.task), None)
    before = read_info(directory)
    return task is not None and before is not None and _is_made_so(directory, before, _described(study, table, task))


def _without_models(study: Study, table: TtaTable) -> TaskInfo:
    """Say what keeps it from being made: its task failed, or was not asked for yet."""
    known = {"task": table.name, "kind": "tta", "members": [table.task]}
    info = read_info(study.run.task(table.task))
    if info is not None and info.state == "failed":
        return TaskInfo(**known, state="failed", failure=f'its task "{table.task}" failed')
    return TaskInfo(**known, state="pending")


def _described(study: Study, table: TtaTable, task: TaskTable) -> TaskInfo:
    """Describe the model; what depends on its predictions is added by the evaluation."""
    assert study.manifest is not None and task.model is not None  # noqa: S101, PT018 - there is a trained task
    plan = plans.views(study, task, table)
    weights = {seed: study.run.task(task.name).seed(seed).model for seed in task.seeds}
    return TaskInfo(
        task=table.name,
        kind="tta",
        state="finished",
        class_names=list(study.class_names),
        positive=study.positive,
        seeds=list(task.seeds),
        represent="ensemble" if task.represent == "ensemble" else f"seed {task.represent}",
        members=[task.name],
        tta=TtaRecord(views=plan.views, augmentation=plan.augmentation.model_dump(mode="json"), seed=plan.seed),
        sets=study.sets,
        sources=fingerprints.of_views(plan, fingerprints.of_sets(study.manifest, study.sets), weights),
        model=task.model.use,
    )


def _is_made_so(directory: TaskDirectory, before: TaskInfo, now: TaskInfo) -> bool:
    files = [*_of_seeds(directory, now).values(), *(directory.predictions(name) for name in now.sets)]
    return before.model_dump(include=_MADE_OF) == now.model_dump(include=_MADE_OF) and all(
        path.is_file() for path in files
    )


def _made(study: Study, table: TtaTable, task: TaskTable, info: TaskInfo, display: Display) -> TaskInfo:
    directory = study.run.task(table.name)
    _drop_stale(directory, info)
    running = info.model_copy(update={"state": "running"})
    running.write(directory.info)
    try:
        if not all(path.is_file() for path in _of_seeds(directory, info).values()):
            _predict(study, table, task, display)
        represent(study, task, [(name, None) for name in study.sets], name=table.name)
    except CxrkitError as error:
        return info.model_copy(update={"state": "failed", "failure": str(error)})
    return info


def _predict(study: Study, table: TtaTable, task: TaskTable, display: Display) -> None:
    root = study.run.task(table.name).root
    plans.views(study, task, table).write(root / "plan.json")
    with display.work(table.name) as work:
        children.carry_out("tta", root / "plan.json", root / "log.txt", work.hear)


def _of_seeds(directory: TaskDirectory, info: TaskInfo) -> dict[str, Path]:
    """Find what each source, ``<seed> <set>``, was or will be made into."""
    named = [(source, *source.split(" ", 1)) for source in info.sources]
    return {source: directory.seed(int(seed)).predictions(name) for source, seed, name in named}


def _drop_stale(directory: TaskDirectory, now: TaskInfo) -> None:
    """Remove what was made of other weights, images or views, and what is not asked for any more.

    What stands for the model is made of the seeds' own predictions again.
    """
    before = read_info(directory)
    known = before.sources if before is not None and before.kind == "tta" else {}
    kept = {path for source, path in _of_seeds(directory, now).items() if known.get(source) == now.sources[source]}
    for path in set(directory.root.glob("seeds/*/predictions/*.csv")) - kept:
        path.unlink()
    for path in directory.root.glob("predictions/*.csv"):
        path.unlink()
    if not any(path.is_file() for path in kept):
        directory.timing.unlink(missing_ok=True)
    for folder in directory.root.glob("seeds/*"):
        if not folder.name.isdigit() or int(folder.name) not in now.seeds:
            shutil.rmtree(folder)
