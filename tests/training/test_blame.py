"""What a stranger's network does wrong is told as its plugin's doing, not as that of who calls it."""

import subprocess
import sys
from copy import deepcopy

import pytest
import torch
from torch import nn

from cxrkit import guard
from cxrkit.errors import InputError, RunError, StopTraining
from cxrkit.guard import MisbehaviourError
from cxrkit.registry import Registered
from cxrkit.training import blame, layers


class Failing(nn.Module):
    def __init__(self, error):
        super().__init__()
        self.error = error

    def forward(self, _images):
        raise self.error


class OfAnotherHand(nn.Module):
    def forward(this, _images):  # noqa: N805 - what is tested
        raise SystemExit(3)


class Unready(nn.Module):
    def __init__(self, error):
        super().__init__()
        self.error = error

    def eval(self):
        raise self.error


class Interrupting(Exception):  # noqa: N818 - its name is told
    def __str__(self):
        raise KeyboardInterrupt


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


def test_what_is_meant_for_the_user_and_cannot_be_told_is_its_plugins():
    network = Failing(type("Refusing", (InputError,), {"__str__": lambda _error: sys.exit(7)})("no"))
    blame.remember(network, component("acme"))
    with pytest.raises(MisbehaviourError, match=rf"{NAMED} failed \(Refusing\)"), blame.told():
        network(torch.zeros(1))


def test_a_forward_that_calls_itself_otherwise_is_found_as_well():
    network = OfAnotherHand()
    blame.remember(network, component("acme"))
    with pytest.raises(MisbehaviourError, match=rf"{NAMED} called sys.exit\(3\)"), blame.told():
        network(torch.zeros(1))


GROUP = BaseExceptionGroup("two", [KeyboardInterrupt(), SystemExit(3)])


@pytest.mark.parametrize("kind", [Failing, Unready])
@pytest.mark.parametrize(
    ("error", "told"),
    [
        (LookupError("no"), r"failed \(LookupError: no\)$"),
        (RecursionError("too deep"), r"failed \(RecursionError: too deep\)$"),
        (NotImplementedError(), r"failed \(NotImplementedError\)$"),
        (GROUP, r"failed \(BaseExceptionGroup: two \(2 sub-exceptions\)\)$"),
        (SystemExit(3), r"called sys.exit\(3\)$"),
        (StopTraining("now"), r"failed \(StopTraining: now\)$"),
        (Interrupting(), r"failed \(Interrupting\)$"),
    ],
)
def test_what_a_network_raises_at_its_first_image_is_its_plugins_and_no_matter_of_the_size(kind, error, told):
    network = kind(error)
    blame.remember(network, component("acme"))
    with pytest.raises(MisbehaviourError, match=f"{NAMED} {told}"):
        layers.outputs(network, 32)


@pytest.mark.parametrize("error", [RuntimeError("mat1 and mat2 cannot be multiplied"), AssertionError("Wrong height")])
def test_what_torch_raises_of_shapes_is_a_matter_of_the_size_for_everybody(error):
    network = Failing(error)
    blame.remember(network, component("acme"))
    with pytest.raises(InputError, match=r"^model Failing: takes no images of 32 pixels \(.*\), choose another data"):
        layers.outputs(network, 32)


@pytest.mark.parametrize("error", [InputError("for the user"), RuntimeError("CUDA out of memory"), KeyboardInterrupt()])
def test_what_is_meant_for_others_stays_as_it_is_at_the_first_image(error):
    network = Failing(error)
    blame.remember(network, component("acme"))
    with pytest.raises(type(error)) as caught:
        layers.outputs(network, 32)
    assert caught.value is error


INTERRUPTED = """
import os, signal, time
from torch import nn
from cxrkit.registry import Registered
from cxrkit.training import blame, child

class Slow(nn.Module):
    def forward(self):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(600)

network = Slow()
blame.remember(network, Registered("net", "model", Slow, "acme", "1.2", "", "extra", "cxrkit_register_models"))
child._end_at_interrupt()
with blame.told():
    network()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="processes get no signals there")
def test_the_users_interrupt_is_not_told_as_the_networks_doing():
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (130, "")


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
