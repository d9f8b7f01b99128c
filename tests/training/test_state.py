import math

import pytest
import torch

from cxrkit.errors import InputError, RunError
from cxrkit.training import state
from cxrkit.training.state import Position

KEPT = {
    "epoch": 3,
    "optimizer": {"state": {0: {"step": torch.tensor(4.0), "exp_avg": torch.rand(2, 3)}}, "groups": [{"lr": 0.1}]},
    "generator": torch.get_rng_state(),
    "half": torch.rand(3).to(torch.bfloat16),
    "empty": torch.zeros(0),
    "best": (math.inf, -0.25),
    "nothing": None,
    "rows": [{"epoch": 1, "figure": 0.1 + 0.2}],
}
TENSORS = ("optimizer", "generator", "half", "empty")


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def test_state_comes_back_as_it_was(tmp_path):
    state.save(tmp_path / "last", KEPT, Position(3))
    found = state.restore(tmp_path / "last")
    assert (found.position, found.damaged) == (Position(3), [])
    assert torch.equal(found.state["optimizer"]["state"][0]["exp_avg"], KEPT["optimizer"]["state"][0]["exp_avg"])
    for name in TENSORS[1:]:
        assert torch.equal(found.state[name], KEPT[name])
    plain = {key: value for key, value in KEPT.items() if key not in TENSORS}
    assert {key: value for key, value in found.state.items() if key not in TENSORS} == plain


def test_state_is_tensors_and_json_alone(tmp_path):
    state.save(tmp_path, KEPT, Position(4, 17))
    assert files(tmp_path) == ["epoch-4-step-17.safetensors"]
    with pytest.raises(TypeError, match="a function cannot be kept, allowed are tensors"):
        state.save(tmp_path, {"loss": lambda: 0}, Position(5))


def test_the_two_newest_states_are_kept_and_the_newest_counts(tmp_path):
    for position in (Position(1), Position(2, 9), Position(2, 10), Position(2)):
        state.save(tmp_path, {"at": str(position)}, position)
    (tmp_path / ".epoch-3.safetensors.x.partial").write_bytes(b"of a process that was killed")
    assert state.restore(tmp_path).state == {"at": "epoch-2"}
    state.save(tmp_path, {"at": "epoch-3-step-1"}, Position(3, 1))
    assert files(tmp_path) == ["epoch-2.safetensors", "epoch-3-step-1.safetensors"]


def test_what_lies_ahead_of_a_state_goes(tmp_path):
    for position in (Position(1, 5), Position(1, 9), Position(1, 7)):
        state.save(tmp_path, {"at": str(position)}, position)
    assert files(tmp_path) == ["epoch-1-step-5.safetensors", "epoch-1-step-7.safetensors"]


def cut(path):
    path.write_bytes(path.read_bytes()[:-7])


def empty(path):
    path.write_bytes(b"")


def zeroed(path):
    """The right length, and zeros where the disk never got the bytes."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] + bytes(len(content) - len(content) // 2))


def altered(path):
    path.write_bytes(path.read_bytes().replace(b"0.30000000000000004", b"0.30000000000000009"))


@pytest.mark.parametrize("damage", [cut, empty, zeroed, altered])
def test_where_the_newest_is_damaged_the_one_before_counts(tmp_path, damage):
    state.save(tmp_path, {"at": 1}, Position(1))
    state.save(tmp_path, KEPT, Position(2))
    damage(tmp_path / "epoch-2.safetensors")
    found = state.restore(tmp_path)
    assert (found.state, found.position) == ({"at": 1}, Position(1))
    assert len(found.damaged) == 1
    assert "epoch-2.safetensors: cannot be read" in found.damaged[0]
    assert files(tmp_path) == ["epoch-1.safetensors"]


def test_a_start_has_no_state_and_one_that_is_damaged_altogether_is_told(tmp_path):
    assert state.restore(tmp_path / "last") is None
    state.save(tmp_path, {"epoch": 1}, Position(1))
    cut(tmp_path / "epoch-1.safetensors")
    with pytest.raises(InputError, match=r"epoch-1.safetensors: cannot be read .* to train from the beginning"):
        state.restore(tmp_path)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (PermissionError(13, "Permission denied"), RunError),
        (OSError(24, "Too many open files"), RunError),
        (MemoryError(), MemoryError),
    ],
)
def test_what_is_no_fault_of_the_file_costs_no_state(tmp_path, monkeypatch, error, expected):
    for number in (1, 2):
        state.save(tmp_path, {"at": number}, Position(number))

    def refuse(_path):
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(state, "_read", refuse)
        with pytest.raises(expected) as told:
            state.restore(tmp_path)
    if expected is RunError:
        assert str(told.value).startswith(f"{tmp_path / 'epoch-2.safetensors'}: cannot be read ({error.strerror}), see")
    assert state.restore(tmp_path).state == {"at": 2}
