"""``search.json``: what a search of hyper-parameters has tried, and what it chose."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from cxrkit.records.document import Document, Estimate


class TrialRecord(BaseModel):
    """One trial: the values that were tried, and what became of them on validation."""

    model_config = ConfigDict(extra="forbid")

    number: int  # from 1: its folder is trials/<number>
    values: dict[str, Any]  # varied key → value
    state: Literal["finished", "failed"]
    reason: str | None = None  # why it failed
    same_as: int | None = None  # the earlier trial of the same values, whose figures these are
    metric: float | None = None  # mean over the task's seeds
    epochs: list[int] = []  # that were selected, one for each seed
    figures: dict[str, float] = {}  # validation figures of these epochs, means over the seeds
    seconds: float = 0.0  # of training, all seeds together


class SearchStanding(BaseModel):
    """How sure the choice is, on the validation images that it was made on."""

    model_config = ConfigDict(extra="forbid")

    auc: Estimate  # of the chosen trial
    within: int  # other trials whose AUC lies within that interval
    others: int  # other trials that finished
    second: int | None = None  # the trial after the chosen one
    difference: Estimate | None = None  # AUC of the chosen trial minus the second's, on the same images


class SearchInfo(Document):
    """``search.json``."""

    task: str
    method: Literal["grid", "random", "optuna"]
    metric: str
    seed: int
    space: dict[str, Any]  # varied key → its values, or its range
    asked: int  # trials
    seeds: list[int]  # of the task: a trial is one training for each
    images: dict[str, int]  # train and val → images
    patients: dict[str, int]
    fingerprints: dict[str, dict[str, str]]  # seed → what the first trial's training depends on
    trials: list[TrialRecord] = []
    chosen: int | None = None  # number of the best trial so far
    standing: SearchStanding | None = None  # once all trials have ended
