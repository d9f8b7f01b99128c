import random
from itertools import combinations

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from cxrkit.training import randomness, state


def drawn():
    numbers = np.random.normal()  # noqa: NPY002
    return random.random(), float(numbers), float(torch.rand(())), torch.nn.Dropout()(torch.ones(9)).tolist()


@pytest.fixture
def fabric():
    return Fabric(accelerator="cpu", devices=1)


def test_generators_go_on_as_they_would_have(fabric, tmp_path):
    """Also from the disk, and with a normal draw of NumPy's and Python's half used up."""
    randomness.seed(0, 4, 0)
    random.gauss(0, 1), np.random.normal(), torch.randn(3)  # noqa: NPY002
    state.save(tmp_path, {"generators": randomness.states(fabric)}, state.Position(4, 1))
    expected = drawn(), random.gauss(0, 1), float(torch.randn(()))
    randomness.seed(1)
    randomness.resume(fabric, state.restore(tmp_path).state["generators"])
    assert (drawn(), random.gauss(0, 1), float(torch.randn(()))) == expected


def test_every_epoch_and_process_draws_in_its_own_way():
    seen = []
    for numbers in ((0, 1, 0), (0, 2, 0), (0, 1, 1), (1, 1, 0), (0, 1, 0)):
        randomness.seed(*numbers)
        seen.append(drawn())
    assert seen[0] == seen[4]
    assert all(one != other for one, other in combinations(seen[:4], 2))
