"""What enters comparisons of a task that was trained with several seeds."""

from collections.abc import Iterable

from cxrkit.config.schema import TaskTable
from cxrkit.evaluation import predictions
from cxrkit.run.study import Study


def represent(
    study: Study, task: TaskTable, pairs: Iterable[tuple[str, str | None]], *, name: str | None = None
) -> None:
    """Write a model's predictions of sets and conditions: the mean logit over its seeds, or one seed's.

    Args:
        study: of the run.
        task: says which seeds stand for it.
        pairs: sets and conditions.
        name: of the model in whose folder the seeds' predictions lie; the task's own by default.
    """
    directory = study.run.task(name or task.name)
    chosen = list(task.seeds) if task.represent == "ensemble" else [int(task.represent)]
    for set_name, condition in pairs:
        members = [
            predictions.read(
                directory.seed(seed).predictions(set_name, condition),
                task=directory.name,
                set_name=set_name,
                condition=condition,
                class_names=study.class_names,
                positive=study.positive,
            )
            for seed in chosen
        ]
        predictions.write(directory.predictions(set_name, condition), predictions.combine(members, directory.name))
