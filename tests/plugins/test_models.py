import copy

import pytest
import torch
from cxrkit_plugins import models
from torch import nn

from cxrkit import options
from cxrkit.errors import InputError

IMAGES = torch.zeros(2, 3, 64, 64)
OFFERED = models.cxrkit_register_models()
SMALL = ["squeezenet1_1", "mobilenet_v3_small", "shufflenet_v2_x0_5", "mnasnet0_5", "regnet_y_400mf", "resnet18"]


def frozen_resnet18(freeze):
    return models.resnet18_pretrained(2, weights="none", freeze=freeze)


def trained_parts(network):
    return {name for name, part in network.named_children() if any(p.requires_grad for p in part.parameters())}


def test_the_course_models_and_torchvision_classifiers_are_offered():
    assert {"resnet18", "resnet18-pretrained", "densenet121", "vit_b_16", "efficientnet_b0"} <= set(OFFERED)


def test_models_for_other_jobs_are_not_offered():
    assert not [name for name in OFFERED if "quantized" in name or "rcnn" in name or "deeplab" in name]


@pytest.mark.parametrize("name", sorted(OFFERED))
def test_every_model_has_options_of_its_own_and_a_summary(name):
    known = {option.name for option in options.describe(OFFERED[name])}

    assert known in (
        {"weights", "freeze"},
        {"architecture", "weights", "freeze"},
        {"head", "hidden", "dropout"},
        {"weights", "freeze", "head", "hidden", "dropout"},
    )
    assert OFFERED[name].__doc__.splitlines()[0].endswith(".")


def test_scratch_has_two_fully_connected_layers():
    assert [type(layer).__name__ for layer in models.resnet18(2).fc] == ["Linear", "ReLU", "Linear"]
    assert models.resnet18(2).fc[0].weight.shape == (256, 512)
    assert models.resnet18(3)(IMAGES).shape == (2, 3)


def test_head_can_be_linear_and_have_dropout():
    assert isinstance(models.resnet18(2, head="linear").fc, nn.Linear)
    assert [type(layer).__name__ for layer in models.resnet18(2, head="linear", dropout=0.5).fc] == [
        "Dropout",
        "Linear",
    ]
    assert models.resnet18(2, dropout=0.5, hidden=8).fc[2].p == 0.5


@pytest.mark.parametrize("hidden", [0, 10**7, 10**400], ids=["none", "too many", "no machine's number"])
@pytest.mark.parametrize("name", ["resnet18", "resnet18-pretrained"])
def test_a_head_has_as_many_units_as_memory_may_hold(name, hidden):
    with pytest.raises(InputError, match=r"^here\.hidden: must be (greater|less) than or equal to (1|1000000), got"):
        options.check(OFFERED[name], {"hidden": hidden}, "here")


def test_pretrained_has_a_linear_head_by_default():
    assert isinstance(frozen_resnet18("none").fc, nn.Linear)


def test_scratch_depends_on_the_seed_alone():
    def weight(seed):
        torch.manual_seed(seed)
        return models.resnet18(2).conv1.weight

    assert torch.equal(weight(1), weight(1))
    assert not torch.equal(weight(1), weight(2))


@pytest.mark.parametrize("name", SMALL)
def test_a_torchvision_model_gives_as_many_logits_as_there_are_classes(name):
    assert OFFERED[name](3)(IMAGES).shape == (2, 3)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["googlenet", "inception_v3", "vgg11", "densenet121", "convnext_tiny", "swin_t", "vit_b_16", "maxvit_t"]
)
def test_each_family_gives_logits_in_training_mode(name):
    size = 299 if name == "inception_v3" else 224

    assert OFFERED[name](3).train()(torch.zeros(2, 3, size, size)).shape == (2, 3)


def test_nothing_is_frozen_by_default():
    assert all(parameter.requires_grad for parameter in frozen_resnet18("none").parameters())


@pytest.mark.parametrize(
    ("freeze", "trained"),
    [
        ("conv1", {"bn1", "layer1", "layer2", "layer3", "layer4", "fc"}),
        ("bn1", {"layer1", "layer2", "layer3", "layer4", "fc"}),
        ("layer2", {"layer3", "layer4", "fc"}),
        ("layer4", {"fc"}),
    ],
)
def test_everything_up_to_and_with_the_named_layer_is_frozen(freeze, trained):
    assert trained_parts(frozen_resnet18(freeze)) == trained


def test_freezing_may_end_within_a_part():
    network = frozen_resnet18("layer2.0")

    assert not any(parameter.requires_grad for parameter in network.layer2[0].parameters())
    assert all(parameter.requires_grad for parameter in network.layer2[1].parameters())


def test_frozen_batch_norms_stay_in_evaluation_mode():
    network = frozen_resnet18("layer2").train()

    modes = {name: part.training for name, part in network.named_modules() if isinstance(part, nn.BatchNorm2d)}
    assert {name for name, training in modes.items() if not training} == {
        name for name in modes if name.startswith(("bn1", "layer1", "layer2"))
    }


def test_frozen_statistics_do_not_move_and_the_others_do():
    network = frozen_resnet18("layer2").train()
    before = copy.deepcopy(network.state_dict())

    network(torch.randn(4, 3, 64, 64))

    after = network.state_dict()
    assert torch.equal(after["layer2.1.bn2.running_mean"], before["layer2.1.bn2.running_mean"])
    assert torch.equal(after["bn1.running_var"], before["bn1.running_var"])
    assert not torch.equal(after["layer3.0.bn1.running_mean"], before["layer3.0.bn1.running_mean"])


def test_no_gradient_is_computed_through_frozen_layers():
    network = frozen_resnet18("layer2").train()
    outputs = {}
    for name in ("layer2", "layer3"):
        network.get_submodule(name).register_forward_hook(lambda _m, _i, out, name=name: outputs.update({name: out}))

    network(torch.randn(2, 3, 64, 64)).sum().backward()

    assert outputs["layer2"].grad_fn is None
    assert outputs["layer3"].grad_fn is not None
    assert network.layer2[0].conv1.weight.grad is None
    assert network.layer3[0].conv1.weight.grad is not None


def test_a_copy_of_a_frozen_model_is_frozen():
    """Weight averaging copies the model."""
    copied = copy.deepcopy(frozen_resnet18("layer1")).train()

    assert not copied.bn1.training
    assert trained_parts(copied) == {"layer2", "layer3", "layer4", "fc"}


def test_freezing_changes_no_name_of_the_state_dict():
    assert frozen_resnet18("layer3").state_dict().keys() == frozen_resnet18("none").state_dict().keys()


def test_a_frozen_model_computes_what_the_same_model_computes():
    network = models.resnet18_pretrained(2, weights="none")
    frozen = frozen_resnet18("layer3")
    frozen.load_state_dict(network.state_dict())
    images = torch.randn(2, 3, 64, 64)

    assert torch.equal(frozen.eval()(images), network.eval()(images))


def test_layers_of_a_torchvision_model_freeze_by_dotted_name():
    network = OFFERED["mobilenet_v3_small"](2, freeze="features.3")

    assert not any(p.requires_grad for p in network.features[:4].parameters())
    assert all(p.requires_grad for p in network.features[4:].parameters())
    assert all(p.requires_grad for p in network.classifier.parameters())


@pytest.mark.parametrize(
    ("freeze", "remedy"),
    [
        ("layer22", 'did you mean "layer2"'),
        ("stem", "allowed are avgpool, bn1, conv1, layer1, layer2, layer3, layer4, maxpool, none, relu"),
        ("fc", 'no layer is named "fc"'),
    ],
)
def test_an_unknown_layer_is_an_error_that_names_what_is_allowed(freeze, remedy):
    with pytest.raises(InputError, match=remedy):
        frozen_resnet18(freeze)


@pytest.mark.parametrize("given", [{"dropout": 1.0}, {"hidden": 0}, {"head": "three-layer"}])
def test_options_out_of_range_are_refused(given):
    with pytest.raises(InputError, match=f"model.{next(iter(given))}: must"):
        options.check(models.resnet18, given, "model")
