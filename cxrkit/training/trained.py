"""The models that a run has trained, built again to predict further images."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from lightning_fabric import Fabric
from torch import nn

from cxrkit.plans import ExplainedModel
from cxrkit.records import ModelInfo
from cxrkit.registry import Registry
from cxrkit.rundir import RunDirectory, SeedDirectory
from cxrkit.training.models import rebuild


class Trained(NamedTuple):
    """A trained model on the disk."""

    chosen: ExplainedModel
    folder: SeedDirectory
    info: ModelInfo


def read(run: RunDirectory, chosen: ExplainedModel) -> Trained:
    """Find a model of a run directory and read what it says of itself."""
    folder = run.task(chosen.task).seed(chosen.seed)
    return Trained(chosen, folder, ModelInfo.read(folder.model_info))


def groups(found: Sequence[Trained], budget: int) -> Iterator[list[Trained]]:
    """Put models together that get the same images and fit into ``budget`` bytes of memory; one always does."""
    by_size = sorted(found, key=lambda each: each.info.preprocessing.image_size)
    for _, same in groupby(by_size, key=lambda each: each.info.preprocessing.image_size):
        group: list[Trained] = []
        for each in same:
            if group and sum(_bytes(member) for member in [*group, each]) > budget:
                yield group
                group = []
            group.append(each)
        yield group


def network(each: Trained, models: Registry, fabric: Fabric) -> nn.Module:
    """Build a model again with its weights, on the device.

    Raises:
        CxrkitError: it cannot be built, or its weights are missing or damaged.
    """
    where = f'task "{each.chosen.task}"'
    return rebuild(each.chosen.model, len(each.info.class_names), each.folder.model, models, where).to(fabric.device)


def _bytes(each: Trained) -> int:
    return 4 * each.info.parameters
