"""How far models err on the same images: whether a second model would have warned of the first one's errors."""

from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

import numpy as np

from cxrkit.report import wording
from cxrkit.report.chapters.judging import Judgements
from cxrkit.report.content import Cell, Column, Heading, Table, Text
from cxrkit.report.results import TaskResult
from cxrkit.report.tables import model_cell

PAIRS = 15  # in a table; of more, those that differ most


class Pair(NamedTuple):
    """Two models on the images that both were asked about; the counts add up to their number."""

    first: TaskResult
    second: TaskResult
    both_right: int
    first_wrong: int
    second_wrong: int
    both_wrong: int

    @property
    def n(self) -> int:
        """The images."""
        return self.both_right + self.differing + self.both_wrong

    @property
    def differing(self) -> int:
        """Where one model alone is wrong."""
        return self.first_wrong + self.second_wrong


def pairs(judgements: Judgements) -> list[Pair]:
    """Count for each pair of models who is wrong, on the images that both were asked about."""
    return [
        _counted(judgements, first, second)
        for first, second in combinations(range(len(judgements.tasks)), 2)
        if (judgements.asked[first] & judgements.asked[second]).any()
    ]


def _counted(judgements: Judgements, first: int, second: int) -> Pair:
    shared = judgements.asked[first] & judgements.asked[second]
    cells = 2 * judgements.wrong[first, shared] + judgements.wrong[second, shared]
    both_right, second_wrong, first_wrong, both_wrong = np.bincount(cells, minlength=4).tolist()
    tasks = judgements.tasks[first], judgements.tasks[second]
    return Pair(*tasks, both_right, first_wrong, second_wrong, both_wrong)


def agreement(judgements: Judgements, where: str) -> Iterator[Heading | Text | Table]:
    """Show who is wrong together with whom; nothing of a single model.

    Args:
        judgements: of the models.
        where: the set, as the report calls it.
    """
    found = pairs(judgements)
    if not found:
        return
    yield Heading("Agreement between models")
    yield Text(_meaning(found))
    yield _table(found, where)


def _meaning(found: list[Pair]) -> str:
    told = (
        "Where one model alone is wrong, the other contradicts it, and a reader of both would look again. Where both "
    )
    told += "are wrong, nothing warns."
    if len(found) == 1:
        return f"{told} {_shortly(found[0])}"
    share = [pair.both_wrong for pair in found]
    least, most = found[int(np.argmin(share))], found[int(np.argmax(share))]
    if least.both_wrong == most.both_wrong:
        return f"{told} Each pair is wrong together on {wording.counted(least.both_wrong, 'image')}."
    return f"{told} Fewest shared errors: {_named(least)}; most: {_named(most)}."


def _shortly(pair: Pair) -> str:
    return (
        f"Of {wording.counted(pair.n, 'image')}, {wording.count(pair.differing)} "
        f"{'is' if pair.differing == 1 else 'are'} called rightly by one of the two alone, and "
        f"{wording.count(pair.both_wrong)} by neither."
    )


def _named(pair: Pair) -> str:
    names = f"{pair.first.name} and {pair.second.name}"
    return f"{names}, both wrong on {wording.count(pair.both_wrong)} of {wording.count(pair.n)}"


def _table(found: list[Pair], where: str) -> Table:
    titles = ("A", "B", "Both right", "Only A wrong", "Only B wrong", "Both wrong", "n")
    columns = tuple(Column(title, numeric=title not in {"A", "B"}) for title in titles)
    shown = sorted(found, key=lambda pair: -pair.differing)[:PAIRS] if len(found) > PAIRS else found
    rows = tuple(map(_row, shown))
    notes = ["Images, and their share; wrong: another class than the image shows, or no result."]
    if len(found) > PAIRS:
        notes.append(f"The {PAIRS} of {len(found)} pairs of which most often one alone is wrong.")
    return Table(f"Who is wrong together with whom, on the {where}", columns, rows, tuple(notes), sortable=True)


def _row(pair: Pair) -> tuple[Cell, ...]:
    counts = (pair.both_right, pair.first_wrong, pair.second_wrong, pair.both_wrong)
    shares = (_cell(value, pair.n) for value in counts)
    return (model_cell(pair.first), model_cell(pair.second), *shares, Cell(wording.count(pair.n)))


def _cell(value: int, n: int) -> Cell:
    return Cell(wording.count(value), f"{100 * value / n:.1f}%")
