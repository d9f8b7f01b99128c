"""timm's batch norm with an activation in it, kept in evaluation mode. Importing it needs timm."""

from timm.layers import BatchNormAct2d
from torch import nn

from .freezing import frozen_norm


class FrozenBatchNormAct2d(BatchNormAct2d):  # type: ignore[misc]  # timm publishes no types
    """A batch norm with its activation that stays in evaluation mode, whatever its network is set to."""

    def train(self, mode: bool = True) -> "FrozenBatchNormAct2d":  # noqa: ARG002  that it is ignored is the point
        """Stay in evaluation mode."""
        super().train(mode=False)
        return self


def frozen(norm: nn.BatchNorm2d) -> nn.Module:
    """Make of a batch norm one that stays in evaluation mode, with whatever activation it has."""
    if not isinstance(norm, BatchNormAct2d):
        return frozen_norm(norm)
    norm.__class__ = FrozenBatchNormAct2d  # in place: its activation was made in ways that only timm knows
    kept: nn.Module = norm.requires_grad_(requires_grad=False)
    return kept.eval()
