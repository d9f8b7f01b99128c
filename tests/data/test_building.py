import shutil

import numpy as np
import pandas as pd
import pytest

from cxrkit import data
from cxrkit.config.schema import DataTable
from cxrkit.data.building import VAL_NOT_USED
from cxrkit.errors import InputError

USABLE = {"train/NORMAL": 10, "train/PNEUMONIA": 30, "test/NORMAL": 3, "test/PNEUMONIA": 4}


@pytest.fixture
def build(datasets, tmp_path):
    def built(*, seed=0, training=True, progress=None, **table):
        table = {"root": "set"} | table
        return data.build(
            DataTable.model_validate(table), tmp_path, datasets, seed=seed, training=training, progress=progress
        )

    return built


def test_validation_is_taken_from_train_in_each_classs_share(build, folders):
    folders(USABLE)
    manifest = build()
    assert manifest.summary().counts == {
        "train": {"NORMAL": 9, "PNEUMONIA": 27},
        "val": {"NORMAL": 1, "PNEUMONIA": 3},
        "test": {"NORMAL": 3, "PNEUMONIA": 4},
    }
    assert all(name.startswith("train/") for name in manifest.of("val")["image"])


def test_an_existing_val_is_counted_as_not_used_or_taken_as_it_is(build, folders):
    folders(USABLE | {"val/NORMAL": 2, "val/PNEUMONIA": 2})
    assert build().summary().excluded == {VAL_NOT_USED: 4}
    taken = build(validation="folder").summary()
    assert taken.excluded == {}
    assert taken.counts["val"] == {"NORMAL": 2, "PNEUMONIA": 2}
    assert taken.counts["train"] == {"NORMAL": 10, "PNEUMONIA": 30}


def test_the_same_seed_gives_the_same_manifest_and_another_one_another(build, folders):
    folders(USABLE)
    assert build().digest() == build().digest()
    assert build().digest("val") != build(seed=1).digest("val")
    assert build().digest("test") == build(seed=1).digest("test")


def test_unreadable_files_are_excluded_counted_and_named(build, folders):
    root = folders(USABLE)
    (root / "train/NORMAL/empty.jpeg").touch()
    (root / "test/NORMAL/text.JPG").write_text("no image")
    summary = build().summary()
    assert summary.found == 49
    assert summary.excluded == {"empty file": 1, "no image by its content": 1}
    rows = build().frame.set_index("image")
    assert rows.loc["train/NORMAL/empty.jpeg", "excluded"] == "empty file"
    assert rows.loc["test/NORMAL/text.JPG", "split"] == "test"


def test_the_manifest_comes_back_from_its_file(build, folders, tmp_path):
    root = folders(USABLE)
    (root / "train/NORMAL/empty.jpeg").touch()
    manifest = build()
    manifest.write(tmp_path / "run/manifest.csv")
    back = data.Manifest.read(tmp_path / "run/manifest.csv", manifest.roots)
    pd.testing.assert_frame_equal(back.frame, manifest.frame, check_dtype=False)
    assert back.digest() == manifest.digest() == manifest.summary().manifest_sha256
    assert back.digest("train", "val") == manifest.digest("train", "val")
    assert list(manifest.frame)[:4] == ["image", "split", "label", "patient"]
    assert list(manifest.frame)[-4:] == ["sha256", "width", "height", "excluded"]
    first = next(back.of("test").itertuples())
    assert back.path(first) == root / first.image == back.paths("test")[0]


def test_a_file_that_is_no_manifest_is_refused(tmp_path):
    (tmp_path / "m.csv").write_text("image,split\na,train\n")
    with pytest.raises(InputError, match="columns are missing: label, patient, sha256"):
        data.Manifest.read(tmp_path / "m.csv", {})
    with pytest.raises(InputError, match=r"none.csv: missing"):
        data.Manifest.read(tmp_path / "none.csv", {})


def test_a_changed_image_changes_the_digest_of_its_split_alone(build, folders):
    root = folders(USABLE)
    before = build()
    shutil.copyfile(root / "test/NORMAL/1.png", root / "test/NORMAL/2.png")
    after = build()
    assert before.digest("test") != after.digest("test")
    assert before.digest("train", "val") == after.digest("train", "val")


KERMANY = {"train/PNEUMONIA/person{}_bacteria_1.png": 9, "train/NORMAL/IM-{:04d}-0001.png": 6}


def test_patients_shared_between_splits_are_an_error_that_can_be_allowed(build, folders):
    folders(KERMANY | {"test/PNEUMONIA/person{}_bacteria_2.png": 2, "test/NORMAL/NORMAL2-IM-{:04d}-0001.png": 2})
    expected = (
        r'set: train and test share 2 patients, e.g. bacteria-1 \(.*\); split by patient with "cxrkit data split"'
    )
    with pytest.raises(InputError, match=expected):
        build(groups="kermany", validation={"from": "train", "fraction": 0.01}, seed=1)
    allowed = build(groups="kermany", allow_shared_patients=True)
    assert any("Allowed by the configuration: " in note for note in allowed.notes)


def test_bacterial_and_viral_patients_of_one_number_are_no_leak(build, folders):
    folders(KERMANY | {"test/PNEUMONIA/person{}_virus_1.png": 9, "test/NORMAL/NORMAL2-IM-{:04d}-0001.png": 2})
    manifest = build(groups="kermany")
    assert set(manifest.frame["pathogen"]) == {"bacteria", "virus", "normal"}
    assert manifest.patient_rule == 'rule "kermany" on file names'


def test_identical_files_in_two_splits_are_an_error(build, folders):
    root = folders(USABLE)
    shutil.copyfile(root / "train/NORMAL/3.png", root / "test/NORMAL/3.png")
    with pytest.raises(
        InputError, match=r"(train|val) and test share 1 identical file, e.g. train/NORMAL/3.png and test"
    ):
        build()


def test_identical_files_in_one_split_are_noted_and_never_divided_by_validation(build, folders):
    root = folders(USABLE)
    for number in range(1, 6):
        shutil.copyfile(root / f"train/NORMAL/{number}.png", root / f"train/NORMAL/copy{number}.png")
    shutil.copyfile(root / "test/NORMAL/1.png", root / "test/PNEUMONIA/1.png")
    notes = " ".join(build(validation={"from": "train", "fraction": 0.5}).notes)
    assert "test: 1 files are identical copies of others in it, e.g. test/NORMAL/1.png and test/PNEUMONIA" in notes
    assert "The same file carries two labels: test/NORMAL/1.png and test/PNEUMONIA/1.png." in notes


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"train/A": 5, "test/A": 2}, 'train holds the class "A" alone, at least two classes are needed'),
        ({"train/A": 5, "train/B": 5}, "no usable image in test, add a folder test/"),
        (
            {"train/A": 5, "train/B": 1, "test/A": 1, "test/B": 1},
            'val has no image of the class "B", take it from train',
        ),
        ({"train/A": 5, "train/B": 5, "test/A": 1}, 'test has no image of the class "B", without it nothing can be'),
        (
            {"train/NORMAL": 5, "train/SICK": 5, "test/NORMAL": 1, "test/SICK": 1, "test/SICKK": 1},
            'test has the class "SICKK", which train lacks, did you mean "SICK"',
        ),
        ({"test/A": 2, "test/B": 2}, "no usable image in train, add a folder train/"),
        ({"A": 2, "B": 2}, "no train and test in it, make them with: cxrkit data split .*set NEW_FOLDER"),
    ],
)
def test_classes_that_cannot_be_used_are_an_error(build, folders, tree, message):
    folders(tree)
    with pytest.raises(InputError, match=message):
        build()


def test_validation_as_a_folder_must_be_there(build, folders):
    folders(USABLE)
    with pytest.raises(InputError, match=r'no usable image in val, set data.validation = { from = "train" }'):
        build(validation="folder")


def test_missing_and_empty_folders_are_an_error(build, tmp_path):
    with pytest.raises(InputError, match="set: no such folder"):
        build()
    (tmp_path / "set").mkdir()
    with pytest.raises(InputError, match="set: no folder in it"):
        build()
    (tmp_path / "set/train/NORMAL").mkdir(parents=True)
    with pytest.raises(InputError, match="set: no image in it"):
        build()


def test_a_test_set_alone_is_enough_where_nothing_is_trained(build, folders):
    folders({"test/NORMAL": 2, "test/PNEUMONIA": 2})
    assert build(training=False).sets == ["test"]


def test_external_sets_are_class_folders_or_a_test_folder(build, folders, tmp_path):
    folders(USABLE)
    (tmp_path / "set").rename(tmp_path / "main")
    folders({"NORMAL": 2, "PNEUMONIA": 3})
    (tmp_path / "set").rename(tmp_path / "plain")
    folders({"test/NORMAL": 4, "test/PNEUMONIA": 1, "train/NORMAL": 6})
    manifest = build(root="main", external={"plain": "plain", "tested": "set"})
    assert manifest.sets == ["train", "val", "test", "plain", "tested"]
    counts = manifest.summary().counts
    assert counts["plain"] == {"NORMAL": 2, "PNEUMONIA": 3}
    assert counts["tested"] == {"NORMAL": 4, "PNEUMONIA": 1}
    assert manifest.summary().excluded == {"not of test/, which alone an external set is tested on": 6}
    assert manifest.paths("plain")[0] == tmp_path / "plain/NORMAL/1.png"


def test_an_external_class_that_training_lacks_is_an_error(build, folders, tmp_path):
    folders(USABLE)
    (tmp_path / "set").rename(tmp_path / "main")
    folders({"normal": 2, "PNEUMONIA": 3})
    with pytest.raises(InputError, match='hospital has the class "normal", which train lacks, allowed are NORMAL'):
        build(root="main", external={"hospital": "set"})


def test_an_image_of_train_in_an_external_set_is_a_leak_but_an_equal_patient_number_is_not(build, folders, tmp_path):
    rows = "image,label,split,patient\n"
    folders(USABLE | {"b/NORMAL": 2, "b/PNEUMONIA": 2})
    for path in sorted((tmp_path / "set/train").rglob("*.png")) + sorted((tmp_path / "set/test").rglob("*.png")):
        name = path.relative_to(tmp_path / "set").as_posix()
        rows += f"{name},{path.parent.name},{path.parts[-3]},{name}\n"
    (tmp_path / "set/main.csv").write_text(rows)
    external = "image,label,patient\nb/NORMAL/1.png,NORMAL,test/NORMAL/1.png\nb/PNEUMONIA/1.png,PNEUMONIA,p\n"
    (tmp_path / "set/b.csv").write_text(external)
    table = {"root": None, "manifest": "set/main.csv", "external": {"b": "set/b.csv"}}
    assert build(**table).summary().counts["b"] == {"NORMAL": 1, "PNEUMONIA": 1}
    shutil.copyfile(tmp_path / "set/test/NORMAL/1.png", tmp_path / "set/b/NORMAL/1.png")
    with pytest.raises(InputError, match="test and b share 1 identical file"):
        build(**table)


def test_progress_counts_every_image_read(build, folders):
    folders(USABLE)
    seen = []
    build(progress=lambda done, total: seen.append((done, total)))
    assert seen == [(done, 47) for done in range(1, 48)]


@pytest.mark.parametrize(
    ("classes", "configured", "positive"),
    [
        (("NORMAL", "PNEUMONIA"), None, "PNEUMONIA"),
        (("bacterial", "Pneumonia", "tuberculosis"), None, "Pneumonia"),
        (("normal", "tuberculosis"), None, "tuberculosis"),
        (("0", "1"), None, "1"),
        (("NORMAL", "PNEUMONIA"), "NORMAL", "NORMAL"),
    ],
)
def test_the_positive_class_is_pneumonia_or_the_one_that_is_not_normal(build, folders, classes, configured, positive):
    folders({f"{split}/{name}": 3 for split in ("train", "test") for name in classes})
    table = DataTable(root="set", positive=configured)
    assert data.classes(build(), table) == (tuple(sorted(classes)), positive)


def test_a_positive_class_that_cannot_be_told_must_be_given(build, folders):
    folders({f"{split}/{name}": 3 for split in ("train", "test") for name in ("flu", "tuberculosis")})
    with pytest.raises(InputError, match=r"data.positive: missing.*allowed are flu, tuberculosis"):
        data.classes(build(), DataTable(root="set"))
    with pytest.raises(InputError, match=r'no class "flue" in the data, did you mean "flu"'):
        data.classes(build(), DataTable(root="set", positive="flue"))


def test_a_dataset_plugins_options_are_checked(build, folders):
    folders(USABLE)
    with pytest.raises(InputError, match=r"data.dataset.mask.*did you mean"):
        build(dataset={"use": "folder", "mask": "x"})
    with pytest.raises(InputError, match='did you mean "folder"'):
        build(dataset="folders")


@pytest.mark.real_data
def test_the_shared_radiographs_hold_no_leak_by_the_true_key(build, real_data):
    manifest = build(root=str(real_data / "chest_xray"), groups="kermany")
    summary = manifest.summary()
    assert summary.found == 5232
    assert summary.counts["test"] == {"NORMAL": 145, "PNEUMONIA": 517}
    shares = pd.crosstab(manifest.usable["pathogen"], manifest.usable["split"])
    assert np.allclose(shares["val"] / (shares["val"] + shares["train"]), 0.1, atol=0.005)
