"""What a report consists of: HTML, PDF and text all show these blocks and compute nothing of their own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from cxrkit.report.drawn.drawing import Drawing

FEW_MARK = "†"

Outcome: TypeAlias = Literal["false negative", "false positive", "other error", "correct"]


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes:
        text: what it says.
        detail: a smaller second line, such as the interval.
        mark: better by an interval that excludes 0.
        model: number of the model that the cell names, for its colour; None where it names none.
        share: 0 … 1, how strongly the cell is shaded; None for no shade.
        few: rests on so few patients that it is flagged.
        link: ``name`` of the section that the text leads to.
    """

    text: str
    detail: str | None = None
    mark: bool = False
    model: int | None = None
    share: float | None = None
    few: bool = False
    link: str | None = None

    @property
    def marked_text(self) -> str:
        """The text with its marks, where there is no other way to show them."""
        return self.text + (f" {FEW_MARK}" if self.few else "") + (" ▲" if self.mark else "")

    @property
    def bracketed_detail(self) -> str | None:
        """The second line in brackets, which it may have already, where no smaller letters set it apart."""
        return self.detail if not self.detail or "(" in self.detail else f"({self.detail})"


@dataclass(frozen=True)
class Column:
    """Head of a table's column; ``model`` is the number of the model that it is about."""

    title: str
    model: int | None = None
    numeric: bool = True


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str
    lead: bool = False


@dataclass(frozen=True)
class Heading:
    """A heading within a section."""

    title: str


@dataclass(frozen=True)
class Bullets:
    """A list; ``caution`` sets it apart as what the reader must beware of."""

    items: tuple[str, ...]
    title: str | None = None
    caution: bool = False


@dataclass(frozen=True)
class Terms:
    """Terms with their explanations."""

    entries: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Table:
    """A table; the first cell of a row is its head.

    Attributes:
        small: of many columns, hence in smaller letters.
        sortable: each row stands for itself, so a browser may sort them.
        most: rows that a page shows of it; None for all. Text and data always have all.
    """

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()
    small: bool = False
    sortable: bool = False
    most: int | None = None


@dataclass(frozen=True)
class Matrix:
    """Confusion matrices of one model: counts, and shares of the true class."""

    task: str
    model: int
    class_names: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    shares: tuple[tuple[float | None, ...], ...]
    caption: str


@dataclass(frozen=True)
class Matrices:
    """The confusion matrices side by side."""

    matrices: tuple[Matrix, ...]
    reading: str


@dataclass(frozen=True)
class Plot:
    """A vector figure.

    Attributes:
        name: unique within the report, for links.
        drawing: what is shown, in the colours of the light theme.
        caption: what is shown, with n and units.
        reading: how to read it, for someone who is no statistician.
        alt: what is seen, made from the data.
        wide: takes the whole width.
    """

    name: str
    drawing: Drawing
    caption: str
    reading: str
    alt: str
    wide: bool = False


@dataclass(frozen=True)
class Plots:
    """Figures that belong side by side where there is room."""

    plots: tuple[Plot, ...]


@dataclass(frozen=True)
class Picture:
    """A picture of a plugin's: ``content`` is a file of ``media_type`` (PNG, JPEG, SVG), ``alt`` what is seen."""

    content: bytes
    media_type: str
    caption: str
    alt: str


@dataclass(frozen=True)
class Pictures:
    """Pictures that belong side by side where there is room."""

    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Tile:
    """A small picture among others: ``picture`` is a JPEG, ``caption`` stands below it, ``alt`` says what is seen."""

    picture: bytes
    caption: str
    alt: str


@dataclass(frozen=True)
class TileRow:
    """Small pictures that belong together, with what they have in common."""

    title: str
    tiles: tuple[Tile, ...]


@dataclass(frozen=True)
class Tiles:
    """Rows of small pictures.

    Attributes:
        name: unique within the report, for links and files.
        rows: from the first to the last.
        caption: what is shown.
        reading: what to look for.
        alt: what is seen in all of them.
    """

    name: str
    rows: tuple[TileRow, ...]
    caption: str
    reading: str
    alt: str


@dataclass(frozen=True)
class FlowBox:
    """A box of the flow diagram."""

    title: str
    count: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Flow:
    """The way of the images from files found to splits."""

    found: FlowBox
    excluded: FlowBox | None
    splits: tuple[FlowBox, ...]
    caption: str


@dataclass(frozen=True)
class ColourBar:
    """What the colours of the activation maps mean: ``colours`` from ``least`` to ``most``."""

    colours: tuple[str, ...]
    least: str
    most: str
    caption: str


@dataclass(frozen=True)
class View:
    """A case as one model sees it: ``figure`` is its probability or score, if any; ``overlay`` a JPEG, if there is."""

    task: str
    model: int
    figure: str | None
    call: str
    wrong: bool
    overlay: bytes | None = None


@dataclass(frozen=True)
class Case:
    """An image of the error analysis; a reader may filter by outcome, by who was wrong and by subgroup.

    Attributes:
        image: its name.
        patient: whose it is.
        truth: the class that it shows.
        subgroups: name and value of each.
        outcome: what the models' errors amount to.
        verdict: who was wrong, in words.
        views: the image as each model sees it.
        certainty: of the surest wrong model, 0 … 1.
        picture: a JPEG; None where there is no thumbnail.
    """

    image: str
    patient: str
    truth: str
    subgroups: tuple[tuple[str, str], ...]
    outcome: Outcome
    verdict: str
    views: tuple[View, ...]
    certainty: float = 0.0
    picture: bytes | None = None


@dataclass(frozen=True)
class Gallery:
    """Cases with their pictures."""

    title: str
    cases: tuple[Case, ...]
    caption: str


@dataclass(frozen=True)
class Reckoned:
    """A figure of the explorer: ``value`` in full precision, None where there is none, and ``text`` as it is shown."""

    value: float | None
    text: str


@dataclass(frozen=True)
class Explored:
    """A model in the explorer.

    Attributes:
        task: its name.
        model: its number, for its colour.
        threshold: that was recorded.
        origin: where that comes from, in a few words.
        lowest: least threshold that the slider reaches.
        highest: largest threshold that the slider reaches.
        scores: little-endian float64[m], of the images with a result, falling: of the positive class.
        truth: m bits, the first one lowest: whether the image shows the positive class.
        without_result: images without a result: of the positive class, of the others.
        figures: at the recorded threshold, name → figure.
    """

    task: str
    model: int
    threshold: float
    origin: str
    lowest: float
    highest: float
    scores: bytes
    truth: bytes
    without_result: tuple[int, int]
    figures: Mapping[str, Reckoned]


@dataclass(frozen=True)
class Explorer:
    """What other thresholds and another prevalence would give; for screens alone.

    Attributes:
        title: above it.
        name: unique within the report, for links.
        set: whose images.
        where: the set's name in a sentence.
        positive: the class that is detected.
        models: side by side.
        own: the set's own prevalence; None where the models were tested on images that differ in it.
        stated: the prevalence that was stated for the report, if one was.
        notes: what to know of it.
    """

    title: str
    name: str
    set: str
    where: str
    positive: str
    models: tuple[Explored, ...]
    own: float | None
    stated: float | None
    notes: tuple[str, ...]


Block: TypeAlias = (
    Text
    | Heading
    | Bullets
    | Terms
    | Table
    | Matrices
    | Plots
    | Pictures
    | Tiles
    | Flow
    | ColourBar
    | Gallery
    | Explorer
)


@dataclass(frozen=True)
class Section:
    """A chapter; ``name`` is its address within the report."""

    name: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Logo:
    """The institution's logo: a file of ``media_type`` (PNG, JPEG, SVG)."""

    content: bytes
    media_type: str


@dataclass(frozen=True)
class TitleBlock:
    """What stands above everything.

    Attributes:
        created: when the results were finished, ISO 8601; ``date`` as one writes it.
        made_with: the program and its version.
        subtitle: what the report is of, on the cover.
        facts: what was compared and on whom, on the cover.
        notice: what the report is not.
        logo: of the institution, if there is one.
        kind: what kind of report it is, above the title.
    """

    title: str
    authors: tuple[str, ...]
    institution: str | None
    date: str
    created: str
    made_with: str
    subtitle: str
    facts: tuple[tuple[str, str], ...]
    notice: str
    logo: Logo | None = None
    kind: str = "Evaluation report"


@dataclass(frozen=True)
class Report:
    """A whole report."""

    head: TitleBlock
    sections: tuple[Section, ...]
    models: tuple[str, ...]
    language: str = "en"
