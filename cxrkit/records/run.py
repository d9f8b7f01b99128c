"""``run.json``."""

from pydantic import BaseModel, ConfigDict

from cxrkit.records.document import Document
from cxrkit.records.relied_on import Moment, RecordedConfiguration
from cxrkit.records.tasks import TaskState


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

    configuration: RecordedConfiguration
    environment: Environment
    data: DataSummary | None = None
    class_names: list[str]
    positive: str
    audit_fingerprint: str | None = None
    robustness_fingerprint: str | None = None
    evaluation_fingerprint: str | None = None
    explain_fingerprint: str | None = None
    report_fingerprint: str | None = None
    tasks: dict[str, TaskState] = {}
    folder: str | None = None  # of the tasks.toml, as seen from the run directory: where its paths begin
    started: Moment
    finished: Moment | None = None
