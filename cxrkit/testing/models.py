"""What a model promises."""

import copy
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from cxrkit.testing.check import BrokenPromiseError, need

CLASSES = (2, 3)
SIZES = (64, 224, 384, 512)  # of images, in pixels: the first that a network takes
IMAGES = 4


@dataclass
class Model:
    """A model under examination; each number of classes is built once.

    Attributes:
        build: the plugin's builder.
        options: of it; an option ``weights`` is ``none`` unless another is given.
    """

    build: Callable[..., Any]
    options: Mapping[str, Any]
    _built: dict[int, nn.Module] = field(default_factory=dict)
    _images: list[Tensor] = field(default_factory=list)

    @property
    def images(self) -> Tensor:
        """Images of the smallest size that the network takes; see :func:`images`."""
        if not self._images:
            self._images.append(images(self.network(2)))
        return self._images[0]

    def network(self, classes: int) -> nn.Module:
        """Build for a number of classes, or take what was built before."""
        if classes not in self._built:
            self._built[classes] = self.fresh(classes)
        return self._built[classes]

    def fresh(self, classes: int) -> nn.Module:
        """Build anew, with weights of its own."""
        torch.manual_seed(0)
        network = self.build(classes, **self.options)
        need(isinstance(network, nn.Module), f"gives a {type(network).__name__}, a torch.nn.Module is needed")
        return network  # type: ignore[no-any-return]  # it has just been looked at


def images(network: nn.Module) -> Tensor:
    """Make images of the smallest size that a network takes: float32[4, 3, size, size], black, white and two of noise.

    Raises:
        BrokenPromiseError: it takes none of them.
    """
    problems = []
    for size in SIZES:
        made = torch.randn(IMAGES, 3, size, size, generator=torch.Generator().manual_seed(0))
        made[0], made[1] = -2.0, 2.0
        try:
            logits_of(network, made[:1])
        except Exception as error:  # noqa: BLE001 - a network may raise anything
            problems.append(f"{size} pixels: {type(error).__name__}: {error}")
        else:
            return made
    raise BrokenPromiseError(f"takes images of none of these sizes, {'; '.join(problems)}")


def logits_of(network: nn.Module, given: Tensor) -> Tensor:
    """Evaluate, as predictions do."""
    with torch.no_grad():
        return network.eval()(given)  # type: ignore[no-any-return]  # what else it gives, is told where it matters


# ── Promises ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def builds(model: Model) -> None:
    """Builds a torch.nn.Module for 2 and for 3 classes."""
    for classes in CLASSES:
        model.network(classes)


def gives_logits(model: Model) -> None:
    """Gives logits [n, classes] of floating point."""
    for classes in CLASSES:
        network = model.network(classes)
        for given in (model.images, model.images[:1]):
            found = logits_of(network, given)
            need(isinstance(found, Tensor), f"gives a {type(found).__name__}, a tensor of logits is needed")
            shape, wanted = list(found.shape), [len(given), classes]
            need(shape == wanted, f"gives {shape} for {len(given)} images and {classes} classes, {wanted} is needed")
            need(found.is_floating_point(), f"gives {found.dtype}, floating point is needed")


def gives_finite_logits(model: Model) -> None:
    """The logits of black, white and noisy images are finite."""
    network = model.network(2)
    found = logits_of(network, model.images)
    need(bool(found.isfinite().all()), f"{int((~found.isfinite()).sum())} of {found.numel()} logits are not finite")


def learns(model: Model) -> None:
    """A gradient reaches every trainable parameter, as training on several devices needs it."""
    network = copy.deepcopy(model.network(2)).train()
    trainable = {name: one for name, one in network.named_parameters() if one.requires_grad}
    need(trainable, "no parameter is trainable, one at least is needed")
    nn.functional.cross_entropy(network(model.images), torch.tensor([0, 1, 0, 1])).backward()  # type: ignore[no-untyped-call]  # torch has it so
    missed = [name for name, one in trainable.items() if one.grad is None]
    what = f"none reaches {len(missed)} of {len(trainable)}: {', '.join(missed[:3])}"
    need(not missed, f"{what}; leave out what is not used, or set requires_grad to False")


def is_saved_whole(model: Model) -> None:
    """Its state dict, through safetensors, gives a network that was built anew the same logits."""
    trained = model.network(2)
    given = model.images
    state = {name: tensor.detach().clone().contiguous() for name, tensor in trained.state_dict().items()}
    again = model.fresh(2)
    again.load_state_dict(safetensors.torch.load(safetensors.torch.save(_disturbed(state))))
    first = copy.deepcopy(trained)
    first.load_state_dict(_disturbed(state))
    same = torch.equal(logits_of(first, given), logits_of(again, given))
    need(same, "the logits differ: something that they depend on is neither parameter nor buffer")


def _disturbed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Move the weights away from what a builder begins with, so that what is not saved shows."""
    return {name: tensor * 1.01 if tensor.is_floating_point() else tensor for name, tensor in state.items()}


def is_settled_in_evaluation(model: Model) -> None:
    """In evaluation mode the same images give the same logits."""
    network = model.network(2)
    given = model.images
    same = torch.equal(logits_of(network, given), logits_of(network, given))
    need(same, "they differ from one time to the next: dropout or noise must stop where training is False")


def can_be_copied(model: Model) -> None:
    """It and its builder can be copied and pickled, for weight averages and other processes."""
    given = model.images
    for copied in (copy.deepcopy(model.network(2)), pickle.loads(pickle.dumps(model.network(2)))):  # noqa: S301 - its own
        need(torch.equal(logits_of(copied, given), logits_of(model.network(2), given)), "a copy gives other logits")
    try:
        pickle.dumps(model.build)
    except Exception as error:  # noqa: BLE001 - as pickle says it, whatever it is
        raise BrokenPromiseError(
            f"{error}; define the builder at the top of a module, or with functools.partial"
        ) from None


PROMISES = (
    builds,
    gives_logits,
    gives_finite_logits,
    learns,
    is_saved_whole,
    is_settled_in_evaluation,
    can_be_copied,
)
