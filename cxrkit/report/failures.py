"""The chapter on errors: what they mean for patients, how many there are, and the cases themselves."""

from collections.abc import Iterator, Sequence

from cxrkit.report import wording
from cxrkit.report.cases import Judged, Pictures, chosen, judged, verdict
from cxrkit.report.content import Block, Case, Cell, Column, Gallery, Heading, Section, Table, Terms, Text
from cxrkit.report.phrases import is_few, set_title, thresholds_short
from cxrkit.report.results import Results, TaskResult
from cxrkit.report.tables import model_cell

HUNDRED = 100
MISSED = "False negatives: the disease was missed"
ALARM = "False positives: false alarms"
OTHER = "Other errors: another class, or no result"
RIGHT = "Examples that every model called rightly"
TITLES = (MISSED, ALARM, OTHER, RIGHT)
LISTED = 200  # rows of the table of errors: a longer one is in the predictions' files
NAMED = 3  # models: of more, the table of errors does not name those that erred again, so that it fits a page


def section(results: Results) -> Section:
    """Explain the errors on the set whose images are at hand, test as a rule."""
    return Section("errors", "Error analysis", tuple(_blocks(results)))


def _blocks(results: Results) -> Iterator[Block]:
    yield _meaning(results)
    yield _per_hundred(results)
    everything = judged(results, results.shown_set)
    if everything:
        yield from _shared(results, everything)
        yield from _cases(results, everything)


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
    return Table("Errors for every hundred", columns, rows, notes)


def _complement(task: TaskResult, metric: str, set_name: str) -> Cell:
    record = task.figure(metric, set_name)
    if record is None or record.value is None:
        return Cell(wording.NONE)
    bounds = None
    if record.low is not None and record.high is not None:
        bounds = f"{HUNDRED * (1 - record.high):.1f} to {HUNDRED * (1 - record.low):.1f}"
    return Cell(f"{HUNDRED * (1 - record.value):.1f}", bounds, few=is_few(record))


def _shared(results: Results, everything: Sequence[Judged]) -> Iterator[Text]:
    wrong = [one for one in everything if one.errors]
    were = "was" if len(wrong) == 1 else "were"
    text = f"{wording.counted(len(wrong), 'image')} of {wording.count(len(everything))} {were} called wrongly"
    if len(results.tasks) == 1:
        yield Text(f"{text}.")
        return
    shared = [one for one in wrong if one.errors == len(results.tasks)]
    everyone = "both" if len(results.tasks) == 2 else f"all {len(results.tasks)}"  # noqa: PLR2004 - a pair is both
    missed = sum(one.truth == results.positive for one in shared)
    yield Text(
        f"{text} by at least one model; {wording.count(len(shared))} by {everyone}: "
        f"{wording.counted(missed, 'shared miss', 'shared misses')} and "
        f"{wording.counted(len(shared) - missed, 'shared false alarm')}. What all models get wrong may be a hard image "
        "or a wrong label, and is worth a second look by a reader."
        if shared
        else f"{text} by at least one model, none by {everyone}."
    )


def _cases(results: Results, everything: Sequence[Judged]) -> Iterator[Block]:
    images, rules = chosen(results, results.shown_set)
    pictures = Pictures(results, results.shown_set)
    wanted = set(images)
    cases = [(one, pictures.case(one, results.positive)) for one in everything if one.image in wanted]
    if any(case.picture or any(view.overlay for view in case.views) for _, case in cases):
        for rule in rules:
            yield Text(f"Shown below: {rule[0].lower()}{rule[1:]}")
        yield from _maps(results)
        yield from _galleries(results, cases)
    yield from _list_of_errors(results, everything)


def _galleries(results: Results, cases: Sequence[tuple[Judged, Case]]) -> Iterator[Gallery]:
    groups: dict[str, list[Case]] = {}
    for one, case in cases:
        groups.setdefault(_group(one, results.positive), []).append(case)
    for title in TITLES:
        if title in groups:
            caption = wording.counted(len(groups[title]), "image")
            if any(task.info.scale == "probability" for task in results.tasks):
                caption += f". p: probability of {results.positive}"
            if title != RIGHT:
                caption += "; ✗: a wrong call. Errors of most models first, then the surest"
            yield Gallery(title, tuple(groups[title]), f"{caption}.")


def _group(one: Judged, positive: str) -> str:
    if not one.errors:
        return RIGHT
    if one.truth == positive:
        return MISSED
    return ALARM if one.is_false_alarm(positive) else OTHER


def _maps(results: Results) -> Iterator[Text]:
    drawn = [(task, task.cam) for task in results.tasks if task.cam is not None and task.cam.entries]
    if not drawn:
        return
    how = {f"{cam.method} at layer {cam.layer}, seed {cam.seed}" for _, cam in drawn}
    if len(how) == 1:
        told = f"{how.pop()}, for every model"
    else:
        told = "; ".join(f"{task.name}: {cam.method} at layer {cam.layer}, seed {cam.seed}" for task, cam in drawn)
    yield Text(
        f"Activation maps: {told}; the evidence for {drawn[0][1].entries[0].class_name}, each map scaled to its own "
        "greatest value (dark to bright), the thin frame is what the network saw; without colours, the layer held no "
        "evidence. A map shows which regions influenced the result, not why, and it does not locate a lesion."
    )


def _list_of_errors(results: Results, everything: Sequence[Judged]) -> Iterator[Block]:
    wrong = [one for one in everything if one.errors]
    if not wrong:
        return
    yield Heading("All errors")
    columns = (
        Column("Image", numeric=False),
        Column("Patient", numeric=False),
        Column("Shows", numeric=False),
        *(Column(task.name, task.number) for task in results.tasks),
        *[Column("Error", numeric=False)] * (len(results.tasks) <= NAMED),
    )
    rows = tuple(_error_row(results, one) for one in wrong[:LISTED])
    notes = [f"Under each model its {_what(results)}; ✗: wrong at its threshold."]
    if len(wrong) > LISTED:
        notes.append(f"The first {LISTED} of {wording.count(len(wrong))}; all are in the predictions' files.")
    title = f"Every error on the {set_title(results.shown_set)}, of most models first"
    yield Table(title, columns, rows, tuple(notes), small=True)


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
