import pytest

from cxrkit.training import pace
from cxrkit.training.pace import Pace


@pytest.fixture
def clock(monkeypatch):
    """A clock that is set by hand."""
    now = [1000.0]
    monkeypatch.setattr(pace.time, "perf_counter", lambda: now[0])
    return now


def test_minutes_count_from_the_last_saved_state(clock):
    kept = Pace(minutes=5, _saved=clock[0])
    clock[0] += 299
    assert not kept.is_due_after_step(7)
    clock[0] += 1
    assert kept.is_due_after_step(7)
    kept.saved(began=clock[0] - 1)
    assert not kept.is_due_after_step(8)


def test_saving_takes_a_hundredth_of_the_time_at_most(clock):
    kept = Pace(minutes=1, _saved=clock[0])
    assert kept.is_due_after_epoch()
    kept.saved(began=clock[0] - 2)
    clock[0] += 199
    assert not kept.is_due_after_epoch()
    assert not kept.is_due_after_step(1)
    clock[0] += 1
    assert kept.is_due_after_epoch()
    assert kept.is_due_after_step(1)


def test_steps_count_whatever_they_cost(clock):
    kept = Pace(steps=3)
    kept.saved(began=clock[0] - 60)
    assert [step for step in range(1, 10) if kept.is_due_after_step(step)] == [3, 6, 9]
    assert kept.is_due_after_epoch()
