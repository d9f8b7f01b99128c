import re

import numpy as np
import pytest
from cxrkit_plugins.imbalance import balanced_sampler, downsample, upsample

from cxrkit.api import Imbalance
from cxrkit.errors import RunError
from cxrkit.training.order import Visit, batch_count, batches, check_plan, epoch_order, shard

LABELS = np.repeat([0, 1], [40, 160]).astype(np.int64)


def test_an_epoch_visits_every_image_once_in_an_order_of_its_own():
    first, second = (epoch_order(Imbalance(), 50, seed=3, epoch=epoch) for epoch in (1, 2))
    assert sorted(first) == sorted(second) == list(range(50))
    assert first.tolist() != second.tolist()
    assert first.tolist() == epoch_order(Imbalance(), 50, seed=3, epoch=1).tolist()


@pytest.mark.parametrize(("size", "expected"), [(16, [8, 8]), (17, [6, 6, 5]), (7, [7]), (25, [7, 6, 6, 6])])
def test_batches_of_an_epoch_differ_by_one_image_at_most(size, expected):
    assert [len(batch) for batch in batches(np.arange(size), 8, devices=1)] == expected


def test_every_device_has_an_image_in_every_step():
    for size in range(2, 40):
        whole = batches(np.arange(size), 3, devices=2)
        for rank in (0, 1):
            assert all(shard(whole, 1, rank, 2))
        assert len(whole) == batch_count(size, 3, devices=2)


def test_devices_share_a_batch_without_overlap_or_loss():
    whole = batches(epoch_order(Imbalance(), 21, seed=0, epoch=1), 8, devices=2)
    parts = [shard(whole, 1, rank, 2) for rank in (0, 1)]
    for batch, one, other in zip(whole, *parts, strict=True):
        assert sorted(visit.image for visit in one + other) == sorted(batch)
        assert abs(len(one) - len(other)) <= 1


def test_a_repeated_image_is_another_occurrence_on_whatever_device():
    whole = [np.array([4, 4]), np.array([4, 7])]
    assert shard(whole, 2, 0, 1) == [[Visit(2, 4, 0), Visit(2, 4, 1)], [Visit(2, 4, 2), Visit(2, 7, 0)]]
    assert shard(whole, 2, 1, 2) == [[Visit(2, 4, 1)], [Visit(2, 7, 0)]]


@pytest.mark.parametrize(("strategy", "size"), [(upsample, 320), (downsample, 80), (balanced_sampler, 200)])
@pytest.mark.parametrize("devices", [1, 2])
def test_a_strategy_reaches_its_class_proportions_in_global_batches(strategy, size, devices):
    order = epoch_order(strategy(LABELS, 2), len(LABELS), seed=0, epoch=1)
    whole = batches(order, 32, devices)
    seen = [np.concatenate([LABELS[[v.image for v in part[step]]] for part in parts]) for parts in
            [[shard(whole, 1, rank, devices) for rank in range(devices)]] for step in range(len(whole))]  # fmt: skip
    assert sum(map(len, seen)) == size
    assert abs(np.concatenate(seen).mean() - 0.5) < 0.08
    assert all(0.2 < labels.mean() < 0.8 for labels in seen)


@pytest.mark.parametrize(
    ("indices", "message"),
    [
        (np.array([0, 10]), r"epoch_indices of epoch 1: got 0 … 10, must lie in 0 … 9"),
        (np.array([-1]), "must lie in 0 … 9"),
        (np.array([0.5]), r"got float64\[1\], must be integers"),
        (np.array([], np.int64), "m above 0"),
    ],
)
def test_indices_that_are_no_training_images_are_refused(indices, message):
    with pytest.raises(RunError, match=message):
        epoch_order(Imbalance(epoch_indices=lambda _epoch, _rng: indices), 10, seed=0, epoch=1)


@pytest.mark.parametrize(
    ("planned", "told"),
    [
        (Imbalance(class_weights=[1, 2, 3]), "are [1.0, 2.0, 3.0], must be 2 numbers above 0"),
        (Imbalance(class_weights=[float("nan"), 1]), "must be 2 numbers above 0"),
        (Imbalance(class_weights=[-1, 1]), "must be 2 numbers above 0"),
        (Imbalance(class_weights="heavy"), "are 'heavy', must be numbers"),
        (Imbalance(loss=5), "is int, must be a function or None"),
        (Imbalance(epoch_indices=[1]), "is list, must be a function or None"),
    ],
)
def test_a_plan_of_another_form_is_refused_under_its_strategys_name(planned, told):
    with pytest.raises(RunError, match=f"^mine: its .*{re.escape(told)}"):
        check_plan(planned, 2, "mine")
    check_plan(Imbalance(class_weights=np.array([0.5, 2.0]), loss=max, epoch_indices=max), 2, "mine")
