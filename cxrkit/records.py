"""The JSON files of a run directory, as pydantic models: one place for their keys, types and versions."""

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cxrkit.api import Calibrated, Scale, ThresholdRule, Unit
from cxrkit.errors import InputError
from cxrkit.files import write_text


class Document(BaseModel):
    """A JSON file of the run directory, carrying the version of its schema."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, ser_json_inf_nan="null", protected_namespaces=())

    schema_version: Literal[1] = 1

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read and check a file.

        Raises:
            InputError: it is missing, is no JSON, or is not of this form.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            raise InputError(f"{path}: missing, a finished run directory has one") from None
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or "the file"
            raise InputError(f"{path}: {place}: {first['msg']}") from None

    def write(self, path: Path) -> None:
        """Write the file whole or not at all."""
        write_text(path, self.model_dump_json(indent=1, by_alias=True) + "\n")


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


class Estimate(BaseModel):
    """A value with its interval, where a file's own keys say what it is of."""

    model_config = ConfigDict(extra="forbid")

    value: float | None
    low: float | None = None
    high: float | None = None
    level: float
    method: str | None = None
    n: int
    n_patients: int


class SectionRecord(BaseModel):
    """A report section that a metric reporter added."""

    model_config = ConfigDict(extra="forbid")

    set: str
    title: str
    paragraphs: list[str] = []
    columns: list[str] = []
    rows: list[list[str]] = []


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


class TemperatureRecord(BaseModel):
    """A temperature that divides logits, fitted on validation (Guo et al. 2017)."""

    model_config = ConfigDict(extra="forbid")

    value: float
    set: str
    n: int
    n_patients: int


class PriorRecord(BaseModel):
    """Class shares of a training, in the order of the classes; see :class:`cxrkit.api.PriorShift`."""

    model_config = ConfigDict(extra="forbid")

    seen: list[float]
    natural: list[float]


class EnsembleRecord(BaseModel):
    """How the members of an ensemble were put together."""

    model_config = ConfigDict(extra="forbid")

    method: Literal["mean", "logit-mean", "validation-weighted"]
    weights: dict[str, float]  # member → weight, summing to 1


TaskKind = Literal["trained", "predictions", "ensemble", "checkpoint"]
TaskState = Literal["pending", "running", "finished", "failed"]


class TaskInfo(Document):
    """``tasks/<task>/task.json``."""

    task: str
    kind: TaskKind
    state: TaskState
    failure: str | None = None
    class_names: list[str] = []
    positive: str | None = None
    seeds: list[int] = []
    represent: str | None = None  # "ensemble" or "seed 0": what predictions/ holds
    members: list[str] = []
    ensemble: EnsembleRecord | None = None
    scale: Scale = "probability"
    threshold: ThresholdRecord | None = None
    patient_thresholds: dict[str, ThresholdRecord] = {}  # unit → threshold of the patients' probabilities
    zone: Zone | None = None
    temperature: TemperatureRecord | None = None
    prior: PriorRecord | None = None
    sets: list[str] = []
    training_fingerprints: dict[str, dict[str, str]] = {}  # seed → key → digest or value
    sources: dict[str, str] = {}  # of a task of predictions: set → sha256 of the file
    # For the report, of a trained task: what the configuration resolved to.
    model: str | None = None
    imbalance: str | None = None
    trainer: str | None = None
    options: dict[str, Any] = {}


class LayerInfo(BaseModel):
    """A row of the layer table: a top-level part of the network."""

    model_config = ConfigDict(extra="forbid")

    name: str
    kind: str
    output_shape: list[int]
    parameters: int
    trainable: int


class Preprocessing(BaseModel):
    """What turns a file into the network's input; everything that prediction elsewhere needs."""

    model_config = ConfigDict(extra="forbid")

    image_size: int  # pixels, height and width of the input
    resize: int  # pixels, the shorter side before the central crop
    mean: list[float]  # of the three channels, after scaling to 0 … 1
    std: list[float]


class ModelInfo(Document):
    """``tasks/<task>/seeds/<n>/model.json``."""

    task: str
    seed: int
    model: str
    model_options: dict[str, Any] = {}
    distribution: str
    class_names: list[str]
    positive: str
    preprocessing: Preprocessing
    parameters: int
    trainable: int
    layers: list[LayerInfo] = []
    selected_epoch: int | None = None
    class_shares: list[float] = []  # of the training images
    seen_shares: list[float] | None = None  # that the loss saw; None where a loss of its own hides them
    threshold: ThresholdRecord | None = None
    zone: Zone | None = None
    temperature: float | None = None


class Timing(Document):
    """``timing.json``: what differs from run to run, kept apart from the figures."""

    seconds: float
    images_per_second: float | None = None
    peak_memory_bytes: int | None = None
    peak_device_memory_bytes: int | None = None
    device: str | None = None
    precision: str | None = None
    epochs: list[dict[str, float]] = []


class CamEntry(BaseModel):
    """One overlay: paths are relative to the task's ``cam`` folder."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    image: str
    class_name: str = Field(alias="class")  # the class whose evidence is shown
    overlay: str
    raw: str


class CamIndex(Document):
    """``tasks/<task>/cam/index.json``."""

    method: str
    layer: str
    seed: int
    rule: str  # which images were chosen, in a sentence
    entries: list[CamEntry] = []


class RandomisationStep(BaseModel):
    """How alike the maps are after the parameters from the output up to a part of the network were drawn anew."""

    model_config = ConfigDict(extra="forbid")

    part: str
    correlation: Estimate  # mean Spearman correlation with the trained model's maps


class CamChecks(Document):
    """``tasks/<task>/cam/checks.json``: whether the maps depend on what was learnt, and where they point."""

    method: str
    layer: str
    seed: int
    set: str
    n: int
    rule: str  # which images were drawn, in a sentence
    empty: int  # maps without any evidence, left out of the correlations
    randomisation: list[RandomisationStep] = []  # from the output to the input (Adebayo et al. 2018)
    depends_on_parameters: bool | None = None  # whether the last correlation's interval stays below 0.5
    pointing_game: Estimate | None = None  # share of maps whose peak lies in the mask, of images with a mask
    energy_in_mask: Estimate | None = None  # mean share of a map's sum that lies in the mask
    area_of_mask: float | None = None  # mean share of the seen image: what chance would give either figure


class CamAgreement(BaseModel):
    """How alike two models' maps of the same images are."""

    model_config = ConfigDict(extra="forbid")

    task: str
    reference: str
    correlation: Estimate  # mean Spearman correlation


class Explanations(Document):
    """``explanations.json``: the maps of several models set against each other."""

    set: str
    n: int
    rule: str
    agreement: list[CamAgreement] = []


class Condition(BaseModel):
    """What was done to the images before they were predicted again."""

    model_config = ConfigDict(extra="forbid")

    name: str  # as in the file name ``test@<name>.csv``
    corruption: str
    severity: int | None = None  # 1 … 5; None of a shortcut check
    setting: str  # in words, with units


class Robustness(Document):
    """``robustness.json``: which conditions there are, and of which images."""

    set: str
    n: int
    rule: str
    conditions: list[Condition] = []


class Environment(BaseModel):
    """Versions and hardware, without host, user or absolute paths."""

    model_config = ConfigDict(extra="forbid")

    cxrkit: str
    python: str
    platform: str
    processor: str
    cpu_count: int
    memory_bytes: int | None = None
    threads: int | None = None
    accelerator: str | None = None
    packages: dict[str, str] = {}
    git_revision: str | None = None


class DataSummary(BaseModel):
    """What the manifest amounts to; the numbers of the data flow diagram."""

    model_config = ConfigDict(extra="forbid")

    found: int
    excluded: dict[str, int] = {}  # reason → files
    counts: dict[str, dict[str, int]] = {}  # split → class → images
    patients: dict[str, int] = {}  # split → patients
    notes: list[str] = []  # sentences: unmatched names, naive patient key, duplicates
    patient_rule: str | None = None
    manifest_sha256: str | None = None
    licence: str | None = None


class RunInfo(Document):
    """``run.json``; written by the parent process alone."""

    configuration: dict[str, Any]
    environment: Environment
    data: DataSummary | None = None
    class_names: list[str]
    positive: str
    evaluation_fingerprint: str | None = None
    explain_fingerprint: str | None = None
    report_fingerprint: str | None = None
    tasks: dict[str, TaskState] = {}
    started: str
    finished: str | None = None
