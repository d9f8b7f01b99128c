"""Class activation maps of chosen images by every trained model, as overlays and as raw maps."""

from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np
import torch
import torchcam.methods
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from cxrkit.config.schema import CamMethod
from cxrkit.data.images import read_grey
from cxrkit.discovery import load
from cxrkit.errors import CxrkitError, InputError, RunError, nearest
from cxrkit.files import write_bytes
from cxrkit.plans import Event, ExplainedModel, ExplainPlan, Notice, Stage, Step
from cxrkit.records import CamEntry, CamIndex, ModelInfo
from cxrkit.registry import Registry
from cxrkit.rundir import RunDirectory, TaskDirectory, image_file_name
from cxrkit.training import overlays
from cxrkit.training.devices import available_device, thread_count
from cxrkit.training.images import Grey, normalised, view
from cxrkit.training.layers import is_feature_map, last_feature_map, outputs
from cxrkit.training.models import rebuild

BATCH_SIZE = 16
Tell = Callable[[Event], None]


class _Explained(NamedTuple):
    """A trained model, ready to be explained."""

    task: str
    model: nn.Module
    info: ModelInfo
    layer: str


def explain(plan: ExplainPlan, tell: Tell) -> None:
    """Write ``tasks/<task>/cam/`` of every model of a plan: the evidence for the positive class.

    An overlay is a JPEG of the whole image, its longer side 320 pixels, with the map on the part that the network saw
    and a thin border around that part. A raw map is a 16-bit greyscale PNG of that part at the network's input size,
    0 … 65535 for 0 … 1; every map is scaled to its own greatest value. A model that cannot be explained is told as a
    notice and has no maps; the others go on.

    Args:
        plan: which images, models, method and layer.
        tell: is called with each event.

    Raises:
        InputError: there is no such method, or none of the models can be explained as asked.
    """
    _check_method(plan.method)
    tell(Stage(name="explaining", total=len(plan.models) * len(plan.images)))
    models = load("cxrkit.train").models
    problems: list[str] = []
    for number, each in enumerate(plan.models):
        try:
            _explain_model(plan, each, models, _Progress(tell, number * len(plan.images)))
        except CxrkitError as error:
            problems.append(f'task "{each.task}": no activation maps: {error}')
    if len(problems) == len(plan.models) > 0:
        raise InputError(*problems)
    for problem in problems:
        tell(Notice(message=problem))


class _Progress(NamedTuple):
    """Who hears of it, and how many maps were there before this model's."""

    tell: Tell
    before: int


def _check_method(name: str) -> None:
    allowed = [method for method in get_args(CamMethod) if method != "none"]
    if name not in allowed:
        raise InputError(f'explain.method: no method "{name}", {nearest(name, allowed)}')


def _explain_model(plan: ExplainPlan, each: ExplainedModel, models: Registry, progress: _Progress) -> None:
    task = RunDirectory(Path(plan.run_directory)).task(each.task)
    (task.cam / "index.json").unlink(missing_ok=True)  # until the new maps are whole, there are none
    seed = task.seed(each.seed)
    info = ModelInfo.read(seed.model_info)
    model = rebuild(each.model, len(info.class_names), seed.model, models, f'task "{each.task}"')
    layer = _layer(model, plan.layer, info.preprocessing.image_size)
    if layer is None:
        what = f'the model "{each.model.name}" has no feature map over the image (explain.layer can name one)'
        progress.tell(Notice(message=f'task "{each.task}": no activation maps: {what}'))
        return
    entries = _write_maps(plan, task, _Explained(each.task, model, info, layer), progress)
    index = CamIndex(method=plan.method, layer=layer, seed=each.seed, rule=plan.rule, entries=entries)
    index.write(task.cam / "index.json")
    _remove_others(task.cam, entries)


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


def _write_maps(plan: ExplainPlan, task: TaskDirectory, explained: _Explained, progress: _Progress) -> list[CamEntry]:
    root = Path(plan.roots[plan.set])
    entries: list[CamEntry] = []
    empty = 0
    for images, greys, maps in _batches(plan, root, explained):
        for image, grey, activation in zip(images, greys, maps, strict=True):
            entries.append(_write_map(task.cam, image, grey, activation, explained.info))
            empty += not activation.any()
        progress.tell(Step(step=progress.before + len(entries), steps=len(plan.models) * len(plan.images)))
    if empty:
        what = f"{empty} of {len(entries)} maps are empty: no evidence for {explained.info.positive}"
        progress.tell(Notice(message=f'task "{explained.task}": {what} at layer {explained.layer}'))
    return entries


def _batches(
    plan: ExplainPlan, root: Path, explained: _Explained
) -> Iterator[tuple[Sequence[str], list[Grey], list[overlays.Map]]]:
    """Compute the maps batch by batch, in fp32, with one extractor."""
    device = available_device(plan.devices)
    torch.set_num_threads(thread_count(plan.devices, device))
    torch.manual_seed(0)  # SmoothGradCAMpp and SSCAM draw noise
    size = explained.info.preprocessing.image_size
    model = explained.model.to(device).requires_grad_(False)
    positive = explained.info.class_names.index(explained.info.positive)
    with _extractor(plan.method, model, explained.layer) as extractor:
        for start in range(0, len(plan.images), BATCH_SIZE):
            images = plan.images[start : start + BATCH_SIZE]
            greys = [read_grey(root / image) for image in images]
            seen = np.stack([view(grey, size) for grey in greys])
            batch = normalised(torch.from_numpy(seen).to(device))
            yield images, greys, _maps(extractor, model, batch, positive)


def _extractor(method: str, model: nn.Module, layer: str) -> Any:
    try:
        return getattr(torchcam.methods, method)(model, target_layer=layer)
    except (ValueError, TypeError) as error:
        raise RunError(f"explain.method: {method} does not fit this model ({error})") from error


def _maps(extractor: Any, model: nn.Module, batch: Tensor, positive: int) -> list[overlays.Map]:
    """Compute float32[size, size] in 0 … 1 for each image; 0 everywhere where there is no evidence or no number."""
    try:
        with torch.enable_grad():
            scores = model(batch.requires_grad_())  # frozen layers pass gradients on only to an input that wants them
            (cams,) = extractor(class_idx=positive, scores=scores, normalized=False)
    except (RuntimeError, ValueError, TypeError) as error:
        name = type(extractor).__name__
        raise RunError(f"explain.method: {name} failed on this model ({str(error).splitlines()[0]})") from error
    narrow = cams.detach().cpu().double()[:, None]
    wide = functional.interpolate(narrow, batch.shape[-2:], mode="bilinear", align_corners=False)
    return list(_scaled(wide[:, 0]).float().numpy())


def _scaled(cams: Tensor) -> Tensor:
    """Scale each map of [n, height, width] to 0 … 1; torchcam's own scaling leaves weak maps next to nothing."""
    usable = torch.where(cams.isfinite().all(-1).all(-1)[:, None, None], cams, 0)
    above = usable - usable.amin((1, 2), keepdim=True)
    return above / above.amax((1, 2), keepdim=True).clamp(min=torch.finfo(torch.double).tiny)


def _write_map(folder: Path, image: str, grey: Grey, activation: overlays.Map, info: ModelInfo) -> CamEntry:
    name = image_file_name(image)
    overlay, raw = f"overlays/{name}.jpg", f"raw/{name}.png"
    box = overlays.seen(grey.shape[1], grey.shape[0], info.preprocessing)
    write_bytes(folder / overlay, _encoded(overlays.draw(grey, activation, box), "JPEG"))
    write_bytes(folder / raw, _encoded(overlays.sixteen_bit(activation), "PNG"))
    return CamEntry(image=image, class_name=info.positive, overlay=overlay, raw=raw)


def _encoded(image: Image.Image, kind: str) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **({"quality": 88} if kind == "JPEG" else {}))
    return buffer.getvalue()


def _remove_others(folder: Path, entries: Sequence[CamEntry]) -> None:
    """Remove the maps of an earlier choice of images."""
    kept = {folder / file for entry in entries for file in (entry.overlay, entry.raw)}
    for file in [*folder.glob("overlays/*.jpg"), *folder.glob("raw/*.png")]:
        if file not in kept:
            file.unlink()
