from typing import get_args

import numpy as np
import pytest
import safetensors.torch
import torch
from cxrkit_plugins.models import cxrkit_register_models
from PIL import Image
from torch import nn

from cxrkit.config.schema import CamMethod
from cxrkit.data.images import read_grey
from cxrkit.errors import InputError
from cxrkit.plans import Chosen, DevicePlan, ExplainedModel, ExplainPlan, Notice, Stage, Step
from cxrkit.records import CamIndex, ModelInfo
from cxrkit.rundir import RunDirectory
from cxrkit.training import overlays
from cxrkit.training.cams import BATCH_SIZE, Explained, mapping
from cxrkit.training.explain import explain
from cxrkit.training.images import preprocessing

SIZE = 64
BUILT_IN = cxrkit_register_models()

SPOTLIGHT = """
import torch
from torch import nn
from cxrkit import hookimpl


class Spotlight(nn.Module):
    '''Finds PNEUMONIA in what is bright.'''

    def __init__(self, evidence):
        super().__init__()
        self.brightness = nn.Conv2d(3, 1, 8, stride=8)
        self.positive = nn.ReLU()
        self.head = nn.Linear(1, 2)
        nn.init.constant_(self.brightness.weight, 1 / 192)
        nn.init.zeros_(self.brightness.bias)
        self.head.weight.data = torch.tensor([[-evidence], [evidence]])

    def forward(self, images):
        return self.head(self.positive(self.brightness(images)).mean((2, 3)))


@hookimpl
def cxrkit_register_models():
    return {"spotlight": spotlight}


def spotlight(num_classes: int, *, evidence: float = 1.0) -> nn.Module:
    '''Bright places are evidence.'''
    return Spotlight(evidence)
"""


class Run:
    """A run directory of trained models, as the training leaves it, and images to be explained."""

    def __init__(self, folder):
        self.directory = RunDirectory(folder / "run")
        self.images = folder / "images"
        self.images.mkdir()
        self.models = []
        self.told = []

    def train(self, task, name, network, options=None):
        seed = self.directory.task(task).seed(0)
        seed.root.mkdir(parents=True)
        safetensors.torch.save_model(network, str(seed.model))
        ModelInfo(
            task=task,
            seed=0,
            model=name,
            distribution="x",
            class_names=["NORMAL", "PNEUMONIA"],
            positive="PNEUMONIA",
            preprocessing=preprocessing(SIZE),
            parameters=0,
            trainable=0,
        ).write(seed.model_info)
        chosen = Chosen(name=name, options=options or {})
        self.models.append(ExplainedModel(task=task, seed=0, model=chosen))

    def built_in(self, task, name, **options):
        torch.manual_seed(0)
        self.train(task, name, BUILT_IN[name](2, **options), options)

    def image(self, name, width=90, height=120, spot=None):
        grey = np.random.default_rng(len(name)).integers(0, 60, (height, width)).astype(np.uint8)
        if spot is not None:
            grey[:] = 20
            half = min(width, height) // 8
            grey[spot[1] - half : spot[1] + half, spot[0] - half : spot[0] + half] = 255
        Image.fromarray(grey).save(self.images / name)

    def explain(self, *, images, method="GradCAM", layer=None):
        plan = ExplainPlan(
            run_directory=str(self.directory.root),
            roots={"test": str(self.images)},
            set="test",
            models=self.models,
            images=images,
            rule="all of them",
            method=method,
            layer=layer,
            devices=DevicePlan(device="cpu", threads=2),
        )
        self.told.clear()
        explain(plan, self.told.append)

    def index(self, task):
        return CamIndex.read(self.directory.task(task).cam / "index.json")

    def raw(self, task, entry):
        return np.asarray(Image.open(self.directory.task(task).cam / entry.raw)).astype(float) / 65535

    def overlay(self, task, entry):
        return np.asarray(Image.open(self.directory.task(task).cam / entry.overlay)).astype(float)

    @property
    def notices(self):
        return [event.message for event in self.told if isinstance(event, Notice)]


@pytest.fixture
def run(tmp_path):
    return Run(tmp_path)


@pytest.fixture
def spotlight(install):
    install("cxr-spotlight", SPOTLIGHT, group="cxrkit.train")
    import cxr_spotlight

    return cxr_spotlight


@pytest.mark.parametrize(("width", "height", "x", "y"), [(200, 150, 130, 40), (150, 200, 40, 130), (160, 160, 50, 110)])
def test_a_map_lies_over_what_the_model_looked_at(run, spotlight, width, height, x, y):
    run.train("bright", "spotlight", spotlight.spotlight(2))
    run.image("a.png", width, height, spot=(x, y))

    run.explain(images=["a.png"])

    (entry,) = run.index("bright").entries
    box = overlays.seen(width, height, preprocessing(SIZE))
    raw = run.raw("bright", entry)
    rows, columns = np.nonzero(raw > 0.5)
    assert raw.shape == (SIZE, SIZE)
    step = (box.right - box.left) / SIZE
    assert box.left + (columns.mean() + 0.5) * step == pytest.approx(x, abs=4 * step)
    assert box.top + (rows.mean() + 0.5) * step == pytest.approx(y, abs=4 * step)

    overlay = run.overlay("bright", entry)
    assert overlay.shape == (height, width, 3)
    rows, columns = np.nonzero(overlay[..., 0] - overlay[..., 2] > 60)
    assert columns.mean() == pytest.approx(x, abs=4 * step)
    assert rows.mean() == pytest.approx(y, abs=4 * step)


def test_the_map_is_grad_cam_of_the_positive_class(run):
    """Against Selvaraju et al. (2017) by hand: gradients averaged over the places weigh the channels."""
    run.built_in("a", "resnet18")
    run.image("a.png", SIZE, SIZE)

    run.explain(images=["a.png"])

    from cxrkit.training.images import normalised, view

    network = BUILT_IN["resnet18"](2)
    network.load_state_dict(safetensors.torch.load_file(run.directory.task("a").seed(0).model))
    network.eval()
    images = normalised(torch.tensor(view(read_grey(run.images / "a.png"), SIZE)[None]))
    body = nn.Sequential(*list(network.children())[:-2])
    activation = body(images)
    score = network.fc(activation.mean((2, 3)))[0, 1]
    (gradient,) = torch.autograd.grad(score, activation)
    expected = torch.relu((gradient.mean((2, 3), keepdim=True) * activation).sum(1, keepdim=True))
    expected = (expected - expected.min()) / (expected.max() - expected.min())
    expected = nn.functional.interpolate(expected, (SIZE, SIZE), mode="bilinear", align_corners=False)
    assert run.raw("a", run.index("a").entries[0]) == pytest.approx(expected[0, 0].detach().numpy(), abs=1e-3)


def test_every_model_explains_the_same_images(run):
    run.built_in("scratch", "resnet18")
    run.built_in("small", "squeezenet1_1")
    names = ["a.png", "b.png", "sub folder/b.png"]
    (run.images / "sub folder").mkdir()
    for name in names:
        run.image(name)

    run.explain(images=names)

    for task, layer in (("scratch", "layer4"), ("small", "classifier.2")):
        index = run.index(task)
        assert [entry.image for entry in index.entries] == names
        assert {entry.class_name for entry in index.entries} == {"PNEUMONIA"}
        assert (index.method, index.layer, index.seed, index.rule) == ("GradCAM", layer, 0, "all of them")
        files = {file for entry in index.entries for file in (entry.overlay, entry.raw)}
        assert len(files) == 6
        assert all((run.directory.task(task).cam / file).is_file() for file in files)


def test_progress_is_told_over_all_models(run, spotlight):
    run.train("a", "spotlight", spotlight.spotlight(2))
    run.train("b", "spotlight", spotlight.spotlight(2))
    names = [f"{number}.png" for number in range(18)]
    for name in names:
        run.image(name)

    run.explain(images=names)

    assert run.told[0] == Stage(name="explaining", total=36)
    steps = [event.step for event in run.told if isinstance(event, Step)]
    assert steps == [16, 18, 34, 36]


def test_frozen_layers_can_be_explained(run):
    run.built_in("a", "resnet18-pretrained", weights="none", freeze="layer4")
    run.image("a.png")

    run.explain(images=["a.png"])

    assert run.index("a").layer == "layer4"


def test_the_weights_that_a_training_began_with_are_not_needed(run):
    """They were a file or a download, which may be gone."""
    torch.manual_seed(0)
    network = BUILT_IN["resnet18-pretrained"](2, weights="none")
    run.train("a", "resnet18-pretrained", network, {"weights": "gone.pth", "head": "linear"})
    run.image("a.png")

    run.explain(images=["a.png"])

    assert len(run.index("a").entries) == 1


def test_maps_are_the_same_each_time(run, spotlight):
    run.train("a", "spotlight", spotlight.spotlight(2))
    run.image("a.png")

    def raw():
        run.explain(images=["a.png"], method="SmoothGradCAMpp")
        return run.raw("a", run.index("a").entries[0])

    assert np.array_equal(raw(), raw())


@pytest.mark.parametrize("seed", [2, 4, 5])  # of weights with which single images' maps were seen to differ
def test_the_map_of_a_single_image_is_the_same_each_time_to_the_last_bit(seed):
    """At 32 pixels the last layers of a ResNet-18 have one place each."""
    torch.manual_seed(seed)
    info = ModelInfo(task="a", seed=0, model="resnet18", distribution="x", class_names=["NORMAL", "PNEUMONIA"],
                     positive="PNEUMONIA", preprocessing=preprocessing(32), parameters=0, trainable=0)  # fmt: skip
    explained = Explained("a", BUILT_IN["resnet18"](2).eval(), info, "layer2")
    seen = np.random.default_rng(0).integers(0, 256, (BATCH_SIZE + 1, 32, 32)).astype(np.uint8)
    with mapping("GradCAM", explained, DevicePlan(device="cpu", threads=2)) as maps:
        assert len({maps(seen[:1]).tobytes() for _ in range(20)}) == 1
        assert maps(seen)[-1].tobytes() == maps(seen[-1:])[0].tobytes()


@pytest.mark.parametrize("method", [method for method in get_args(CamMethod) if method != "none"])
def test_each_method_finds_the_place(run, spotlight, method):
    run.train("bright", "spotlight", spotlight.spotlight(2))
    run.image("a.png", SIZE, SIZE, spot=(40, 20))
    run.image("bb.png", SIZE, SIZE, spot=(20, 40))

    run.explain(images=["a.png", "bb.png"], method=method)

    first, second = (run.raw("bright", entry) for entry in run.index("bright").entries)
    assert (first.min(), first.max()) == (0, 1)
    assert first[20, 40] > 0.9
    assert first[40, 20] < 0.1
    assert second[40, 20] > 0.9
    assert second[20, 40] < 0.1


def test_an_unknown_method_is_an_error(run):
    with pytest.raises(InputError, match=r'explain.method: no method "GradCam", did you mean "GradCAM"'):
        run.explain(images=[], method="GradCam")


def test_a_method_that_does_not_fit_a_model_is_told(run, spotlight):
    """CAM (Zhou et al., 2016) needs one fully connected layer after global pooling."""
    run.built_in("a", "resnet18")
    run.train("b", "spotlight", spotlight.spotlight(2))
    run.image("a.png", spot=(45, 60))

    run.explain(images=["a.png"], method="CAM")

    assert len(run.notices) == 1
    assert 'task "a": no activation maps: explain.method: CAM does not fit this model' in run.notices[0]
    assert len(run.index("b").entries) == 1


def test_the_layer_can_be_given(run):
    run.built_in("a", "resnet18")
    run.image("a.png")

    run.explain(images=["a.png"], layer="layer3.1")

    assert run.index("a").layer == "layer3.1"


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        ("layr4", 'explain.layer: no layer "layr4", did you mean "layer4"'),
        ("fc.0", r'explain.layer: "fc.0" gives \[256\], a feature map is \[channels, height, width\]'),
    ],
)
def test_a_layer_that_no_model_has_is_an_error(run, layer, reason):
    run.built_in("a", "resnet18")
    run.image("a.png")

    with pytest.raises(InputError, match=reason):
        run.explain(images=["a.png"], layer=layer)


def test_a_layer_that_one_model_has_is_a_notice_for_the_others(run, spotlight):
    run.built_in("a", "resnet18")
    run.train("b", "spotlight", spotlight.spotlight(2))
    run.image("a.png", spot=(45, 60))

    run.explain(images=["a.png"], layer="layer4")

    assert len(run.index("a").entries) == 1
    assert 'task "b": no activation maps: explain.layer: no layer "layer4"' in run.notices[0]
    assert not (run.directory.task("b").cam / "index.json").exists()


FLAT = """
from torch import nn
from cxrkit import hookimpl


@hookimpl
def cxrkit_register_models():
    return {"flat": flat}


def flat(num_classes: int) -> nn.Module:
    '''No convolution.'''
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 64 * 64, num_classes))
"""


def test_a_model_without_feature_map_is_a_notice_and_the_others_go_on(run, install, spotlight):
    install("cxr-flat", FLAT, group="cxrkit.train")
    import cxr_flat

    run.train("flat", "flat", cxr_flat.flat(2))
    run.train("other", "spotlight", spotlight.spotlight(2))
    run.image("a.png", spot=(45, 60))

    run.explain(images=["a.png"])

    what = 'the model "flat" has no feature map over the image (explain.layer can name one)'
    assert run.notices == [f'task "flat": no activation maps: {what}']
    assert len(run.index("other").entries) == 1


def test_maps_without_evidence_are_black_and_counted(run, spotlight):
    """Where brightness speaks against pneumonia, nothing is left after the ReLU."""
    run.train("dark", "spotlight", spotlight.spotlight(2, evidence=-1.0), {"evidence": -1.0})
    run.image("a.png", spot=(45, 60))

    run.explain(images=["a.png"])

    assert not run.raw("dark", run.index("dark").entries[0]).any()
    assert run.notices == ['task "dark": 1 of 1 maps are empty: no evidence for PNEUMONIA at layer positive']


def test_maps_that_are_no_numbers_are_empty(run, spotlight):
    network = spotlight.spotlight(2)
    network.head.weight.data.fill_(float("nan"))
    run.train("broken", "spotlight", network)
    run.image("a.png", spot=(45, 60))

    run.explain(images=["a.png"])

    assert not run.raw("broken", run.index("broken").entries[0]).any()
    assert "1 of 1 maps are empty" in run.notices[0]


def test_maps_of_an_earlier_choice_are_removed(run, spotlight):
    run.train("a", "spotlight", spotlight.spotlight(2))
    run.image("a.png")
    run.image("b.png")
    run.explain(images=["a.png"])
    before = run.index("a").entries[0]

    run.explain(images=["b.png"])

    cam = run.directory.task("a").cam
    assert not (cam / before.overlay).exists()
    assert not (cam / before.raw).exists()
    assert len([file for file in cam.rglob("*") if file.is_file()]) == 3


def test_a_failed_explanation_leaves_no_index(run, spotlight):
    run.train("a", "spotlight", spotlight.spotlight(2))
    run.image("a.png")
    run.explain(images=["a.png"])
    (run.images / "a.png").unlink()

    with pytest.raises(InputError, match=r'task "a": no activation maps: .*missing file'):
        run.explain(images=["a.png"])

    assert not (run.directory.task("a").cam / "index.json").exists()
