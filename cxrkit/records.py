"""The JSON files of a run directory, as pydantic models: one place for their keys, types and versions."""

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

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
    calibrated: bool = False
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


class Metrics(Document):
    """``tasks/<task>/metrics.json``."""

    task: str
    class_names: list[str]
    positive: str
    confusion: list[Confusion] = []
    records: list[Record] = []
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
    better: str | None = None  # the task whose figure is better where the interval excludes 0, else None
    n: int
    n_patients: int


class Comparison(Document):
    """``comparison.json``."""

    primary: str
    reference: str | None = None
    records: list[ComparisonRecord] = []
    refused: list[str] = []  # one sentence for each pair that cannot be compared


class ThresholdRecord(BaseModel):
    """A task's threshold and where it came from; see :class:`cxrkit.api.Threshold`."""

    model_config = ConfigDict(extra="forbid")

    value: float
    rule: Literal["fixed", "youden", "sensitivity", "specificity", "cost"]
    set: str | None = None
    n: int | None = None
    target: float | None = None
    note: str | None = None


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
    threshold: ThresholdRecord | None = None
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
    threshold: ThresholdRecord | None = None
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
