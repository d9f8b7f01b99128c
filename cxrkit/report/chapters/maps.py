"""The chapter on activation maps: do they depend on what was learnt, where do they point, do models agree."""

from collections.abc import Iterator, Sequence

from cxrkit.records import CamChecks, Explanations
from cxrkit.report import wording
from cxrkit.report.content import Block, Cell, Column, Section, Table, Text
from cxrkit.report.results import Results, TaskResult
from cxrkit.report.tables import estimate_cell, model_cell

MANY_EMPTY = 0.2  # share of the maps without evidence from which on the first page tells
CORRELATION = "roc_auc"  # a correlation is written as an AUC is: three decimals
Checked = tuple[TaskResult, CamChecks]


def section(results: Results) -> Section | None:
    """Show the checks of the activation maps; None where none were made."""
    checked = [(task, task.checks) for task in results.tasks if task.checks]
    blocks = (*_blocks(checked), *_agreements(results))
    return Section("maps", "Checks of the activation maps", blocks) if blocks else None


def doubtful(results: Results) -> Iterator[str]:
    """Say which models' maps do not depend on what was learnt, or are often empty, for the first page."""
    for task in results.tasks:
        if task.checks and task.checks.depends_on_parameters is False:
            yield (
                f"That the activation maps of {task.name} depend on what it has learnt was not shown: they may show "
                "the image alone, and should not be taken as an explanation."
            )
    checked = [(task, task.checks) for task in results.tasks if task.checks]
    empty = [
        f"{checks.empty} of {checks.n} for {task.name}"
        for task, checks in checked
        if checks.empty > MANY_EMPTY * checks.n
    ]
    if empty:
        yield (
            f"Many activation maps hold no evidence at all ({wording.listed(empty)}): where the model looked cannot be "
            "said of these images."
        )


def _blocks(checked: Sequence[Checked]) -> Iterator[Block]:
    if not checked:
        return
    yield from (Text(text) for text in _how(checked))
    randomised = [(task, checks) for task, checks in checked if checks.randomisation]
    if randomised:
        yield _randomisation(randomised)
        yield from (Text(sentence) for sentence in _verdicts(randomised))
    pointing = [pair for pair in checked if pair[1].pointing_game or pair[1].energy_in_mask]
    if pointing:
        yield _pointing(pointing)


def _how(checked: Sequence[Checked]) -> Iterator[str]:
    """Say how the maps were made and checked, once for the models that it is the same of, and which were empty."""
    alike: dict[str, list[str]] = {}
    for task, checks in checked:
        alike.setdefault(_method(checks), []).append(task.name)
    for method, names in alike.items():
        yield method if len(alike) == 1 else f"{wording.listed(names)}: {method}"
    empty = [f"{checks.empty} of {checks.n} for {task.name}" for task, checks in checked if checks.empty]
    if empty:
        yield f"Maps in which the layer held no evidence at all were left out: {wording.listed(empty)}."


def _method(checks: CamChecks) -> str:
    return (
        f"{checks.method} at layer {checks.layer}, seed {checks.seed}, on {wording.counted(checks.n, 'image')} of the "
        f"{checks.set} set: {checks.rule.removesuffix('.')}."
    )


def _randomisation(checked: Sequence[Checked]) -> Table:
    """Show how alike the maps stay while more and more of the network is drawn anew, from the output down."""
    columns = (
        Column("Model", numeric=False),
        Column("Drawn anew, from the output down to", numeric=False),
        Column("Correlation with the trained model's maps"),
    )
    rows = tuple(
        (
            model_cell(task) if place == 0 else Cell(""),
            Cell(step.part),
            estimate_cell(step.correlation, CORRELATION),
        )
        for task, checks in checked
        for place, step in enumerate(checks.randomisation)
    )
    note = (
        "Mean rank correlation (Spearman), with its interval. Maps of a model whose parameters are random should look "
        "different; where they do not, they show the image and not what was learnt (Adebayo et al. 2018)."
    )
    return Table("Parameter randomisation", columns, rows, (note,))


def _verdicts(checked: Sequence[Checked]) -> Iterator[str]:
    depends, stays = (
        wording.listed([task.name for task, checks in checked if checks.depends_on_parameters is found])
        for found in (True, False)
    )
    if depends:
        yield (
            f"{depends}: with random parameters the maps look different, as they should; this does not show that they "
            "are right."
        )
    if stays:
        yield (
            f"{stays}: that the maps depend on what was learnt was not shown: with random parameters they stay too "
            "much alike. They may show the image alone."
        )


def _pointing(checked: Sequence[Checked]) -> Table:
    columns = (
        Column("Model", numeric=False),
        Column("Peak within the lesion"),
        Column("Energy within the lesion"),
        Column("Area of the lesion (chance)"),
    )
    rows = tuple(
        (
            model_cell(task),
            estimate_cell(checks.pointing_game, "sensitivity"),
            estimate_cell(checks.energy_in_mask, "sensitivity"),
            Cell(wording.NONE if checks.area_of_mask is None else wording.number(checks.area_of_mask, "sensitivity")),
        )
        for task, checks in checked
    )
    note = (
        "On images whose lesion is marked. Peak (pointing game): how often the map's strongest point lies in the "
        "lesion. Energy: how much of the map lies there. A map without any knowledge reaches the lesion's share of the "
        "image in either."
    )
    return Table("Do the maps point at the lesion?", columns, rows, (note,))


def _agreements(results: Results) -> Iterator[Block]:
    for number, source in enumerate(results.sources):
        if source.explanations and source.explanations.agreement:
            yield _agreement(results, source.explanations, number)


def _agreement(results: Results, explanations: Explanations, source: int) -> Table:
    names = {task.info.task: task.name for task in results.tasks if task.source == source}
    rows = tuple(
        (
            Cell(f"{names.get(one.task, one.task)} and {names.get(one.reference, one.reference)}"),
            estimate_cell(one.correlation, CORRELATION),
        )
        for one in explanations.agreement
    )
    note = (
        f"Mean rank correlation (Spearman) of two models' maps of the same "
        f"{wording.counted(explanations.n, 'image')}, with its interval ({explanations.rule.removesuffix('.')}): 1, "
        "they look at the same places; 0, at unrelated ones. That models agree does not show that they are right."
    )
    return Table(
        "Do the models look at the same places?",
        (Column("Models", numeric=False), Column("Correlation")),
        rows,
        (note,),
    )
