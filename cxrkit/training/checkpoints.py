"""Saved models: examined before anything is written, and their predictions."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from lightning_fabric import Fabric
from torch import Tensor, nn

from cxrkit import discovery, options, weight_files
from cxrkit.api import Predictions
from cxrkit.data.manifest import Manifest
from cxrkit.errors import InputError, RunError
from cxrkit.evaluation.predictions import OK, write
from cxrkit.plans import CheckpointPlan, Chosen, Event, Stage, Step
from cxrkit.records import LayerInfo, Preprocessing
from cxrkit.registry import Registry
from cxrkit.rundir import RunDirectory
from cxrkit.training import devices, layers, models, predict, statedicts
from cxrkit.training.images import preprocessing
from cxrkit.training.loading import views
from cxrkit.training.predict import EvaluationSet
from cxrkit.training.state import save_weights
from cxrkit.weight_files import StateDict

Tell = Callable[[Event], None]
HEAD_OPTIONS = {"head", "hidden"}  # of a model plugin that offers a head of one or two layers, as resnet18 does


class Examined(NamedTuple):
    """A saved model that fits its architecture.

    Attributes:
        model: with the options that its weights need.
        distribution: that offers the architecture.
        parameters: how many.
        trainable: of these, by how the architecture is built.
        layers: its top-level parts.
    """

    model: Chosen
    distribution: str
    parameters: int
    trainable: int
    layers: list[LayerInfo]


def examine(chosen: Chosen, weights: Path, class_names: Sequence[str], image_size: int, registry: Registry) -> Examined:
    """Build a saved model and pass a black image through it, so that nothing is left to fail.

    Args:
        chosen: its architecture. Where that offers the options ``head`` and ``hidden`` and neither is given, the file
            says whether its head has one or two linear layers, and how wide the hidden one is.
        weights: its file.
        class_names: in the order of its outputs.
        image_size: pixels of its input.
        registry: the models of the loaded plugins.

    Raises:
        InputError: there is no such architecture, an option is wrong, the file is none of it, or it takes no images of
            this size or gives no logits of these classes.
        RunError: the plugin failed.
    """
    component = registry.get(chosen.name, str(weights))
    state = weight_files.read(weights)
    complete = _completed(chosen, weights, state, registry)
    outline = models.outline(complete, len(class_names), registry, str(weights))
    _check(outline, weights, state, class_names, complete)  # before what the options ask for is taken of memory
    module = loaded(complete, weights, state, class_names, registry)
    given = {output.name: output.shape for output in layers.outputs(module, image_size)}.get("")
    if given != (1, len(class_names)):
        found = list(given) if given else "no tensor"
        raise InputError(f"{weights}: gives {found} for one image, must give logits [1, {len(class_names)}]")
    parameters = list(module.parameters())
    return Examined(
        model=complete,
        distribution=component.distribution,
        parameters=sum(parameter.numel() for parameter in parameters),
        trainable=sum(parameter.numel() for parameter in parameters if parameter.requires_grad),
        layers=layers.table(module, image_size),
    )


def loaded(
    chosen: Chosen, weights: Path, state: StateDict, class_names: Sequence[str], registry: Registry
) -> nn.Module:
    """Build a model with the weights of a file, on the CPU and in evaluation mode.

    Args:
        chosen: with the options that the weights need, as :func:`examine` gives them.
        weights: the file, for messages.
        state: what it holds.
        class_names: in the order of its outputs.
        registry: the models of the loaded plugins.

    Raises:
        InputError: the weights are of another architecture.
    """
    module = models.build(chosen, len(class_names), registry, str(weights))
    named = _check(module, weights, state, class_names, chosen)
    module.load_state_dict(named, strict=False)  # checked; old files lack counts that nothing needs
    return module.eval()


def _check(
    module: nn.Module, weights: Path, state: StateDict, class_names: Sequence[str], chosen: Chosen
) -> dict[str, Tensor]:
    named = statedicts.named_as(module, state)
    statedicts.check(module, named, class_names, f'{weights}: as "{chosen.name}"')
    return named


def differing(given: Preprocessing) -> list[str]:
    """Say in what an image would be prepared otherwise than a model needs it; nothing where it would not."""
    ours = preprocessing(given.image_size)
    return [
        f"{name} {needed}, cxrkit's is {own}"
        for name, needed, own in (
            ("resize", given.resize, ours.resize),
            ("mean", given.mean, ours.mean),
            ("std", given.std, ours.std),
        )
        if np.shape(needed) != np.shape(own) or not np.allclose(needed, own)
    ]


def _completed(chosen: Chosen, weights: Path, state: StateDict, registry: Registry) -> Chosen:
    """Complete the options: no weights to begin with, and the head as the file has it where that is not given."""
    factory = registry.get(chosen.name, str(weights)).factory
    offered = {option.name: option for option in options.describe(factory)}
    given = dict(chosen.options)
    if "weights" in offered and isinstance(given.get("weights", offered["weights"].default), str):
        given["weights"] = "none"  # else they would be fetched, only to be replaced
    where = f'{weights}: model "{chosen.name}"'
    complete = Chosen(name=chosen.name, options=options.check(factory, given, where))
    if offered.keys() >= HEAD_OPTIONS and not HEAD_OPTIONS & given.keys():
        module = models.outline(complete, 1, registry, str(weights))
        complete = Chosen(name=chosen.name, options=complete.options | _head(module, state))
    return complete


def _head(module: nn.Module, state: StateDict) -> dict[str, Any]:
    named = statedicts.without_prefix(module, state)
    match statedicts.matrices(named, statedicts.head(module)):
        case [_]:
            return {"head": "linear"}
        case [first, _]:
            return {"head": "two-layer", "hidden": int(named[f"{first}.weight"].shape[0])}
    return {}


# ── In the child process ──────────────────────────────────────────────────────────────────────────────────────────────


def predict_checkpoint(plan: CheckpointPlan, tell: Tell) -> None:
    """Predict every set of a plan in fp32 and keep the weights in the run directory, named as the architecture's.

    Writes ``tasks/<task>/predictions/<set>.csv`` and ``tasks/<task>/seeds/<seed>/model.safetensors``.

    Args:
        plan: which model, which sets.
        tell: is called with each event.

    Raises:
        InputError: the model cannot be loaded, or needs images that are prepared otherwise.
        RunError: it gives no finite logits.
    """
    unlike = differing(plan.preprocessing)
    if unlike:
        raise InputError(f"{plan.weights}: preprocessing: {'; '.join(unlike)}")
    tell(Stage(name="loading"))
    fabric = devices.launch(plan.devices)
    registry = discovery.load("cxrkit.train").models
    weights = Path(plan.weights)
    module = loaded(plan.model, weights, weight_files.read(weights), plan.class_names, registry)
    task = RunDirectory(Path(plan.run_directory)).task(plan.task)
    save_weights(task.seed(plan.seed).model, module)
    module = module.to(fabric.device)
    for images in _sets(plan):
        write(task.predictions(images.name), _predicted(plan, fabric, module, images, tell))


def _sets(plan: CheckpointPlan) -> list[EvaluationSet]:
    run = RunDirectory(Path(plan.run_directory))
    manifest = Manifest.read(run.manifest, {name: Path(root) for name, root in plan.roots.items()})
    return [EvaluationSet.of(manifest.of(name), name, manifest.roots[name], plan.class_names) for name in plan.sets]


def _predicted(
    plan: CheckpointPlan, fabric: Fabric, module: nn.Module, images: EvaluationSet, tell: Tell
) -> Predictions:
    tell(Stage(name=f"predicting {images.name}", total=len(images.images)))
    loaded = views(images.paths, plan.preprocessing.image_size, devices.usable_cores(), images.hashes)
    results, done = [], 0
    for result in predict.predict(fabric, module, images, loaded, len(plan.class_names)):
        if not np.isfinite(result.logits[np.equal(result.status, OK)]).all():
            raise RunError(f"{plan.weights}: gives logits that are not finite")
        results.append(result)
        done += len(result.status)
        tell(Step(step=done, steps=len(images.images)))
    return predict.predictions(images, results, plan.task, tuple(plan.class_names), plan.positive)
