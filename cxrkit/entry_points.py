"""What plugins are installed, read from the metadata of distributions alone."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import Message
from importlib.metadata import Distribution, EntryPoint, distributions
from typing import Literal, cast

Group = Literal["cxrkit", "cxrkit.train"]


@dataclass(frozen=True, order=True)
class Source:
    """An installed entry point; distribution and name identify it.

    Attributes:
        distribution: its name.
        entry_point: name within the group.
        version: of the distribution.
        group: ``cxrkit`` or ``cxrkit.train``.
        target: the module or object that it names.
        about: the distribution's own one-line description, or nothing.
    """

    distribution: str
    entry_point: str
    version: str = field(compare=False)
    group: Group = field(compare=False)
    target: str = field(compare=False)
    about: str = field(compare=False)

    def __str__(self) -> str:
        return f'plugin "{self.entry_point}" of {self.distribution} {self.version}'


def found(group: Group) -> list[tuple[Source, EntryPoint]]:
    """List the entry points of a group, sorted by distribution and name, loading none."""
    first: dict[Source, EntryPoint] = {}
    for distribution in distributions():  # in the order of sys.path, so the one that imports would take comes first
        for entry_point in _entry_points(distribution, group):
            first.setdefault(_source(distribution, entry_point, group), entry_point)
    return sorted(first.items(), key=lambda item: item[0])


def _entry_points(distribution: Distribution, group: Group) -> Iterator[EntryPoint]:
    try:
        yield from distribution.entry_points.select(group=group)
    except (Exception, SystemExit):  # noqa: BLE001 - metadata that nobody can read offers no plugin
        return


def _source(distribution: Distribution, entry_point: EntryPoint, group: Group) -> Source:
    return Source(
        distribution=_metadata(distribution, "Name") or "unknown",
        entry_point=entry_point.name,
        version=_metadata(distribution, "Version") or "unknown",
        group=group,
        target=entry_point.value,
        about=_metadata(distribution, "Summary"),
    )


def _metadata(distribution: Distribution, key: str) -> str:
    try:
        return cast("Message", distribution.metadata).get(key, "")
    except Exception:  # noqa: BLE001 - a missing or unreadable METADATA is told in another way by each Python
        return ""
