"""What a run would do: the resolved plan, the data, the work that is left; nothing is trained or written."""

from io import StringIO
from typing import Any

from rich.console import Console
from rich.table import Table

from cxrkit.config.schema import EnsembleTable, TaskTable, TtaTable, Use
from cxrkit.plans import RobustnessPlan
from cxrkit.records import DataSummary
from cxrkit.run import robustness, tta
from cxrkit.run.finish import trained_tasks
from cxrkit.run.study import Study
from cxrkit.run.tasks import is_finished, read_info

_WIDTH = 100


def summary(study: Study) -> dict[str, Any]:
    """Describe the plan as JSON."""
    return {
        "configuration": study.written.model_dump(mode="json", by_alias=True),
        "data": study.manifest.summary().model_dump(mode="json") if study.manifest else None,
        "work": [_work(study, task) for task in study.selected],
        "tta": [_tta(study, table) for table in study.configuration.tta],
        "ensembles": [table.model_dump(include={"name", "members", "method"}) for table in study.written.ensemble],
        "robustness": _robustness(study),
    }


def text(study: Study) -> str:
    """Describe the plan for a terminal."""
    console = Console(file=StringIO(), width=_WIDTH, highlight=False)
    console.print(f"Run directory: {study.run.root}", soft_wrap=True)
    if study.manifest is not None:
        _print_data(console, study.manifest.summary(), study.positive or "")
    console.print(_plan_table(study))
    for task in study.selected:
        _print_options(console, task)
    console.print(_work_table(study))
    for view in study.configuration.tta:
        console.print(_tta_line(study, view), markup=False)
    for table in study.written.ensemble:
        console.print(_ensemble_line(table), markup=False)
    plan = _corrupted(study)
    if plan is not None:
        console.print(_robustness_line(study, plan), markup=False)
    console.print(_evaluation_line(study))
    console.print("Dry run: nothing was trained or written.")
    assert isinstance(console.file, StringIO)  # noqa: S101 - made above
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines()) + "\n"


def _print_data(console: Console, data: DataSummary, positive: str) -> None:
    table = Table(title="Data", title_justify="left")
    class_names = sorted({name for counts in data.counts.values() for name in counts})
    for column in ("set", *class_names, "images", "patients", f"prevalence of {positive}"):
        table.add_column(column, justify="left" if column == "set" else "right")
    for split, counts in data.counts.items():
        total = sum(counts.values())
        share = f"{100 * counts.get(positive, 0) / total:.1f}%" if total else "-"
        cells = [str(counts.get(name, 0)) for name in class_names]
        table.add_row(split, *cells, str(total), str(data.patients.get(split, 0)), share)
    console.print(table)
    for reason, files in data.excluded.items():
        console.print(f"Excluded: {files} ({reason})")
    for note in data.notes:
        console.print(f"Note: {note}")


def _plan_table(study: Study) -> Table:
    table = Table(title="Tasks", title_justify="left")
    for column in ("task", "model", "imbalance", "trainer", "epochs", "batch", "seeds", "precision"):
        table.add_column(column)
    for task in study.selected:
        if task.model is None:
            table.add_row(task.name, f"predictions of {', '.join(task.predictions or ())}")
        else:
            table.add_row(
                task.name,
                task.model.use,
                task.imbalance.use,
                task.trainer.use,
                str(task.epochs),
                str(task.batch_size),
                ", ".join(map(str, task.seeds)),
                task.precision,
            )
    return table


def _print_options(console: Console, task: TaskTable) -> None:
    if task.model is not None:
        for kind, use in (("model", task.model), ("imbalance", task.imbalance), ("trainer", task.trainer)):
            console.print(f"{task.name}, {kind}: {_options(use)}", markup=False)


def _options(use: Use) -> str:
    return ", ".join([use.use, *(f"{name} = {value}" for name, value in use.options.items())])


def _work_table(study: Study) -> Table:
    table = Table(title="Work that is left", title_justify="left")
    for column in ("task", "state", "images trained on", "images predicted"):
        table.add_column(column, justify="left" if column in {"task", "state"} else "right")
    for task in study.selected:
        work = _work(study, task)
        table.add_row(task.name, work["state"], f"{work['images_trained_on']:,}", f"{work['images_predicted']:,}")
    return table


def _work(study: Study, task: TaskTable) -> dict[str, Any]:
    """Count image passes: training images by epochs and seeds, and images to predict by seeds.

    A strategy that repeats or drops images changes the first; it decides that when it is planned.
    """
    info = read_info(study.run.task(task.name))
    done = info is not None and is_finished(study, task, info)
    state = "finished" if done else (info.state if info else "to do")
    if done or task.model is None or study.manifest is None:
        return {"task": task.name, "state": state, "images_trained_on": 0, "images_predicted": 0}
    trained_on = len(study.manifest.of("train")) * task.epochs * len(task.seeds)
    predicted = sum(len(study.manifest.of(name)) for name in study.sets) * len(task.seeds)
    return {"task": task.name, "state": state, "images_trained_on": trained_on, "images_predicted": predicted}


def _tta(study: Study, table: TtaTable) -> dict[str, Any]:
    return table.model_dump(include={"name", "task", "views"}) | {"images_predicted": _views_left(study, table)}


def _views_left(study: Study, table: TtaTable) -> int:
    """Count the image passes that are left: images of every set by views and seeds."""
    if study.manifest is None or tta.is_finished(study, table, trained_tasks(study)):
        return 0
    (seeds,) = (len(task.seeds) for task in study.configuration.task if task.name == table.task)
    return sum(len(study.manifest.of(name)) for name in study.sets) * table.views * seeds


def _tta_line(study: Study, table: TtaTable) -> str:
    left = _views_left(study, table)
    return f"Test-time augmentation {table.name}: {table.views} views by {table.task}; {left:,} images predicted."


def _ensemble_line(table: EnsembleTable) -> str:
    return f"Ensemble {table.name}: {table.method} of {', '.join(table.members)}."


def _corrupted(study: Study) -> RobustnessPlan | None:
    """Plan the corrupted images as for the tasks that are to be carried out now or have finished."""
    infos = {task.name: read_info(study.run.task(task.name)) for task in study.configuration.task}
    there = {name for name, info in infos.items() if info is not None and info.state == "finished"}
    coming = there | {task.name for task in study.selected}
    tasks = [task for task in study.configuration.task if task.model is not None and task.name in coming]
    return robustness.planned(study, tasks)


def _robustness(study: Study) -> dict[str, Any] | None:
    plan = _corrupted(study)
    if plan is None:
        return None
    return {
        "tasks": list(dict.fromkeys(model.task for model in plan.models)),
        "conditions": [condition.name for condition in plan.conditions],
        "images": len(plan.images),
        "images_predicted": _left(study, plan),
    }


def _left(study: Study, plan: RobustnessPlan) -> int:
    """Count the image passes that are left under the conditions."""
    return 0 if robustness.is_done(study, plan) else len(plan.images) * len(plan.conditions) * len(plan.models)


def _robustness_line(study: Study, plan: RobustnessPlan) -> str:
    names = ", ".join(dict.fromkeys(model.task for model in plan.models))
    conditions = ", ".join(condition.name for condition in plan.conditions)
    return f"Robustness of {names} on {plan.rule}: {conditions}; {_left(study, plan):,} images predicted."


def _evaluation_line(study: Study) -> str:
    table = study.written.evaluation
    against = f"each against {table.reference}" if table.reference else "every pair"
    return (
        f"Evaluation: {table.primary} first, {against}, {100 * table.level:g}% intervals, "
        f"{table.resamples} bootstrap resamples; threshold by {study.written.threshold.rule}."
    )
