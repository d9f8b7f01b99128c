"""Writes down what a child process is to do."""

from pathlib import Path

from cxrkit.config.schema import TaskTable, Use
from cxrkit.plans import Chosen, DevicePlan, ExplainedModel, ExplainPlan, TrainingPlan
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
    )


def explanation(study: Study, models: list[tuple[TaskTable, int]], images: list[str], rule: str) -> ExplainPlan:
    """Plan the activation maps of test images by every trained model."""
    table = study.configuration.explain
    return ExplainPlan(
        run_directory=str(study.run.root),
        roots=_roots(study),
        set="test",
        models=[
            ExplainedModel(task=task.name, seed=seed, model=_chosen(task.model)) for task, seed in models if task.model
        ],
        images=images,
        rule=rule,
        method=table.method,
        layer=table.layer,
        devices=devices(study, models[0][0]).model_copy(update={"devices": 1, "precision": "fp32"}),
    )


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
