"""Where a value of the resolved configuration was written: in a task, in ``[defaults]`` or on the command line."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

KeyPath = tuple[str | int, ...]
NAMED = ("task", "tta", "ensemble")  # arrays whose tables are called by their names
SELECTORS = ("use", "rule")  # keys that decide what the rest of their table means


def label(task: Any, index: int) -> str:
    """Call a task by its name, or by its number from 1 where it has none."""
    name = task.get("name") if isinstance(task, Mapping) else None
    return f'"{name}"' if isinstance(name, str) else str(index + 1)


@dataclass(frozen=True)
class Origin:
    """The origin of every key that does not stand where it looks.

    Attributes:
        file: the file as the user called it.
        sets: key path → the text of the ``--set`` that gave it; ``("task", '"transfer"', "epochs")`` within a task.
        inherited: a task's label → the key paths that it has from ``[defaults]``.
    """

    file: str = field(default="tasks.toml", compare=False)
    sets: Mapping[KeyPath, str] = field(default_factory=dict, compare=False)
    inherited: Mapping[str, frozenset[KeyPath]] = field(default_factory=dict, compare=False)

    def place(self, path: KeyPath) -> str:
        """Say where a key was written.

        Args:
            path: its keys from the top; within a task ``"task"``, the task's label and the keys from there.
        """
        table, task, keys = path[:1], path[1:2], path[2:]
        if table == ("task",) and keys in self.inherited.get(str(*task), frozenset()):
            path = ("defaults", *keys)
        giving = [written for written in self.sets if _gave(written, path)]
        return f"--set {self.sets[max(giving, key=len)]}" if giving else self.written(path)

    def written(self, path: KeyPath) -> str:
        """Name a key in the file, wherever its value came from."""
        return f"{self.file}: {shown(path)}"


def shown(path: Sequence[str | int]) -> str:
    """Write a key path as a user would say it: ``task "transfer": trainer.learning_rate``."""
    if path[0] in NAMED and len(path) > 1:
        return f"{path[0]} {path[1]}{_dotted(path[2:], before=': ')}"
    if path[:1] == ("defaults",):
        return f"defaults{_dotted(path[1:], before=': ')}"
    return _dotted(path)


def with_selectors(paths: Iterable[KeyPath]) -> frozenset[KeyPath]:
    """Add to each ``trainer.use`` its ``trainer``, for a problem with the choice is told of the whole component."""
    known = frozenset(paths)
    return known | {path[:-1] for path in known if path[-1] in SELECTORS}


def _dotted(path: Sequence[str | int], before: str = "") -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f"{'.' if text else ''}{part}"
    return f"{before}{text}" if text else ""


def _gave(written: KeyPath, path: KeyPath) -> bool:
    return path[: len(written)] == written or (written[-1] in SELECTORS and written[:-1] == path)
