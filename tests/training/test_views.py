"""Test-time augmentation in the child's part: which views there are, and what becomes of what is said of them."""

import json

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch
from PIL import Image
from torch import nn
from torchvision.transforms import InterpolationMode, v2

from cxrkit.config.schema import AugmentationTable, ViewAugmentationTable
from cxrkit.data.manifest import Manifest
from cxrkit.errors import RunError
from cxrkit.evaluation.predictions import read
from cxrkit.files import digest
from cxrkit.plans import Chosen, DevicePlan, ExplainedModel, Stage, Step, ViewsPlan
from cxrkit.records import ModelInfo, Timing
from cxrkit.rundir import RunDirectory
from cxrkit.training import views
from cxrkit.training.images import preprocessing

CLASSES = ["NORMAL", "PNEUMONIA"]
SIZE, VIEWS, SEED = 28, 3, 5

PIXELS = """
from torch import nn
from cxrkit import hookimpl


@hookimpl
def cxrkit_register_models():
    return {"pixels": pixels}


def pixels(num_classes: int) -> nn.Module:
    '''Logits that tell every pixel.'''
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 28 * 28, num_classes))
"""


class Run:
    """A run directory with images of two sets and two trainings of one task."""

    def __init__(self, folder):
        self.directory, self.root = RunDirectory(folder / "run"), folder / "images"
        rng = np.random.default_rng(0)
        rows = [self.draw(split, number, rng) for split, size in (("val", 3), ("test", 9)) for number in range(size)]
        self.frame = pd.DataFrame(rows).assign(sha256="", width=60, height=50, excluded="")
        self.place(self.frame)
        self.networks = {}
        for seed in (0, 1):
            torch.manual_seed(seed)
            self.train(seed, nn.Sequential(nn.Flatten(), nn.Linear(3 * SIZE * SIZE, 2)))

    def draw(self, split, number, rng):
        image = f"{split}/{number}.png"
        grey = rng.normal(100 + 40 * (number % 2), 30, (50, 60 + number)).clip(0, 255).astype(np.uint8)
        (self.root / image).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(grey).save(self.root / image)
        return {"image": image, "split": split, "label": CLASSES[number % 2], "patient": f"{split}{number // 2}"}

    def place(self, frame):
        Manifest(frame, {"val": self.root, "test": self.root}).write(self.directory.manifest)

    def train(self, seed, network):
        folder = self.directory.task("plain").seed(seed)
        folder.root.mkdir(parents=True, exist_ok=True)
        safetensors.torch.save_model(network, str(folder.model))
        ModelInfo(
            task="plain",
            seed=seed,
            model="pixels",
            distribution="x",
            class_names=CLASSES,
            positive="PNEUMONIA",
            preprocessing=preprocessing(SIZE),
            parameters=1,
            trainable=0,
        ).write(folder.model_info)
        self.networks[seed] = network

    def predict(self, name="views", **changes):
        told = []
        values = {
            "run_directory": str(self.directory.root),
            "roots": {"val": str(self.root), "test": str(self.root)},
            "name": name,
            "models": [ExplainedModel(task="plain", seed=seed, model=Chosen(name="pixels")) for seed in self.networks],
            "sets": ["val", "test"],
            "views": VIEWS,
            "augmentation": ViewAugmentationTable(),
            "seed": SEED,
            "devices": DevicePlan(device="cpu", threads=1, precision="fp32", workers=0),
        }
        views.predict_views(ViewsPlan(**(values | changes)), told.append)
        return told

    def path(self, seed, set_name, name="views"):
        return self.directory.task(name).seed(seed).predictions(set_name)

    def found(self, seed, set_name, name="views"):
        where = self.path(seed, set_name, name)
        return read(where, task=name, set_name=set_name, class_names=CLASSES, positive="PNEUMONIA")


@pytest.fixture
def run(tmp_path, install):
    install("cxr-pixels", PIXELS, group="cxrkit.train")
    yield Run(tmp_path)
    torch.use_deterministic_algorithms(mode=False)  # which every prediction of a run switches on


def drawn(path, name, number):
    """A view as torchvision draws it, in the order that the documentation gives; 0 is the plain one."""
    steps = [v2.Resize(32, antialias=True), v2.CenterCrop(SIZE)]
    if number:
        steps += [
            v2.RandomAffine(5, scale=(0.95, 1.05), interpolation=InterpolationMode.BILINEAR),
            v2.ColorJitter(brightness=0.1, contrast=0.1),
        ]
    words = [SEED, int(digest(name)[:16], 16), number]
    with torch.random.fork_rng():
        torch.manual_seed(int(np.random.SeedSequence(words).generate_state(1, np.uint64)[0] >> np.uint64(1)))
        kept = Image.open(path)
        if number:  # as training keeps it: 32 pixels on the shorter side
            kept = kept.resize((round(kept.width * 32 / kept.height), 32), Image.Resampling.BILINEAR)
        return v2.Compose(steps)(kept)


def by_hand(network, path, name):
    """The mean over the views, without cxrkit: torchvision's own normalisation and a plain loop."""
    prepare = v2.Compose(
        [
            v2.Grayscale(3),
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )
    with torch.no_grad():
        found = [network(prepare(drawn(path, name, number))[None])[0] for number in range(VIEWS)]
    return torch.stack(found).double().mean(dim=0).numpy()


def test_the_logits_are_the_mean_over_the_plain_view_and_the_augmented_ones(run):
    run.predict()

    for seed, network in run.networks.items():
        found = run.found(seed, "test")
        expected = [by_hand(network, run.root / image, image) for image in found.images.tolist()]
        assert found.logits == pytest.approx(np.stack(expected), abs=1e-4)
        assert found.patients.tolist() == [f"test{number // 2}" for number in range(9)]
        assert len(run.found(seed, "val").images) == 3


def test_views_differ_from_each_other_from_image_to_image_and_with_the_seed(run):
    (run.root / "test/2.png").write_bytes((run.root / "test/0.png").read_bytes())
    run.predict()
    run.predict("two", views=2)
    run.predict("other", seed=SEED + 1)

    logits = run.found(0, "test").logits
    assert (logits != run.found(0, "test", "two").logits).all()
    assert (logits != run.found(0, "test", "other").logits).all()
    assert (logits[0] != logits[2]).all()  # files of the same bytes under two names


@pytest.mark.parametrize("workers", [0, 2])
def test_neither_place_nor_processes_nor_other_images_change_a_result(run, monkeypatch, workers):
    run.predict()
    first = dict(zip(*shown(run.found(1, "test")), strict=True))

    run.place(run.frame.drop(index=[3, 4]))  # the first two of test: all others come at another place
    monkeypatch.setattr(views, "VIEWS_AT_ONCE", 2 * VIEWS)  # other batches
    run.predict("fewer", devices=DevicePlan(device="cpu", threads=1, precision="fp32", workers=workers))

    fewer = dict(zip(*shown(run.found(1, "test", "fewer")), strict=True))
    assert list(fewer) == list(first)[2:]
    for image, row in fewer.items():
        assert row == pytest.approx(first[image], abs=1e-5)


def shown(found):
    return found.images.tolist(), found.logits.tolist()


def test_what_is_there_is_not_predicted_again_and_gives_the_same_bytes(run):
    run.predict()
    whole = {path: path.read_bytes() for path in run.directory.root.rglob("predictions/*.csv")}
    stamp = run.path(0, "val").stat().st_mtime_ns
    run.path(1, "val").unlink()
    run.path(0, "test").unlink()

    told = run.predict()

    assert {path: path.read_bytes() for path in whole} == whole
    assert run.path(0, "val").stat().st_mtime_ns == stamp
    assert [event.name for event in told if isinstance(event, Stage)] == [
        "loading",
        "predicting val in 3 views",
        "predicting test in 3 views",
    ]
    assert [event.steps for event in told if isinstance(event, Step)] == [3, 9]
    timing = Timing.read(run.directory.task("views").timing)
    assert timing.seconds * timing.images_per_second == pytest.approx(2 * (3 + 9) + 3 + 9)


def test_an_image_that_cannot_be_read_has_its_reason_as_status(run):
    (run.root / "test/3.png").write_bytes(b"")
    for number in range(3):
        (run.root / f"val/{number}.png").unlink()

    run.predict()

    found = run.found(0, "test")
    assert found.status.tolist() == [*["ok"] * 3, "empty file", *["ok"] * 5]
    assert np.isnan(found.logits[3]).all()
    assert np.isfinite(found.logits[4]).all()
    assert set(run.found(0, "val").status.tolist()) == {"missing file"}


def test_logits_that_are_not_finite_end_it_and_name_the_training(run):
    broken = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIZE * SIZE, 2))
    nn.init.constant_(broken[1].bias, float("nan"))
    run.train(1, broken)

    with pytest.raises(RunError, match='task "plain", seed 1: gives logits that are not finite'):
        run.predict()
    assert not run.path(0, "val").exists()


def test_any_augmentation_of_training_can_be_one_of_views(run):
    crop = AugmentationTable(random_resized_crop={"scale": (0.5, 1)}, horizontal_flip=0.5, elastic=5)
    run.predict(augmentation=crop)

    assert np.isfinite(run.found(0, "test").logits).all()
    assert json.loads(run.directory.task("views").timing.read_text())["precision"] == "fp32"
