"""What a stranger's network does wrong is told as its plugin's doing, not as that of who calls it."""

import sys
from copy import deepcopy

import pytest
import torch
from torch import nn

from cxrkit import guard
from cxrkit.errors import InputError, RunError, StopTraining
from cxrkit.guard import MisbehaviourError
from cxrkit.registry import Registered
from cxrkit.training import blame


class Failing(nn.Module):
    def __init__(self, error):
        super().__init__()
        self.error = error

    def forward(self, _images):
        raise self.error


class CalledWrongly(nn.Module):
    def forward(self, images):
        raise TypeError(images)


def component(distribution):
    return Registered("net", "model", Failing, distribution, "1.2", "", "extra", "cxrkit_register_models")


NAMED = r'^model "net" \(plugin "extra" of acme 1.2, cxrkit_register_models\)'


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (LookupError("no"), r"failed \(LookupError: no\)"),
        (SystemExit(0), r"called sys.exit\(0\)"),
        (KeyboardInterrupt(), r"failed \(KeyboardInterrupt\)"),
        (StopTraining("now"), r"failed \(StopTraining: now\)"),
    ],
)
def test_what_a_network_raises_is_its_plugins_whoever_calls_it(error, told):
    network = Failing(error)
    blame.remember(network, component("acme"))
    with pytest.raises(MisbehaviourError, match=f"{NAMED} {told}"), blame.told():
        deepcopy(network)(torch.zeros(1))
    with pytest.raises(MisbehaviourError, match=f"{NAMED} {told}") as caught, blame.told():
        guard.here("trainer of another", network, torch.zeros(1))
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", [InputError("for the user"), MemoryError()])
def test_what_is_meant_for_others_stays_as_it_is(error):
    network = Failing(error)
    blame.remember(network, component("acme"))
    with pytest.raises(type(error)) as caught, blame.told():
        network(torch.zeros(1))
    assert caught.value is error


def test_who_calls_a_network_of_cxrkit_wrongly_is_blamed_himself():
    network = CalledWrongly()
    blame.remember(network, component("cxrkit"))
    with pytest.raises(MisbehaviourError, match=r"^trainer of another failed"), blame.told():
        guard.here("trainer of another", network, 3)
    with pytest.raises(SystemExit), blame.told():
        sys.exit(3)


@pytest.mark.parametrize(("given", "told"), [(None, "NoneType"), (torch.zeros(1, 2), r"\[1, 2\]"), ([1], "list")])
def test_logits_of_another_form_are_refused_and_never_spread_over_the_images(given, told):
    network = Failing(None)
    blame.remember(network, component("acme"))
    with pytest.raises(RunError, match=rf"{NAMED}: gave {told} for 8 images, must give logits \[8, 2\]$"):
        blame.logits(network, given, 8, 2)
    right = torch.zeros(8, 2)
    assert blame.logits(network, right, 8, 2) is right
