"""The chapter on errors: what they mean for patients, how many there are, and the cases themselves."""

from collections.abc import Iterator, Sequence

import numpy as np

from cxrkit.metrics import NO_RESULT
from cxrkit.report import wording
from cxrkit.report.chapters.agreement import agreement
from cxrkit.report.chapters.cases import Pictures, chosen, verdict
from cxrkit.report.chapters.judging import Judged, Judgements, judge
from cxrkit.report.content import Block, Case, Cell, Column, Gallery, Heading, Outcome, Section, Table, Terms, Text
from cxrkit.report.drawn.map_colours import colour_bar
from cxrkit.report.phrases import is_few, set_title, thresholds_short
from cxrkit.report.results import Results, TaskResult
from cxrkit.report.tables import model_cell

HUNDRED = 100
TITLES: dict[Outcome, str] = {
    "false negative": "False negatives: the disease was missed",
    "false positive": "False positives: false alarms",
    "other error": "Other errors: another class, or no result",
    "correct": "Examples that every model called rightly",
}
LISTED = 300  # rows of the table of errors on a page
NAMED = 3  # models: of more, the table of errors does not name those that erred again, so that it fits a page


def section(results: Results) -> Section:
    """Explain the errors on the set whose images are at hand, test as a rule."""
    return Section("errors", "Error analysis", tuple(_blocks(results)))


def _blocks(results: Results) -> Iterator[Block]:
    yield _meaning(results)
    yield _per_hundred(results)
    judgements = judge(results, results.shown_set)
    if judgements is not None:
        yield _shared(judgements)
        yield from agreement(judgements, set_title(results.shown_set))
        yield from _cases(results, judgements)
        yield from _list_of_errors(results, judgements)


def _meaning(results: Results) -> Terms:
    positive, rest = results.positive, wording.listed(results.negatives, "or")
    missed = (
        f"an image that shows {positive} and is called {rest}. If the model decided alone, the disease would be "
        "missed: treatment would come late or not at all."
    )
    alarm = (
        f"an image without {positive} that is called {positive}. If the model decided alone, a person without the "
        "disease would be worried, examined further and perhaps treated without need."
    )
    return Terms((("False negative", missed), ("False positive", alarm)))


def _per_hundred(results: Results) -> Table:
    titles = (
        "Model",
        f"Of 100 with {results.positive}: missed",
        f"Of 100 without {results.positive}: false alarms",
        "Of 100 positive calls: wrong",
        "Of 100 negative calls: wrong",
    )
    rows = tuple(
        (
            model_cell(task),
            *(_complement(task, metric, results.shown_set) for metric in ("sensitivity", "specificity", "ppv", "npv")),
        )
        for task in results.tasks
    )
    columns = tuple(Column(title, numeric=place > 0) for place, title in enumerate(titles))
    note = (
        "Counted on images, so that a patient with several images counts as often; second line: "
        f"{wording.level(results.level)} interval. How many calls are wrong depends on how frequent {results.positive} "
        f"is in the {set_title(results.shown_set)}."
    )
    notes = (note, *([told] if (told := thresholds_short(results)) else []))
    return Table("Errors for every hundred", columns, rows, notes, sortable=True)


def _complement(task: TaskResult, metric: str, set_name: str) -> Cell:
    record = task.figure(metric, set_name)
    if record is None or record.value is None:
        return Cell(wording.NONE)
    bounds = None
    if record.low is not None and record.high is not None:
        bounds = f"{HUNDRED * (1 - record.high):.1f} to {HUNDRED * (1 - record.low):.1f}"
    return Cell(f"{HUNDRED * (1 - record.value):.1f}", bounds, few=is_few(record))


def _shared(judgements: Judgements) -> Text:
    """Count what was called wrongly, and what by every model."""
    errors, models = judgements.errors, len(judgements.tasks)
    wrong = int(np.count_nonzero(errors))
    were = "was" if wrong == 1 else "were"
    how = "called wrongly or got no result" if (judgements.called == NO_RESULT).any() else "called wrongly"
    text = f"{wording.counted(wrong, 'image')} of {wording.count(len(errors))} {were} {how}"
    if models == 1:
        return Text(f"{text}.")
    everyone = "both" if models == 2 else f"all {models}"  # noqa: PLR2004 - a pair is both
    shared = errors == models
    if not shared.any():
        return Text(f"{text} by at least one model, none by {everyone}.")
    missed = int(np.count_nonzero(shared & judgements.is_miss))
    alarms = int(np.count_nonzero(shared)) - missed
    return Text(
        f"{text} by at least one model; {wording.count(missed + alarms)} by {everyone}: "
        f"{wording.counted(missed, 'shared miss', 'shared misses')} and "
        f"{wording.counted(alarms, 'shared false alarm')}. "
        "What all models get wrong may be a hard image or a wrong label, and is worth a second look by a reader."
    )


def _cases(results: Results, judgements: Judgements) -> Iterator[Block]:
    images, rules = chosen(results, results.shown_set)
    pictures = Pictures(results, images, results.shown_set)
    rows = judgements.rows_of(images).tolist()
    cases = [pictures.case(judgements.image(row), results.positive) for row in rows]
    if any(case.picture or any(view.overlay for view in case.views) for case in cases):
        yield Heading("Case by case")
        for rule in rules:
            yield Text(f"Shown below: {rule[0].lower()}{rule[1:]}")
        yield from _maps(results)
        yield from _galleries(results, judgements, cases)


def _galleries(results: Results, judgements: Judgements, cases: Sequence[Case]) -> Iterator[Gallery]:
    for outcome, title in TITLES.items():
        shown = tuple(case for case in cases if case.outcome == outcome)
        if shown:
            yield Gallery(title, shown, _caption(results, outcome, len(shown), judgements.count(outcome)))


def _caption(results: Results, outcome: Outcome, shown: int, found: int) -> str:
    caption = wording.counted(found, "image")
    if shown < found:
        caption = f"{wording.count(shown)} of {caption}"
    if any(task.info.scale == "probability" for task in results.tasks):
        caption += f". p: probability of {results.positive}"
    if outcome != "correct":
        caption += "; ✗: a wrong call. Errors of most models first, then the surest"
    return f"{caption}."


def _maps(results: Results) -> Iterator[Block]:
    drawn = [(task, task.cam) for task in results.tasks if task.cam is not None and task.cam.entries]
    if not drawn:
        return
    how = {f"{cam.method} at layer {cam.layer}, seed {cam.seed}" for _, cam in drawn}
    if len(how) == 1:
        told = f"{how.pop()}, for {_with_maps(results, [task.name for task, _ in drawn])}"
    else:
        told = "; ".join(f"{task.name}: {cam.method} at layer {cam.layer}, seed {cam.seed}" for task, cam in drawn)
    yield Text(
        f"Activation maps: {told}; the evidence for {drawn[0][1].entries[0].class_name}, each map scaled to its own "
        "greatest value (dark to bright), the thin frame is what the network saw; without colours, the layer held no "
        "evidence. A map shows which regions influenced the result, not why, and it does not locate a lesion."
    )
    yield colour_bar()


def _with_maps(results: Results, drawn: Sequence[str]) -> str:
    """Name the models that maps were drawn of, and those that have none: ensembles, test-time augmentation."""
    without = [task.name for task in results.tasks if task.name not in drawn]
    if not without:
        return "every model"
    return f"{wording.listed(drawn)} ({wording.listed(without)} {'has' if len(without) == 1 else 'have'} none)"


def _list_of_errors(results: Results, judgements: Judgements) -> Iterator[Block]:
    wrong = judgements.ordered_errors()
    if not len(wrong):
        return
    yield Heading("All errors")
    columns = (
        Column("Image", numeric=False),
        Column("Patient", numeric=False),
        Column("Shows", numeric=False),
        *(Column(task.name, task.number, numeric=task.info.scale != "decision") for task in results.tasks),
        *[Column("Error", numeric=False)] * (len(results.tasks) <= NAMED),
    )
    rows = tuple(_error_row(results, judgements.image(row)) for row in wrong.tolist())
    note = f"Under each model its {_what(results)}; ✗: wrong at its threshold."
    title = f"Every error on the {set_title(results.shown_set)}, of most models first"
    yield Table(title, columns, rows, (note,), small=True, sortable=True, most=LISTED)


def _what(results: Results) -> str:
    names = {"probability": f"probability of {results.positive}", "score": "score", "decision": "decision"}
    scales = {task.info.scale for task in results.tasks}
    return wording.listed([name for scale, name in names.items() if scale in scales], "or")


def _error_row(results: Results, one: Judged) -> tuple[Cell, ...]:
    said = {opinion.task.number: opinion for opinion in one.opinions}
    cells = []
    for task in results.tasks:
        opinion = said.get(task.number)
        if opinion is None or opinion.called is None:
            cells.append(Cell(wording.NONE))
        else:
            bare = opinion.task.info.scale == "decision"
            told = opinion.called if bare else f"{opinion.probability:.3f}"
            cells.append(Cell(f"{told}{' ✗' if opinion.wrong else ''}"))
    error = [Cell(verdict(one, results.positive))] * (len(results.tasks) <= NAMED)
    return (Cell(one.image), Cell(one.patient), Cell(one.truth), *cells, *error)
