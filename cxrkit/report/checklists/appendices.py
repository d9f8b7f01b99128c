"""The appendices: a chapter for each checklist, its items answered from this report."""

from collections import Counter
from collections.abc import Iterator, Sequence

from cxrkit.report.checklists.claim import CLAIM
from cxrkit.report.checklists.form import STATUSES, Answer, Checklist, Evidence, Item, Status
from cxrkit.report.checklists.stard import STARD_AI
from cxrkit.report.checklists.tripod import TRIPOD_AI
from cxrkit.report.content import Block, Cell, Column, Section, Table, Text
from cxrkit.report.results import Results
from cxrkit.report.wording import unfolded

CHECKLISTS = (CLAIM, STARD_AI, TRIPOD_AI)
SIGNS: dict[Status, str] = {"filled": "✓", "needs the author": "○", "not applicable": "\N{EN DASH}"}
ABRIDGED = (
    "Items are told in cxrkit's own short words under their published numbers, which were taken from a public copy of "
    "the checklist and not from the paper itself; the published checklist is what counts."
)
FILLED = """“Filled” says that this report tells it, not that it was done well. What a run cannot know, such as ethics,
    registration, funding, patients' selection and who set the labels, always needs the author."""


def sections(results: Results, chapters: Sequence[Section]) -> list[Section]:
    """Answer each checklist from the results and the chapters that a report has."""
    evidence = Evidence(results, {section.name: section.title for section in chapters})
    return [
        Section(checklist.name, f"Appendix {letter}: {checklist.title}", tuple(_blocks(checklist, evidence)))
        for letter, checklist in zip("ABC", CHECKLISTS, strict=True)
    ]


def _blocks(checklist: Checklist, evidence: Evidence) -> Iterator[Block]:
    answers = [(item, item.answer(evidence)) for item in checklist.items]
    yield Text(f"{checklist.purpose} {checklist.citation}.")
    yield Text(f"{_counts([answer for _, answer in answers])} {unfolded(FILLED)} {ABRIDGED}")
    parts = {item: part.title for part in checklist.parts for item in part.items}
    rows = tuple(_row(item, parts[item], answer, evidence) for item, answer in answers)
    yield Table(f"{checklist.title}, item by item", COLUMNS, rows, small=True, sortable=True)


COLUMNS = tuple(Column(title, numeric=False) for title in ("No.", "Item", "Status", "Where, and what is needed"))


def _counts(answers: Sequence[Answer]) -> str:
    """Write how many items stand how: ``Of 44 entries: 15 filled by this report, 29 …``."""
    found = Counter(answer.status for answer in answers)
    filled, needed, beside = (found[status] for status in STATUSES)
    return (
        f"Of {len(answers)} entries: {filled} filled by this report, {needed} that need the author, {beside} not "
        "applicable."
    )


def _row(item: Item, part: str, answer: Answer, evidence: Evidence) -> tuple[Cell, ...]:
    where = Cell(answer.text)
    if answer.chapter is not None:
        where = Cell(evidence.chapters[answer.chapter], answer.text, link=answer.chapter)
    return (Cell(item.number), Cell(item.text, part), Cell(_status(answer.status)), where)


def _status(status: Status) -> str:
    """Write a status with its sign, in one line."""
    return f"{SIGNS[status]} {status}".replace(" ", "\N{NO-BREAK SPACE}")
