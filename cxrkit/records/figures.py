"""``metrics.json`` and ``comparison.json``."""

from typing import Literal

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field

from cxrkit.api import Calibrated, ThresholdRule, Unit
from cxrkit.records.document import Document, Estimate


class Record(BaseModel):
    """One figure of one task, with its uncertainty. ``Figure`` of the API plus where it belongs."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    metric: str
    set: str
    condition: str | None = None
    class_name: str | None = Field(default=None, alias="class")
    subgroup: str | None = None
    threshold: float | None = None
    prevalence: float | None = None
    calibrated: Calibrated | None = None
    unit: Unit = "image"
    value: float | None
    low: float | None = None
    high: float | None = None
    level: float
    method: str | None = None
    n: int
    n_patients: int
    p_value: float | None = None  # of a figure that is a test's statistic
    fewest_patients: int | None = None  # of the smallest class that it rests on; flagged below 30


class FigureRecord(BaseModel):
    """A picture of a section: PNG, JPEG or SVG; it is given as it is written, in base64."""

    model_config = ConfigDict(extra="forbid")

    image: Base64Bytes
    caption: str
    alt: str


class SectionRecord(BaseModel):
    """A report section that a metric reporter added."""

    model_config = ConfigDict(extra="forbid")

    set: str
    title: str
    paragraphs: list[str] = []
    columns: list[str] = []
    rows: list[list[str]] = []
    figures: list[FigureRecord] = []


class Confusion(BaseModel):
    """Counts of one set: ``matrix[i][j]`` images of class i (truth) that were called class j."""

    model_config = ConfigDict(extra="forbid")

    set: str
    condition: str | None = None
    matrix: list[list[int]]
    no_result: int = 0


class ThresholdRecord(BaseModel):
    """A threshold and where it came from; see :class:`cxrkit.api.Threshold`."""

    model_config = ConfigDict(extra="forbid")

    value: float
    rule: ThresholdRule
    set: str | None = None
    n: int | None = None
    target: float | None = None
    note: str | None = None
    low: float | None = None
    high: float | None = None
    level: float | None = None
    method: str | None = None


class OperatingPoint(BaseModel):
    """A threshold chosen on validation and what it turns into on a set: sensitivity, specificity, predictive values."""

    model_config = ConfigDict(extra="forbid")

    set: str
    threshold: ThresholdRecord
    figures: list[Record]


class Zone(BaseModel):
    """Two thresholds: below the lower one negative, from the upper one on positive, between them referred."""

    model_config = ConfigDict(extra="forbid")

    lower: ThresholdRecord
    upper: ThresholdRecord


class ZoneResult(BaseModel):
    """What a zone turns into on a set: coverage, and sensitivity and specificity among the decided images."""

    model_config = ConfigDict(extra="forbid")

    set: str
    zone: Zone
    figures: list[Record]


class AcceptanceRecord(BaseModel):
    """A stated goal: met where the lower bound reaches it, not met where the upper one stays below, else undecided."""

    model_config = ConfigDict(extra="forbid")

    metric: str
    set: str
    goal: float
    verdict: Literal["met", "not met", "undecided"]
    estimate: Estimate
    threshold: float | None = None
    prevalence: float | None = None  # the stated one that a predictive value was judged at


class SeedSpread(BaseModel):
    """A figure over the seeds of a task: how much another training would change it; no sampling uncertainty."""

    model_config = ConfigDict(extra="forbid")

    metric: str
    set: str
    values: dict[str, float | None]  # seed → value
    mean: float | None
    sd: float | None  # of the sample, n - 1; None with one seed
    low: float | None  # the range
    high: float | None


class ChangeRecord(BaseModel):
    """The same model's figure elsewhere minus here: under a corruption, or on an external set."""

    model_config = ConfigDict(extra="forbid")

    metric: str
    set: str
    condition: str | None = None
    from_set: str
    before: float | None
    after: float | None
    difference: float | None
    low: float | None = None
    high: float | None = None
    level: float
    method: str | None = None
    p_value: float | None = None
    test: str | None = None
    paired: bool  # the same images before and after
    n: int  # images after
    n_patients: int


class Metrics(Document):
    """``tasks/<task>/metrics.json``."""

    task: str
    class_names: list[str]
    positive: str
    confusion: list[Confusion] = []
    records: list[Record] = []
    operating_points: list[OperatingPoint] = []
    zones: list[ZoneResult] = []
    acceptance: list[AcceptanceRecord] = []
    seeds: list[SeedSpread] = []
    changes: list[ChangeRecord] = []
    limits: list[str] = []  # sentences: what these predictions cannot tell
    sections: list[SectionRecord] = []


class ComparisonRecord(BaseModel):
    """``task`` minus ``reference`` on the same images."""

    model_config = ConfigDict(extra="forbid")

    metric: str
    set: str
    task: str
    reference: str
    difference: float | None
    low: float | None = None
    high: float | None = None
    level: float
    method: str | None = None
    p_value: float | None = None
    p_adjusted: float | None = None
    test: str | None = None
    exploratory: bool = True
    margin: float | None = None  # of non-inferiority to the reference, as it was required beforehand
    non_inferior: bool | None = None  # whether the lower bound stays above minus the margin
    better: str | None = None  # the task whose figure is better where the interval excludes 0, else None
    n: int
    n_patients: int


class Comparison(Document):
    """``comparison.json``."""

    primary: str
    reference: str | None = None
    records: list[ComparisonRecord] = []
    refused: list[str] = []  # one sentence for each pair that cannot be compared
