"""``cxrkit export`` of a model that was never trained, in what a run leaves; read back by others and by cxrkit."""

import json
import shutil
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch
import torchvision
from click.testing import CliRunner
from cxrkit_plugins.models import cxrkit_register_models
from PIL import Image
from scipy.special import softmax

from cxrkit.cli import cli
from cxrkit.data.images import read_grey
from cxrkit.data.manifest import Manifest
from cxrkit.errors import InputError, RunError
from cxrkit.files import sha256
from cxrkit.records import ModelInfo, RunInfo, TaskInfo, ThresholdRecord, Zone
from cxrkit.run import exporting
from cxrkit.rundir import RunDirectory
from cxrkit.training import onnx_files
from cxrkit.training.images import evaluation_input, preprocessing

CLASSES = ["NORMAL", "PNEUMONIA"]
RESNET = {"name": "resnet18", "options": {"hidden": 8}}
QUICK = {"name": "shufflenet_v2_x0_5", "options": {}}
CHOSEN = ThresholdRecord(value=0.47, rule="youden", set="val", n=30)
TESTED = 7
ABSENT = [name for name in exporting.LIBRARIES if exporting.find_spec(name) is None]
needs_onnx = pytest.mark.skipif(bool(ABSENT), reason=f"{', '.join(ABSENT)}: not installed")


def cxrkit(*arguments):
    return CliRunner().invoke(cli, [*map(str, arguments)], env={"COLUMNS": "200"})


def export(*arguments):
    return cxrkit("export", *arguments)


def training(run, data, seed, *, name, options, threshold=CHOSEN):
    """Leave what a finished training leaves."""
    torch.manual_seed(seed)
    network = cxrkit_register_models()[name](2, **options).eval()
    directory = run.task("plain").seed(seed)
    directory.root.mkdir(parents=True)
    safetensors.torch.save_file(dict(network.state_dict()), directory.model)
    ModelInfo(
        task="plain",
        seed=seed,
        model=name,
        model_options=options,
        distribution="cxrkit",
        class_names=CLASSES,
        positive="PNEUMONIA",
        preprocessing=preprocessing(32),
        parameters=0,
        trainable=0,
        threshold=threshold,
        zone=Zone(lower=CHOSEN, upper=CHOSEN),
        temperature=1.7,
    ).write(directory.model_info)
    directory.plan.write_text(json.dumps({"roots": {"test": str(data)}}))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    for number in range(TESTED):
        path = folder / "test" / CLASSES[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 60 + 20 * number, (40, 48)).astype(np.uint8)).save(path)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory, data):
    """A run with one task of two seeds, whose test set is there; the second seed's network is quick to build."""
    run = RunDirectory(tmp_path_factory.mktemp("out") / "run")
    for seed, network in enumerate((RESNET, QUICK)):
        training(run, data, seed, **network)
    environment = {"cxrkit": "1", "python": "3", "platform": "any", "processor": "any", "cpu_count": 2}
    RunInfo(configuration={}, environment=environment, class_names=[], positive="", started="2026-01-01").write(
        run.info
    )
    TaskInfo(task="plain", kind="trained", state="finished", seeds=[0, 1]).write(run.task("plain").info)
    rows = [
        {"image": path.relative_to(data).as_posix(), "split": "test", "label": path.parent.name, "patient": path.stem}
        | {"sha256": sha256(path), "width": 48, "height": 40, "excluded": ""}
        for path in sorted(data.rglob("*.png"))
    ]
    Manifest(pd.DataFrame(rows), {}).write(run.manifest)
    return run


@pytest.fixture(scope="module")
def model(run):
    return run.task("plain").seed(0).model


@pytest.fixture(scope="module")
def quick(run):
    return run.task("plain").seed(1).model


def prepared(data):
    return torch.stack([evaluation_input(read_grey(path), preprocessing(32)) for path in sorted(data.rglob("*.png"))])


# ── .pth ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    path = tmp_path_factory.mktemp("exported") / "scratch.pth"
    done = export(run.root, "--seed", 0, "--format", "pth", "--output", path)
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == [str(path), str(path.with_suffix(".json"))]
    assert "resnet18 of NORMAL, PNEUMONIA (positive: PNEUMONIA), threshold 0.47 (youden on val)" in done.stderr
    return path


def test_a_state_dict_is_tensors_alone_under_torchvisions_names_and_gives_the_same(exported, model, data):
    state = torch.load(exported, weights_only=True)
    assert type(state) is dict
    theirs, ours = torchvision.models.resnet18(), cxrkit_register_models()["resnet18"](2, hidden=8)
    theirs.fc = torch.nn.Sequential(torch.nn.Linear(512, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
    theirs.load_state_dict(state, strict=True)
    original = safetensors.torch.load_file(model)
    ours.load_state_dict(original)
    assert torch.equal(theirs.eval()(prepared(data)), ours.eval()(prepared(data)))
    assert safetensors.torch.save(state) == safetensors.torch.save(original)


def test_what_was_fixed_with_the_model_lies_beside_it(exported, model):
    before, after = (ModelInfo.read(path.with_suffix(".json")) for path in (model, exported))
    assert after.model_options == {"head": "two-layer", "hidden": 8, "dropout": 0.0}
    exported_state = torch.load(exported, weights_only=True)
    assert after.parameters == sum(value.numel() for name, value in exported_state.items() if "." in name) - sum(
        value.numel() for name, value in exported_state.items() if "running" in name or "num_batches" in name
    )
    examined = ("model_options", "parameters", "trainable", "layers")
    assert after.model_dump(exclude=examined) == before.model_dump(exclude=examined)


def test_a_state_dict_is_exported_again_to_the_same_bytes(exported, tmp_path):
    done = export(exported, "--format", "pth", "--output", tmp_path / "again.pth", "--quiet")
    assert (done.exit_code, done.stderr) == (0, "")
    for suffix in (".pth", ".json"):
        assert (tmp_path / f"again{suffix}").read_bytes() == exported.with_suffix(suffix).read_bytes()


@pytest.mark.slow
def test_cxrkit_evaluate_reads_it_without_an_option_and_the_threshold_stays(exported, model, data, tmp_path):
    done = cxrkit(
        *("evaluate", "--model", model, "--model", exported, "--data", data / "test", "--format", "txt"),
        *("--device", "cpu", "--output", tmp_path / "run"),
    )
    assert done.exit_code == 0, done.output
    assert "assumed" not in done.stderr
    tasks = sorted((tmp_path / "run" / "tasks").iterdir())
    assert [path.name for path in tasks] == ["plain", "scratch"]
    for name in ("predictions/test.csv", "seeds/0/model.safetensors"):
        assert len({(task / name).read_bytes() for task in tasks}) == 1
    for info in [TaskInfo.read(task / "task.json") for task in tasks]:
        assert (info.threshold, info.zone.lower, info.temperature.value) == (CHOSEN, CHOSEN, 1.7)


def test_a_model_without_a_threshold_keeps_none(data, tmp_path):
    run = RunDirectory(tmp_path / "run")
    training(run, data, 0, **QUICK, threshold=None)
    done = export(run.task("plain").seed(0).model, "--format", "pth", "--output", tmp_path / "x.pt")
    assert done.exit_code == 0
    assert "no threshold was chosen for it, the file carries none." in done.stderr
    assert ModelInfo.read(tmp_path / "x.json").threshold is None


def test_a_file_that_cannot_be_written_leaves_neither(quick, tmp_path, monkeypatch):
    def full(path, module):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cxrkit.training.state.write_state_dict", full)
    done = export(quick, "--format", "pth", "--output", tmp_path / "x.pth")
    assert done.exit_code == 1
    assert "x.pth: cannot be written (No space left on device)" in done.stderr
    assert list(tmp_path.iterdir()) == []


# ── Whether and on what it is checked ─────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def comparing(monkeypatch):
    """Stand in for translation and comparison, which find a difference; without their libraries."""

    def stand_in(difference):
        def differences(_file, _module, _temperature, images):
            return onnx_files.Differences(sum(1 for _ in images), difference, 0.1)

        monkeypatch.setattr(exporting, "find_spec", lambda name: name)
        monkeypatch.setattr(onnx_files, "content", lambda *_: b"a network")
        monkeypatch.setattr(onnx_files, "differences", differences)

    return stand_in


@pytest.mark.parametrize("difference", [1.01e-4, float("nan")])
def test_a_file_that_differs_by_more_than_allowed_is_not_written(quick, tmp_path, comparing, difference):
    comparing(difference)
    done = export(quick, "--format", "onnx", "--output", tmp_path / "x.onnx")
    assert done.exit_code == 1
    assert f"by up to {difference:.2g} on {TESTED} images, allowed is 0.0001, nothing was written" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_which_images_it_is_checked_on_is_told(quick, exported, data, tmp_path, comparing):
    comparing(1e-4)
    bare = tmp_path / "model.safetensors"
    for suffix in (".safetensors", ".json"):
        shutil.copy(quick.with_suffix(suffix), bare.with_suffix(suffix))
    cases = {
        (quick,): f"{TESTED} images of the run's test set",
        (bare,): "32 generated radiographs",
        (bare, "--images", data / "test" / "NORMAL"): f"4 images of {data / 'test' / 'NORMAL'}",
    }
    for number, (arguments, told) in enumerate(cases.items()):
        path = tmp_path / f"{number}.onnx"
        done = export(*arguments, "--format", "onnx", "--output", path)
        assert done.exit_code == 0, done.output
        assert f"PyTorch on {told}: probabilities differ by at most 1.0e-04 (allowed: 1e-04)" in done.stderr
        assert path.read_bytes() == b"a network"


def test_images_that_cannot_be_read_check_nothing(quick, tmp_path, comparing):
    comparing(0)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "a.png").write_bytes(b"")
    done = export(quick, "--images", tmp_path / "broken", "--format", "onnx", "--output", tmp_path / "x.onnx")
    assert done.exit_code == 1
    assert "broken: none of them can be read, nothing was written" in done.stderr
    assert not (tmp_path / "x.onnx").exists()


# ── ONNX ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def onnx_file(run, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "scratch.onnx"
    done = export(run.root, "--task", "plain", "--seed", 0, "--format", "onnx", "--output", path)
    assert done.exit_code == 0, done.output
    assert done.stdout == f"{path}\n"
    told = f"checked with onnxruntime against PyTorch on {TESTED} images of the run's test set: probabilities differ by"
    assert told in done.stderr
    return path


def session(path):
    import onnxruntime

    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


@needs_onnx
@pytest.mark.slow
def test_onnxruntime_gives_logits_and_probabilities_for_batches_of_any_length(onnx_file, model, data):
    network = cxrkit_register_models()["resnet18"](2, hidden=8).eval()
    network.load_state_dict(safetensors.torch.load_file(model))
    inputs = prepared(data)
    with torch.no_grad():
        expected = network(inputs).numpy()
    opened = session(onnx_file)
    for count in (1, 3, TESTED):
        logits, raw, calibrated = opened.run(None, {"image": inputs[:count].numpy()})
        assert np.allclose(logits, expected[:count], atol=1e-5)
        assert np.allclose(raw, softmax(expected[:count], axis=1), atol=1e-6)
        assert np.allclose(calibrated, softmax(expected[:count] / 1.7, axis=1), atol=1e-6)
    assert [output.name for output in opened.get_outputs()] == ["logits", "probabilities", "calibrated_probabilities"]


@needs_onnx
@pytest.mark.slow
def test_the_file_tells_what_was_fixed_and_nothing_of_this_machine(onnx_file, model):
    import onnx

    proto = onnx.load(onnx_file)
    onnx.checker.check_model(proto)
    told = json.loads(session(onnx_file).get_modelmeta().custom_metadata_map["cxrkit"])
    assert [(one.domain, one.version) for one in proto.opset_import] == [("", told["opset"])] == [("", 18)]
    assert (told["class_names"], told["positive"]) == (CLASSES, "PNEUMONIA")
    assert told["preprocessing"] == preprocessing(32).model_dump()
    assert told["preprocessing_steps"][1] == "resize the shorter side to 36 pixels, bilinear with antialiasing"
    assert ThresholdRecord(**told["threshold"]) == CHOSEN
    assert (told["threshold_on"], told["temperature"], told["zone"]["lower"]["value"]) == ("probabilities", 1.7, 0.47)
    assert (told["architecture"], told["seed"], told["weights_sha256"]) == ("resnet18", 0, sha256(model))
    content = onnx_file.read_bytes()
    assert not [
        place for place in (Path(torch.__file__).parents[1], Path(__file__).parents[2]) if bytes(place) in content
    ]


def biased(proto):
    """Shift one logit."""
    import onnx

    names = {node.input[2] for node in proto.graph.node if node.op_type == "Gemm"}
    bias = next(one for one in proto.graph.initializer if one.name in names and list(one.dims) == [2])
    values = onnx.numpy_helper.to_array(bias) + np.array([0, 0.002], dtype=np.float32)
    bias.CopyFrom(onnx.numpy_helper.from_array(values, bias.name))


def otherwise_prepared(proto):
    """Tell of another mean than the network is fed with."""
    metadata = json.loads(proto.metadata_props[0].value)
    metadata["preprocessing"]["mean"][0] = 0.5
    proto.metadata_props[0].value = json.dumps(metadata)


def without_batches(proto):
    """Take one image alone."""
    proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1


@needs_onnx
@pytest.mark.slow
@pytest.mark.parametrize(
    ("tampered", "message"),
    [
        (
            biased,
            r"as ONNX gives other probabilities than in PyTorch, by up to 0\.000\d+ on 7 images, allowed is 0.0001",
        ),
        (otherwise_prepared, "as ONNX gives other probabilities than in PyTorch"),
        (without_batches, "onnxruntime: fails on the exported file"),
    ],
)
def test_a_file_that_gives_something_else_than_pytorch_is_not_written(
    onnx_file, model, tmp_path, monkeypatch, tampered, message
):
    import onnx

    proto = onnx.load(onnx_file)
    tampered(proto)
    monkeypatch.setattr(onnx_files, "content", lambda *_: proto.SerializeToString())
    ready = exporting.prepare(exporting.Request(model, "onnx", tmp_path / "x.onnx"))
    with pytest.raises(RunError, match=message):
        exporting.write_onnx(ready, lambda _done, _total: None)
    assert list(tmp_path.iterdir()) == []


@needs_onnx
@pytest.mark.slow
def test_a_network_that_cannot_be_translated_is_told(onnx_file):
    class Deciding(torch.nn.Module):
        def forward(self, image):
            return image.mean((2, 3))[:, :2] if float(image.sum()) > 0 else image.amax((2, 3))[:, :2]

    metadata = onnx_files.OnnxMetadata.model_validate_json(
        session(onnx_file).get_modelmeta().custom_metadata_map["cxrkit"]
    )
    with pytest.raises(RunError, match=r"^here: cannot be translated to ONNX \(\w+: .+\)$"):
        onnx_files.content(Deciding(), metadata, "here")


@needs_onnx
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "size"),
    [("resnet50", 64), ("densenet121", 64), ("efficientnet_b0", 64), ("vit_b_16", 224), ("googlenet", 96)],
)
def test_other_architectures_give_the_same(name, size, tmp_path):
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchvision's, of googlenet's initial weights
        network = cxrkit_register_models()[name](2).eval()
    torch.save(network.state_dict(), tmp_path / "theirs.pth")
    ModelInfo(
        task="any",
        seed=0,
        model=name,
        distribution="cxrkit",
        class_names=CLASSES,
        positive="PNEUMONIA",
        preprocessing=preprocessing(size),
        parameters=0,
        trainable=0,
    ).write(tmp_path / "model.json")
    done = export(
        *(tmp_path / "theirs.pth", "--info", tmp_path / "model.json", "--format", "onnx"),
        *("--output", tmp_path / "x.onnx"),
    )
    assert done.exit_code == 0, done.output
    assert "on 32 generated radiographs: probabilities differ by at most" in done.stderr
    assert [output.name for output in session(tmp_path / "x.onnx").get_outputs()] == ["logits", "probabilities"]


# ── What is refused, before anything is written ───────────────────────────────────────────────────────────────────────


def refused(**changes):
    with pytest.raises(InputError) as error:
        exporting.prepare(exporting.Request(**{"format": "pth"} | changes))
    return list(error.value.problems)


def test_an_output_of_another_name_and_one_that_is_there_are_refused(quick, tmp_path):
    assert refused(model=quick, output=tmp_path / "x.onnx", images=tmp_path) == [
        f"--output: {tmp_path / 'x.onnx'} must end in .pth or .pt for --format pth",
        "--images: is what an ONNX file is checked on, leave it out",
    ]
    # What would lie beside it is the run's own.
    beside = quick.with_suffix(".pth")
    told = [f"--output: {quick.with_suffix('.json')} exists, choose another name or remove it"]
    assert refused(model=quick, output=beside) == told
    assert not beside.exists()


def test_a_run_is_asked_for_one_of_its_models(run, data, tmp_path):
    output = tmp_path / "x.pth"
    assert refused(model=run.root, output=output) == ["--seed: missing, plain has the seeds 0, 1, give one"]
    assert refused(model=run.root, output=output, task="plian") == [
        '--task: no "plian" with a saved model, did you mean "plain"?'
    ]
    assert refused(model=run.root, output=output, seed=4) == ['--seed: no "4" with a saved model, allowed are 0, 1']
    (tmp_path / "run.json").write_bytes(run.info.read_bytes())
    assert refused(model=tmp_path, output=output) == [
        f"{tmp_path}: holds no model.safetensors, which trainings and evaluated models leave there"
    ]
    told = f"--seed: chooses from a run directory, {data} is none"
    assert refused(model=data, output=output, seed=0) == [told]


def test_a_file_that_tells_nothing_of_itself_is_refused(exported, tmp_path):
    path = tmp_path / "bare.pth"
    path.write_bytes(exported.read_bytes())
    assert refused(model=path, output=tmp_path / "x.pth") == [
        f"{path}: no bare.json lies beside it that tells architecture, classes and threshold, give one with --info"
    ]
    info = exported.with_suffix(".json")
    ready = exporting.prepare(exporting.Request(path, "pth", tmp_path / "x.pth", info=info))
    assert ready.info == ModelInfo.read(info)


def test_onnx_asks_for_its_libraries_and_up_to_2_gb(quick, tmp_path, monkeypatch):
    output = tmp_path / "x.onnx"
    monkeypatch.setattr(exporting, "find_spec", lambda _: None)
    assert refused(model=quick, format="onnx", output=output) == [
        '--format onnx: needs onnx, onnxruntime, onnxscript, pip install "cxrkit[onnx]"'
    ]
    monkeypatch.setattr(exporting, "find_spec", lambda name: name)
    monkeypatch.setattr(exporting, "LARGEST", 1_000_000)
    (told,) = refused(model=quick, format="onnx", output=output)
    assert told.endswith("of weights, an ONNX file holds up to 2 GB, choose --format pth")
