"""Makes the ensembles of a study whose members have finished."""

from cxrkit.config.schema import EnsembleTable
from cxrkit.errors import CxrkitError
from cxrkit.evaluation import ensembles
from cxrkit.evaluation.finished import finished_tasks
from cxrkit.records import TaskInfo
from cxrkit.run.progress import Display
from cxrkit.run.study import Study
from cxrkit.run.tasks import read_info


def carry_out(study: Study, table: EnsembleTable, display: Display) -> TaskInfo:
    """Combine the members' predictions; a failure is recorded and ends this ensemble alone."""
    waiting = _waiting(study, table)
    if waiting is None:
        try:
            return ensembles.write(study.run, table, finished_tasks(study.run, table.members))
        except CxrkitError as error:
            waiting = _without_result(table, str(error))
    if waiting.failure is not None:
        display.warn(f'ensemble "{table.name}" failed: {waiting.failure}')
    waiting.write(study.run.task(table.name).info)
    return waiting


def _waiting(study: Study, table: EnsembleTable) -> TaskInfo | None:
    """Say what keeps an ensemble from being made: a member that failed, or one that was not asked for yet."""
    infos = {name: read_info(study.run.task(name)) for name in table.members}
    failed = [name for name, info in infos.items() if info is not None and info.state == "failed"]
    if failed:
        return _without_result(table, f'its member "{failed[0]}" failed')
    if all(info is not None and info.state == "finished" for info in infos.values()):
        return None
    return TaskInfo(task=table.name, kind="ensemble", state="pending", members=list(table.members))


def _without_result(table: EnsembleTable, why: str) -> TaskInfo:
    return TaskInfo(task=table.name, kind="ensemble", state="failed", failure=why, members=list(table.members))
