"""A small convolutional network that trains in minutes on a processor."""

from collections import OrderedDict
from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated

from pydantic import Field
from torch import nn

from cxrkit import hookimpl
from cxrkit.api import ModelBuilder


@hookimpl
def cxrkit_register_models() -> Mapping[str, ModelBuilder]:
    return {"small-cnn": small_cnn}


def small_cnn(
    num_classes: int, *, width: Annotated[int, Field(ge=1)] = 16, blocks: Annotated[int, Field(ge=1, le=6)] = 4
) -> nn.Module:
    """Blocks of convolution, batch norm and pooling, each twice as wide as the one before."""
    widths = [3, *(width * 2**block for block in range(blocks))]
    features = nn.Sequential(*(_block(*pair) for pair in pairwise(widths)))
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], num_classes))
    return nn.Sequential(OrderedDict(features=features, head=head))


def _block(before: int, after: int) -> nn.Module:
    convolution = nn.Conv2d(before, after, kernel_size=3, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(after), nn.ReLU(inplace=True), nn.MaxPool2d(2))
