import math

import pytest
import torch

from cxrkit.errors import InputError
from cxrkit.training import state

KEPT = {
    "epoch": 3,
    "optimizer": {"state": {0: {"step": torch.tensor(4.0), "exp_avg": torch.rand(2, 3)}}, "groups": [{"lr": 0.1}]},
    "best": (math.inf, -0.25),
    "nothing": None,
    "rows": [{"epoch": 1, "figure": 0.1 + 0.2}],
}


def test_state_comes_back_as_it_was(tmp_path):
    state.save(tmp_path / "last", KEPT, epoch=3)
    found = state.restore(tmp_path / "last")
    assert torch.equal(found["optimizer"]["state"][0]["exp_avg"], KEPT["optimizer"]["state"][0]["exp_avg"])
    del found["optimizer"]
    assert found == {key: value for key, value in KEPT.items() if key != "optimizer"}


def test_state_is_tensors_and_json_alone(tmp_path):
    state.save(tmp_path, KEPT, epoch=1)
    assert sorted(path.name for path in (tmp_path / "epoch-1").iterdir()) == ["state.json", "tensors.safetensors"]
    with pytest.raises(TypeError, match="a function cannot be kept, allowed are tensors"):
        state.save(tmp_path, {"loss": lambda: 0}, epoch=2)


def test_the_newest_whole_state_counts_and_an_older_one_goes(tmp_path):
    state.save(tmp_path, {"epoch": 1}, epoch=1)
    state.save(tmp_path, {"epoch": 2}, epoch=2)
    (tmp_path / ".epoch-3.partial").mkdir()
    assert state.restore(tmp_path) == {"epoch": 2}
    assert not (tmp_path / "epoch-1").exists()


def test_a_start_has_no_state_and_a_damaged_one_is_told(tmp_path):
    assert state.restore(tmp_path / "last") is None
    state.save(tmp_path, {"epoch": 1}, epoch=1)
    (tmp_path / "epoch-1" / "state.json").write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match=r"epoch-1: cannot be read .* remove it to train from the beginning"):
        state.restore(tmp_path)
