"""The finished tasks of a run directory and their predictions."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cxrkit.api import Predictions
from cxrkit.errors import InputError
from cxrkit.evaluation import predictions
from cxrkit.records import RunInfo, TaskInfo
from cxrkit.rundir import RunDirectory, TaskDirectory


@dataclass(frozen=True)
class FinishedTask:
    """A task that has its predictions.

    Attributes:
        directory: where they lie.
        info: its ``task.json``.
    """

    directory: TaskDirectory
    info: TaskInfo

    @property
    def threshold(self) -> float:
        """The threshold that the evaluation wrote."""
        if self.info.threshold is None:
            raise InputError(f"{self.directory.info}: has no threshold, an evaluated task has one")
        return self.info.threshold.value

    def path(self, set_name: str, condition: str | None = None) -> Path:
        """Return where the predictions on a set lie, or would lie."""
        return self.directory.predictions(set_name, condition)

    def read(self, set_name: str, condition: str | None = None) -> Predictions:
        """Read the predictions on a set.

        Raises:
            InputError: the file is missing or wrong.
        """
        return predictions.read(
            self.path(set_name, condition),
            task=self.info.task,
            set_name=set_name,
            condition=condition,
            class_names=self.info.class_names,
            positive=self.info.positive,
        )

    def sets(self) -> list[tuple[str, str | None]]:
        """List the sets and conditions that there are predictions for: val, test, then the others by name."""
        stems = [path.stem for path in self.directory.predictions("test").parent.glob("*.csv")]
        found = [(name, condition or None) for name, _, condition in (stem.partition("@") for stem in stems)]
        known = self.info.sets or [name for name, _ in found]
        return sorted((pair for pair in found if pair[0] in known), key=_place)


def finished_tasks(run: RunDirectory, names: Sequence[str] | None = None) -> list[FinishedTask]:
    """Find the finished tasks in the order of the configuration.

    Args:
        run: the run directory.
        names: those to look at; by default the ones that ``run.json`` lists, else all folders.
    """
    if names is None:
        names = list(RunInfo.read(run.info).tasks) or sorted(path.name for path in (run.root / "tasks").glob("*"))
    directories = [run.task(name) for name in names]
    found = [FinishedTask(task, TaskInfo.read(task.info)) for task in directories if task.info.is_file()]
    return [task for task in found if task.info.state == "finished"]


def _place(pair: tuple[str, str | None]) -> tuple[int, str, str]:
    name, condition = pair
    return {"val": 0, "test": 1}.get(name, 2), name, condition or ""
