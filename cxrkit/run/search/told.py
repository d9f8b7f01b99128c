"""What a search tells on the terminal: its plan, the best trials, and how far the choice is to be trusted."""

from collections.abc import Iterator
from io import StringIO
from math import isfinite

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cxrkit.config.search import RangeTable
from cxrkit.config.writing import inline
from cxrkit.records import Estimate, SearchInfo
from cxrkit.run.search import trials
from cxrkit.run.search.choice import Outcome
from cxrkit.run.search.points import is_falling, size
from cxrkit.run.search.prepare import Search
from cxrkit.run.search.table_file import shown

SHOWN = 10  # trials
WIDTH = 100
EVEN = 0.0005  # no difference in what is shown


def plan(search: Search) -> str:
    """Describe the trials before any of them: how many, of what, over which keys."""
    table, task, images, space = search.table, search.task, search.images, search.table.space.items()
    seeds = f" with each of {len(task.seeds)} seeds" if len(task.seeds) > 1 else ""
    plural = "" if search.trials == 1 else "s"
    better = f"the {'lowest' if is_falling(table.metric) else 'highest'} {table.metric}"
    return "\n".join(
        [
            f'{search.trials} trial{plural} of task "{task.name}"{seeds}, {_points(search)}, chosen by {better}:',
            *(f"  {search.key(key)}: {_dimension(dimension)}{_shared(key, search)}" for key, dimension in space),
            f"Trained on {images['train']} images, judged on {images['val']} of validation; the test set is not read.",
            f"Folder: {search.output}",
        ]
    )


def _points(search: Search) -> str:
    if search.table.method == "grid":
        return "all points of the grid"
    kind = "drawn at random" if search.table.method == "random" else "proposed by Optuna"
    points = size(search.table)
    space = f" from {points:.0f} points" if isfinite(points) else ""
    return f"{kind}{space} (seed {search.table.seed})"


def _shared(key: str, search: Search) -> str:
    """Warn of a key of the file, with which ``best.toml`` changes the other tasks as well."""
    others = len(search.study.configuration.task) > 1 and search.key(key) == key
    return " (in best.toml it holds for every task)" if others else ""


def _dimension(dimension: "RangeTable | tuple[object, ...]") -> str:
    if not isinstance(dimension, RangeTable):
        return ", ".join(inline(value) for value in dimension)
    whole = ", whole numbers" if dimension.whole else ""
    scale = ", on the logarithmic scale" if dimension.log else ""
    points = f", {dimension.points} points in a grid" if dimension.points else ""
    return f"{inline(dimension.low)} to {inline(dimension.high)}{whole}{scale}{points}"


def result(outcome: Outcome) -> str:
    """Show the best trials as a table, and say how far the choice is to be trusted."""
    console = Console(file=StringIO(), width=WIDTH, highlight=False)
    console.print(_table(outcome.info))
    assert isinstance(console.file, StringIO)  # noqa: S101 - made above
    lines = [line.rstrip() for line in console.file.getvalue().splitlines()]
    return "\n".join([*lines, *_sentences(outcome)])


def _table(info: SearchInfo) -> Table:
    best = trials.ranked(info)
    title = f"Best {min(SHOWN, len(best))} of {len(info.trials)} trials" if len(best) > 1 else "The trial that finished"
    table = Table(title=title, title_justify="left")
    for column in ("trial", info.metric, "epoch"):
        table.add_column(column, justify="right")
    for name in _short(info):
        table.add_column(name, overflow="fold")
    for trial in best[:SHOWN]:
        epochs = " ".join(map(str, trial.epochs))
        values = (Text(shown(trial.values[key])) for key in info.space)
        table.add_row(str(trial.number), f"{trial.metric:.4f}", epochs, *values)
    return table


def _short(info: SearchInfo) -> list[str]:
    """Call the varied keys by their last part, as far as it tells them apart."""
    last = {key: key.rpartition(".")[2] for key in info.space}
    return [name if [*last.values()].count(name) == 1 else key for key, name in last.items()]


def _sentences(outcome: Outcome) -> Iterator[str]:
    info = outcome.info
    failed = [trial for trial in info.trials if trial.state == "failed"]
    if failed:
        yield f"{len(failed)} of {len(info.trials)} trials failed; search.csv says why."
    yield f"Trial {info.chosen} was chosen on {info.images['val']} validation images of {_patients(info)}."
    yield from _standing(info)
    finished = len(trials.ranked(info))
    if finished > 1:
        yield (
            f"The best of {finished} trials looks better than it is, because it was picked for its figure. "
            "What it is worth, only the test set can tell, and only once:"
        )
    yield f"cxrkit run {outcome.best}"


def _patients(info: SearchInfo) -> str:
    number = info.patients["val"]
    return f"{number} patient{'' if number == 1 else 's'}"


def _standing(info: SearchInfo) -> Iterator[str]:
    standing = info.standing
    if standing is None:
        return
    auc = standing.auc
    within = f"; {standing.within} of the {standing.others} others lie within it" if standing.others else ""
    yield f"Its AUC there is {auc.value:.3f} ({_interval(auc)}){within}."
    if standing.difference is not None:
        yield _behind(standing.difference, standing.second)


def _behind(difference: Estimate, second: int | None) -> str:
    """Compare the chosen trial with the second."""
    value = difference.value or 0.0
    words = "as good as" if abs(value) < EVEN else f"{abs(value):.3f} {'above' if value > 0 else 'below'}"
    told = f"That is {words} the second, trial {second}"
    if difference.low is None or difference.high is None:
        return f"{told}, which ranks these images alike."
    interval = f"{told} ({_interval(difference)} of the difference on the same images)"
    decided = difference.low > 0 or difference.high < 0
    return f"{interval}." if decided else f"{interval}: chance alone may have decided between the two."


def _interval(estimate: Estimate) -> str:
    return f"{100 * estimate.level:g}% interval {estimate.low:.3f} to {estimate.high:.3f}"
