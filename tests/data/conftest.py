import os
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cxrkit import discovery
from cxrkit.registry import Registry

_numbers = count()


def image(number: int, size: int = 16) -> Image.Image:
    """An image that no other number has."""
    return Image.fromarray(np.random.default_rng(number).integers(0, 256, (size, size), dtype=np.uint8))


@pytest.fixture(scope="session")
def datasets() -> Registry:
    return discovery.load("cxrkit").datasets


@pytest.fixture
def folders(tmp_path) -> Callable[[Mapping[str, int]], Path]:
    """Write PNG images that all differ: folder, possibly with a pattern of the name, to how many."""

    def written(tree: Mapping[str, int]) -> Path:
        for pattern, images in tree.items():
            for number in range(1, images + 1):
                path = tmp_path / "set" / (pattern.format(number) if "{" in pattern else f"{pattern}/{number}.png")
                path.parent.mkdir(parents=True, exist_ok=True)
                image(next(_numbers)).save(path)
        return tmp_path / "set"

    return written


@pytest.fixture
def real_data():
    if "CXRKIT_TEST_DATA" not in os.environ:
        pytest.skip("CXRKIT_TEST_DATA names no folder")
    return Path(os.environ["CXRKIT_TEST_DATA"]).resolve()
