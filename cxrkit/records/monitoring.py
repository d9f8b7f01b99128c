"""``monitoring.json`` of ``cxrkit monitor``."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from cxrkit.api import Scale
from cxrkit.records.document import Document
from cxrkit.records.figures import ThresholdRecord
from cxrkit.records.run import Environment

MonitoringRuleName = Literal["psi", "ks", "alert_rate", "no_result", "false_positive_rate", "sensitivity", "drop"]
MonitoringKind = Literal["control", "drift", "performance", "estimate"]


class MonitoringRule(BaseModel):
    """When an alarm is raised, and how often that happens by chance alone."""

    model_config = ConfigDict(extra="forbid")

    name: MonitoringRuleName
    limit: float  # of the option that sets it
    option: str
    sentence: str
    tests: int  # figures of this call that the rule judged
    false_alarms: float  # to be expected of them all where nothing has changed, at most


class MonitoringRecord(BaseModel):
    """A figure of a period: what it is, what the reference lets expect, and whether it is an alarm."""

    model_config = ConfigDict(extra="forbid")

    period: str
    kind: MonitoringKind
    figure: str  # alert_rate, psi, ks_intensity, roc_auc, estimated_roc_auc, …
    value: float | None
    low: float | None = None  # interval
    high: float | None = None
    level: float | None = None
    method: str | None = None
    reference: float | None = None  # the same figure there
    lower_limit: float | None = None  # between which chance alone keeps it
    upper_limit: float | None = None
    expected: float | None = None  # of a PSI, where nothing has changed
    effect: float | None = None  # of a KS test: Cliff's delta, positive where the values are larger than before
    difference: float | None = None  # value minus reference, of performance
    difference_low: float | None = None
    difference_high: float | None = None
    p_value: float | None = None
    p_adjusted: float | None = None  # Holm, over all tests of the rule in this call
    n: int
    n_patients: int
    rule: MonitoringRuleName | None = None  # that judges it; None of what is told only
    alarm: bool = False
    assumption: str | None = None  # of an estimate
    sentence: str


class MonitoredImages(BaseModel):
    """The images of the reference or of a period."""

    model_config = ConfigDict(extra="forbid")

    name: str
    first: str | None = None  # date or time of its images, ISO 8601, where they have any
    last: str | None = None
    n: int
    n_patients: int
    patients_known: bool
    without_result: int
    labelled: int
    positives: int  # of the labelled
    with_statistics: int = 0  # images that were measured, one a patient
    scores: list[int] = []  # images by score, between Monitoring.score_edges
    judged: bool = True


class MonitoringAlarm(BaseModel):
    """An alarm in a sentence."""

    model_config = ConfigDict(extra="forbid")

    period: str
    rule: MonitoringRuleName
    figure: str
    sentence: str


class Monitoring(Document):
    """``monitoring.json``."""

    environment: Environment
    created: str
    task: str
    reference: MonitoredImages
    reference_set: str | None  # of a run; None of a prediction file
    class_names: list[str]
    positive: str
    scale: Scale
    threshold: ThresholdRecord
    dispersion: float = Field(default=1.0, ge=1)  # Laney's, squared: variance between periods over what chance makes
    score_edges: list[float] = []
    periods: list[MonitoredImages]
    rules: list[MonitoringRule]
    records: list[MonitoringRecord]
    alarms: list[MonitoringAlarm]
    false_alarms: float  # to be expected of this call where nothing has changed, at most
    notes: list[str] = []
