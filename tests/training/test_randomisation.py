import pytest
import torch
from cxrkit_plugins.models import cxrkit_register_models
from torch import nn

from cxrkit.training.randomisation import parts, randomise


class Network(nn.Module):
    """Parts defined in another order than that of computation, one unused, and parameters of its own."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor([1.0, 2.0, 4.0]))
        self.gain = nn.Parameter(torch.tensor(3.0))
        self.head = nn.Linear(4, 2)
        self.auxiliary = nn.Linear(4, 2)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.features = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
        self.features[1].running_mean.fill_(7)

    def forward(self, images):
        features = self.features(images * self.gain * self.scale[:, None, None])
        return self.head(self.pool(features).flatten(1))


@pytest.fixture
def network():
    torch.manual_seed(0)
    return Network().eval()


def changed(network, before):
    return {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}


def copied(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


def test_parts_come_from_the_output_to_the_input(network):
    assert parts(network, 16) == ["head", "features", ""]


def test_the_parts_of_resnet18():
    network = cxrkit_register_models()["resnet18"](2)

    assert parts(network, 64) == ["fc", "layer4", "layer3", "layer2", "layer1", "bn1", "conv1"]


def test_a_part_is_drawn_anew_with_its_statistics_and_nothing_else(network):
    before = copied(network)

    randomise(network, "features", seed=0)

    assert changed(network, before) == {"features.0.weight", "features.0.bias", "features.1.running_mean"}
    assert network.features[1].running_mean.tolist() == [0, 0, 0, 0]
    assert not network.training


def test_parameters_of_no_part_are_drawn_with_their_own_mean_and_spread(network):
    network.scale = nn.Parameter(torch.linspace(10, 14, 5000))
    before = copied(network)

    randomise(network, "", seed=0)

    assert changed(network, before) == {"scale", "gain"}
    assert float(network.scale.detach().mean()) == pytest.approx(12, abs=0.1)
    assert float(network.scale.detach().std()) == pytest.approx(4 / 12**0.5, rel=0.05)


def test_the_seed_alone_decides_and_the_generator_is_left_as_it_was(network):
    state = torch.get_rng_state()
    drawn = []
    for seed in (0, 0, 1):
        randomise(network, "head", seed=seed)
        drawn.append(network.head.weight.clone())

    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    assert torch.equal(state, torch.get_rng_state())
