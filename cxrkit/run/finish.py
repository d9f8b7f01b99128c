"""From predictions to the reports: evaluation, activation maps, report; only what changed runs again."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from cxrkit.config.schema import TaskTable
from cxrkit.errors import CxrkitError
from cxrkit.evaluation import cases, evaluate
from cxrkit.plans import ExplainPlan
from cxrkit.records import RunInfo, TaskInfo
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
    finished = _finished(study)
    _evaluate(study, finished, display)
    chosen = cases.choose(study.run, most=study.configuration.explain.most, correct=study.configuration.explain.correct)
    if study.manifest is not None:
        thumbnails.write(study.run, study.manifest, "test", chosen.images)
        _explain(study, finished, chosen, display)
    return _report(study, display)


def _finished(study: Study) -> list[TaskTable]:
    """Find every configured task with predictions, also those that were not asked for now."""
    found = []
    for task in study.configuration.task:
        info = read_info(study.run.task(task.name))
        if info is not None and info.state == "finished":
            found.append(task)
    return found


def _evaluate(study: Study, finished: Sequence[TaskTable], display: Display) -> None:
    info = RunInfo.read(study.run.info)
    fingerprint = fingerprints.of_evaluation(study.written, _predictions(study, finished), study.run.manifest)
    if info.evaluation_fingerprint == fingerprint and all(_is_evaluated(study, task) for task in finished):
        return
    with display.work("evaluating"):
        table = study.configuration.evaluation
        evaluate(
            study.run,
            table,
            {task.name: task.threshold or study.configuration.threshold for task in finished},
            [
                (study.right.metric_reporters.get(use.use, "evaluation.reporters"), use.options)
                for use in table.reporters
            ],
        )
    info.model_copy(update={"evaluation_fingerprint": fingerprint}).write(study.run.info)


def _explain(study: Study, finished: Sequence[TaskTable], chosen: cases.Cases, display: Display) -> None:
    models = [(task, _shown_seed(task)) for task in finished if task.model]
    if study.configuration.explain.method == "none" or not models or not chosen.images:
        return
    plan = plans.explanation(study, models, chosen.images, chosen.rule)
    weights = [study.run.task(task.name).seed(seed).model for task, seed in models]
    fingerprint = fingerprints.of_explanation(plan, weights)
    info = RunInfo.read(study.run.info)
    if info.explain_fingerprint == fingerprint:
        return
    try:
        _draw_maps(study, plan, display)
    except CxrkitError as error:
        display.warn(f"no activation maps: {error}")
        return
    info.model_copy(update={"explain_fingerprint": fingerprint}).write(study.run.info)


def _draw_maps(study: Study, plan: ExplainPlan, display: Display) -> None:
    path = study.run.root / "explain.json"
    plan.write(path)
    with display.work("activation maps") as work:
        children.carry_out("explain", path, study.run.root / "explain.log", work.hear)


def _report(study: Study, display: Display) -> list[Path]:
    info = RunInfo.read(study.run.info)
    table = study.configuration.report
    fingerprint = fingerprints.of_report(
        table, info.evaluation_fingerprint or "", info.explain_fingerprint, _failures(study)
    )
    now = datetime.now(UTC).isoformat(timespec="seconds")
    if info.report_fingerprint == fingerprint and all(_report_file(study, name).is_file() for name in table.formats):
        return [_report_file(study, name) for name in table.formats]
    info.model_copy(update={"finished": now}).write(study.run.info)
    with display.work("writing the report"):
        written, warnings = write_reports([study.run], study.run.report, table.formats, strict_pdf=False)
    for warning in warnings:
        display.warn(warning)
    if not warnings:  # a PDF that could not be made is tried again next time
        RunInfo.read(study.run.info).model_copy(update={"report_fingerprint": fingerprint}).write(study.run.info)
    return written


def _report_file(study: Study, name: str) -> Path:
    return study.run.report / {"txt": "comparison_report.txt"}.get(name, f"report.{name}")


def _predictions(study: Study, finished: Sequence[TaskTable]) -> list[Path]:
    return [path for task in finished for path in sorted(study.run.task(task.name).root.glob("predictions/*.csv"))]


def _is_evaluated(study: Study, task: TaskTable) -> bool:
    info = read_info(study.run.task(task.name))
    return info is not None and info.threshold is not None and study.run.task(task.name).metrics.is_file()


def _shown_seed(task: TaskTable) -> int:
    """Choose whose maps are shown: the seed that represents the task, of an ensemble the first."""
    return task.seeds[0] if task.represent == "ensemble" else int(task.represent)


def _failures(study: Study) -> dict[str, str]:
    infos: list[TaskInfo | None] = [read_info(study.run.task(task.name)) for task in study.configuration.task]
    return {info.task: info.failure or info.state for info in infos if info is not None}
