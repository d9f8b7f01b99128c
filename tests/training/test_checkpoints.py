import os
import pickle
import random
import re
import struct
import sys
import warnings
import zipfile
from pathlib import Path

import pytest
import safetensors.torch
import torch
from cxrkit_plugins import models as built_in
from torch import nn
from torch._weights_only_unpickler import _get_allowed_globals
from torch.serialization import MAGIC_NUMBER, PROTOCOL_VERSION

from cxrkit import weight_files
from cxrkit.discovery import load
from cxrkit.errors import InputError
from cxrkit.plans import Chosen
from cxrkit.records import Preprocessing
from cxrkit.registry import Registered, Registry
from cxrkit.training import checkpoints, models, statedicts
from cxrkit.training.images import preprocessing

CLASSES = ("NORMAL", "PNEUMONIA")


def small(num_classes, *, head="linear", hidden: int = 4, weights: str = "imagenet"):
    """A convolution, pooling, and a head of one or two layers, as the built-in resnet18 has it."""
    if weights != "none":
        raise InputError(f"{weights} cannot be downloaded")
    network = nn.Sequential()
    network.conv1 = nn.Conv2d(3, 5, 3)
    network.bn1 = nn.BatchNorm2d(5)
    network.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    two = nn.Sequential(nn.Linear(5, hidden), nn.ReLU(), nn.Linear(hidden, num_classes))
    network.fc = two if head == "two-layer" else nn.Linear(5, num_classes)
    return network


def plain(num_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, num_classes))


@pytest.fixture
def registry():
    found = Registry("model")
    for factory in (small, plain):
        found.add(Registered(factory.__name__, "model", factory, "cxr-extra", "1.2", "A model."))
    return found


def state(**options):
    torch.manual_seed(5)
    return small(2, weights="none", **options).state_dict()


def examine(registry, path, name="small", image_size=32, **options):
    return checkpoints.examine(Chosen(name=name, options=options), path, CLASSES, image_size, registry)


def saved(path, content):
    torch.save(content, path)
    return path


# ── Layouts ───────────────────────────────────────────────────────────────────────────────────────────────────────────

LAYOUTS = {
    "plain": lambda state: state,
    "of a data-parallel training": lambda state: {f"module.{name}": tensor for name, tensor in state.items()},
    "nested in a class": lambda state: {f"module.backbone.{name}": tensor for name, tensor in state.items()},
    "under state_dict": lambda state: {"state_dict": state, "epoch": 3, "optimizer": {"lr": 0.1}},
    "under model": lambda state: {"model": {f"module.{name}": tensor for name, tensor in state.items()}},
    "without batch counts": lambda state: {k: v for k, v in state.items() if "num_batches" not in k},
    "with an auxiliary classifier": lambda state: state | {"aux1.fc.weight": torch.ones(3, 3)},
    "in half precision": lambda state: {k: v.half() if v.is_floating_point() else v for k, v in state.items()},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_state_dict_is_found_in_each_layout_that_people_save(registry, tmp_path, layout):
    examined = examine(registry, saved(tmp_path / "model.pth", LAYOUTS[layout](state())))
    module = checkpoints.loaded(
        examined.model, tmp_path / "model.pth", weight_files.read(tmp_path / "model.pth"), CLASSES, registry
    )
    assert examined.model.options == {"head": "linear", "hidden": 4, "weights": "none"}
    assert not module.training
    tolerance = 1e-3 if "half" in layout else 0
    assert torch.allclose(module.fc.weight, state()["fc.weight"], atol=tolerance)
    assert torch.allclose(module.conv1.weight, state()["conv1.weight"], atol=tolerance)


def test_the_old_format_of_pytorch_is_read(registry, tmp_path):
    torch.save(state(), tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert examine(registry, tmp_path / "old.pth").parameters == 5 * 27 + 5 + 10 + 12


def test_safetensors_are_read(registry, tmp_path):
    safetensors.torch.save_file(state(), tmp_path / "model.safetensors")
    assert examine(registry, tmp_path / "model.safetensors").distribution == "cxr-extra"


@pytest.mark.parametrize("last", [2, 3])
def test_a_head_of_two_layers_is_recognised_with_its_width_and_a_dropout_between_them_is_no_matter(
    registry, tmp_path, last
):
    ours = state(head="two-layer", hidden=7)
    theirs = {name.replace("fc.2.", f"fc.{last}."): tensor for name, tensor in ours.items()}
    path = saved(tmp_path / "model.pth", {f"module.{name}": tensor for name, tensor in theirs.items()})
    examined = examine(registry, path)
    assert examined.model.options == {"head": "two-layer", "hidden": 7, "weights": "none"}
    module = checkpoints.loaded(examined.model, path, weight_files.read(path), CLASSES, registry)
    image = torch.rand(1, 3, 32, 32)
    original = small(2, head="two-layer", hidden=7, weights="none").eval()
    original.load_state_dict(ours)
    assert torch.equal(module(image), original(image))


def test_a_linear_head_in_a_sequence_is_the_same_head(registry, tmp_path):
    theirs = {name.replace("fc.", "fc.1."): tensor for name, tensor in state().items()}
    assert examine(registry, saved(tmp_path / "model.pth", theirs)).model.options["head"] == "linear"


def test_layers_are_ordered_as_numbers():
    found = statedicts.matrices({f"fc.{n}.weight": torch.ones(2, 2) for n in (10, 9, 1)} | {"fc.9.bias": 0}, "fc")
    assert found == ["fc.1", "fc.9", "fc.10"]


@pytest.mark.parametrize("head", ["linear", "two-layer"])
def test_torchvisions_names_fit_the_built_in_resnet18(tmp_path, head):
    torch.manual_seed(0)
    theirs = built_in.resnet18(2, head=head, hidden=16).state_dict()
    registry = Registry("model")
    registry.add(Registered("resnet18", "model", built_in.resnet18, "cxrkit", "0", ""))
    examined = examine(registry, saved(tmp_path / "theirs.pth", theirs), "resnet18")
    assert examined.model.options["head"] == head
    assert examined.layers[0].name == "conv1"


# ── What is refused ───────────────────────────────────────────────────────────────────────────────────────────────────


class Payload:
    """Would run when it is unpickled."""

    def __reduce__(self):
        return (exec, ("raise SystemExit('ran')",))


def without_bias(number):
    return {name: tensor for name, tensor in state().items() if name != "conv1.bias"} | {"more": torch.ones(number)}


REFUSED = {
    "code": (
        Payload,
        r"holds [\w.]*exec, more than tensors, give a file of the model's state_dict\(\) alone",
    ),
    "a whole model": (lambda: small(2, weights="none"), r"holds [\w.]+, more than tensors, give"),
    "a list": (lambda: [1, 2], "holds no state dict but a list, give"),
    "other keys": (lambda: {"epoch": 3, "lr": 0.1}, "holds no state dict but the keys epoch, lr, give"),
    "nothing": (dict, "holds no state dict but the keys of nothing, give"),
    "not a number": (lambda: state() | {"fc.bias": torch.tensor([1.0, float("nan")])}, '"fc.bias" holds values that'),
    "nothing in a tensor": (lambda: state() | {"fc.weight": torch.ones(10**12, 0)}, '"fc.weight" is empty'),
    "more than is there": (
        lambda: state() | {"fc.weight": torch.ones(1).expand(10**9, 5)},
        r'"fc.weight" of \[1000000000, 5\] is larger than what the file holds of it',
    ),
    "three outputs": (
        lambda: small(3, weights="none").state_dict(),
        'as "small": gives 3 outputs, needed is one for each of the classes NORMAL, PNEUMONIA',
    ),
    "one output": (lambda: small(1, weights="none").state_dict(), "gives 1 output, needed is one for each"),
    "another shape": (
        lambda: state() | {"conv1.weight": torch.ones(5, 3, 7, 7)},
        r'another architecture, 1 tensor differs, the first is "conv1.weight" of \[5, 3, 7, 7\] in place of \[5, 3',
    ),
    "other names": (lambda: without_bias(3), '2 tensors differ, the first is "conv1.bias", which the file lacks'),
    "three layers": (
        lambda: state() | {"fc.1.weight": torch.ones(2, 2), "fc.2.weight": torch.ones(2, 2)},
        'the first is "fc.1.weight", which the model lacks',
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_such_model_is_told_in_a_sentence_and_nothing_of_it_runs(registry, tmp_path, what):
    make, message = REFUSED[what]
    path = saved(tmp_path / "model.pth", make())
    with pytest.raises(InputError, match=f"^{re.escape(str(path))}: .*{message}"):
        examine(registry, path)


@pytest.mark.parametrize("content", [b"", b"cut", b"hello"])
@pytest.mark.parametrize("name", ["model.pth", "model.safetensors"])
def test_a_damaged_file_is_told(registry, tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=r"model\.\w+: .*(cannot be read|no file of PyTorch's, or damaged).*, give a"):
        examine(registry, tmp_path / name)


def test_a_truncated_file_is_told(registry, tmp_path):
    path = saved(tmp_path / "model.pth", state())
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(InputError, match=r"model.pth: "):
        examine(registry, path)


def test_an_unknown_architecture_and_a_wrong_option_are_told(registry, tmp_path):
    path = saved(tmp_path / "model.pth", state())
    with pytest.raises(InputError, match='no model "smal", did you mean "small"'):
        examine(registry, path, "smal")
    with pytest.raises(InputError, match=r'model "small"\.hiden: unknown option, did you mean "hidden"'):
        examine(registry, path, hiden=3)


def test_a_model_that_takes_no_images_of_this_size_is_told(registry, tmp_path):
    path = saved(tmp_path / "plain.pth", plain(2).state_dict())
    assert examine(registry, path, "plain").model == Chosen(name="plain")
    with pytest.raises(InputError, match="takes no images of 48 pixels"):
        examine(registry, path, "plain", image_size=48)


def test_only_images_that_are_prepared_as_ours_are_supported():
    ours = preprocessing(64)
    assert checkpoints.differing(ours) == []
    theirs = Preprocessing(image_size=64, resize=64, mean=[0.5], std=ours.std)
    assert checkpoints.differing(theirs) == [
        f"resize 64, cxrkit's is {ours.resize}",
        f"mean [0.5], cxrkit's is {ours.mean}",
    ]


# ── Of strangers ──────────────────────────────────────────────────────────────────────────────────────────────────────


class Malicious:
    """What writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("zipped", [True, False])
def test_no_pickle_is_carried_out(tmp_path, zipped):
    torch.save(
        {"a": torch.zeros(2), "b": Malicious(tmp_path / "done")},
        tmp_path / "m.pth",
        _use_new_zipfile_serialization=zipped,
    )
    with pytest.raises(InputError, match="more than tensors"):
        weight_files.read(tmp_path / "m.pth")
    (tmp_path / "p.pth").write_bytes(pickle.dumps(Malicious(tmp_path / "done")))
    with pytest.raises(InputError):
        weight_files.read(tmp_path / "p.pth")
    assert not (tmp_path / "done").exists()


def test_a_foreign_pickle_is_told_without_a_warning(tmp_path, recwarn):
    (tmp_path / "a.pth").write_bytes(b"\x80\x07" + pickle.dumps(1)[2:])
    with pytest.raises(InputError, match=r"a\.pth: "):
        weight_files.read(tmp_path / "a.pth")
    assert not recwarn.list


def test_a_compressed_file_is_not_inflated(tmp_path):
    torch.save({"a": torch.zeros(2)}, tmp_path / "a.pth")
    with zipfile.ZipFile(tmp_path / "a.pth") as stored, zipfile.ZipFile(tmp_path / "b.pth", "w") as packed:
        for name in stored.namelist():
            packed.writestr(name, stored.read(name), zipfile.ZIP_DEFLATED)
    with pytest.raises(InputError, match="is compressed, which PyTorch never does"):
        weight_files.read(tmp_path / "b.pth")


def test_a_size_that_the_file_does_not_hold_is_refused_before_memory_is_taken(tmp_path):
    path = tmp_path / "a.pth"
    torch.save({"a": torch.zeros(77)}, path, _use_new_zipfile_serialization=False)
    content = path.read_bytes()
    assert content.count(b"KM") > 1
    path.write_bytes(content.replace(b"KM", b"\x8a\x06" + (10**10).to_bytes(6, "little")))
    with pytest.raises(InputError, match=r"claims a size of 10,000,000,000, which is more than the file holds"):
        weight_files.read(path)


def pickled_file(path, content, *, zipped):
    """A file of PyTorch's whose description is these operations."""
    torch.save({"a": torch.zeros(70, 200)}, path, _use_new_zipfile_serialization=zipped)
    content = b"\x80\2" + content + b"."
    if zipped:
        with zipfile.ZipFile(path) as before:
            parts = {name: before.read(name) for name in before.namelist()}
        with zipfile.ZipFile(path, "w") as archive:
            for name, part in parts.items():
                archive.writestr(name, content if name.endswith("data.pkl") else part)
    else:
        beginning = [pickle.dumps(part, 2) for part in (MAGIC_NUMBER, PROTOCOL_VERSION, {})]
        path.write_bytes(b"".join([*beginning, content, pickle.dumps([], 2)]))


TEXT = b"X\1\0\0\0a"
SHARED = b")q\0" + b"".join(b"h%ch%c\x86q%c" % (n, n, n + 1) for n in range(45))  # each twice the one before
LIST = b"](" + b"K\1" * 9_000 + b"eq\0"
HOSTILE = {
    "a key that is hashed for ever": (b"}" + SHARED + b"K\1s", "holds a tuple of more than 1,000 parts"),
    "a tuple that is shown for ever": (SHARED, "holds a tuple of more than 1,000 parts"),
    "a tuple as a key": (b"}K\1\x85K\1s", "holds a key that is no text and no short number"),
    "a number that hashes as others": (b"}\x8a\x09" + bytes(8) + b"\1K\1s", "holds a key that is no text"),
    "bytes": (b"c__builtin__\nbytearray\nJ\xff\xff\xff\x7f\x85R", "holds __builtin__.bytearray, more than tensors"),
    "values from nowhere": (
        b"}" + TEXT + b"ctorch\nFloatTensor\nM\xff\xff\x85Rs",
        "holds torch.FloatTensor, more than",
    ),
    "a new object": (b"}" + TEXT + b"ctorch.storage\nUntypedStorage\nM\xff\xff\x85\x81s", "holds torch.storage.Un"),
    "a list that is copied again and again": (
        LIST + b"".join(b"c__builtin__\nset\nh\0\x85R" for _ in range(3)),
        "copies more than 20,000 items, which no state dict needs",
    ),
    "the same in the old place": (
        LIST + b"ccollections\nOrderedDict\n)R" + b"h\0b" * 3,
        "copies more than 20,000 items, which no state dict needs",
    ),
    "a name of no end": (b"c" + b"o" * 999 + b"\nx\n)R", "holds o{60}, more than tensors"),
    "a name of no letters": (b"c\x1b[2J\nx\n)R", "holds calls, more than tensors"),
    "a call of a list": (b"]q\0(h\0h\0e)R", "no file of PyTorch's, or damaged"),
    "too little on the stack": (b"\x86", "no file of PyTorch's, or damaged"),
    "an operation that PyTorch lacks": (b"}2", "no file of PyTorch's, or damaged"),
}


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("what", HOSTILE)
def test_what_a_description_asks_for_without_end_is_refused_before_it_is_read(tmp_path, monkeypatch, what, zipped):
    content, message = HOSTILE[what]
    pickled_file(tmp_path / "a.pth", content, zipped=zipped)
    monkeypatch.setattr(torch, "load", pytest.fail)
    with pytest.raises(InputError, match=message):
        weight_files.read(tmp_path / "a.pth")


@pytest.mark.parametrize("zipped", [True, False])
def test_a_tensor_that_reaches_further_than_its_storage_is_refused_before_that_is_enlarged(tmp_path, zipped):
    path = tmp_path / "a.pth"
    torch.save({"a": torch.zeros(70, 200)}, path, _use_new_zipfile_serialization=zipped)
    content = path.read_bytes()
    assert content.count(b"KFK\xc8\x86") == 1
    path.write_bytes(content.replace(b"KFK\xc8\x86", b"K\xffK\xff\x86"))
    with pytest.raises(InputError, match="holds a tensor that is larger than its values in the file"):
        weight_files.read(path)


def test_many_storages_that_are_each_as_large_as_the_file_are_refused(tmp_path):
    path = tmp_path / "a.pth"
    torch.save({n: torch.zeros(77) for n in "abcd"}, path, _use_new_zipfile_serialization=False)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"KM", b"M" + struct.pack("<H", len(content))))
    with pytest.raises(InputError, match=r"claims a size of [\d,]+, which is more than the file holds"):
        weight_files.read(path)


@pytest.mark.parametrize("name", ["a.safetensors", "a.pth", "old.pth"])
def test_a_tensor_of_many_dimensions_is_refused(tmp_path, name):
    path, tensors = tmp_path / name, {"a": torch.zeros([1] * 70)}
    if path.suffix == ".safetensors":
        safetensors.torch.save_file(tensors, path)
    else:
        torch.save(tensors, path, _use_new_zipfile_serialization=name == "a.pth")
    with pytest.raises(InputError, match="70 dimensions, no network"):
        weight_files.read(path)


def test_a_tensor_that_is_described_twice_is_refused(tmp_path):
    one = b'"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}'
    header = b"{" + one + b", " + one + b"}"
    (tmp_path / "a.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    with pytest.raises(InputError, match=r'a\.safetensors: describes "a" twice, save the state dict again'):
        weight_files.read(tmp_path / "a.safetensors")


FORGED = {
    "a second end that is none": lambda content: content + b"PK\5\6",
    "bytes behind the end": lambda content: content + bytes(40),
    "a comment": lambda content: content[:-2] + b"\5\0hello",
    "two archives": lambda content: content + content,
    "fewer files than listed": lambda content: content[:-12] + b"\1\0" + content[-10:],
}


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("what", FORGED)
def test_an_archive_that_readers_read_differently_is_refused(tmp_path, monkeypatch, what, compressed):
    torch.save({"a": torch.zeros(2)}, tmp_path / "a.pth")
    with zipfile.ZipFile(tmp_path / "a.pth") as stored, zipfile.ZipFile(tmp_path / "b.pth", "w") as packed:
        for name in stored.namelist():
            packed.writestr(name, stored.read(name), zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED)
    (tmp_path / "b.pth").write_bytes(FORGED[what]((tmp_path / "b.pth").read_bytes()))
    monkeypatch.setattr(torch, "load", pytest.fail)
    with pytest.raises(InputError, match=r"cannot be read \(is an archive that does not end with the list of"):
        weight_files.read(tmp_path / "b.pth")


READS_SETS = "builtins.set" in _get_allowed_globals()


def of_a_training():
    """What people save with the weights: states of optimisers, schedules and generators, the same twice."""
    module = small(2, weights="none")
    optimiser = torch.optim.AdamW([{"params": [one]} for one in module.parameters()], betas=(0.8, 0.9))
    module(torch.zeros(2, 3, 8, 8)).sum().backward()
    optimiser.step()
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimiser, [3, 5])
    own = module.state_dict()
    return {
        "state_dict": own,
        "best": own,
        "optimizer": optimiser.state_dict(),
        "schedule": schedule.state_dict(),
        "generators": (random.getstate(), torch.get_rng_state()),
        "shape": torch.Size([3, 4]),
        "seed": 2**127,
        "device": torch.device("cpu"),
    }


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    "make",
    [
        of_a_training,
        pytest.param(
            lambda: {"state_dict": state(), "classes": {"A", "B"}},
            marks=pytest.mark.skipif(not READS_SETS, reason="this torch refuses sets"),
        ),
        lambda: dict(small(2, weights="none").named_parameters()),
        lambda: state() | {"more": state()["fc.weight"].T},
    ],
)
def test_what_trainings_save_is_read(tmp_path, make, zipped):
    content = make()
    torch.save(content, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    read = weight_files.read(tmp_path / "a.pth")
    assert all(torch.equal(tensor, content.get("state_dict", content)[name]) for name, tensor in read.items())
    assert len(read) == len(content.get("state_dict", content))


def test_an_ordered_dictionary_of_python_2_is_read(tmp_path):
    torch.save({"a": torch.ones(3)}, tmp_path / "a.pth")
    with zipfile.ZipFile(tmp_path / "a.pth") as archive:
        description = archive.read("a/data.pkl")
    tensor = description[description.index(b"ctorch._utils") : -2]
    pairs = b"](]q\x20(" + TEXT + tensor + b"ee"
    pickled_file(tmp_path / "b.pth", b"ccollections\nOrderedDict\n" + pairs + b"\x85R", zipped=True)
    assert list(weight_files.read(tmp_path / "b.pth")) == ["a"]


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        (b"}K\3K\1s", "3"),
        (b"}NK\1s", "of the type NoneType"),
        (b"ccollections\nOrderedDict\n](](K\1K\2\x86K\1ee\x85R", "of the type tuple"),
    ],
)
def test_of_keys_that_are_no_texts_the_type_is_told(tmp_path, content, shown):
    pickled_file(tmp_path / "a.pth", content, zipped=True)
    with pytest.raises(InputError, match=f"holds no state dict but the keys {shown}, give"):
        weight_files.read(tmp_path / "a.pth")


def test_memory_that_a_file_asks_for_in_vain_is_told(tmp_path, monkeypatch):
    def full(*_, **__):
        raise MemoryError

    torch.save({"a": torch.zeros(2)}, tmp_path / "a.pth")
    monkeypatch.setattr(torch, "load", full)
    with pytest.raises(InputError, match="needs more memory than is free"):
        weight_files.read(tmp_path / "a.pth")


@pytest.mark.parametrize("options", [{"head": "two-layer", "hidden": 10**6}, {"head": "two-layer", "hidden": 10**5}])
def test_a_network_larger_than_its_weights_is_never_built(tmp_path, options, monkeypatch):
    registry = load("cxrkit.train").models
    module = models.build(Chosen(name="resnet18"), 2, registry, "here")
    torch.save(module.state_dict(), tmp_path / "a.pth")
    built = []
    monkeypatch.setattr(checkpoints, "loaded", lambda *_: built.append(1))
    with pytest.raises(InputError, match="of another architecture"):
        checkpoints.examine(Chosen(name="resnet18", options=options), tmp_path / "a.pth", ["A", "B"], 32, registry)
    assert not built


@pytest.mark.parametrize(
    ("tensor", "what"),
    [
        (torch.empty(2, device="meta"), "without values"),
        (torch.empty(10**9, 10**6, device="meta"), "without values"),
        (torch.zeros(4, dtype=torch.uint8).view(torch.float8_e4m3fn), "is of float8_e4m3fn"),
        (torch.zeros(4, dtype=torch.complex64), "is of complex64"),
    ],
)
def test_tensors_that_are_no_weights_are_refused(tmp_path, tensor, what):
    torch.save({"a": torch.zeros(2), "b": tensor}, tmp_path / "a.pth")
    with pytest.raises(InputError, match=rf'"b" .*{what}'):
        weight_files.read(tmp_path / "a.pth")


def test_nested_tensors_are_no_weights(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.save({"a": torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)])}, tmp_path / "a.pth")
    with pytest.raises(InputError, match="nested"):
        weight_files.read(tmp_path / "a.pth")


@pytest.mark.parametrize("name", ["a.safetensors", "a.pth", "old.pth"])
def test_a_description_of_millions_of_tensors_is_refused_before_it_is_read(tmp_path, monkeypatch, name):
    path, tensors = tmp_path / name, {f"layer{number}": torch.zeros(1) for number in range(200)}
    if path.suffix == ".safetensors":
        safetensors.torch.save_file(tensors, path)
    else:
        torch.save(tensors, path, _use_new_zipfile_serialization=name == "a.pth")
    assert len(weight_files.read(path)) == 200
    monkeypatch.setattr(weight_files, "LONGEST_DESCRIPTION", 5_000)
    with pytest.raises(InputError, match="describes its tensors in"):
        weight_files.read(path)


def test_a_list_of_millions_of_files_in_an_archive_is_not_read(tmp_path, monkeypatch):
    path, entry = tmp_path / "a.pth", b"PK\1\2" + bytes(24) + struct.pack("<H", 1) + bytes(16) + b"a"
    entries = entry * (weight_files.LONGEST_LIST // len(entry) + 1)
    end = b"PK\5\6" + bytes(8) + struct.pack("<LLH", len(entries), 4, 0)
    path.write_bytes(b"PK\3\4" + entries + end)
    monkeypatch.setattr(torch, "load", pytest.fail)
    with pytest.raises(InputError, match="no file of PyTorch's, or damaged"):
        weight_files.read(path)


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of POSIX")
@pytest.mark.parametrize("name", ["a.pth", "a.safetensors"])
def test_nobody_waits_for_a_pipe(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(InputError, match=r"cannot be read \(is no regular file\)"):
        weight_files.read(tmp_path / name)


def test_what_a_file_calls_its_tensors_is_told_in_short(tmp_path):
    torch.save({"x" * 100_000: 1}, tmp_path / "a.pth")
    with pytest.raises(InputError) as caught:
        weight_files.read(tmp_path / "a.pth")
    assert len(str(caught.value)) < 400 + len(str(tmp_path))
