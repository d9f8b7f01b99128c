import pytest
import safetensors.torch
import torch
from torch import nn

from cxrkit.errors import InputError, RunError
from cxrkit.plans import Chosen
from cxrkit.registry import Registered, Registry
from cxrkit.training.models import build, rebuild


def linear(num_classes, *, weights="imagenet", width=4):
    if weights != "none":
        raise InputError(f"{weights} cannot be downloaded")
    return nn.Linear(width, num_classes)


def failing(num_classes, *, kind="error"):
    if kind == "error":
        raise ZeroDivisionError("by nought")
    return "no module"


@pytest.fixture
def models():
    registry = Registry("model")
    for factory in (linear, failing):
        name = factory.__name__
        registry.add(Registered(name, "model", factory, "cxr-extra", "1.2", "A model."))
    return registry


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "model.safetensors"
    safetensors.torch.save_file({"weight": torch.full((2, 4), 3.0), "bias": torch.ones(2)}, path)
    return path


def test_a_model_is_built_with_its_options(models):
    network = build(Chosen(name="linear", options={"weights": "none", "width": 7}), 3, models, 'task "a"')

    assert network.weight.shape == (3, 7)
    assert network.training


def test_a_trained_model_is_rebuilt_without_fetching_the_weights_that_it_began_with(models, saved):
    network = rebuild(Chosen(name="linear", options={"weights": "imagenet", "width": 4}), 2, saved, models, 'task "a"')

    assert torch.equal(network.weight, torch.full((2, 4), 3.0))
    assert not network.training


def test_a_state_that_does_not_fit_is_an_error(models, saved):
    with pytest.raises(InputError, match=r'does not fit the model "linear" \(size mismatch for weight'):
        rebuild(Chosen(name="linear", options={"weights": "none", "width": 5}), 2, saved, models, 'task "a"')


def test_a_missing_state_is_an_error(models, tmp_path):
    with pytest.raises(InputError, match=r"model.safetensors: missing"):
        rebuild(Chosen(name="linear", options={"weights": "none"}), 2, tmp_path / "model.safetensors", models, "a")


def test_a_damaged_state_is_an_error(models, saved):
    saved.write_bytes(b"cut")

    with pytest.raises(InputError, match=r"model.safetensors: cannot be read \(.*\), train the task again"):
        rebuild(Chosen(name="linear", options={"weights": "none"}), 2, saved, models, "a")


def test_what_a_plugin_says_of_its_input_passes(models):
    with pytest.raises(InputError, match="imagenet cannot be downloaded"):
        build(Chosen(name="linear", options={}), 2, models, "a")


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("error", r"failed \(ZeroDivisionError: by nought\)"),
        ("text", "is a str, must be a torch.nn.Module"),
    ],
)
def test_a_plugin_that_fails_is_named_with_its_distribution(models, kind, reason):
    with pytest.raises(RunError, match=f'task "a": model "failing" \\(plugin "" of cxr-extra 1.2\\) {reason}'):
        build(Chosen(name="failing", options={"kind": kind}), 2, models, 'task "a"')


def test_an_unknown_model_is_an_error(models):
    with pytest.raises(InputError, match='no model "liner", did you mean "linear"'):
        build(Chosen(name="liner"), 2, models, 'task "a"')
