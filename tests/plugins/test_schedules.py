import pytest
import torch
from cxrkit_plugins.schedules import schedules


def rates(name, *, epochs=6, steps=10, warmup=0.0, figures=()):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = schedules(optimizer, name, epochs, steps, warmup, falling=False)
    found = []
    for epoch in range(epochs):
        for _ in range(steps):
            found.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.step_finished()
        schedule.epoch_finished(figures[epoch] if figures else epoch)
    return found


def test_without_a_schedule_the_rate_stays():
    assert set(rates("none")) == {1.0}


def test_cosine_falls_in_a_half_wave():
    found = rates("cosine")
    assert found[0] == 1.0
    assert found[30] == pytest.approx(0.5)
    assert found[-1] < 0.01


def test_steps_divide_by_ten_after_each_third():
    found = rates("step")
    assert [round(found[place], 6) for place in (0, 19, 20, 39, 40, 59)] == [1, 1, 0.1, 0.1, 0.01, 0.01]


def test_plateau_divides_by_ten_when_the_figure_stays():
    found = rates("plateau", figures=(0.9, 0.8, 0.8, 0.8, 0.8, 0.8))
    assert found[49] == 1.0
    assert found[50] == pytest.approx(0.1)


def test_one_cycle_rises_and_falls():
    found = rates("one-cycle", warmup=3)
    assert found[0] < 0.1
    assert max(range(60), key=found.__getitem__) == 30
    assert found[-1] < 0.01


@pytest.mark.parametrize("name", ["none", "cosine", "step", "plateau"])
def test_warm_up_rises_in_a_line(name):
    found = rates(name, warmup=1)
    assert found[0] == pytest.approx(1 / 11)
    assert found[4] == pytest.approx(5 / 11)
    assert found[10] == 1.0
