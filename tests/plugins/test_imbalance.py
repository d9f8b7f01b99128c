import numpy as np
import pytest
import torch
from cxrkit_plugins import imbalance
from torch.nn import functional

from cxrkit import options
from cxrkit.errors import InputError

COUNTS = (30, 100, 7)
LABELS = np.random.default_rng(1).permutation(np.repeat(np.arange(3), COUNTS)).astype(np.int64)
SAMPLERS = [imbalance.upsample, imbalance.downsample, imbalance.balanced_sampler]


def visited(strategy, epoch=1, seed=0):
    return strategy(LABELS, 3).epoch_indices(epoch, np.random.default_rng((seed, epoch)))


def weights_of(**given):
    return imbalance.class_weights(LABELS, 3, **given).class_weights


def test_the_five_strategies_of_the_course_are_offered():
    assert set(imbalance.cxrkit_register_imbalance_strategies()) == {
        "none",
        "class-weights",
        "upsample",
        "downsample",
        "balanced-sampler",
    }


def test_none_leaves_epochs_and_loss_alone():
    plan = imbalance.no_treatment(LABELS, 3)

    assert plan.class_weights is None
    assert plan.loss is None
    assert plan.epoch_indices is None


def test_inverse_frequency_weights_are_n_over_k_times_the_class_size():
    assert weights_of() == pytest.approx([137 / (3 * 30), 137 / (3 * 100), 137 / (3 * 7)])


def test_class_weights_leave_the_epoch_alone():
    assert imbalance.class_weights(LABELS, 3).epoch_indices is None


def test_inverse_frequency_equals_scikit_learn():
    from sklearn.utils.class_weight import compute_class_weight

    assert weights_of() == pytest.approx(compute_class_weight("balanced", classes=np.arange(3), y=LABELS))


def test_effective_number_weights_follow_cui_2019():
    """Formula of the paper's section 4.2, normalised to the number of classes."""
    by_hand = np.array([(1 - 0.99) / (1 - 0.99**count) for count in COUNTS])

    assert weights_of(scheme="effective-number", beta=0.99) == pytest.approx(3 * by_hand / by_hand.sum())


def test_effective_number_goes_from_no_weighting_to_inverse_frequency():
    inverse = weights_of()

    assert weights_of(scheme="effective-number", beta=0.0) == pytest.approx(np.ones(3))
    assert weights_of(scheme="effective-number", beta=1 - 1e-9) == pytest.approx(3 * inverse / inverse.sum(), rel=1e-4)


def test_weighted_loss_and_gradient_equal_the_hand_computation():
    weights = torch.tensor(weights_of(), dtype=torch.float64)
    labels = torch.tensor([0, 1, 1, 2])
    logits = torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()

    loss = functional.cross_entropy(logits, labels, weight=weights)
    loss.backward()

    probabilities = np.exp(logits.detach().numpy())
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    share = weights.numpy()[labels] / weights.numpy()[labels].sum()
    truth = np.eye(3)[labels]
    assert loss.item() == pytest.approx(-(share * np.log((probabilities * truth).sum(axis=1))).sum())
    assert logits.grad.numpy() == pytest.approx(share[:, None] * (probabilities - truth))


def test_with_inverse_frequency_every_class_pulls_alike_over_the_whole_set():
    """At equal logits, each class's share of the gradient on its own logit is the same."""
    logits = torch.zeros(len(LABELS), 3, dtype=torch.float64, requires_grad=True)
    labels = torch.from_numpy(LABELS)

    functional.cross_entropy(logits, labels, weight=torch.tensor(weights_of())).backward()

    pull = [logits.grad[labels == number, number].sum().item() for number in range(3)]
    assert pull == pytest.approx([pull[0]] * 3)


def test_upsample_repeats_every_class_to_the_size_of_the_largest():
    indices = visited(imbalance.upsample)

    assert np.bincount(LABELS[indices]).tolist() == [100, 100, 100]


def test_upsample_visits_every_image_as_evenly_as_it_goes():
    times = np.bincount(visited(imbalance.upsample), minlength=len(LABELS))

    assert set(times[LABELS == 0]) == {3, 4}
    assert set(times[LABELS == 1]) == {1}
    assert set(times[LABELS == 2]) == {14, 15}


def test_downsample_takes_as_many_of_each_class_as_the_smallest_has():
    indices = visited(imbalance.downsample)

    assert np.bincount(LABELS[indices]).tolist() == [7, 7, 7]
    assert len(np.unique(indices)) == 21


def test_downsample_reaches_every_image_in_the_course_of_epochs():
    seen = np.unique(np.concatenate([visited(imbalance.downsample, epoch) for epoch in range(1, 200)]))

    assert len(seen) == len(LABELS)


def test_balanced_sampler_draws_as_many_as_there_are_at_equal_class_probability():
    draws = np.concatenate([visited(imbalance.balanced_sampler, epoch) for epoch in range(1, 201)])

    assert len(draws) == 200 * len(LABELS)
    share = np.bincount(LABELS[draws]) / len(draws)
    assert share == pytest.approx(np.full(3, 1 / 3), abs=4 * np.sqrt(2 / 9 / len(draws)))


def test_balanced_sampler_draws_the_images_of_a_class_alike():
    draws = np.concatenate([visited(imbalance.balanced_sampler, epoch) for epoch in range(1, 201)])

    times = np.bincount(draws, minlength=len(LABELS))[LABELS == 2]
    expected = times.sum() / 7
    assert times == pytest.approx(np.full(7, expected), abs=5 * np.sqrt(expected))


@pytest.mark.parametrize("strategy", SAMPLERS)
def test_an_epoch_is_the_same_for_a_seed_and_differs_between_epochs(strategy):
    assert visited(strategy, epoch=2).tolist() == visited(strategy, epoch=2).tolist()
    assert visited(strategy, epoch=2).tolist() != visited(strategy, epoch=3).tolist()
    assert visited(strategy, epoch=2).tolist() != visited(strategy, epoch=2, seed=1).tolist()


@pytest.mark.parametrize("strategy", SAMPLERS)
def test_indices_are_int64(strategy):
    assert visited(strategy).dtype == np.int64


@pytest.mark.parametrize("strategy", [imbalance.class_weights, *SAMPLERS])
def test_a_class_without_images_is_an_error(strategy):
    with pytest.raises(InputError, match=r"no training image of class number 1 \(from 0\)"):
        strategy(np.array([0, 0, 2]), 3)


def test_beta_of_one_is_refused():
    with pytest.raises(InputError, match="beta: must be less than 1"):
        options.check(imbalance.class_weights, {"beta": 1.0}, "imbalance")


def test_an_unknown_scheme_is_refused():
    with pytest.raises(InputError, match="'inverse-frequency' or 'effective-number'"):
        options.check(imbalance.class_weights, {"scheme": "inverse"}, "imbalance")
