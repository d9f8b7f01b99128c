"""The chapter of curves: ROC, precision and recall, reliability, probabilities; each with how to read it."""

from collections.abc import Iterator

from cxrkit.report import figures, wording
from cxrkit.report.content import Block, Plot, Plots, Section
from cxrkit.report.phrases import headline, set_title
from cxrkit.report.results import TEST, Results, TaskResult


def section(results: Results, set_name: str) -> Section | None:
    """Show the curves of one set; None where there are none."""
    name = "curves" if set_name == TEST else f"curves-{results.sets.index(set_name)}"
    blocks = tuple(_curves(results, set_name, name))
    return Section(name, f"Curves on the {set_title(set_name)}", blocks) if blocks else None


def _curves(results: Results, set_name: str, name: str) -> Iterator[Block]:
    drawn = (
        _roc(results, set_name, f"{name}-roc"),
        _precision_recall(results, set_name, f"{name}-pr"),
        _calibration(results, set_name, f"{name}-calibration"),
        _scores(results, set_name, f"{name}-scores"),
    )
    plots = tuple(plot for plot in drawn if plot is not None)
    if plots:
        yield Plots(plots)


def _roc(results: Results, set_name: str, name: str) -> Plot | None:
    svg = figures.roc(results.tasks, set_name, name)
    if svg is None:
        return None
    return Plot(
        name,
        svg,
        f"ROC curves on the {set_title(set_name)}, {_n(results, set_name)}. Points: each model at its threshold.",
        "Each point of a curve is a possible threshold. The further up and to the left, the better; the dotted "
        "diagonal is guessing. The AUC is the share of pairs, one image with and one without the finding, that the "
        "model ranks rightly.",
        "ROC curves. " + _spoken(results, set_name, ("roc_auc", "sensitivity", "specificity")),
    )


def _precision_recall(results: Results, set_name: str, name: str) -> Plot | None:
    svg = figures.precision_recall(results.tasks, set_name, name)
    if svg is None:
        return None
    return Plot(
        name,
        svg,
        f"Precision\N{EN DASH}recall curves on the {set_title(set_name)}, {_n(results, set_name)}. "
        f"Dotted: the share of {results.positive}.",
        "How often a positive call is right (upwards) while more and more of the diseased are found (to the right). "
        "It depends on how frequent the disease is in this set.",
        "Precision\N{EN DASH}recall curves. " + _spoken(results, set_name, ("average_precision", "ppv", "sensitivity")),
    )


def _calibration(results: Results, set_name: str, name: str) -> Plot | None:
    svg = figures.calibration(results.tasks, set_name, name)
    if svg is None:
        return None
    return Plot(
        name,
        svg,
        f"Reliability on the {set_title(set_name)}, {_n(results, set_name)}. Bars: {wording.level(results.level)} "
        "intervals of the bins.",
        "Where the model says 80%, do 80% have the disease? On the diagonal the probabilities can be taken at their "
        "word; below it the model is too sure, above it too careful. The Brier score is the mean squared error of "
        "the probabilities: less is better.",
        "Reliability diagram. " + _spoken(results, set_name, ("brier",)),
        wide=len(results.tasks) > figures.OVERLAID,
    )


def _scores(results: Results, set_name: str, name: str) -> Plot | None:
    tasks = [task for task in results.tasks if task.directory.predictions(set_name).is_file()]
    if not tasks:
        return None
    return Plot(
        name,
        figures.scores(tasks, set_name, name),
        f"Probabilities that each model gives on the {set_title(set_name)}, {_n(results, set_name)}. "
        f"Filled: images with {results.positive}; outlined: without. Dashed: the threshold.",
        "The less the two overlap, the better the model tells them apart. Filled left of the line: missed. Outlined "
        "right of it: false alarms.",
        "Histograms of probabilities. " + _spoken(results, set_name, ("sensitivity", "specificity")),
        wide=True,
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
