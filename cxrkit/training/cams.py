"""Class activation maps of a trained model: its layer, an extractor of torchcam, maps scaled to 0 … 1."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torchcam.methods
from torch import Tensor, nn
from torch.nn import functional

from cxrkit.errors import InputError, RunError, nearest
from cxrkit.plans import DevicePlan, ExplainedModel, ExplainPlan
from cxrkit.records import ModelInfo
from cxrkit.registry import Registry
from cxrkit.rundir import RunDirectory
from cxrkit.training.devices import available_device, thread_count
from cxrkit.training.images import Grey, normalised
from cxrkit.training.layers import is_feature_map, last_feature_map, outputs
from cxrkit.training.models import rebuild
from cxrkit.training.overlays import Map

BATCH_SIZE = 16
Mapping = Callable[[Grey], Map]
"""Takes uint8[n, size, size], what the network sees, and gives float32[n, size, size] in 0 … 1, the evidence for the
positive class; 0 everywhere where there is no evidence or no number."""


class Explained(NamedTuple):
    """A trained model, ready to be explained.

    Attributes:
        task: its name.
        model: on the CPU, in evaluation mode.
        info: of the training.
        layer: dotted name of the layer whose maps are made; None where the network has none.
    """

    task: str
    model: nn.Module
    info: ModelInfo
    layer: str | None


def rebuilt(plan: ExplainPlan, each: ExplainedModel, models: Registry) -> Explained:
    """Build a trained model again and find the layer to explain it by.

    Raises:
        CxrkitError: the model cannot be built, or has no such layer.
    """
    seed = RunDirectory(Path(plan.run_directory)).task(each.task).seed(each.seed)
    info = ModelInfo.read(seed.model_info)
    model = rebuild(each.model, len(info.class_names), seed.model, models, f'task "{each.task}"')
    return Explained(each.task, model, info, _layer(model, plan.layer, info.preprocessing.image_size))


def _layer(model: nn.Module, name: str | None, image_size: int) -> str | None:
    if name is None:
        return last_feature_map(model, image_size)
    names = [known for known, _ in model.named_modules() if known]
    if name not in names:
        raise InputError(f'explain.layer: no layer "{name}", {nearest(name, names)}')
    shapes = [output.shape for output in outputs(model, image_size) if output.name == name]
    if not any(is_feature_map(shape) for shape in shapes):
        what = f"gives {list(shapes[-1][1:])}" if shapes else "gives no tensor"
        raise InputError(f'explain.layer: "{name}" {what}, a feature map is [channels, height, width]')
    return name


@contextmanager
def mapping(method: str, explained: Explained, devices: DevicePlan) -> Iterator[Mapping]:
    """Prepare one extractor for many images, in fp32; the model goes to the device and its gradients are switched off.

    A single image is passed twice: by several threads, torch's gradients of one image at layers of a single place have
    other last bits each time.

    Raises:
        RunError: the method does not fit the model; also when it is used.
    """
    device = available_device(devices)
    torch.set_num_threads(thread_count(devices, device))
    torch.manual_seed(0)  # SmoothGradCAMpp and SSCAM draw noise
    model = explained.model.to(device).requires_grad_(False)
    positive = explained.info.class_names.index(explained.info.positive)
    with _extractor(method, model, explained.layer) as extractor:

        def maps(seen: Grey) -> Map:
            parts = [seen[start : start + BATCH_SIZE] for start in range(0, len(seen), BATCH_SIZE)]
            parts = [part if len(part) > 1 else np.repeat(part, 2, axis=0) for part in parts]
            batches = (normalised(torch.from_numpy(part).to(device)) for part in parts)
            return np.concatenate([_maps(extractor, model, batch, positive) for batch in batches])[: len(seen)]

        yield maps


def _extractor(method: str, model: nn.Module, layer: str | None) -> Any:
    try:
        return getattr(torchcam.methods, method)(model, target_layer=layer)
    except (ValueError, TypeError) as error:
        raise RunError(f"explain.method: {method} does not fit this model ({error})") from error


def _maps(extractor: Any, model: nn.Module, batch: Tensor, positive: int) -> Map:
    try:
        with torch.enable_grad():
            scores = model(batch.requires_grad_())  # frozen layers pass gradients on only to an input that wants them
            (cams,) = extractor(class_idx=positive, scores=scores, normalized=False)
    except (RuntimeError, ValueError, TypeError) as error:
        name = type(extractor).__name__
        raise RunError(f"explain.method: {name} failed on this model ({str(error).splitlines()[0]})") from error
    narrow = cams.detach().cpu().double()[:, None]
    wide = functional.interpolate(narrow, batch.shape[-2:], mode="bilinear", align_corners=False)
    return _scaled(wide[:, 0]).float().numpy()


def _scaled(cams: Tensor) -> Tensor:
    """Scale each map of [n, height, width] to 0 … 1; torchcam's own scaling leaves weak maps next to nothing."""
    usable = torch.where(cams.isfinite().all(-1).all(-1)[:, None, None], cams, 0)
    above = usable - usable.amin((1, 2), keepdim=True)
    return above / above.amax((1, 2), keepdim=True).clamp(min=torch.finfo(torch.double).tiny)
