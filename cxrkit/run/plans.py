"""Writes down what a child process is to do."""

from collections.abc import Sequence
from pathlib import Path

from cxrkit.config.schema import TaskTable, TtaTable, Use
from cxrkit.plans import Chosen, DevicePlan, ExplainedModel, ExplainPlan, RobustnessPlan, TrainingPlan, ViewsPlan
from cxrkit.records import Condition
from cxrkit.run.study import Study


def training(study: Study, task: TaskTable, seed: int) -> TrainingPlan:
    """Plan one training of one task."""
    data = study.configuration.data
    assert data is not None and task.model is not None and study.positive is not None  # noqa: S101, PT018 - checked by the schema
    return TrainingPlan(
        run_directory=str(study.run.root),
        roots=_roots(study),
        task=task.name,
        seed=seed,
        class_names=list(study.class_names),
        positive=study.positive,
        image_size=data.image_size,
        model=_chosen(task.model),
        imbalance=_chosen(task.imbalance),
        trainer=_chosen(task.trainer),
        augmentation=task.augmentation or study.configuration.augmentation,
        epochs=task.epochs,
        batch_size=task.batch_size,
        devices=devices(study, task),
        sets=study.sets,
        trackers=list(study.configuration.run.trackers),
        checkpoint_minutes=study.configuration.run.checkpoint_minutes,
        checkpoint_steps=study.configuration.run.checkpoint_steps,
    )


def explanation(
    study: Study,
    models: Sequence[tuple[TaskTable, int]],
    shown: tuple[list[str], str],
    sample: tuple[list[str], str],
) -> ExplainPlan:
    """Plan the activation maps of tested images by every trained model.

    Args:
        study: of the run.
        models: tasks, each with the seed whose maps are shown.
        shown: images whose maps the report shows, and the rule by which they were chosen.
        sample: images that the maps are checked on, and the rule by which they were drawn.
    """
    table = study.configuration.explain
    return ExplainPlan(
        run_directory=str(study.run.root),
        roots=_roots(study),
        set=study.shown_set,
        models=[_trained(task, seed) for task, seed in models],
        images=shown[0],
        rule=shown[1],
        method=table.method,
        layer=table.layer,
        devices=_predicting(study, models[0][0]),
        sample=sample[0],
        sample_rule=sample[1],
    )


def robustness(
    study: Study, tasks: Sequence[TaskTable], images: list[str], rule: str, conditions: list[Condition]
) -> RobustnessPlan:
    """Plan the predictions of test images under every condition, by every seed of the tasks."""
    return RobustnessPlan(
        run_directory=str(study.run.root),
        roots=_roots(study),
        set="test",
        images=images,
        rule=rule,
        models=[_trained(task, seed) for task in tasks for seed in task.seeds],
        conditions=conditions,
        devices=_predicting(study, tasks[0]),
    )


def views(study: Study, task: TaskTable, table: TtaTable) -> ViewsPlan:
    """Plan the predictions of every set in several views of each image, by every seed of a task."""
    return ViewsPlan(
        run_directory=str(study.run.root),
        roots=_roots(study),
        name=table.name,
        models=[_trained(task, seed) for seed in task.seeds],
        sets=study.sets,
        views=table.views,
        augmentation=table.augmentation,
        seed=study.configuration.run.seed,
        devices=_predicting(study, task),
    )


def _trained(task: TaskTable, seed: int) -> ExplainedModel:
    assert task.model is not None  # noqa: S101 - a trained task has one
    return ExplainedModel(task=task.name, seed=seed, model=_chosen(task.model))


def _predicting(study: Study, task: TaskTable) -> DevicePlan:
    """Say on what trained models compute: one device, in full precision."""
    return devices(study, task).model_copy(update={"devices": 1, "precision": "fp32"})


def devices(study: Study, task: TaskTable) -> DevicePlan:
    """Say on what a task computes."""
    table = study.configuration.run
    return DevicePlan(
        device=table.device,
        devices=table.devices,
        precision=task.precision,
        workers=table.workers,
        threads=table.threads,
    )


def _roots(study: Study) -> dict[str, str]:
    return {name: str(Path(root).absolute()) for name, root in study.manifest.roots.items()} if study.manifest else {}


def _chosen(use: Use) -> Chosen:
    return Chosen(name=use.use, options=use.options)
