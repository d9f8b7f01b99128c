"""Class activation maps of chosen images by every trained model, as overlays and as raw maps, and checks of them."""

from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import NamedTuple, get_args

import numpy as np
from PIL import Image

from cxrkit.config.schema import CamMethod
from cxrkit.data.images import read_grey
from cxrkit.data.manifest import Manifest
from cxrkit.discovery import load
from cxrkit.errors import CxrkitError, InputError, nearest
from cxrkit.files import write_bytes
from cxrkit.plans import Event, ExplainedModel, ExplainPlan, Notice, Stage, Step
from cxrkit.records import CamEntry, CamIndex, ModelInfo
from cxrkit.registry import Registry
from cxrkit.rundir import RunDirectory, TaskDirectory, image_file_name
from cxrkit.training import cam_checks, overlays
from cxrkit.training.cams import BATCH_SIZE, Explained, mapping, rebuilt
from cxrkit.training.images import Grey, view

Tell = Callable[[Event], None]


def explain(plan: ExplainPlan, tell: Tell) -> None:
    """Write ``tasks/<task>/cam/`` of every model of a plan: the evidence for the positive class.

    An overlay is a JPEG of the whole image, its longer side 320 pixels, with the map on the part that the network saw
    and a thin border around that part. A raw map is a 16-bit greyscale PNG of that part at the network's input size,
    0 … 65535 for 0 … 1; every map is scaled to its own greatest value. A model that cannot be explained is told as a
    notice and has no maps; the others go on. Where the plan has a sample, the maps are also checked on it
    (:mod:`cxrkit.training.cam_checks`).

    Args:
        plan: which images, models, method and layer.
        tell: is called with each event.

    Raises:
        InputError: there is no such method, or none of the models can be explained as asked.
    """
    _check_method(plan.method)
    tell(Stage(name="explaining", total=len(plan.models) * len(plan.images)))
    RunDirectory(Path(plan.run_directory)).explanations.unlink(missing_ok=True)
    models = load("cxrkit.train").models
    problems: list[str] = []
    mapped: list[ExplainedModel] = []
    for number, each in enumerate(plan.models):
        try:
            if _explain_model(plan, each, models, _Progress(tell, number * len(plan.images))):
                mapped.append(each)
        except CxrkitError as error:
            problems.append(f'task "{each.task}": no activation maps: {error}')
    if len(problems) == len(plan.models) > 0:
        raise InputError(*problems)
    for problem in problems:
        tell(Notice(message=problem))
    if plan.sample and mapped:
        cam_checks.check(plan, mapped, models, tell)


class _Progress(NamedTuple):
    """Who hears of it, and how many maps were there before this model's."""

    tell: Tell
    before: int


def _check_method(name: str) -> None:
    allowed = [method for method in get_args(CamMethod) if method != "none"]
    if name not in allowed:
        raise InputError(f'explain.method: no method "{name}", {nearest(name, allowed)}')


def _explain_model(plan: ExplainPlan, each: ExplainedModel, models: Registry, progress: _Progress) -> bool:
    """Write a model's maps; tell whether it has any."""
    task = RunDirectory(Path(plan.run_directory)).task(each.task)
    for name in ("index.json", "checks.json"):  # until the new maps are whole, there are none
        (task.cam / name).unlink(missing_ok=True)
    explained = rebuilt(plan, each, models)
    if explained.layer is None:
        what = f'the model "{each.model.name}" has no feature map over the image (explain.layer can name one)'
        progress.tell(Notice(message=f'task "{each.task}": no activation maps: {what}'))
        return False
    entries = _write_maps(plan, task, explained, progress)
    index = CamIndex(method=plan.method, layer=explained.layer, seed=each.seed, rule=plan.rule, entries=entries)
    index.write(task.cam / "index.json")
    _remove_others(task.cam, entries)
    return True


def _write_maps(plan: ExplainPlan, task: TaskDirectory, explained: Explained, progress: _Progress) -> list[CamEntry]:
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
    plan: ExplainPlan, root: Path, explained: Explained
) -> Iterator[tuple[Sequence[str], list[Grey], overlays.Map]]:
    """Compute the maps batch by batch."""
    known = _hashes(plan)
    with mapping(plan.method, explained, plan.devices) as maps:
        for start in range(0, len(plan.images), BATCH_SIZE):
            images = plan.images[start : start + BATCH_SIZE]
            greys = [read_grey(root / image, known.get(image, "")) for image in images]
            yield images, greys, maps(np.stack([view(grey, explained.info.preprocessing.image_size) for grey in greys]))


def _hashes(plan: ExplainPlan) -> dict[str, str]:
    """Give what the manifest, where there is one, has of each image's file."""
    path = RunDirectory(Path(plan.run_directory)).manifest
    if not path.is_file():
        return {}
    frame = Manifest.read(path, {name: Path(root) for name, root in plan.roots.items()}).of(plan.set)
    return dict(zip(frame["image"], frame["sha256"], strict=True))


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
