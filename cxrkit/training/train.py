"""Carries out a training plan: data, model, trainer, predictions, and what is written of them."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event as Flag
from types import MappingProxyType

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import nn

from cxrkit import discovery, guard
from cxrkit.api import Imbalance, IntArray
from cxrkit.data.manifest import Manifest
from cxrkit.discovery import Plugins
from cxrkit.errors import CxrkitError, InputError, RunError, StopTraining, SurroundingsError, is_out_of_memory
from cxrkit.evaluation.predictions import write
from cxrkit.files import disk_fault
from cxrkit.guard import MisbehaviourError
from cxrkit.plans import TRAINING, Notice, Stage, Step, TrainingPlan
from cxrkit.records import ModelInfo, Timing
from cxrkit.rundir import RunDirectory, SeedDirectory
from cxrkit.training import devices, layers, models, order, predict, shares
from cxrkit.training.augmentation import Augmentation
from cxrkit.training.context import Context, Seen, ValidationImages
from cxrkit.training.events import Events
from cxrkit.training.images import preprocessing
from cxrkit.training.loading import TrainImages, TrainLoader, cache_bytes, lost_worker, views
from cxrkit.training.pace import Pace
from cxrkit.training.predict import EvaluationSet
from cxrkit.training.state import remove, save_weights


@dataclass(frozen=True)
class Job:
    """A training plan and what was found for it.

    Attributes:
        plan: what to do.
        folder: of this task and seed.
        manifest: the images.
        plugins: of the group ``cxrkit.train``.
        fabric: launched.
        events: takes what happens.
        stop: is set by whoever wants the training to stop.
    """

    plan: TrainingPlan
    folder: SeedDirectory
    manifest: Manifest
    plugins: Plugins
    fabric: Fabric
    events: Events
    stop: Flag

    @property
    def where(self) -> str:
        """What messages begin with."""
        return f'task "{self.plan.task}"'

    def set(self, name: str) -> EvaluationSet:
        """Take a split or external set of the manifest."""
        root = self.manifest.roots[name]
        return EvaluationSet.of(self.manifest.of(name), name, root, self.plan.class_names)

    @property
    def device(self) -> devices.Device:
        """The kind of device that is computed on."""
        return devices.available_device(self.plan.devices)

    @property
    def decoding_threads(self) -> int:
        """How many threads decode images in this process."""
        return max(1, devices.usable_cores() // self.fabric.world_size)


def train(plan: TrainingPlan, events: Events, stop: Flag) -> None:
    """Train, predict and write everything of a training plan, from where an earlier call was interrupted.

    Of a model that is trained already, only the sets that its folder lacks are predicted.

    Args:
        plan: what to do.
        events: takes what happens.
        stop: is set by whoever wants the training to stop.

    Raises:
        StopTraining: it was asked to stop.
        InputError: the plan cannot be carried out here, or with these images.
        RunError: the training failed.
    """
    started = time.perf_counter()
    if plan.batch_size < plan.devices.devices:
        raise InputError(f"batch_size: got {plan.batch_size}, must be at least run.devices, {plan.devices.devices}")
    job = _job(plan, events, stop)
    events.tell(Stage(name="loading"))
    if job.folder.is_trained:
        _predict_missing(job)
        return
    context = _context(job)
    _fit(job, context)
    if job.fabric.is_global_zero:
        _predict(job, context.model, plan.sets)
        _write_model(job, context)
        _write_timing(job, context, context.earlier_seconds + time.perf_counter() - started)
        remove(job.folder.last)


def _job(plan: TrainingPlan, events: Events, stop: Flag) -> Job:
    fabric = devices.launch(plan.devices)
    events.divert_descriptor()
    events.silent = not fabric.is_global_zero
    run = RunDirectory(Path(plan.run_directory))
    manifest = Manifest.read(run.manifest, {name: Path(root) for name, root in plan.roots.items()})
    plugins = discovery.load("cxrkit.train")
    return Job(plan, run.task(plan.task).seed(plan.seed), manifest, plugins, fabric, events, stop)


def _context(job: Job) -> Context:
    plan, train_set = job.plan, job.set("train")
    return Context(
        fabric=job.fabric,
        model=_model(job),
        class_names=tuple(plan.class_names),
        imbalance=_imbalance(job, train_set.labels),
        epochs=plan.epochs,
        batch_size=plan.batch_size,
        seed=plan.seed,
        directory=job.folder.root,
        loader=_loader(job, train_set),
        labels=train_set.labels,
        validation=_validation(job),
        tell=job.events.tell,
        notify=lambda context, row: _notify(job, context, row),
        trackers=tuple(plan.trackers),
        pace=Pace(plan.checkpoint_minutes, plan.checkpoint_steps),
        stop=job.stop,
    )


def _model(job: Job) -> nn.Module:
    chosen, num_classes = job.plan.model, len(job.plan.class_names)
    torch.manual_seed(job.plan.seed)
    model = models.build(chosen, num_classes, job.plugins.models, job.where)
    origin = job.plugins.models.get(chosen.name, job.where).origin
    try:
        given = {output.name: output.shape for output in layers.outputs(model, job.plan.image_size)}.get("")
    except InputError as error:
        raise InputError(f"{job.where}: {origin}: {error}") from error
    if given != (1, num_classes):
        raise RunError(
            f"{job.where}: {origin} gives "
            f"{list(given) if given else 'no tensor'} for one image, must give logits [1, {num_classes}]"
        )
    return model


def _imbalance(job: Job, labels: IntArray) -> Imbalance:
    chosen = job.plan.imbalance
    strategy = job.plugins.imbalance_strategies.get(chosen.name, job.where)
    with _telling_whose():
        planned = guard.call(
            strategy.origin, strategy.factory, labels.copy(), len(job.plan.class_names), **guard.options(chosen.options)
        )
    if not isinstance(planned, Imbalance):
        raise RunError(f"{strategy.origin} returned {type(planned).__name__}, must return cxrkit.api.Imbalance")
    order.check_plan(planned, len(job.plan.class_names), strategy.origin)
    return _blamed(planned, strategy.origin, len(labels))


def _blamed(planned: Imbalance, origin: str, size: int) -> Imbalance:
    """Let what a strategy's own functions do wrong later be told as the strategy's, not as the trainer's."""
    loss, epoch_indices = planned.loss, planned.epoch_indices

    def own_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        assert loss is not None  # noqa: S101 - else nobody is given this
        try:
            found = loss(logits, labels)
        except BaseException as error:
            raised = guard.tellable(error)
            if isinstance(raised, CxrkitError) or is_out_of_memory(raised):
                raise
            raise guard.misbehaviour(origin, raised) from raised
        if not isinstance(found, torch.Tensor) or found.numel() != 1:
            given = f"a tensor {list(found.shape)}" if isinstance(found, torch.Tensor) else type(found).__name__
            raise RunError(f"{origin}: its loss gave {given}, must give a scalar tensor")
        return found

    def own_indices(epoch: int, rng: np.random.Generator) -> IntArray:
        assert epoch_indices is not None  # noqa: S101 - as above
        given = guard.call(f"{origin}: epoch_indices", epoch_indices, epoch, rng)
        return order.checked(given, size, f"{origin}: epoch_indices of epoch {epoch}")

    return replace(
        planned,
        loss=None if loss is None else own_loss,
        epoch_indices=None if epoch_indices is None else own_indices,
    )


def _loader(job: Job, images: EvaluationSet) -> TrainLoader:
    workers = devices.worker_count(job.plan.devices, job.device)
    augmentation = Augmentation(job.plan.augmentation, job.plan.image_size)
    budget = cache_bytes() // job.fabric.world_size
    threads = 1 if workers else job.decoding_threads
    train_images = TrainImages(images.paths, images.images, augmentation, job.plan.seed, budget, threads, images.hashes)
    return TrainLoader(train_images, workers, pin=job.device == "cuda")


def _validation(job: Job) -> ValidationImages:
    images = job.set("val")
    loaded = list(views(images.paths, job.plan.image_size, job.decoding_threads, images.hashes))
    for path, view in zip(images.paths, loaded, strict=True):
        if isinstance(view, str):
            raise RunError(f"{path}: {view}, it was readable when the manifest was made")
    greys = np.stack([view for view in loaded if not isinstance(view, str)])
    return ValidationImages(greys, images.labels, job.plan.class_names.index(job.plan.positive))


def _notify(job: Job, context: Context, row: Mapping[str, float]) -> None:
    for sentence in job.plugins.tell("cxrkit_epoch_finished", context=Seen(context), row=MappingProxyType(dict(row))):
        job.events.tell(Notice(message=sentence))


def _fit(job: Job, context: Context) -> None:
    trainer = job.plugins.trainers.get(job.plan.trainer.name, job.where)
    job.events.tell(Stage(name=TRAINING, total=job.plan.epochs * context.steps_per_epoch()))
    before = _shapes(context.model)
    try:
        with _telling_whose():
            guard.here(trainer.origin, trainer.factory, context, **guard.options(job.plan.trainer.options))
    except StopTraining:
        if not context.is_asked_to_stop:  # else the other tasks would not be carried out
            raise RunError(f"{trainer.origin}: raised StopTraining, although nobody wants to stop") from None
        raise
    if _shapes(context.model) != before:
        left = type(context.model).__name__
        raise RunError(f"{trainer.origin}: left another network ({left}) in context.model, must leave the one given")


def _shapes(network: object) -> dict[str, torch.Size] | None:
    if not isinstance(network, nn.Module):
        return None
    return {name: value.shape for name, value in network.state_dict().items() if isinstance(value, torch.Tensor)}


@contextmanager
def _telling_whose() -> Iterator[None]:
    """Want of memory, a worker process that was killed, and a disk that is full or gone, are no plugin's fault."""
    try:
        yield
    except MisbehaviourError as error:
        cause = error.__cause__
        if cause is not None and is_out_of_memory(cause):
            raise cause from None
        if cause is not None and (sentence := lost_worker(cause) or disk_fault(cause)):
            raise SurroundingsError(sentence) from cause
        raise


def _predict_missing(job: Job) -> None:
    """Predict the sets that have come in, or have changed, since the model was trained."""
    if not job.fabric.is_global_zero:
        return
    plan, folder = job.plan, job.folder
    module = models.rebuild(plan.model, len(plan.class_names), folder.model, job.plugins.models, job.where)
    missing = [name for name in plan.sets if not folder.predictions(name).is_file()]
    _predict(job, module.to(job.fabric.device), missing)
    remove(folder.last)


def _predict(job: Job, module: nn.Module, sets: Sequence[str]) -> None:
    class_names = tuple(job.plan.class_names)
    module.to(memory_format=torch.channels_last)  # whoever trained it: another layout gives other last bits
    for name in sets:
        images = job.set(name)
        job.events.tell(Stage(name=f"predicting {name}", total=len(images.images)))
        loaded = views(images.paths, job.plan.image_size, job.decoding_threads, images.hashes)
        results, done = [], 0
        for result in predict.predict(job.fabric, module, images, loaded, len(class_names)):
            results.append(result)
            done += len(result.status)
            job.events.tell(Step(step=done, steps=len(images.images)))
            if job.stop.is_set():
                raise StopTraining(f"Stopped while predicting {name}")
        found = predict.predictions(images, results, job.plan.task, class_names, job.plan.positive)
        write(job.folder.predictions(name), found)


def _write_model(job: Job, context: Context) -> None:
    plan, module, num_classes = job.plan, context.model.cpu(), len(job.plan.class_names)
    save_weights(job.folder.model, module)
    parameters = list(module.parameters())
    info = ModelInfo(
        task=plan.task,
        seed=plan.seed,
        model=plan.model.name,
        model_options=plan.model.options,
        distribution=job.plugins.models.get(plan.model.name, job.where).distribution,
        class_names=plan.class_names,
        positive=plan.positive,
        preprocessing=preprocessing(plan.image_size),
        parameters=sum(parameter.numel() for parameter in parameters),
        trainable=sum(parameter.numel() for parameter in parameters if parameter.requires_grad),
        layers=layers.table(module, plan.image_size),
        selected_epoch=context.selected_epoch,
        class_shares=shares.of_images(context.labels, num_classes),
        seen_shares=shares.of_loss(context.imbalance, context.labels, num_classes, seed=plan.seed, epochs=plan.epochs),
    )
    info.write(job.folder.model_info)


def _write_timing(job: Job, context: Context, seconds: float) -> None:
    trained = [entry["seconds"] for entry in context.timing]
    images = sum(entry["images"] for entry in context.timing)
    timing = Timing(
        seconds=seconds,
        images_per_second=images / sum(trained) if trained else None,
        peak_memory_bytes=devices.peak_memory_bytes(),
        peak_device_memory_bytes=torch.cuda.max_memory_allocated() if job.device == "cuda" else None,
        device=job.device,
        precision=devices.native_precision(job.plan.devices.precision, job.device),
        epochs=context.timing,
        notes=context.notes,
    )
    timing.write(job.folder.timing)
