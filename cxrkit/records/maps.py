"""What is written of activation maps: ``cam/index.json``, ``cam/checks.json``, ``explanations.json``."""

from pydantic import BaseModel, ConfigDict, Field

from cxrkit.records.document import Document, Estimate


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
