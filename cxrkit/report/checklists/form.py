"""What a reporting checklist consists of, and what an item can be asked about."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from cxrkit.report.phrases import anchor
from cxrkit.report.results import Results, TaskResult

Status: TypeAlias = Literal["filled", "needs the author", "not applicable"]
STATUSES: tuple[Status, ...] = ("filled", "needs the author", "not applicable")


@dataclass(frozen=True)
class Evidence:
    """What an item is answered from: the results, and the chapters that this report has (address → title)."""

    results: Results
    chapters: Mapping[str, str]

    def place(self, chapter: str) -> str | None:
        """Find the address of a chapter; of one that every set has, that of the set on the first page."""
        of_set = anchor(self.results, chapter, self.results.shown_set)
        return next((name for name in (of_set, chapter) if name in self.chapters), None)

    @property
    def models(self) -> list[TaskResult]:
        """The single models; an ensemble, and test-time augmentation, is made of these."""
        return [task for task in self.results.tasks if task.info.kind not in {"ensemble", "tta"}]

    @property
    def given(self) -> list[str]:
        """Names of the models that were not trained here: of their making the report knows nothing."""
        return [task.name for task in self.models if task.info.kind != "trained"]

    @property
    def trained(self) -> bool:
        """Whether every single model was trained here."""
        return bool(self.models) and not self.given

    @property
    def has_data(self) -> bool:
        """Whether the images of every run are described, and not its predictions alone."""
        return all(source.info.data is not None for source in self.results.sources)

    @property
    def subgroups(self) -> list[str]:
        """Columns by which subgroups of the set on the first page were evaluated."""
        found = [record for task in self.results.tasks for record in task.metrics.records if record.subgroup]
        shown = [str(one.subgroup) for one in found if one.set == self.results.shown_set]
        return [*dict.fromkeys(name.split("=")[0] for name in shown if "=" in name)]

    @property
    def external(self) -> bool:
        """Whether figures of a set that did not come with the images were set against those that did."""
        return self.place("external") is not None


@dataclass(frozen=True)
class Answer:
    """How an item stands.

    Attributes:
        status: never "filled" where only the author can know.
        text: what the report tells, or what is needed, or why the item does not apply.
        chapter: address of the chapter that tells it, or begins to; every filled item has one.
    """

    status: Status
    text: str
    chapter: str | None = None


Fact: TypeAlias = Callable[[Evidence], Answer]


@dataclass(frozen=True)
class Item:
    """An item: ``number`` as published, ``text`` in our own short words."""

    number: str
    text: str
    answer: Fact


@dataclass(frozen=True)
class Part:
    """Items under one heading of the checklist."""

    title: str
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Checklist:
    """A published checklist.

    Attributes:
        name: address of its appendix.
        title: as it is cited in a sentence.
        purpose: what kind of study it is for.
        citation: where it was published, with DOI.
        parts: in the published order.
    """

    name: str
    title: str
    purpose: str
    citation: str
    parts: tuple[Part, ...]

    @property
    def items(self) -> Iterator[Item]:
        """Every item in the published order."""
        return (item for part in self.parts for item in part.items)
