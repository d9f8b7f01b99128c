"""``report.json``: everything that a report says, as data."""

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from cxrkit.formats import Format
from cxrkit.records.document import Document
from cxrkit.records.figures import ComparisonRecord, Metrics
from cxrkit.records.run import DataSummary, Environment
from cxrkit.records.tasks import TaskInfo, TaskState


class ReportHead(BaseModel):
    """What stands above everything."""

    model_config = ConfigDict(extra="forbid")

    title: str
    authors: list[str] = []
    institution: str | None = None
    date: str  # when the results were finished, ISO 8601
    cxrkit: str  # the version that made the report


class ReportRun(BaseModel):
    """A run directory that the report is of."""

    model_config = ConfigDict(extra="forbid")

    name: str  # of its folder
    started: str
    finished: str | None = None
    environment: Environment
    data: DataSummary | None = None
    tasks: dict[str, TaskState] = {}
    limits: list[str] = []  # sentences: comparisons that could not be made


class ReportModel(BaseModel):
    """A finished model: ``task.json`` and ``metrics.json`` as the run has them, without folders."""

    model_config = ConfigDict(extra="forbid")

    name: str  # as the report calls it; with its run's name where two runs have a task of this name
    run: int  # place among the runs
    info: TaskInfo
    metrics: Metrics


class ReportFailure(BaseModel):
    """A task that gave no result, and why."""

    model_config = ConfigDict(extra="forbid")

    name: str
    state: str
    reason: str


class ReportCell(BaseModel):
    """A cell of a table as it is shown."""

    model_config = ConfigDict(extra="forbid")

    text: str
    detail: str | None = None  # a second line, such as the interval
    better: bool = False  # than another model, by an interval that excludes 0
    few: bool = False  # rests on so few patients that it is flagged


class ReportColumn(BaseModel):
    """Head of a column."""

    model_config = ConfigDict(extra="forbid")

    title: str
    numeric: bool


class TextBlock(BaseModel):
    """A paragraph."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["text"] = "text"
    text: str


class HeadingBlock(BaseModel):
    """A heading within a section."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["heading"] = "heading"
    title: str


class ListBlock(BaseModel):
    """A list of sentences."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["list"] = "list"
    title: str | None = None
    items: list[str]


class ReportTerm(BaseModel):
    """A term, or a question, with its explanation."""

    model_config = ConfigDict(extra="forbid")

    term: str
    explanation: str


class TermsBlock(BaseModel):
    """Terms with their explanations."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["terms"] = "terms"
    terms: list[ReportTerm]


class TableBlock(BaseModel):
    """A table; a row has as many cells as there are columns."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["table"] = "table"
    caption: str
    columns: list[ReportColumn]
    rows: list[list[ReportCell]]
    notes: list[str] = []


class ReportMatrix(BaseModel):
    """A confusion matrix: ``counts[i][j]`` images of class i that were called class j; ``shares`` of the row."""

    model_config = ConfigDict(extra="forbid")

    model: str
    caption: str
    class_names: list[str]
    counts: list[list[int]]
    shares: list[list[float | None]]


class MatricesBlock(BaseModel):
    """Confusion matrices."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["matrices"] = "matrices"
    reading: str
    matrices: list[ReportMatrix]


class ReportFigure(BaseModel):
    """A figure in words: what is shown, how to read it, what is seen."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = None  # its address within the report
    caption: str
    reading: str | None = None
    alt: str


class FiguresBlock(BaseModel):
    """Figures side by side."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["figures"] = "figures"
    figures: list[ReportFigure]


class ReportBox(BaseModel):
    """A box of the flow diagram."""

    model_config = ConfigDict(extra="forbid")

    title: str
    count: str
    lines: list[str] = []


class FlowBlock(BaseModel):
    """The way of the images from files found to splits."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["flow"] = "flow"
    caption: str
    found: ReportBox
    excluded: ReportBox | None = None
    splits: list[ReportBox]


class CasesBlock(BaseModel):
    """Images that are shown one by one."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["cases"] = "cases"
    title: str
    caption: str
    images: list[str]


ReportBlock: TypeAlias = Annotated[
    TextBlock
    | HeadingBlock
    | ListBlock
    | TermsBlock
    | TableBlock
    | MatricesBlock
    | FiguresBlock
    | FlowBlock
    | CasesBlock,
    Field(discriminator="kind"),
]


class ReportChapter(BaseModel):
    """A chapter; ``name`` is its address within the HTML report."""

    model_config = ConfigDict(extra="forbid")

    name: str
    title: str
    blocks: list[ReportBlock]


class ReportCall(BaseModel):
    """What a model said of an image."""

    model_config = ConfigDict(extra="forbid")

    model: str
    value: float | None  # probability of the positive class, or the score; None without a result
    called: str | None  # the class; None without a result
    wrong: bool


class ReportError(BaseModel):
    """An image that a model called wrongly, or gave no result for."""

    model_config = ConfigDict(extra="forbid")

    set: str
    image: str
    patient: str
    truth: str
    calls: list[ReportCall]


class ReportDocument(Document):
    """``report.json``."""

    head: ReportHead
    positive: str
    class_names: list[str]
    sets: list[str]
    runs: list[ReportRun]
    models: list[ReportModel]
    failures: list[ReportFailure] = []
    comparisons: list[ComparisonRecord] = []
    errors: list[ReportError] = []
    chapters: list[ReportChapter] = []


class ReportFiles(Document):
    """``files.json`` beside a report: what was written of each format that has several files."""

    formats: dict[Format, dict[str, str]] = {}  # format → path within the folder of the report → SHA-256
