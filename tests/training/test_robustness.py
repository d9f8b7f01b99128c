from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch
from PIL import Image

from cxrkit.data.corruptions import conditions, corrupt
from cxrkit.data.images import read_grey
from cxrkit.data.manifest import Manifest
from cxrkit.errors import InputError
from cxrkit.evaluation.predictions import read
from cxrkit.plans import Chosen, DevicePlan, ExplainedModel, RobustnessPlan, Stage, Step
from cxrkit.records import Condition, ModelInfo
from cxrkit.rundir import RunDirectory
from cxrkit.training import robustness
from cxrkit.training.images import central_view, normalised, preprocessing, view

CLASSES = ["NORMAL", "PNEUMONIA"]
CONDITIONS = conditions(["rotation", "noise"], [2, 5], shortcuts=True)

SUMS = """
import torch
from torch import nn
from cxrkit import hookimpl


class Sums(nn.Module):
    '''Logits that tell every pixel: two weighted sums of the whole image.'''

    def __init__(self):
        super().__init__()
        self.weights = nn.LazyLinear(2)

    def forward(self, images):
        return self.weights(nn.functional.adaptive_avg_pool2d(images, 8).flatten(1))


@hookimpl
def cxrkit_register_models():
    return {"sums": sums}


def sums(num_classes: int) -> nn.Module:
    '''Weighted sums.'''
    network = Sums()
    network(torch.zeros(1, 3, 16, 16))
    return network
"""


class Run:
    """A run directory with a manifest, test images and trained models."""

    def __init__(self, folder):
        self.directory, self.root = RunDirectory(folder / "run"), folder / "images"
        rng = np.random.default_rng(0)
        rows = []
        for number in range(40):
            label, image = CLASSES[number % 2], f"test/{number:02}.png"
            grey = rng.normal(100 + 40 * (number % 2), 30, (50, 60 + number)).clip(0, 255).astype(np.uint8)
            (self.root / image).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(grey).save(self.root / image)
            rows.append({"image": image, "split": "test", "label": label, "patient": f"p{number // 3}"})
        frame = pd.DataFrame(rows).assign(sha256="", width=60, height=50, excluded="")
        Manifest(frame, {"test": self.root}).write(self.directory.manifest)
        self.images = frame["image"].tolist()
        self.networks = {}

    def train(self, task, seed, network, size=32):
        folder = self.directory.task(task).seed(seed)
        folder.root.mkdir(parents=True)
        safetensors.torch.save_model(network, str(folder.model))
        ModelInfo(
            task=task,
            seed=seed,
            model="sums",
            distribution="x",
            class_names=CLASSES,
            positive="PNEUMONIA",
            preprocessing=preprocessing(size),
            parameters=sum(parameter.numel() for parameter in network.parameters()),
            trainable=0,
        ).write(folder.model_info)
        self.networks[task, seed] = network.eval()

    def predict(self, images=None, asked=CONDITIONS):
        told = []
        plan = RobustnessPlan(
            run_directory=str(self.directory.root),
            roots={"test": str(self.root)},
            set="test",
            images=self.images if images is None else images,
            rule="",
            models=[ExplainedModel(task=task, seed=seed, model=Chosen(name="sums")) for task, seed in self.networks],
            conditions=asked,
            devices=DevicePlan(device="cpu", threads=1, precision="fp32"),
        )
        robustness.predict_corrupted(plan, told.append)
        return told

    def found(self, task, seed, condition):
        path = self.directory.task(task).seed(seed).predictions("test", condition)
        return read(path, task=task, set_name="test", class_names=CLASSES, positive="PNEUMONIA")

    def logits(self, task, seed, seen):
        with torch.no_grad():
            return self.networks[task, seed](normalised(torch.from_numpy(seen.copy()))).numpy()


@pytest.fixture
def run(tmp_path, install):
    install("cxr-sums", SUMS, group="cxrkit.train")
    import cxr_sums

    made = Run(tmp_path)
    for number, (task, seed) in enumerate([("a", 0), ("a", 1), ("b", 0)]):
        torch.manual_seed(number)
        made.train(task, seed, cxr_sums.sums(2))
    yield made
    torch.use_deterministic_algorithms(mode=False)  # which every prediction of a run switches on


def by_hand(path: Path, image: str, condition: Condition, size=32):
    resize, crop = central_view(size)
    resized = resize(Image.fromarray(read_grey(path)))
    if condition.corruption == "rotation":
        return np.asarray(crop(Image.fromarray(corrupt(np.asarray(resized), condition, image))))
    return corrupt(np.asarray(crop(resized)), condition, image)


def test_every_model_and_seed_predicts_every_condition(run):
    run.predict()

    for task, seed in run.networks:
        for condition in CONDITIONS:
            found = run.found(task, seed, condition.name)
            seen = np.stack([by_hand(run.root / image, image, condition) for image in run.images])
            assert found.images.tolist() == run.images
            assert found.patients.tolist() == [f"p{number // 3}" for number in range(40)]
            assert found.labels.tolist() == [number % 2 for number in range(40)]
            assert found.logits == pytest.approx(run.logits(task, seed, seen), abs=1e-5)


def test_a_condition_that_changes_nothing_gives_what_the_uncorrupted_image_gives(run):
    """Masked where every grey value is the same, an image stays: resizing and cropping are those of any evaluation."""
    grey = np.full((70, 64), 77, dtype=np.uint8)
    grey[30:36, 30:36] = 200
    Image.fromarray(grey).save(run.root / run.images[0])

    run.predict(images=run.images[:1], asked=conditions([], [1], shortcuts=True))

    expected = run.logits("b", 0, view(grey, 32)[None])
    for name in ("borders", "corners"):
        assert run.found("b", 0, name).logits == pytest.approx(expected, abs=1e-5)


def test_an_image_that_cannot_be_read_has_its_reason_as_status(run):
    (run.root / run.images[3]).write_bytes(b"")
    (run.root / run.images[39]).unlink()

    run.predict()

    found = run.found("a", 1, "noise-5")
    assert {found.status[3], found.status[39]} == {"empty file", "missing file"}
    assert (found.status == "ok").sum() == 38
    assert np.isnan(found.probabilities[3]).all()


def test_images_can_be_a_sample(run):
    run.predict(images=run.images[5:9])

    assert run.found("a", 0, "borders").images.tolist() == run.images[5:9]


def test_progress_reaches_the_number_of_predictions(run):
    told = run.predict()

    total = 40 * len(CONDITIONS) * 3
    assert told[0] == Stage(name="predicting corrupted images", total=total)
    steps = [event.step for event in told if isinstance(event, Step)]
    assert steps == sorted(steps)
    assert steps[-1] == total
    assert {event.steps for event in told if isinstance(event, Step)} == {total}


def test_models_of_another_image_size_get_their_own_images_and_memory_changes_nothing(run, monkeypatch):
    run.predict()
    before = {task: run.found(task, 0, "noise-5").logits for task in ("a", "b")}
    import cxr_sums

    run.train("large", 0, cxr_sums.sums(2), size=48)
    monkeypatch.setattr(robustness, "cache_bytes", lambda: 0)  # one model at a time

    run.predict()

    for task, logits in before.items():
        assert np.array_equal(run.found(task, 0, "noise-5").logits, logits)
    noise = next(condition for condition in CONDITIONS if condition.name == "noise-5")
    seen = np.stack([by_hand(run.root / image, image, noise, size=48) for image in run.images])
    assert run.found("large", 0, "noise-5").logits == pytest.approx(run.logits("large", 0, seen), abs=1e-5)


def test_a_model_that_cannot_be_built_again_ends_it(run):
    run.directory.task("b").seed(0).model.unlink()

    with pytest.raises(InputError, match=r"model\.safetensors: missing"):
        run.predict()
