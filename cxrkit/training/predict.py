"""What a network says of images, always in fp32, and how right it is on validation."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from cxrkit import metrics
from cxrkit.api import FloatArray, IntArray, Predictions
from cxrkit.errors import RunError, is_out_of_memory
from cxrkit.evaluation.predictions import softmax
from cxrkit.training import blame
from cxrkit.training.images import Grey, normalised

BATCH = 32


@dataclass(frozen=True)
class EvaluationSet:
    """Images to be predicted, and what is known of them.

    Attributes:
        name: ``val``, ``test`` or an external set's.
        images: their names.
        paths: their files.
        hashes: SHA-256 of the files, as the manifest has it.
        patients: their patients' keys.
        labels: int64[n].
    """

    name: str
    images: list[str]
    paths: list[Path]
    hashes: list[str]
    patients: list[str]
    labels: IntArray

    @classmethod
    def of(cls, frame: pd.DataFrame, name: str, root: Path, class_names: Sequence[str]) -> "EvaluationSet":
        """Take the usable rows of a manifest."""
        images = frame["image"].tolist()
        labels = np.array([class_names.index(label) for label in frame["label"]], dtype=np.int64)
        paths, hashes = [root / image for image in images], frame["sha256"].tolist()
        return cls(name, images, paths, hashes, frame["patient"].tolist(), labels)


class Results(NamedTuple):
    """What a network said of a batch.

    Attributes:
        logits: float64[n, num_classes], NaN where an image could not be read.
        status: ``ok``, or why it could not.
    """

    logits: FloatArray
    status: list[str]


def logits(fabric: Fabric, module: nn.Module, batches: Iterator[Grey], num_classes: int) -> FloatArray:
    """Compute the logits of batches of grey values in fp32 and evaluation mode; the mode is put back afterwards.

    Args:
        fabric: whose device is computed on.
        module: on that device.
        batches: uint8[n, height, width] each.
        num_classes: K.

    Returns:
        float64[n, num_classes].

    Raises:
        RunError: the network gives something else.
    """
    mode = module.training
    module.eval()
    try:
        with torch.no_grad():
            found = [_of_batch(fabric, module, batch, num_classes) for batch in batches]
    finally:
        module.train(mode)
    return np.concatenate(found)


def _of_batch(fabric: Fabric, module: nn.Module, greys: Grey, num_classes: int) -> FloatArray:
    """Compute a batch's logits; where memory runs out, each half's by itself, which says the same of every image."""
    try:
        output = module(normalised(torch.from_numpy(greys).to(fabric.device)))
        return blame.logits(module, output, len(greys), num_classes).cpu().numpy().astype(np.float64)
    except (RuntimeError, MemoryError) as error:
        if len(greys) == 1 or not is_out_of_memory(error):
            raise
    return np.concatenate([_of_batch(fabric, module, half, num_classes) for half in np.array_split(greys, 2)])


def _finite(module: nn.Module, found: FloatArray) -> FloatArray:
    if np.isfinite(found).all():
        return found
    raise RunError(
        f"{blame.name(module)}: gives logits that are not finite; where training is the cause, lower learning_rate, "
        'set gradient_clip or use precision = "fp32"'
    )


def share_buffers(fabric: Fabric, module: nn.Module) -> None:
    """Give every process the first one's buffers (running means), which are those that are saved."""
    if fabric.world_size > 1:
        for buffer in module.buffers():
            torch.distributed.broadcast(buffer, 0)


def sharded_logits(
    fabric: Fabric,
    module: nn.Module,
    greys: Grey,
    num_classes: int,
    before_each: Callable[[], None] = lambda: None,
) -> FloatArray:
    """Compute logits as :func:`logits` does, each process a part of them; every process has them all afterwards.

    Args:
        fabric: whose device is computed on.
        module: on that device.
        greys: uint8[n, height, width].
        num_classes: K.
        before_each: is called before each batch; what it raises ends the work.

    Raises:
        RunError: they are not finite.
    """
    own = np.arange(fabric.global_rank, len(greys), fabric.world_size)
    found = torch.zeros(len(greys), num_classes, dtype=torch.float64)
    if len(own):
        found[torch.from_numpy(own)] = torch.from_numpy(
            logits(fabric, module, _batches(greys, own, before_each), num_classes)
        )
    return _finite(module, _summed(fabric, found).numpy())


def _batches(greys: Grey, own: IntArray, before_each: Callable[[], None]) -> Iterator[Grey]:
    for start in range(0, len(own), BATCH):
        before_each()
        yield greys[own[start : start + BATCH]]


def _summed(fabric: Fabric, part: Tensor) -> Tensor:
    if fabric.world_size == 1:
        return part
    total: Tensor = fabric.all_reduce(part, reduce_op="sum")  # type: ignore[assignment]  # a tensor in, a tensor out
    return total.cpu()


def figures(found: FloatArray, labels: IntArray, positive: int) -> dict[str, float]:
    """Compute the validation figures; one that cannot be computed (a single class) is left out.

    Args:
        found: float64[n, num_classes] logits.
        labels: int64[n].
        positive: index of the positive class.

    Returns:
        ``val_loss`` (unweighted cross-entropy), ``val_accuracy``, ``val_balanced_accuracy``, ``val_roc_auc``,
        ``val_average_precision``.
    """
    probabilities = softmax(found)
    truth = np.equal(labels, positive)
    matrix = metrics.confusion_matrix(labels, found.argmax(axis=1), found.shape[1])
    values = {
        "val_loss": _cross_entropy(found, labels),
        "val_accuracy": float(metrics.accuracy(matrix)),
        "val_balanced_accuracy": float(metrics.balanced_accuracy(matrix)),
        "val_roc_auc": metrics.roc_auc(truth, probabilities[:, positive]),
        "val_average_precision": metrics.average_precision(truth, probabilities[:, positive]),
    }
    return {name: value for name, value in values.items() if value is not None and np.isfinite(value)}


def _cross_entropy(found: FloatArray, labels: IntArray) -> float:
    return float(torch.nn.functional.cross_entropy(torch.from_numpy(found), torch.from_numpy(labels)))


def predict(
    fabric: Fabric, module: nn.Module, images: EvaluationSet, loaded: Iterator[Grey | str], num_classes: int
) -> Iterator[Results]:
    """Predict a set batch by batch; an image that cannot be read has its reason as status and no figures.

    Args:
        fabric: whose device is computed on.
        module: on that device.
        images: the set.
        loaded: what :func:`cxrkit.training.loading.views` gives for its files.
        num_classes: K.

    Raises:
        RunError: the network gives something else, or what is not finite.
    """
    for _ in range(0, len(images.paths), BATCH):
        batch = list(islice(loaded, BATCH))
        status = [view if isinstance(view, str) else "ok" for view in batch]
        readable = [view for view in batch if not isinstance(view, str)]
        found = np.full((len(batch), num_classes), np.nan)
        if readable:
            given = logits(fabric, module, iter([np.stack(readable)]), num_classes)
            found[np.equal(status, "ok")] = _finite(module, given)
        yield Results(found, status)


def predictions(
    images: EvaluationSet, results: Sequence[Results], task: str, class_names: tuple[str, ...], positive: str
) -> Predictions:
    """Put the results of a set together with what is known of its images; probabilities are the logits' softmax."""
    found = np.concatenate([result.logits for result in results])
    status = [reason for result in results for reason in result.status]
    return Predictions(
        task=task,
        set=images.name,
        condition=None,
        class_names=class_names,
        positive=positive,
        images=np.array(images.images, dtype=np.str_),
        patients=np.array(images.patients, dtype=np.str_),
        labels=images.labels,
        status=np.array(status, dtype=np.str_),
        probabilities=softmax(found),
        logits=found,
    )
