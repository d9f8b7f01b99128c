"""From predictions to the reports: evaluation, activation maps, report; only what changed runs again."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from cxrkit.config.schema import TaskTable
from cxrkit.data import sampling
from cxrkit.errors import CxrkitError
from cxrkit.evaluation import cases, evaluate
from cxrkit.plans import ExplainPlan
from cxrkit.records import RunInfo, TaskInfo
from cxrkit.report import filing, pseudonyms
from cxrkit.report import house as houses
from cxrkit.report import write as write_reports
from cxrkit.run import children, fingerprints, plans, thumbnails
from cxrkit.run.progress import Display
from cxrkit.run.study import Study
from cxrkit.run.tasks import read_info


def finish(study: Study, display: Display) -> list[Path]:
    """Evaluate, explain and report what has finished; return the report files.

    Raises:
        CxrkitError: a stage failed; what earlier stages wrote stays.
    """
    _evaluate(study, display)
    table, shown = study.configuration.explain, study.shown_set
    chosen = cases.choose(study.run, set_name=shown, most=table.most, correct=table.correct)
    if study.manifest is not None:
        thumbnails.write(study.run, study.manifest, shown, chosen.images)
        _explain(study, chosen, display)
    return _report(study, display)


def finished_tasks(study: Study) -> list[TaskTable]:
    """Find every configured task with predictions, also those that were not asked for now."""
    infos = [(task, read_info(study.run.task(task.name))) for task in study.configuration.task]
    return [task for task, info in infos if info is not None and info.state == "finished"]


def trained_tasks(study: Study) -> list[TaskTable]:
    """Find the finished tasks whose models are there with all the seeds that are configured now."""
    return [
        task
        for task in finished_tasks(study)
        if task.model and all(study.run.task(task.name).seed(seed).model.is_file() for seed in task.seeds)
    ]


def _evaluate(study: Study, display: Display) -> None:
    table = study.configuration.evaluation
    uses = [(study.right.metric_reporters.get(use.use, "evaluation.reporters"), use.options) for use in table.reporters]
    infos = [info for name in study.configuration.thresholds if (info := read_info(study.run.task(name)))]
    finished = [info for info in infos if info.state == "finished"]
    files = [study.run.manifest, study.run.robustness, *_predictions(study, [info.task for info in finished])]
    fingerprint = fingerprints.of_evaluation(study.written, finished, files, [reporter for reporter, _ in uses])
    if RunInfo.read(study.run.info).evaluation_fingerprint == fingerprint and _is_evaluated(study, finished):
        return
    fingerprints.keep(study.run, evaluation_fingerprint=None)
    thresholds = {info.task: study.configuration.thresholds[info.task] for info in finished}
    with display.work("evaluating"):
        seed = study.configuration.run.seed
        missing = evaluate(study.run, table, thresholds, uses, seed=seed, warn=display.warn)
    if not missing:  # else the reporter is asked again next time
        fingerprints.keep(study.run, evaluation_fingerprint=fingerprint)


def _explain(study: Study, chosen: cases.Cases, display: Display) -> None:
    models = [(task, _shown_seed(task)) for task in trained_tasks(study)]
    sample = _sample(study)
    if study.configuration.explain.method == "none" or not models or not (chosen.images or sample[0]):
        _remove_maps(study)
        return
    plan = plans.explanation(study, models, (chosen.images, chosen.rule), sample)
    fingerprint = _of_maps(study, plan)
    if RunInfo.read(study.run.info).explain_fingerprint == fingerprint:
        return
    fingerprints.keep(study.run, explain_fingerprint=None)
    try:
        _draw_maps(study, plan, display)
    except CxrkitError as error:
        display.warn(f"no activation maps: {error}")
        return
    fingerprints.keep(study.run, explain_fingerprint=fingerprint)


def _of_maps(study: Study, plan: ExplainPlan) -> str:
    """Describe what the maps depend on; a model that was trained again, even to the same bytes, has none yet."""
    assert study.manifest is not None  # noqa: S101 - there are trained tasks
    rows = study.manifest.of(plan.set).set_index("image")
    names: list[str] = rows.loc[plan.sample, "mask"].tolist() if "mask" in rows else []
    masks = [study.manifest.roots[plan.set] / name for name in names if name]
    seeds = [study.run.task(model.task).seed(model.seed) for model in plan.models]
    files = [path for seed in seeds for path in (seed.model, seed.timing)]
    return fingerprints.of_plan(plan, study.manifest.digest(plan.set), [*files, *masks])


def _remove_maps(study: Study) -> None:
    """Remove the maps that were asked for before and are not now."""
    fingerprints.keep(study.run, explain_fingerprint=None)
    study.run.explanations.unlink(missing_ok=True)
    for task in study.configuration.task:
        shutil.rmtree(study.run.task(task.name).cam, ignore_errors=True)


def _sample(study: Study) -> tuple[list[str], str]:
    """Draw the images that the maps are checked on."""
    most = study.configuration.explain.sample
    if most == 0 or study.manifest is None:
        return [], ""
    return sampling.draw_for_maps(study.manifest.of(study.shown_set), most, seed=study.configuration.run.seed)


def _draw_maps(study: Study, plan: ExplainPlan, display: Display) -> None:
    path = study.run.root / "explain.json"
    plan.write(path)
    with display.work("activation maps") as work:
        children.carry_out("explain", path, study.run.root / "explain.log", work.hear)


def _report(study: Study, display: Display) -> list[Path]:
    table, info = study.configuration.report, RunInfo.read(study.run.info)
    house = replace(houses.of_table(table, study.right), names=pseudonyms.of_table(table, study.run))
    timings = [path for task in trained_tasks(study) for path in _timings(study, task)]
    timings += [study.run.task(table.name).timing for table in study.configuration.tta]
    shown = [study.run.samples, study.run.previews]
    fingerprint = fingerprints.of_report(study.written, info, _failures(study), [*timings, *shown], house)
    there = filing.places(study.run.report, table.formats)
    if info.report_fingerprint == fingerprint and there is not None:
        return there
    now = datetime.now(UTC).isoformat(timespec="seconds")
    info.model_copy(update={"finished": now, "report_fingerprint": None}).write(study.run.info)
    with display.work("writing the report"):
        written, warnings = write_reports([study.run], study.run.report, table.formats, strict_pdf=False, house=house)
    for warning in warnings:
        display.warn(warning)
    if not warnings:  # a PDF that could not be made is tried again next time
        fingerprints.keep(study.run, report_fingerprint=fingerprint)
    return written


def _timings(study: Study, task: TaskTable) -> list[Path]:
    return [study.run.task(task.name).seed(seed).timing for seed in task.seeds]


def _predictions(study: Study, names: Sequence[str]) -> list[Path]:
    """List every file that figures are made from: the tasks' predictions, and those of their single seeds."""
    return [path for name in names for path in sorted(study.run.task(name).root.glob("**/predictions/*.csv"))]


def _is_evaluated(study: Study, finished: Sequence[TaskInfo]) -> bool:
    return study.run.comparison.is_file() and all(
        info.threshold is not None and study.run.task(info.task).metrics.is_file() for info in finished
    )


def _shown_seed(task: TaskTable) -> int:
    """Choose whose maps are shown: the seed that represents the task, of an ensemble the first."""
    return task.seeds[0] if task.represent == "ensemble" else int(task.represent)


def _failures(study: Study) -> dict[str, str]:
    infos: list[TaskInfo | None] = [read_info(study.run.task(name)) for name in study.configuration.thresholds]
    return {info.task: info.failure or info.state for info in infos if info is not None}
