"""``cxrkit run`` from a checked request to the reports."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cxrkit.api import FinishedRun
from cxrkit.environment import describe
from cxrkit.errors import RunError
from cxrkit.records import Environment, RunInfo, TaskState
from cxrkit.run import plans, tasks
from cxrkit.run.finish import finish
from cxrkit.run.progress import Display
from cxrkit.run.study import Study


@dataclass(frozen=True)
class Outcome:
    """What came of a run.

    Attributes:
        directory: the run directory.
        reports: the files written, the HTML first.
        tasks: task → ``finished`` or ``failed``, of those asked for.
        failures: task → why.
    """

    directory: Path
    reports: tuple[Path, ...]
    tasks: dict[str, TaskState]
    failures: dict[str, str]

    def to_json(self) -> str:
        """Tell the same as JSON."""
        content = {
            "directory": str(self.directory),
            "reports": [str(path) for path in self.reports],
            "tasks": self.tasks,
            "failures": self.failures,
        }
        return json.dumps(content, indent=1)


def execute(study: Study, display: Display, *, fresh: bool = False) -> Outcome:
    """Carry out a study: train, predict, evaluate, explain, report.

    Raises:
        InputError: a finished task's configuration has changed, or a model cannot be built; nothing was written.
        RunError: no task has finished, or a later stage failed.
    """
    if not fresh:
        tasks.refuse_changed(study)
    tasks.refuse_impossible(study)
    for folder in tasks.set_aside(study) if fresh else ():
        display.say(f"moved what was there to {folder}")
    _begin(study)
    states: dict[str, TaskState] = {}
    failures: dict[str, str] = {}
    for task in study.selected:
        _keep_state(study, task.name, "running")
        info = tasks.carry_out(study, task, display)
        states[task.name] = info.state
        if info.failure is not None:
            failures[task.name] = info.failure
        _keep_state(study, task.name, info.state)
    reports = _finish(study, display, failures)
    for sentence in _tell_trackers(study, reports, states):
        display.warn(sentence)
    return Outcome(study.run.root, tuple(reports), states, failures)


def _begin(study: Study) -> None:
    """Write what is known before the first task: the configuration, the environment, the manifest."""
    if study.manifest is not None:
        study.manifest.write(study.run.manifest)
    before = RunInfo.read(study.run.info) if study.run.info.is_file() else None
    info = RunInfo(
        configuration=study.written.model_dump(mode="json", by_alias=True),
        environment=_environment(study),
        data=study.manifest.summary() if study.manifest is not None else None,
        class_names=list(study.class_names),
        positive=study.positive or "",
        tasks={task.name: "pending" for task in study.written.task} | _known_states(before, study),
        started=before.started if before else datetime.now(UTC).isoformat(timespec="seconds"),
        evaluation_fingerprint=before.evaluation_fingerprint if before else None,
        explain_fingerprint=before.explain_fingerprint if before else None,
        report_fingerprint=before.report_fingerprint if before else None,
    )
    info.write(study.run.info)


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
    names = {task.name for task in study.written.task}
    return {name: state for name, state in before.tasks.items() if name in names} if before else {}


def _keep_state(study: Study, task: str, state: TaskState) -> None:
    info = RunInfo.read(study.run.info)
    info.model_copy(update={"tasks": info.tasks | {task: state}}).write(study.run.info)


def _finish(study: Study, display: Display, failures: dict[str, str]) -> list[Path]:
    if not any(state == "finished" for state in RunInfo.read(study.run.info).tasks.values()):
        raise RunError("\n".join(f'task "{name}": {why}' for name, why in failures.items()))
    return finish(study, display)


def _tell_trackers(study: Study, reports: list[Path], states: dict[str, TaskState]) -> list[str]:
    run = FinishedRun(directory=study.run.root, reports=tuple(reports), tasks=states)
    return study.right.tell("cxrkit_run_finished", run=run)
