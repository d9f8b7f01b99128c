"""``audit.json`` and ``robustness.json``: what the images are like, and what was done to them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from cxrkit.records.document import Document, Estimate


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


class Exclusion(BaseModel):
    """Files that are not used for one reason."""

    model_config = ConfigDict(extra="forbid")

    reason: str
    files: int
    examples: list[str]


class Shared(BaseModel):
    """What two sets have in common: patients, or files that are the same to the byte."""

    model_config = ConfigDict(extra="forbid")

    splits: tuple[str, str]
    count: int
    example: str


class NearDuplicate(BaseModel):
    """Two different files that show nearly the same picture."""

    model_config = ConfigDict(extra="forbid")

    images: tuple[str, str]
    splits: tuple[str, str]
    labels: tuple[str, str]
    same_patient: bool
    distance: int  # Hamming distance of the perceptual hashes, in bits
    correlation: float  # of the two pictures, reduced to a few pixels


class NearDuplicateCount(BaseModel):
    """Pairs of near duplicates between two sets, or within one where both names are the same."""

    model_config = ConfigDict(extra="forbid")

    splits: tuple[str, str]
    pairs: int
    of_different_patients: int
    of_different_labels: int


class NearDuplicates(BaseModel):
    """The search for near duplicates. Identical files are counted apart, and are not among these."""

    model_config = ConfigDict(extra="forbid")

    rule: str  # what counts as one, in a sentence
    searched: int  # different files
    counts: list[NearDuplicateCount] = []
    pairs: list[NearDuplicate] = []  # a limited number: across sets first, then different labels, then other patients


class LabelConflict(BaseModel):
    """Identical files, or near duplicates, that carry different labels."""

    model_config = ConfigDict(extra="forbid")

    images: list[str]
    labels: list[str]  # of the images, in their order
    identical: bool  # else near duplicates


ImageStatistic = Literal["width", "height", "aspect", "intensity", "contrast", "black", "white", "colour"]
"""Pixels; width / height; mean and standard deviation of the grey values 0 … 255; shares of (nearly) black and white
pixels; whether the file has colour channels (0 or 1, so that the mean is the share)."""


class ImageStatistics(BaseModel):
    """The distribution of one statistic over the images of a set and class."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    set: str
    class_name: str = Field(alias="class")
    statistic: ImageStatistic
    n: int  # images
    mean: float
    sd: float | None  # of the sample, n - 1; None of one image
    least: float
    lower_quartile: float
    median: float
    upper_quartile: float
    most: float


class Drift(BaseModel):
    """How a statistic of one class's images differs between two sets; of one image a patient."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    statistic: ImageStatistic
    class_name: str = Field(alias="class")
    from_set: str
    to_set: str
    before: float  # median; of black, white and colour the mean share
    after: float
    effect: float  # Cliff's delta, -1 … 1: positive where the values of to_set are larger
    ks: float  # Kolmogorov-Smirnov statistic, 0 … 1
    p_value: float
    p_adjusted: float  # Holm, over all comparisons of the audit
    named: bool  # p_adjusted below 0.05 and ks at least 0.2
    n_before: int  # patients
    n_after: int
    sentence: str


BaselineName = Literal["size", "colour", "brightness", "all"]


class Baseline(BaseModel):
    """A small model that sees nothing but image statistics: what it reaches needs no look at the picture."""

    model_config = ConfigDict(extra="forbid")

    name: BaselineName
    positive: str  # against all other classes
    features: list[ImageStatistic]  # that vary; none where all images are alike in this
    method: str  # in words
    fitted_on: list[str] = []  # sets
    cross_validated: Estimate | None = None  # AUC, by patient within fitted_on
    auc: dict[str, Estimate] = {}  # other set → AUC: test and the external ones
    carried_by: ImageStatistic | None = None  # the feature that alone separates the classes best
    shortcut: bool  # size or colour, no part of the picture, with an AUC's lower bound above 0.6
    sentence: str


class DataAudit(Document):
    """``audit.json``, and what ``cxrkit data check --json`` prints: what a data set is like before anything is trained.

    Sets are train, val, test and the external ones; ``no split`` where the source has none.
    """

    source: str
    found: int  # files
    usable: int  # images
    excluded: list[Exclusion] = []
    counts: dict[str, dict[str, int]]  # set → class → images
    patients: dict[str, int]  # set → patients
    patient_rule: str
    most_images_of_a_patient: int
    shared_patients: list[Shared] = []
    shared_patients_by_naive_key: list[Shared] | None = None  # of Kermany's names: by personN alone, which is wrong
    identical_across_splits: list[Shared] = []
    identical_within_splits: dict[str, int] = {}  # set → files that are copies of others in it
    near_duplicates: NearDuplicates
    label_conflicts: list[LabelConflict] = []
    width: tuple[int, int]  # pixels, least and most
    height: tuple[int, int]
    modes: dict[str, dict[str, dict[str, int]]] = {}  # set → class → Pillow's pixel format → images
    statistics: list[ImageStatistics] = []
    drift: list[Drift] = []  # every comparison made; those with ``named`` are worth telling
    baselines: list[Baseline] = []
    notes: list[str] = []
    problems: list[str] = []  # what keeps the data from being used for training
