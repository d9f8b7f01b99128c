"""The test set again under corruptions, predicted by the trained models that were asked for."""

from collections.abc import Sequence

from cxrkit.config.schema import TaskTable
from cxrkit.data import corruptions, sampling
from cxrkit.errors import CxrkitError
from cxrkit.plans import RobustnessPlan
from cxrkit.records import Robustness, RunInfo
from cxrkit.run import children, fingerprints, plans
from cxrkit.run.progress import Display
from cxrkit.run.representing import represent
from cxrkit.run.study import Study

SET = "test"


def carry_out(study: Study, trained: Sequence[TaskTable], display: Display) -> None:
    """Predict the corrupted images, where ``[robustness]`` asks for it and it is not done yet; a failure is a warning.

    What another ``[robustness]`` left is removed, so that every condition is of the same images.
    """
    plan = planned(study, trained)
    if plan is None:
        _forget(study)
        return
    if not is_done(study, plan):
        _forget(study)
        try:
            _predict(study, plan, display)
        except CxrkitError as error:
            display.warn(f"no robustness: {error}")
            return
    _represent(study, plan, trained)


def planned(study: Study, trained: Sequence[TaskTable]) -> RobustnessPlan | None:
    """Plan the conditions, images and models; None where there is nothing to predict.

    Args:
        study: of the run.
        trained: tasks that have a model, or will have one.
    """
    table = study.configuration.robustness
    if table is None or study.manifest is None:
        return None
    chosen = [task for task in trained if not table.tasks or task.name in table.tasks]
    if not chosen:
        return None
    images, rule = sampling.draw(study.manifest.of(SET), table.most, seed=study.configuration.run.seed)
    conditions = corruptions.conditions(table.corruptions, table.severities, shortcuts=table.shortcuts)
    return plans.robustness(study, chosen, images, rule, conditions)


def is_done(study: Study, plan: RobustnessPlan) -> bool:
    """Say whether the corrupted images have been predicted as planned, by the models that are there now."""
    info = study.run.info
    if not info.is_file() or RunInfo.read(info).robustness_fingerprint != _fingerprint(study, plan):
        return False
    folders = [study.run.task(model.task).seed(model.seed) for model in plan.models]
    return study.run.robustness.is_file() and all(
        folder.predictions(SET, condition.name).is_file() for folder in folders for condition in plan.conditions
    )


def _fingerprint(study: Study, plan: RobustnessPlan) -> str:
    assert study.manifest is not None  # noqa: S101 - there are trained tasks
    weights = [study.run.task(model.task).seed(model.seed).model for model in plan.models]
    return fingerprints.of_plan(plan, study.manifest.digest(SET), weights)


def _predict(study: Study, plan: RobustnessPlan, display: Display) -> None:
    path = study.run.root / "robustness-plan.json"
    plan.write(path)
    with display.work("robustness") as work:
        children.carry_out("robustness", path, study.run.root / "robustness.log", work.hear)
    Robustness(set=SET, n=len(plan.images), rule=plan.rule, conditions=plan.conditions).write(study.run.robustness)
    fingerprints.keep(study.run, robustness_fingerprint=_fingerprint(study, plan))


def _represent(study: Study, plan: RobustnessPlan, trained: Sequence[TaskTable]) -> None:
    """Write what stands for each task under each condition, where it is not there: new, or chosen otherwise."""
    names = {model.task for model in plan.models}
    for task in trained:
        if task.name in names:
            directory = study.run.task(task.name)
            pairs = [(SET, condition.name) for condition in plan.conditions]
            represent(study, task, [pair for pair in pairs if not directory.predictions(*pair).is_file()])


def _forget(study: Study) -> None:
    """Remove every condition that an earlier ``[robustness]``, or one that was interrupted, made."""
    if RunInfo.read(study.run.info).robustness_fingerprint is not None:
        fingerprints.keep(study.run, robustness_fingerprint=None)
    study.run.robustness.unlink(missing_ok=True)
    for path in study.run.root.glob(f"tasks/*/**/predictions/{SET}@*.csv"):
        path.unlink()
