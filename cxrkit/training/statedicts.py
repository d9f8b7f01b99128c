"""State dicts of trained models, whoever saved them: named as a model of ours is, and checked against it."""

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from cxrkit.errors import InputError
from cxrkit.weight_files import StateDict, differences

AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")  # classifiers that only a training on ImageNet used
MATRIX = 2


# ── Names ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def named_as(model: nn.Module, state: StateDict) -> dict[str, Tensor]:
    """Give the tensors of a file the names that a model of ours has for them.

    Prefixes that all names share (``module.``, ``backbone.``) go, so do auxiliary classifiers; the linear layers of the
    head are matched by their order, so that ``fc.3`` behind a dropout is ``fc.2`` without it.
    """
    state = without_prefix(model, state)
    ours, theirs = _linear_layers(model), matrices(state, head(model))
    if len(ours) != len(theirs):
        return dict(state)
    place = dict(zip(theirs, ours, strict=True))
    return {_renamed(name, place): tensor for name, tensor in state.items()}


def without_prefix(model: nn.Module, state: StateDict) -> dict[str, Tensor]:
    """Strip what all names begin with and the model has no part of, and leave auxiliary classifiers out."""
    parts = {name for name, _ in model.named_children()} | {name for name, _ in model.named_parameters(recurse=False)}
    names = {name: name for name in state}
    while len(first := {name.partition(".")[0] for name in names.values()}) == 1 and not first <= parts:
        shortened = {name: now.partition(".")[2] for name, now in names.items()}
        if not all(shortened.values()):
            break
        names = shortened
    return {now: state[name] for name, now in names.items() if not now.startswith(AUXILIARY)}


def head(model: nn.Module) -> str:
    """Name the top-level part that gives the logits; empty where the model has no linear layer."""
    linear = [name for name, layer in model.named_modules() if isinstance(layer, nn.Linear)]
    return linear[-1].partition(".")[0] if linear else ""


def matrices(state: StateDict, part: str) -> list[str]:
    """List the layers of a part whose weight is a matrix, in their order: ``fc.0``, ``fc.3``."""
    found = [
        name.removesuffix(".weight")
        for name, tensor in state.items()
        if name.partition(".")[0] == part and name.endswith(".weight") and tensor.ndim == MATRIX
    ]
    return sorted(found, key=lambda name: [(not piece.isdigit(), piece.zfill(8)) for piece in name.split(".")])


def _linear_layers(model: nn.Module) -> list[str]:
    part = head(model)
    return [
        name for name, layer in model.named_modules() if isinstance(layer, nn.Linear) and name.partition(".")[0] == part
    ]


def _renamed(name: str, place: Mapping[str, str]) -> str:
    layer, _, own = name.rpartition(".")
    return f"{place[layer]}.{own}" if layer in place else name


# ── Shapes ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def check(model: nn.Module, state: StateDict, class_names: Sequence[str], where: str) -> None:
    """Check that every tensor has its place in a model, before any is copied.

    Args:
        model: built for ``class_names``.
        state: named as the model's.
        class_names: in the order of the logits.
        where: file and architecture, for messages.

    Raises:
        InputError: the file is of another architecture, or of another number of classes.
    """
    found = list(differences(model.state_dict(), state))
    if not found:
        return
    outputs = _outputs(model, state)
    if outputs not in {None, len(class_names)}:
        raise InputError(
            f"{where}: gives {outputs} output{'s' * (outputs != 1)}, needed is one for each of the classes "
            f"{', '.join(class_names)}"
        )
    how_many = "1 tensor differs" if len(found) == 1 else f"{len(found)} tensors differ"
    raise InputError(f"{where}: of another architecture, {how_many}, the first is {found[0]}")


def _outputs(model: nn.Module, state: StateDict) -> int | None:
    """Count the outputs of a file that fits but for them; None where it does not."""
    layers = [name for name, layer in model.named_modules() if isinstance(layer, nn.Linear | nn.Conv2d)]
    last = f"{layers[-1]}." if layers else "."
    rest = {name: tensor for name, tensor in model.state_dict().items() if not name.startswith(last)}
    theirs = {name: tensor for name, tensor in state.items() if not name.startswith(last)}
    weight = state.get(f"{last}weight")
    return None if weight is None or any(differences(rest, theirs)) else int(weight.shape[0])
