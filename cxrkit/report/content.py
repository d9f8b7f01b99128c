"""What a report consists of: HTML, PDF and text all show these blocks and compute nothing of their own."""

from dataclasses import dataclass
from typing import TypeAlias

from cxrkit.report.drawing import Drawing

FEW_MARK = "†"


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
    """

    text: str
    detail: str | None = None
    mark: bool = False
    model: int | None = None
    share: float | None = None
    few: bool = False

    @property
    def marked_text(self) -> str:
        """The text with its marks, where there is no other way to show them."""
        return self.text + (f" {FEW_MARK}" if self.few else "") + (" ▲" if self.mark else "")


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
    """A table; the first cell of a row is its head."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()
    small: bool = False


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
    """An image of the error analysis: ``picture`` is a JPEG, None where there is no thumbnail."""

    image: str
    truth: str
    facts: tuple[tuple[str, str], ...]
    verdict: str
    views: tuple[View, ...]
    picture: bytes | None = None


@dataclass(frozen=True)
class Gallery:
    """Cases with their pictures."""

    title: str
    cases: tuple[Case, ...]
    caption: str


Block: TypeAlias = Text | Heading | Bullets | Terms | Table | Matrices | Plots | Flow | Gallery


@dataclass(frozen=True)
class Section:
    """A chapter; ``name`` is its address within the report."""

    name: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class TitleBlock:
    """What stands above everything."""

    title: str
    authors: tuple[str, ...]
    institution: str | None
    date: str
    made_with: str


@dataclass(frozen=True)
class Report:
    """A whole report."""

    head: TitleBlock
    sections: tuple[Section, ...]
    models: tuple[str, ...]
    language: str = "en"
