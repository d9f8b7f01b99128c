import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from torch import nn

from cxrkit.training.predict import BATCH, sharded_logits


class Narrow(nn.Module):
    """A network on a device that has no room for more than ``most`` images."""

    def __init__(self, most, error):
        super().__init__()
        self.most, self.error, self.seen = most, error, []

    def forward(self, images):
        if len(images) > self.most:
            raise self.error
        self.seen.append(len(images))
        return images.mean(dim=(2, 3))[:, :2]


GREYS = np.random.default_rng(0).integers(0, 256, (BATCH + 5, 8, 8)).astype(np.uint8)
FULL = torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


def test_where_memory_runs_out_a_batch_is_predicted_in_parts():
    fabric, network = Fabric(accelerator="cpu", devices=1), Narrow(9, FULL)
    found = sharded_logits(fabric, network, GREYS, 2)
    assert network.seen == [8, 8, 8, 8, 5]
    assert found == pytest.approx(sharded_logits(fabric, Narrow(99, FULL), GREYS, 2))


def test_a_single_image_that_is_too_large_and_other_errors_are_told():
    fabric = Fabric(accelerator="cpu", devices=1)
    with pytest.raises(torch.cuda.OutOfMemoryError):
        sharded_logits(fabric, Narrow(0, FULL), GREYS, 2)
    with pytest.raises(RuntimeError, match="shapes"):
        sharded_logits(fabric, Narrow(0, RuntimeError("mat1 and mat2 shapes cannot be multiplied")), GREYS, 2)
