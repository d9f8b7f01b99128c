import numpy as np
import pytest
import torch
from cxrkit_plugins.imbalance import balanced_sampler, class_weights, downsample, no_treatment, upsample

from cxrkit.api import Imbalance
from cxrkit.training import order, shares

LABELS = np.repeat([0, 1], [25, 75]).astype(np.int64)


def of_loss(imbalance, labels=LABELS, num_classes=2, epochs=8):
    return shares.of_loss(imbalance, labels, num_classes, seed=3, epochs=epochs)


def test_natural_shares_are_those_of_the_images():
    assert shares.of_images(LABELS, 3) == [0.25, 0.75, 0]


def test_without_treatment_the_loss_sees_the_natural_shares():
    assert of_loss(no_treatment(LABELS, 2)) == [0.25, 0.75]


@pytest.mark.parametrize("strategy", [class_weights, upsample, downsample])
def test_a_strategy_that_balances_shows_the_loss_equal_shares(strategy):
    assert of_loss(strategy(LABELS, 2)) == pytest.approx([0.5, 0.5])


def test_random_draws_are_counted_as_the_epochs_made_them():
    strategy = balanced_sampler(LABELS, 2)

    visited = np.concatenate([order.epoch_order(strategy, len(LABELS), 3, epoch) for epoch in range(1, 6)])

    assert of_loss(strategy)[1] == pytest.approx((LABELS[visited] == 1).mean())
    assert of_loss(strategy, epochs=1) != of_loss(strategy)


def test_weights_and_visits_multiply():
    """Three classes of equal visits, weighted 1, 2 and 5."""
    labels = np.repeat([0, 1, 2], [10, 20, 30]).astype(np.int64)
    visits = upsample(labels, 3).epoch_indices

    found = of_loss(Imbalance(class_weights=np.array([1.0, 2.0, 5.0]), epoch_indices=visits), labels, 3)

    assert found == pytest.approx([1 / 8, 2 / 8, 5 / 8])


def test_a_loss_of_its_own_hides_what_it_sees():
    assert of_loss(Imbalance(loss=torch.nn.functional.multi_margin_loss)) is None


def test_counting_draws_from_no_generator_of_the_training():
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002 - the generator that a network may draw from
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002

    of_loss(balanced_sampler(LABELS, 2))

    assert torch.equal(before[0], torch.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002
