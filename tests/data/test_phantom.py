import hashlib
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cxrkit.data.images import read_grey
from cxrkit.data.patients import kermany, naive_kermany_key
from cxrkit.data.phantom import Case, render, write
from cxrkit.errors import InputError, RunError

SIZE = 64


@pytest.fixture(scope="module")
def phantom(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phantom") / "data"
    write(folder, images=200, size=SIZE)
    return folder


@pytest.fixture(scope="module")
def table(phantom):
    return pd.read_csv(phantom / "phantom.csv", keep_default_na=False)


def hashes(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_table_lists_every_image_and_mask(phantom, table):
    files = set(hashes(phantom))
    masks = set(table["mask"]) - {""}
    assert files == set(table["image"]) | masks | {"phantom.csv"}
    assert len(table) == 200
    assert (table["mask"] == "").equals(table["label"] == "NORMAL")


def test_classes_are_as_unbalanced_as_kermanys(table):
    share = table["label"].eq("PNEUMONIA").groupby(table["split"]).mean()
    assert share["train"] == pytest.approx(0.74, abs=0.01)
    assert share["test"] == pytest.approx(0.62, abs=0.01)


def test_names_tell_the_patient_and_no_patient_is_in_two_splits(table):
    assert [kermany(image).patient for image in table["image"]] == list(table["patient"])
    assert [kermany(image).pathogen for image in table["image"]] == list(table["pathogen"])
    assert table.groupby("patient")["split"].nunique().eq(1).all()
    assert max(Counter(table["patient"]).values()) > 1


def test_the_naive_key_finds_leaks_that_are_none(table):
    splits = table.groupby(table["image"].map(naive_kermany_key))["split"].nunique()
    assert (splits > 1).any()


def test_the_same_seed_writes_the_same_bytes_and_another_seed_others(phantom, tmp_path):
    write(tmp_path / "same", images=200, size=SIZE)
    write(tmp_path / "other", images=200, size=SIZE, seed=1)
    assert hashes(tmp_path / "same") == hashes(phantom)
    assert not set(hashes(tmp_path / "other").values()) & set(hashes(phantom).values())


def test_images_are_grey_and_use_the_range(phantom, table):
    for name in table["image"][:20]:
        with Image.open(phantom / name) as image:
            assert image.mode == "L"
        grey = read_grey(phantom / name)
        assert grey.shape == (SIZE, SIZE)
        assert np.percentile(grey, 99) - np.percentile(grey, 1) > 100


def test_a_lesion_brightens_the_image_within_its_mask():
    for pathogen in ("bacteria", "virus"):
        for patient in range(8):
            case = Case("train", pathogen, patient, 0, "x")
            normal = Case("train", "normal", patient, 0, "x")
            grey, mask = render(case, 128, seed=0)
            without, empty = render(normal, 128, seed=0)
            assert not empty.any()
            assert grey.shape == without.shape == mask.shape
            assert 0.003 < mask.mean() < 0.4


def test_bacterial_lesions_are_on_one_side_and_viral_on_both(table, phantom):
    both = {}
    for row in table[table["mask"] != ""].itertuples():
        mask = np.asarray(Image.open(phantom / row.mask))
        sides = mask[:, : SIZE // 2].sum(), mask[:, SIZE // 2 :].sum()
        both.setdefault(row.pathogen, []).append(min(sides) / max(*sides, 1))
    assert np.median(both["bacteria"]) < 0.1
    assert np.median(both["virus"]) > 0.4


def test_a_phantom_is_the_same_child_at_any_size():
    case = Case("train", "bacteria", 3, 0, "x")
    small, _ = render(case, 64, seed=0)
    large, _ = render(case, 256, seed=0)
    shrunk = np.asarray(Image.fromarray(large).resize((64, 64), Image.Resampling.BOX))
    assert np.corrcoef(small.ravel(), shrunk.ravel())[0, 1] > 0.97


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"images": 10}, "images: must be at least 40, got 10"),
        ({"size": 32}, "size: must be 64 to 1024 pixels, got 32"),
        ({"size": 2048}, "size: must be 64 to 1024 pixels, got 2048"),
        ({"seed": -1}, "seed: must be at least 0, got -1"),
    ],
)
def test_numbers_out_of_range_are_refused(tmp_path, given, message):
    with pytest.raises(InputError, match=message):
        write(tmp_path / "p", **given)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_use_is_refused_and_an_empty_one_taken(tmp_path):
    (tmp_path / "p").mkdir()
    write(tmp_path / "p", images=40, size=64)
    with pytest.raises(InputError, match="p: exists and is not empty"):
        write(tmp_path / "p", images=40, size=64)


def test_nothing_is_left_where_writing_fails(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="cannot be written"):
        write(tmp_path / "file" / "p", images=40, size=64)

    def stop(done, _total):
        if done > 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "p", images=40, size=64, progress=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
