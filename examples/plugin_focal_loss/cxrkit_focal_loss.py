"""Focal loss as a way to treat class imbalance (Lin et al., 2017, "Focal Loss for Dense Object Detection")."""

from collections.abc import Mapping
from typing import Annotated

import numpy as np
import torch
from pydantic import Field

from cxrkit import hookimpl
from cxrkit.api import Imbalance, ImbalanceStrategy


@hookimpl
def cxrkit_register_imbalance_strategies() -> Mapping[str, ImbalanceStrategy]:
    return {"focal": focal}


def focal(
    labels: np.ndarray, num_classes: int, *, gamma: Annotated[float, Field(ge=0)] = 2.0, balanced: bool = True
) -> Imbalance:
    """Images that are right already count less: -alpha (1 - p) ** gamma log p."""
    counts = np.bincount(labels, minlength=num_classes)
    alpha = torch.tensor(len(labels) / (num_classes * counts) if balanced else np.ones(num_classes)).float()

    def loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        log_p = logits.log_softmax(dim=1).gather(1, labels[:, None])[:, 0]
        easiness = (-torch.expm1(log_p)).clamp(min=1e-9)  # its power has no gradient at 0
        return -(alpha.to(logits.device)[labels] * easiness**gamma * log_p).mean()

    return Imbalance(loss=loss)
