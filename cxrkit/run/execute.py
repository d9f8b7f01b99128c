"""``cxrkit run`` from a checked request to the reports."""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

from cxrkit.api import FinishedRun
from cxrkit.config.schema import TaskTable
from cxrkit.data.audit import audit_of
from cxrkit.data.manifest import Manifest
from cxrkit.environment import describe
from cxrkit.errors import RunError
from cxrkit.evaluation import hints
from cxrkit.evaluation.hint_rules import Trained
from cxrkit.records import Environment, RunInfo, TaskInfo, TaskState
from cxrkit.run import ensembles, fingerprints, plans, robustness, samples, tasks, tta
from cxrkit.run.finish import finish, finished_tasks, trained_tasks
from cxrkit.run.progress import Display
from cxrkit.run.study import Study


@dataclass(frozen=True)
class Outcome:
    """What came of a run.

    Attributes:
        directory: the run directory.
        reports: the files written, the HTML first.
        tasks: task that was asked for → ``finished`` or ``failed``; ``[[tta]]`` or ensemble → the same, or ``pending``.
        failures: task, ``[[tta]]`` or ensemble → why.
        hints: sentences on what the trainings may suggest.
    """

    directory: Path
    reports: tuple[Path, ...]
    tasks: dict[str, TaskState]
    failures: dict[str, str]
    hints: tuple[str, ...] = ()

    def to_json(self) -> str:
        """Tell the same as JSON."""
        content = {
            "directory": str(self.directory),
            "reports": [str(path) for path in self.reports],
            "tasks": self.tasks,
            "failures": self.failures,
            "hints": self.hints,
        }
        return json.dumps(content, indent=1)


def execute(study: Study, display: Display, *, fresh: bool = False, begin: Callable[[], None] | None = None) -> Outcome:
    """Carry out a study: train, predict, evaluate, explain, report.

    Args:
        study: checked.
        display: shows what happens.
        fresh: move what the tasks left earlier aside first.
        begin: is called once everything has been checked, before the first file is written.

    Raises:
        InputError: a finished task's configuration has changed, or a model cannot be built, or a name is taken; nothing
            was written.
        RunError: no task has finished, or a later stage failed.
    """
    if not fresh:
        tasks.refuse_changed(study)
    tta.refuse_taken(study)
    tasks.refuse_impossible(study)
    if begin is not None:
        begin()
    for folder in tasks.set_aside(study) if fresh else ():
        display.say(f"moved what was there to {folder}")
    return carry_through(study, display, tasks.carry_out)


def carry_through(
    study: Study, display: Display, carry_out: Callable[[Study, TaskTable, Display], TaskInfo]
) -> Outcome:
    """Carry out every task of a checked study, then evaluate, explain and report.

    Args:
        study: its run directory need not be there.
        display: shows what happens.
        carry_out: makes a task's predictions; a failure is recorded and ends this task alone.

    Raises:
        RunError: no task has finished, or a later stage failed.
    """
    _begin(study, display)
    samples.carry_out(study, display)
    infos: list[TaskInfo] = []
    for task in study.selected:
        _keep_state(study, task.name, "running")
        infos.append(carry_out(study, task, display))
        _keep_state(study, task.name, infos[-1].state)
    _refuse_nothing(study, infos)
    robustness.carry_out(study, trained_tasks(study), display)
    for view in study.configuration.tta:
        infos.append(tta.carry_out(study, view, trained_tasks(study), display))
        _keep_state(study, view.name, infos[-1].state)
    for table in study.configuration.ensemble:
        infos.append(ensembles.carry_out(study, table, display))
        _keep_state(study, table.name, infos[-1].state)
    reports = finish(study, display)
    states = {info.task: info.state for info in infos}
    for sentence in _tell_trackers(study, reports, states):
        display.warn(sentence)
    found = hints.of_tasks(_trained(study, task.name) for task in trained_tasks(study))
    for sentence in found:
        display.say(f"Hint: {sentence}")
    return Outcome(study.run.root, tuple(reports), states, _failures(infos), tuple(found))


def _trained(study: Study, task: str) -> Trained:
    directory = study.run.task(task)
    return Trained(task, directory, TaskInfo.read(directory.info))


def _begin(study: Study, display: Display) -> None:
    """Write what is known before the first task: the configuration, the environment, the manifest."""
    _remove_partial(study.run.root)
    before = RunInfo.read(study.run.info) if study.run.info.is_file() else None
    audit = _describe_images(study, study.manifest, before, display) if study.manifest is not None else None
    info = RunInfo(
        configuration=study.written.model_dump(mode="json", by_alias=True),
        environment=_environment(study),
        data=study.manifest.summary() if study.manifest is not None else None,
        class_names=list(study.class_names),
        positive=study.positive or "",
        tasks=dict.fromkeys(study.written.thresholds, "pending") | _known_states(before, study),
        folder=_folder(study),
        started=before.started if before else datetime.now(UTC).isoformat(timespec="seconds"),
        finished=before.finished if before else None,
        audit_fingerprint=audit,
        robustness_fingerprint=before.robustness_fingerprint if before else None,
        evaluation_fingerprint=before.evaluation_fingerprint if before else None,
        explain_fingerprint=before.explain_fingerprint if before else None,
        report_fingerprint=before.report_fingerprint if before else None,
    )
    info.write(study.run.info)


def _remove_partial(root: Path) -> None:
    """Remove what processes that were killed in the midst of writing have left; this one has the folder to itself."""
    for path in root.rglob(".*.partial"):
        if not path.is_dir():  # a folder is of a command that makes data, and not of a run
            path.unlink(missing_ok=True)


def _folder(study: Study) -> str:
    """Tell where the paths of the configuration begin, so that a project which is moved as a whole finds them again."""
    folder = Path(study.written.origin.file).absolute().parent
    try:
        return Path(os.path.relpath(folder, study.run.root)).as_posix()
    except ValueError:  # on another drive of Windows
        return str(folder)


def _describe_images(study: Study, manifest: Manifest, before: RunInfo | None, display: Display) -> str:
    """Write the manifest and the audit of its images, where they are not there yet; return the audit's fingerprint."""
    data = study.written.data
    where = (data.root or data.manifest or "") if data is not None else ""
    level = study.configuration.evaluation.level
    fingerprint = fingerprints.of_audit(manifest, where=where, positive=study.positive, level=level)
    there = study.run.manifest.is_file() and study.run.audit.is_file()
    if not there or before is None or before.audit_fingerprint != fingerprint:
        manifest.write(study.run.manifest)
        with display.work("examining the images"):
            audit_of(manifest, where=where, positive=study.positive, level=level).write(study.run.audit)
    return fingerprint


def _environment(study: Study) -> Environment:
    """Describe the machine, with what only torch can tell where something is trained."""
    environment = describe()
    trained = [task for task in study.configuration.task if task.model is not None]
    if not trained:
        return environment
    from cxrkit.training.devices import accelerator_name, available_device, thread_count

    plan = plans.devices(study, trained[0])
    device = available_device(plan)
    update = {"threads": thread_count(plan, device), "accelerator": accelerator_name(device)}
    return environment.model_copy(update=update)


def _known_states(before: RunInfo | None, study: Study) -> dict[str, TaskState]:
    names = study.written.thresholds
    return {name: state for name, state in before.tasks.items() if name in names} if before else {}


def _keep_state(study: Study, task: str, state: TaskState) -> None:
    info = RunInfo.read(study.run.info)
    info.model_copy(update={"tasks": info.tasks | {task: state}}).write(study.run.info)


def _failures(infos: Sequence[TaskInfo]) -> dict[str, str]:
    return {info.task: info.failure for info in infos if info.failure is not None}


def _refuse_nothing(study: Study, infos: Sequence[TaskInfo]) -> None:
    """Go on only where there is anything to evaluate."""
    if not finished_tasks(study):
        raise RunError("\n".join(f'task "{name}": {why}' for name, why in _failures(infos).items()))


def _tell_trackers(study: Study, reports: list[Path], states: dict[str, TaskState]) -> list[str]:
    run = FinishedRun(study.run.root, tuple(reports), MappingProxyType(dict(states)), study.configuration.run.trackers)
    return study.right.tell("cxrkit_run_finished", run=run)
