"""What saved models say of images that have no labels: logits, and where they looked."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from lightning_fabric import Fabric
from torch import nn

from cxrkit import weight_files
from cxrkit.api import FloatArray
from cxrkit.data.images import UnreadableImage, burned_in, read_grey, sha256
from cxrkit.errors import RunError
from cxrkit.evaluation.predictions import OK
from cxrkit.plans import Chosen, DevicePlan
from cxrkit.records import ModelInfo
from cxrkit.registry import Registry
from cxrkit.training import checkpoints, devices, overlays, predict
from cxrkit.training.cams import Explained, mapping
from cxrkit.training.images import Grey, view
from cxrkit.training.layers import last_feature_map

BATCH = predict.BATCH
QUALITY = 88  # of a JPEG


class Seen(NamedTuple):
    """An image file as it was read.

    Attributes:
        sha256: of its bytes; None where it cannot be opened.
        status: ``ok``, or why it cannot be used.
        grey: uint8[height, width], the whole image; None where it cannot be used.
        burned_in: whether it says that its pixels hold text of the patient.
    """

    sha256: str | None
    status: str
    grey: Grey | None = None
    burned_in: bool = False


class Model(NamedTuple):
    """A saved model on its device.

    Attributes:
        info: with the options that its weights need.
        module: in evaluation mode.
        layer: whose maps are made; None where the network has no feature map over the image.
        fabric: whose device it is on.
        plan: of the same device.
    """

    info: ModelInfo
    module: nn.Module
    layer: str | None
    fabric: Fabric
    plan: DevicePlan


def load(infos: Sequence[ModelInfo], weights: Sequence[Path], registry: Registry, plan: DevicePlan) -> list[Model]:
    """Load examined models onto one device.

    Args:
        infos: as the examination has completed them.
        weights: the file of each.
        registry: the models of the loaded plugins.
        plan: of the device; in fp32.

    Raises:
        InputError: a file is none of its architecture, or the device is not here.
    """
    fabric = devices.launch(plan)
    models = []
    for info, path in zip(infos, weights, strict=True):
        chosen = Chosen(name=info.model, options=info.model_options)
        module = checkpoints.loaded(chosen, path, weight_files.read(path), info.class_names, registry)
        layer = last_feature_map(module, info.preprocessing.image_size)
        models.append(Model(info, module.to(fabric.device), layer, fabric, plan))
    return models


def read(paths: Sequence[Path]) -> list[Seen]:
    """Read image files in threads; a file that cannot be used has its reason."""
    with ThreadPoolExecutor(devices.usable_cores()) as pool:
        return list(pool.map(_read, paths))


def _read(path: Path) -> Seen:
    found = sha256(path)
    try:
        grey = read_grey(path)
        return Seen(found, OK, grey, burned_in(path))
    except UnreadableImage as error:
        return Seen(found, error.reason)


def logits(model: Model, greys: Sequence[Grey]) -> FloatArray:
    """Compute logits in fp32, as a run does: float64[n, num_classes].

    Raises:
        RunError: they are not finite.
    """
    found = predict.logits(model.fabric, model.module, iter([_views(model, greys)]), len(model.info.class_names))
    if not np.isfinite(found).all():
        raise RunError(f"{model.info.task}: gives logits that are not finite")
    return found


def overlaid(model: Model, greys: Sequence[Grey], method: str) -> Iterator[bytes]:
    """Draw the evidence for the positive class over images; each map is scaled to its own greatest value.

    Args:
        model: that has a feature map over the image.
        greys: the whole images.
        method: of torchcam.

    Yields:
        A JPEG of each, its longer side 320 pixels.

    Raises:
        RunError: the method does not fit the model, or fails on it.
    """
    preprocessing = model.info.preprocessing
    with mapping(method, Explained(model.info.task, model.module, model.info, model.layer), model.plan) as maps:
        activations = maps(_views(model, greys))
    for grey, activation in zip(greys, activations, strict=True):
        buffer = BytesIO()
        box = overlays.seen(grey.shape[1], grey.shape[0], preprocessing)
        overlays.draw(grey, activation, box).save(buffer, "JPEG", quality=QUALITY)
        yield buffer.getvalue()


def _views(model: Model, greys: Sequence[Grey]) -> Grey:
    return np.stack([view(grey, model.info.preprocessing.image_size) for grey in greys])
