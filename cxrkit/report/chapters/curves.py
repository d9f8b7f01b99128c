"""The chapter of curves: ROC, precision and recall, probabilities; each with how to read it."""

from collections.abc import Iterator, Sequence

from cxrkit.report import wording
from cxrkit.report.content import Block, Plot, Plots, Section
from cxrkit.report.drawn import ranking as figures
from cxrkit.report.drawn import spoken
from cxrkit.report.drawn.marks import BANDED
from cxrkit.report.phrases import anchor, set_title
from cxrkit.report.results import Results, TaskResult


def section(results: Results, set_name: str) -> Section | None:
    """Show the curves of one set; None where there are none."""
    name = anchor(results, "curves", set_name)
    blocks = tuple(_curves(results, set_name, name))
    return Section(name, f"Curves on the {set_title(set_name)}", blocks) if blocks else None


def _curves(results: Results, set_name: str, name: str) -> Iterator[Block]:
    drawn = (
        _roc(results, set_name, f"{name}-roc"),
        _precision_recall(results, set_name, f"{name}-pr"),
        _scores(results, set_name, f"{name}-scores"),
    )
    plots = tuple(plot for plot in drawn if plot is not None)
    if plots:
        yield Plots(plots)


def _roc(results: Results, set_name: str, name: str) -> Plot | None:
    drawing = figures.roc(results.tasks, set_name)
    if drawing is None:
        return None
    return Plot(
        name,
        drawing,
        f"ROC curves on the {set_title(set_name)}, {spoken.n(results.tasks, set_name)}{_bands(results)}. "
        "Points: each model at its threshold, with the intervals of both figures.",
        "Each point of a curve is a possible threshold. The further up and to the left, the better; the dotted "
        "diagonal is guessing. The AUC is the share of pairs, one image with and one without the finding, that the "
        "model ranks rightly.",
        _alt("ROC curves", results, set_name, "roc_auc", ("sensitivity", "specificity")),
    )


def _precision_recall(results: Results, set_name: str, name: str) -> Plot | None:
    drawing = figures.precision_recall(results.tasks, set_name)
    if drawing is None:
        return None
    return Plot(
        name,
        drawing,
        f"Precision\N{EN DASH}recall curves on the {set_title(set_name)}, {spoken.n(results.tasks, set_name)}"
        f"{_bands(results)}. Points: each model at its threshold, with the intervals of both figures. Dotted: the "
        f"share of {results.positive}.",
        "How often a positive call is right (upwards) while more and more of the diseased are found (to the right). "
        "It depends on how frequent the disease is in this set.",
        _alt("Precision\N{EN DASH}recall curves", results, set_name, "average_precision", ("ppv", "sensitivity")),
    )


def _scores(results: Results, set_name: str, name: str) -> Plot | None:
    tasks = [
        task
        for task in results.tasks
        if task.info.scale != "decision" and task.directory.predictions(set_name).is_file()
    ]
    if not tasks:
        return None
    return Plot(
        name,
        figures.scores(tasks, set_name),
        f"{_what(tasks)} that each model gives on the {set_title(set_name)}, {spoken.n(results.tasks, set_name)}. "
        f"Filled: images with {results.positive}; outlined: without. Dashed: the threshold.",
        "The less the two overlap, the better the model tells them apart. Filled left of the line: missed. Outlined "
        "right of it: false alarms.",
        f"Histograms. {spoken.sides(tasks, set_name)}",
        wide=True,
    )


def _bands(results: Results) -> str:
    """Say what the bands are, where there are any."""
    return f", with {wording.level(results.level)} bands by threshold" if len(results.tasks) <= BANDED else ""


def _alt(what: str, results: Results, set_name: str, area: str, point: tuple[str, str]) -> str:
    """Tell which curve lies highest and by how much, and where the operating points lie."""
    found = (
        f"{what}.",
        spoken.ranking(results.tasks, area, set_name),
        spoken.heights(results.tasks, set_name) if area == "roc_auc" else "",
        spoken.operating(results.tasks, set_name, point),
    )
    return " ".join(sentence for sentence in found if sentence)


def _what(tasks: Sequence[TaskResult]) -> str:
    scales = {task.info.scale for task in tasks}
    return {frozenset({"score"}): "Scores", frozenset({"probability"}): "Probabilities"}.get(
        frozenset(scales), "Probabilities and scores"
    )
