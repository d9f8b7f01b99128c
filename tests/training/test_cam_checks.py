import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch
from PIL import Image

from cxrkit.data.manifest import Manifest
from cxrkit.plans import Chosen, DevicePlan, ExplainedModel, ExplainPlan, Notice, Stage, Step
from cxrkit.records import CamChecks, CamIndex, Explanations, ModelInfo
from cxrkit.rundir import RunDirectory
from cxrkit.training.explain import explain
from cxrkit.training.images import preprocessing

SIZE, CLASSES = 64, ["NORMAL", "PNEUMONIA"]

NETWORKS = """
import torch
from torch import nn
from cxrkit import hookimpl


class Spotlight(nn.Module):
    '''Evidence is what is bright (or, with -1, what is dark); one learnt channel.'''

    def __init__(self, sign=1.0):
        super().__init__()
        self.brightness = nn.Conv2d(3, 1, 8, stride=8)
        self.positive = nn.ReLU()
        self.head = nn.Linear(1, 2)
        self.brightness.weight.data.fill_(sign / 192)
        self.brightness.bias.data.fill_(0.0 if sign > 0 else 3.0)
        self.head.weight.data = torch.tensor([[-1.0], [1.0]])

    def forward(self, images):
        return self.head(self.positive(self.brightness(images)).mean((2, 3)))


class Fixed(nn.Module):
    '''Its map shows the image's brightness whatever the parameters are, for these reach no place of it.'''

    def __init__(self):
        super().__init__()
        self.brightness = nn.AvgPool2d(8)
        self.positive = nn.ReLU()
        self.head = nn.Linear(1, 2)
        self.head.weight.data = torch.tensor([[-1.0], [1.0]])

    def forward(self, images):
        return self.head(self.positive(self.brightness(images).mean(1, keepdim=True)).mean((2, 3)))


class Filters(nn.Module):
    '''Evidence is what is dark, in one of eight channels; drawn anew, the channels show anything.'''

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(3, 8, 8, stride=8)
        self.positive = nn.ReLU()
        self.head = nn.Linear(8, 2)
        self.first.weight.data[0] = -1 / 192
        self.first.bias.data[0] = 3
        self.head.weight.data.zero_()[1, 0] = 1

    def forward(self, images):
        return self.head(self.positive(self.first(images)).mean((2, 3)))


class Flat(nn.Sequential):
    '''No feature map.'''

    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(3 * 64 * 64, 2))


@hookimpl
def cxrkit_register_models():
    return {"bright": bright, "dark": dark, "fixed": fixed, "filters": filters, "flat": flat}


def bright(num_classes: int) -> nn.Module:
    return Spotlight()


def dark(num_classes: int) -> nn.Module:
    return Spotlight(-1.0)


def fixed(num_classes: int) -> nn.Module:
    return Fixed()


def filters(num_classes: int) -> nn.Module:
    return Filters()


def flat(num_classes: int) -> nn.Module:
    return Flat()
"""


class Run:
    """Trained models, and test images each with a bright square: the lesion, which has a mask in every second one."""

    def __init__(self, folder, networks):
        self.directory, self.root = RunDirectory(folder / "run"), folder / "images"
        self.networks, self.models, self.told = networks, [], []
        self.rows = []

    def train(self, task, name, size=SIZE):
        seed = self.directory.task(task).seed(0)
        seed.root.mkdir(parents=True)
        safetensors.torch.save_model(getattr(self.networks, name)(2), str(seed.model))
        ModelInfo(
            task=task,
            seed=0,
            model=name,
            distribution="x",
            class_names=CLASSES,
            positive="PNEUMONIA",
            preprocessing=preprocessing(size),
            parameters=0,
            trainable=0,
        ).write(seed.model_info)
        self.models.append(ExplainedModel(task=task, seed=0, model=Chosen(name=name)))

    def image(self, number, *, spot, masked, shape=(96, 128)):
        """Draw dim noise with a bright square of a quarter of the shorter side; ``spot`` is its centre, (x, y)."""
        half = min(shape) // 8
        grey = np.random.default_rng(number).integers(0, 60, shape).astype(np.uint8)
        mask = np.zeros(shape, dtype=bool)
        mask[spot[1] - half : spot[1] + half, spot[0] - half : spot[0] + half] = True
        grey[mask] = 255
        image, name = f"test/{number:02}.png", f"masks/{number:02}.png" if masked else ""
        self.save(grey, image)
        if masked:
            self.save(mask, name)
        label = CLASSES[int(masked)]
        self.rows.append({"image": image, "split": "test", "label": label, "patient": f"p{number // 2}", "mask": name})

    def save(self, array, name):
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(array).save(self.root / name)

    def images(self, n=24):
        rng = np.random.default_rng(1)
        for number in range(n):
            self.image(number, spot=(int(rng.integers(40, 88)), int(rng.integers(24, 72))), masked=number % 2 == 0)

    def check(self, *, method="GradCAM", sample=True, images=()):
        frame = pd.DataFrame(self.rows).assign(sha256="", width=128, height=96, excluded="")
        Manifest(frame, {"test": self.root}).write(self.directory.manifest)
        plan = ExplainPlan(
            run_directory=str(self.directory.root),
            roots={"test": str(self.root)},
            set="test",
            models=self.models,
            images=list(images),
            rule="",
            method=method,
            layer=None,
            devices=DevicePlan(device="cpu", threads=1),
            sample=frame["image"].tolist() if sample else [],
            sample_rule="all of them",
        )
        self.told.clear()
        explain(plan, self.told.append)

    def checks(self, task):
        return CamChecks.read(self.directory.task(task).cam / "checks.json")

    @property
    def agreement(self):
        found = Explanations.read(self.directory.explanations)
        return {(each.task, each.reference): each.correlation for each in found.agreement}

    @property
    def notices(self):
        return [event.message for event in self.told if isinstance(event, Notice)]


@pytest.fixture
def run(tmp_path, install):
    install("cxr-networks", NETWORKS, group="cxrkit.train")
    import cxr_networks

    return Run(tmp_path, cxr_networks)


def test_maps_that_ignore_the_parameters_are_told_so(run):
    run.train("a", "fixed")
    run.images()

    run.check()

    checks = run.checks("a")
    (step,) = checks.randomisation
    assert step.part == "head"
    assert step.correlation.value == pytest.approx(1)
    assert step.correlation.low < 1  # never an interval of no width
    assert checks.depends_on_parameters is False


def test_maps_that_come_from_the_parameters_change_with_them_from_the_output_on(run):
    run.train("a", "filters")
    run.images()

    run.check()

    checks = run.checks("a")
    assert [step.part for step in checks.randomisation] == ["head", "first"]
    assert all(step.correlation.value < 0.9 for step in checks.randomisation)
    assert checks.randomisation[-1].correlation.high < 0.5
    assert checks.depends_on_parameters is True
    assert (checks.method, checks.layer, checks.seed, checks.set) == ("GradCAM", "positive", 0, "test")
    assert (checks.n, checks.rule, checks.empty) == (24, "all of them", 0)


def test_maps_on_the_lesions_win_the_pointing_game(run):
    run.train("a", "bright")
    run.images()

    run.check()

    checks = run.checks("a")
    assert checks.pointing_game.value == 1
    assert checks.pointing_game.low < 1
    assert (checks.pointing_game.n, checks.pointing_game.n_patients) == (12, 12)  # a normal image has no mask
    assert checks.energy_in_mask.value > 0.6
    assert checks.energy_in_mask.low > checks.area_of_mask
    assert checks.area_of_mask == pytest.approx((24 / 96 * 256 / 224) ** 2, rel=0.05)


def test_maps_off_the_lesions_lose_it(run):
    run.train("a", "dark")
    run.images()

    run.check()

    checks = run.checks("a")
    assert checks.pointing_game.value == 0
    assert checks.pointing_game.high > 0
    assert checks.energy_in_mask.high < checks.area_of_mask


@pytest.mark.parametrize("shape", [(96, 160), (160, 96)])
def test_masks_are_cropped_as_their_images_are(run, shape):
    """A lesion of which the crop leaves half, and one outside of it, which no map can point at."""
    run.train("a", "bright")
    middle, edge = 48, (160 - 96 * 224 // 256) // 2
    for number, along in enumerate((80, edge, 12)):
        run.image(number, spot=(along, middle) if shape[1] == 160 else (middle, along), masked=True, shape=shape)

    run.check()

    checks = run.checks("a")
    whole = (24 / 96 * 256 / 224) ** 2
    assert checks.pointing_game.n == 2
    assert checks.pointing_game.value == 1
    assert checks.area_of_mask == pytest.approx((whole + whole / 2) / 2, rel=0.1)


def test_without_masks_there_is_nothing_to_point_at(run):
    run.train("a", "bright")
    run.images()
    for row in run.rows:
        del row["mask"]

    run.check()

    checks = run.checks("a")
    assert (checks.pointing_game, checks.energy_in_mask, checks.area_of_mask) == (None, None, None)
    assert checks.randomisation


def test_empty_maps_are_counted_and_left_out_of_correlations_but_miss_the_lesion(run):
    run.train("a", "bright")
    run.images()
    run.save(np.zeros((96, 128), dtype=np.uint8), run.rows[0]["image"])  # nothing bright, so no evidence

    run.check()

    checks = run.checks("a")
    assert checks.empty == 1
    assert checks.pointing_game.value == pytest.approx(11 / 12)
    assert all(step.correlation.n <= 23 for step in checks.randomisation)


def test_the_same_images_give_the_same_checks(run):
    run.train("a", "filters")
    run.images(8)

    run.check()
    first = run.checks("a")
    run.check()

    assert run.checks("a") == first


def test_agreement_of_every_two_models(run):
    run.train("a", "bright")
    run.train("b", "filters")
    run.train("c", "dark")
    run.images()

    run.check()

    assert set(run.agreement) == {("b", "a"), ("c", "a"), ("c", "b")}
    alike, opposed = run.agreement["c", "b"], run.agreement["c", "a"]
    assert alike.value == pytest.approx(1)
    assert alike.low < 1
    assert opposed.high < -0.4
    assert (alike.n, alike.n_patients) == (24, 12)


def test_maps_of_different_sizes_are_compared_all_the_same(run):
    run.train("a", "bright")
    run.train("b", "bright", size=128)
    run.images()

    run.check()

    assert run.agreement["b", "a"].value > 0.7


def test_a_model_without_maps_is_no_part_of_the_checks(run):
    run.train("a", "bright")
    run.train("b", "flat")
    run.images(6)

    run.check()

    assert run.checks("a").n == 6
    assert not (run.directory.task("b").cam / "checks.json").exists()
    assert run.agreement == {}


def test_a_mask_that_is_gone_costs_the_checks_and_not_the_maps(run):
    run.train("a", "bright")
    run.images(4)
    (run.root / "masks/00.png").unlink()

    run.check(images=["test/00.png"])

    assert len(CamIndex.read(run.directory.task("a").cam / "index.json").entries) == 1
    assert len(run.notices) == 1
    assert 'task "a": its activation maps were not checked:' in run.notices[0]
    assert "missing file" in run.notices[0]


def test_methods_that_pass_an_image_hundreds_of_times_are_not_checked(run):
    run.train("a", "bright")
    run.images(4)

    run.check(method="ScoreCAM")

    assert "ScoreCAM passes every image hundreds of times" in run.notices[0]
    assert not (run.directory.task("a").cam / "checks.json").exists()


def test_without_a_sample_earlier_checks_are_removed(run):
    run.train("a", "bright")
    run.images(4)
    run.check()

    run.check(sample=False)

    assert not (run.directory.task("a").cam / "checks.json").exists()
    assert not run.directory.explanations.exists()


def test_progress_is_told_over_all_models(run):
    run.train("a", "bright")
    run.train("b", "filters")
    run.images(12)

    run.check()

    assert run.told[1] == Stage(name="checking activation maps", total=24)
    steps = [event.step for event in run.told if isinstance(event, Step)]
    assert steps == list(range(2, 25, 2))  # six patients of two images


def test_the_weights_on_the_disk_are_left_as_they_were(run):
    run.train("a", "filters")
    run.images(4)
    path = run.directory.task("a").seed(0).model
    before = path.read_bytes()

    run.check()

    assert path.read_bytes() == before
    loaded = safetensors.torch.load_file(path)
    assert torch.equal(loaded["head.weight"], run.networks.filters(2).head.weight)
