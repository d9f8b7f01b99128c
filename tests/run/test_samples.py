"""What a run draws before it trains: samples of its images, and what the training will make of them."""

import shutil
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from cxrkit.config.schema import AugmentationTable
from cxrkit.data.images import read_grey
from cxrkit.files import digest
from cxrkit.records import AugmentationPreviews, SampleImages
from cxrkit.run import samples
from cxrkit.run.study import Request, prepare
from cxrkit.rundir import RunDirectory
from cxrkit.training.augmentation import Augmentation
from cxrkit.training.images import view, within

TASKS = """
[run]
output = "run"
seed = 4
[data]
root = "data"
dataset = "phantom"
image_size = 48
groups = "kermany"
validation = { from = "train", fraction = 0.3 }
[augmentation]
random_resized_crop = { scale = [0.5, 1.0] }
rotation = 20
[defaults]
model = "resnet18"
seeds = [7, 8]
[[task]]
name = "one"
[[task]]
name = "alike"
imbalance = "upsample"
[[task]]
name = "other"
seeds = [2]
augmentation = { random_resized_crop = false, horizontal_flip = 0.0, contrast = 0.5 }
[[task]]
name = "still"
augmentation = { random_resized_crop = false, horizontal_flip = 0.0 }
"""
VENDOR = """
[run]
output = "vendor"
[[task]]
name = "vendor"
predictions = { test = "vendor.csv" }
threshold = { rule = "fixed", value = 0.5 }
"""


class Told:
    """A display that keeps what it warns of."""

    def __init__(self):
        self.warnings = []

    def warn(self, sentence):
        self.warnings.append(sentence)


@pytest.fixture(scope="module")
def made(make_study, tmp_path_factory):
    folder = make_study(tmp_path_factory.mktemp("samples"), TASKS).folder
    study = prepare(Request(folder / "tasks.toml"))
    samples.carry_out(study, Told())
    return study


def jpeg(grey):
    buffer = BytesIO()
    Image.fromarray(grey).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def test_samples_are_of_each_set_and_class_and_have_their_thumbnails(made):
    found = SampleImages.read(made.run.samples)
    cells = {(one.set, one.label) for one in found.images}
    assert cells == {(of, label) for of in ("train", "val", "test") for label in ("NORMAL", "PNEUMONIA")}
    assert (found.seed, found.each) == (4, 4)
    rows = made.manifest.usable.set_index("image")
    for one in found.images:
        row = rows.loc[one.image]
        assert (one.set, one.label, one.patient, one.sha256) == (
            row["split"],
            row["label"],
            row["patient"],
            row["sha256"],
        )
        with Image.open(made.run.thumbnail(one.sha256)) as thumbnail:
            assert thumbnail.size == (64, 64)


def test_each_distinct_augmentation_is_shown_once_with_the_tasks_that_use_it(made):
    found = AugmentationPreviews.read(made.run.previews).previews
    assert [(one.tasks, one.seed) for one in found] == [(["one", "alike"], 7), (["other"], 2)]
    assert found[0].settings["rotation"] == 20
    assert [image.label for image in found[0].images] == ["NORMAL", "NORMAL", "PNEUMONIA", "PNEUMONIA"]
    assert len(list(made.run.augmentation.glob("*.jpg"))) == 2 * 4 * 5


def test_the_views_are_those_of_the_training(made):
    """What the training with the seed draws for (seed, epoch, image), to the pixel."""
    train = set(made.manifest.of("train")["image"])
    for number, preview in enumerate(AugmentationPreviews.read(made.run.previews).previews):
        augmentation = Augmentation(AugmentationTable.model_validate(preview.settings), 48)
        for place, one in enumerate(preview.images):
            assert one.image in train
            grey = read_grey(made.manifest.roots["train"] / one.image)
            assert made.run.view(number, place, None).read_bytes() == jpeg(view(grey, 48))
            seen = set()
            for epoch in preview.epochs:
                words = (preview.seed, epoch, int(digest(one.image)[:16], 16), 0)
                drawn = augmentation(within(grey, augmentation.stored_side), words)
                content = made.run.view(number, place, epoch).read_bytes()
                assert content == jpeg(drawn)
                seen.add(content)
            assert len(seen) == len(preview.epochs)


def test_the_same_again_writes_nothing(made):
    before = {path: path.stat().st_mtime_ns for path in made.run.root.rglob("*") if path.is_file()}
    samples.carry_out(made, Told())
    assert {path: path.stat().st_mtime_ns for path in made.run.root.rglob("*") if path.is_file()} == before


def test_large_inputs_are_shown_small(made, tmp_path):
    run = RunDirectory(tmp_path)
    samples.write_previews(run, made.manifest, samples.distinct(made)[1:], 512, seed=0)
    with Image.open(run.view(0, 0, 1)) as shown:
        assert shown.size == (256, 256)
        assert np.asarray(shown).std() > 5


def test_an_image_that_vanished_is_left_out_and_told(made, tmp_path):
    shutil.copytree(made.manifest.roots["test"] / "test", tmp_path / "data" / "test")
    roots = dict.fromkeys(made.manifest.roots, tmp_path / "data")
    study = replace(made, run=RunDirectory(tmp_path / "run"), manifest=replace(made.manifest, roots=roots))
    told = Told()
    samples.carry_out(study, told)
    assert {one.set for one in SampleImages.read(study.run.samples).images} == {"test"}
    assert not study.run.augmentation.exists()
    (warning,) = told.warnings
    assert warning.startswith("no preview of the augmentation: ")


def test_none_are_left_where_none_are_asked_for(made, tmp_path):
    shutil.copytree(made.run.root, tmp_path / "run")
    run = RunDirectory(tmp_path / "run")
    assert run.samples.is_file()
    assert run.previews.is_file()
    report = made.configuration.report.model_copy(update={"samples": 0})
    samples.carry_out(
        replace(made, run=run, configuration=made.configuration.model_copy(update={"report": report})), Told()
    )
    assert not run.samples.exists()
    assert not run.augmentation.exists()


def test_predictions_alone_have_none(tmp_path):
    (tmp_path / "vendor.csv").write_text(
        "image,patient,label,p_PNEUMONIA\n"
        + "".join(f"{n}.png,p{n},{('NORMAL', 'PNEUMONIA')[n % 2]},0.{n}\n" for n in range(1, 9)),
        encoding="utf-8",
    )
    (tmp_path / "tasks.toml").write_text(VENDOR, encoding="utf-8")
    study = prepare(Request(tmp_path / "tasks.toml"))
    samples.carry_out(study, Told())
    assert not study.run.root.exists()
