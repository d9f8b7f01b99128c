"""What the images are like, and what training makes of them: ``samples.json``, ``augmentation/index.json``."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from cxrkit.records.document import Document


class SampleImage(BaseModel):
    """An image that was drawn, its thumbnail under ``images/``."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    image: str
    set: str
    label: str = Field(alias="class")
    patient: str
    sha256: str = Field(pattern="^[0-9a-f]{64}$")  # names the thumbnail's file


class SampleImages(Document):
    """``samples.json``: a few images of each set and class, drawn by chance alone."""

    seed: int
    each: int  # images of a set and class, at most
    images: list[SampleImage] = []


class PreviewedImage(BaseModel):
    """A training image whose views are shown."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    image: str
    label: str = Field(alias="class")
    patient: str


class AugmentationPreview(BaseModel):
    """Training images under one ``[augmentation]``: plain, and as a training with this seed sees them in its epochs."""

    model_config = ConfigDict(extra="forbid")

    tasks: list[str]  # that train with it
    settings: dict[str, Any]  # the table ``[augmentation]``, defaults filled in
    seed: int
    epochs: list[int]
    image_size: int  # pixels of the network's input
    images: list[PreviewedImage] = []


class AugmentationPreviews(Document):
    """``augmentation/index.json``: every distinct augmentation; each view is a JPEG named by its place in here."""

    made_of: str  # a digest of all that the pictures depend on
    previews: list[AugmentationPreview] = []
