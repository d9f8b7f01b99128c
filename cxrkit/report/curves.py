"""The chapter of curves: ROC, precision and recall, probabilities; each with how to read it."""

from collections.abc import Iterator, Sequence

from cxrkit.report import figures, wording
from cxrkit.report.content import Block, Plot, Plots, Section
from cxrkit.report.phrases import anchor, headline, set_title
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
        f"ROC curves on the {set_title(set_name)}, {_n(results, set_name)}. Points: each model at its threshold.",
        "Each point of a curve is a possible threshold. The further up and to the left, the better; the dotted "
        "diagonal is guessing. The AUC is the share of pairs, one image with and one without the finding, that the "
        "model ranks rightly.",
        "ROC curves. " + _spoken(results, set_name, ("roc_auc", "sensitivity", "specificity")),
    )


def _precision_recall(results: Results, set_name: str, name: str) -> Plot | None:
    drawing = figures.precision_recall(results.tasks, set_name)
    if drawing is None:
        return None
    return Plot(
        name,
        drawing,
        f"Precision\N{EN DASH}recall curves on the {set_title(set_name)}, {_n(results, set_name)}. "
        f"Dotted: the share of {results.positive}.",
        "How often a positive call is right (upwards) while more and more of the diseased are found (to the right). "
        "It depends on how frequent the disease is in this set.",
        "Precision\N{EN DASH}recall curves. " + _spoken(results, set_name, ("average_precision", "ppv", "sensitivity")),
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
        f"{_what(tasks)} that each model gives on the {set_title(set_name)}, {_n(results, set_name)}. "
        f"Filled: images with {results.positive}; outlined: without. Dashed: the threshold.",
        "The less the two overlap, the better the model tells them apart. Filled left of the line: missed. Outlined "
        "right of it: false alarms.",
        "Histograms. " + _spoken(results, set_name, ("sensitivity", "specificity")),
        wide=True,
    )


def _what(tasks: Sequence[TaskResult]) -> str:
    scales = {task.info.scale for task in tasks}
    return {frozenset({"score"}): "Scores", frozenset({"probability"}): "Probabilities"}.get(
        frozenset(scales), "Probabilities and scores"
    )


def _n(results: Results, set_name: str) -> str:
    found = next((record for task in results.tasks if (record := headline(task, "roc_auc", set_name))), None)
    return f"n = {wording.counted(found.n, 'image')}" if found else "n unknown"


def _spoken(results: Results, set_name: str, metrics: tuple[str, ...]) -> str:
    return " ".join(_spoken_task(task, set_name, metrics) for task in results.tasks)


def _spoken_task(task: TaskResult, set_name: str, metrics: tuple[str, ...]) -> str:
    told = [
        f"{wording.inside(metric)} {wording.number(record.value, metric)}"
        for metric in metrics
        if (record := headline(task, metric, set_name))
    ]
    return f"{task.name}: {', '.join(told)}." if told else ""
