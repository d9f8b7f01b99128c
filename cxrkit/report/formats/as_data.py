"""The report as ``report.json``: the same content for programs, with every figure that the run recorded."""

from collections.abc import Iterator
from math import isfinite

from cxrkit import __version__
from cxrkit.records.report import (
    CasesBlock,
    FiguresBlock,
    FlowBlock,
    HeadingBlock,
    ListBlock,
    MatricesBlock,
    ReportBlock,
    ReportBox,
    ReportCall,
    ReportCell,
    ReportChapter,
    ReportColumn,
    ReportDocument,
    ReportError,
    ReportFailure,
    ReportFigure,
    ReportHead,
    ReportMatrix,
    ReportModel,
    ReportRun,
    ReportTerm,
    TableBlock,
    TermsBlock,
    TextBlock,
)
from cxrkit.report.chapters.judging import Judged, judge
from cxrkit.report.content import (
    Block,
    Bullets,
    Cell,
    ColourBar,
    Explorer,
    Flow,
    FlowBox,
    Gallery,
    Heading,
    Matrices,
    Pictures,
    Plots,
    Report,
    Section,
    Table,
    Terms,
    Text,
    Tiles,
    TitleBlock,
)
from cxrkit.report.results import Results, Source, TaskResult


def render(results: Results, report: Report) -> str:
    """Write the report as JSON; see :class:`cxrkit.records.report.ReportDocument`."""
    document = ReportDocument(
        head=_head(report.head),
        positive=results.positive,
        class_names=results.tasks[0].metrics.class_names,
        sets=list(results.sets),
        runs=[_run(source) for source in results.sources],
        models=[_model(task) for task in results.tasks],
        failures=[ReportFailure(name=one.name, state=one.state, reason=one.reason) for one in results.unfinished],
        comparisons=list(results.comparisons),
        errors=list(_errors(results)),
        chapters=[_chapter(section) for section in report.sections],
    )
    return document.model_dump_json(indent=1, by_alias=True) + "\n"


def _head(head: TitleBlock) -> ReportHead:
    return ReportHead(
        title=head.title,
        authors=list(head.authors),
        institution=head.institution,
        date=head.created,
        cxrkit=__version__,
    )


def _run(source: Source) -> ReportRun:
    return ReportRun(
        name=source.name,
        started=source.info.started,
        finished=source.info.finished,
        environment=source.info.environment,
        data=source.info.data,
        tasks=source.info.tasks,
        limits=source.comparison.refused if source.comparison else [],
    )


def _model(task: TaskResult) -> ReportModel:
    """Take what is recorded of a model, without the pictures that plugins may have added."""
    sections = [one.model_copy(update={"figures": []}) for one in task.metrics.sections]
    metrics = task.metrics.model_copy(update={"sections": sections})
    return ReportModel(name=task.name, run=task.source, info=task.info, metrics=metrics)


def _errors(results: Results) -> Iterator[ReportError]:
    for name in results.sets:
        judgements = judge(results, name)
        if judgements is not None:
            yield from (_error(judgements.image(row), name) for row in judgements.ordered_errors().tolist())


def _error(one: Judged, set_name: str) -> ReportError:
    calls = [
        ReportCall(
            model=opinion.task.name,
            value=opinion.probability if isfinite(opinion.probability) else None,
            called=opinion.called,
            wrong=opinion.wrong,
        )
        for opinion in one.opinions
    ]
    return ReportError(set=set_name, image=one.image, patient=one.patient, truth=one.truth, calls=calls)


# ── Blocks ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _chapter(section: Section) -> ReportChapter:
    blocks = [made for block in section.blocks if (made := _block(block)) is not None]
    return ReportChapter(name=section.name, title=section.title, blocks=blocks)


def _block(block: Block) -> ReportBlock | None:  # noqa: C901, PLR0911 - one for each kind
    """Turn a block into data; what only helps the eye is none, nor the explorer: it shows what the predictions say."""
    match block:
        case Text(text=text):
            return TextBlock(text=text)
        case Heading(title=title):
            return HeadingBlock(title=title)
        case Bullets(items=items, title=title):
            return ListBlock(title=title, items=list(items))
        case Terms(entries=entries):
            return TermsBlock(terms=[ReportTerm(term=term, explanation=text) for term, text in entries])
        case Table():
            return _table(block)
        case Matrices():
            return _matrices(block)
        case Plots() | Pictures() | Tiles():
            return _figures(block)
        case Flow():
            return _flow(block)
        case Gallery(title=title, cases=cases, caption=caption):
            return CasesBlock(title=title, caption=caption, images=[case.image for case in cases])
        case ColourBar() | Explorer():
            return None


def _table(table: Table) -> TableBlock:
    return TableBlock(
        caption=table.caption,
        columns=[ReportColumn(title=column.title, numeric=column.numeric) for column in table.columns],
        rows=[[_cell(cell) for cell in row] for row in table.rows],
        notes=list(table.notes),
    )


def _cell(cell: Cell) -> ReportCell:
    return ReportCell(text=cell.text, detail=cell.detail, better=cell.mark, few=cell.few)


def _matrices(block: Matrices) -> MatricesBlock:
    matrices = [
        ReportMatrix(
            model=one.task,
            caption=one.caption,
            class_names=list(one.class_names),
            counts=list(map(list, one.counts)),
            shares=list(map(list, one.shares)),
        )
        for one in block.matrices
    ]
    return MatricesBlock(reading=block.reading, matrices=matrices)


def _figures(block: Plots | Pictures | Tiles) -> FiguresBlock:
    if isinstance(block, Pictures):
        return FiguresBlock(figures=[ReportFigure(caption=one.caption, alt=one.alt) for one in block.pictures])
    return FiguresBlock(
        figures=[
            ReportFigure(name=one.name, caption=one.caption, reading=one.reading, alt=one.alt)
            for one in (block.plots if isinstance(block, Plots) else (block,))
        ]
    )


def _flow(flow: Flow) -> FlowBlock:
    return FlowBlock(
        caption=flow.caption,
        found=_box(flow.found),
        excluded=_box(flow.excluded) if flow.excluded else None,
        splits=[_box(box) for box in flow.splits],
    )


def _box(box: FlowBox) -> ReportBox:
    return ReportBox(title=box.title, count=box.count, lines=list(box.lines))
