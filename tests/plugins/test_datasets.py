import shutil
import sys

import pytest
from cxrkit_plugins.datasets import csv, cxrkit_register_datasets, folder, phantom
from PIL import Image

from cxrkit.data.phantom import write
from cxrkit.errors import InputError


@pytest.fixture
def files(tmp_path):
    def made(*names):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path

    return made


def rows(index):
    return {row.image: (row.split, row.label, row.excluded) for row in index}


def used(index):
    return {row.image: (row.split, row.label) for row in index if row.excluded is None}


def test_the_built_in_names():
    assert set(cxrkit_register_datasets()) == {"folder", "csv", "phantom"}


def test_splits_of_class_folders(files):
    root = files("train/NORMAL/a.jpeg", "val/SICK/b.jpeg", "test/SICK/c.jpeg")
    assert used(folder(root)) == {
        "train/NORMAL/a.jpeg": ("train", "NORMAL"),
        "val/SICK/b.jpeg": ("val", "SICK"),
        "test/SICK/c.jpeg": ("test", "SICK"),
    }


def test_class_folders_alone_have_no_split(files):
    assert used(folder(files("NORMAL/a.png", "SICK/sub/b.png"))) == {
        "NORMAL/a.png": ("", "NORMAL"),
        "SICK/sub/b.png": ("", "SICK"),
    }


def test_the_kaggle_archive_as_it_comes(files):
    root = files(
        "chest_xray/train/NORMAL/IM-0115-0001.jpeg",
        "chest_xray/train/NORMAL/.DS_Store",
        "chest_xray/test/PNEUMONIA/person1_virus_6.JPEG",
        "chest_xray/chest_xray/train/NORMAL/IM-0115-0001.jpeg",
        "chest_xray/__MACOSX/chest_xray/train/NORMAL/._IM-0115-0001.jpeg",
        "chest_xray/.DS_Store",
        "__MACOSX/chest_xray/._train",
    )
    found = rows(folder(root))
    assert len(found) == 7
    assert found["chest_xray/train/NORMAL/IM-0115-0001.jpeg"] == ("train", "NORMAL", None)
    assert found["chest_xray/test/PNEUMONIA/person1_virus_6.JPEG"] == ("test", "PNEUMONIA", None)
    assert found["chest_xray/chest_xray/train/NORMAL/IM-0115-0001.jpeg"][2] == "outside train/, val/ and test/"
    assert sum(row[2] == "system file, no image" for row in found.values()) == 4


def test_nested_once_more_than_expected(files):
    root = files("chest_xray/chest_xray/train/NORMAL/a.jpeg", "chest_xray/chest_xray/test/NORMAL/b.jpeg")
    assert set(used(folder(root))) == {
        "chest_xray/chest_xray/train/NORMAL/a.jpeg",
        "chest_xray/chest_xray/test/NORMAL/b.jpeg",
    }


def test_what_is_no_image_is_a_row_that_says_why(files):
    found = rows(folder(files("train/NORMAL/a.png", "train/NORMAL/notes.txt", "train/b.png", "test/NORMAL/c.png")))
    assert found["train/NORMAL/notes.txt"][2] == "no image by its suffix"
    assert found["train/b.png"] == ("train", "", "in no class folder")


def test_split_folders_may_be_spelled_otherwise_but_not_twice(files):
    root = files("Training/A/a.png", "VALIDATION/A/b.png", "Test/A/c.png")
    assert {split for split, _ in used(folder(root)).values()} == {"train", "val", "test"}
    with pytest.raises(InputError, match=r"validation.* name one split twice, rename or remove one"):
        list(folder(files("valid/A/d.png")))


def test_two_sets_in_one_folder_must_be_told_apart(files):
    with pytest.raises(InputError, match=r"2 folders with train/ or test/, name one of .*one, .*two"):
        list(folder(files("one/train/A/a.png", "two/train/A/a.png")))


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_linked_folders_are_followed_but_not_in_circles(files):
    root = files("store/A/a.png", "set/test/A/b.png")
    (root / "set/train").symlink_to(root / "store")
    (root / "set/test/A/loop").symlink_to(root / "set")
    assert used(folder(root / "set", links=True))["train/A/a.png"] == ("train", "A")
    assert "test/A/b.png" in used(folder(root / "set"))


def test_masks_come_with_their_image_and_are_no_images(files):
    root = files("train/SICK/a.jpeg", "train/SICK/b.jpeg", "test/SICK/c.jpeg", "masks/train/SICK/a.png")
    found = {row.image: row.columns for row in folder(root)}
    assert found["train/SICK/a.jpeg"] == {"mask": "masks/train/SICK/a.png"}
    assert found["train/SICK/b.jpeg"] == {}
    assert "masks/train/SICK/a.png" not in found


def listed(tmp_path, text, **options):
    path = tmp_path / "images.csv"
    path.write_text(text, encoding="utf-8")
    return list(csv(path, **options))


def test_a_csv_gives_rows_with_all_other_columns(tmp_path):
    first, second = listed(
        tmp_path, "\ufeffimage, label,split,patient,sex\nsub\\a.png,NORMAL,Train,p1,f\nb.png,NA,validation,,\n"
    )
    assert (first.image, first.label, first.split, first.patient) == ("sub/a.png", "NORMAL", "train", "p1")
    assert first.columns == {"sex": "f"}
    assert (second.label, second.split, second.patient) == ("NA", "val", None)


def test_a_csv_may_lack_split_and_patient_and_name_a_folder_and_a_separator(tmp_path):
    (row,) = listed(tmp_path, "image;label\na.png;NORMAL\n", images="scans", separator=";")
    assert (row.image, row.split, row.patient) == ("scans/a.png", "", None)


def test_a_manifest_that_cxrkit_wrote_comes_back(tmp_path):
    used_row, excluded = listed(
        tmp_path,
        "image,split,label,patient,sha256,width,height,excluded\na.png,train,A,p,ff,9,9,\nb.png,,,,,0,0,empty file\n",
    )
    assert used_row.columns == {}
    assert excluded.excluded == "empty file"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("imge,label\na,b\n", 'no column "image", did you mean "imge"'),
        ("image\na\n", 'no column "label"'),
        ("image,label\na.png,\nb.png,A\n,A\n", "line 2: label is empty"),
        ("image,label\na.png,A\na.png,A\n", "line 3: image occurs twice, allowed is one row"),
        ("image,label,split\na.png,A,trian\n", "line 2: split is none that is known, allowed are train, val, test"),
        ("", "no CSV file in UTF-8"),
        ("image,label\n" + "a.png,A,x\n", "rows have more cells than the first line"),
        ("image,label\na.png,A\nb.png,A,x\n", "no CSV file in UTF-8 .*Expected 2 fields in line 3"),
    ],
)
def test_a_wrong_csv_is_told_with_its_lines(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        listed(tmp_path, text)


def test_all_problems_of_a_csv_are_told_at_once(tmp_path):
    with pytest.raises(InputError) as caught:
        listed(tmp_path, "image,label,split\na.png,,train\n,A,tset\n")
    assert len(caught.value.problems) == 3


def test_a_csv_in_another_encoding_and_a_missing_one_are_told(tmp_path):
    (tmp_path / "latin.csv").write_bytes("image,label\nä.png,A\n".encode("latin-1"))
    with pytest.raises(InputError, match="no CSV file in UTF-8"):
        list(csv(tmp_path / "latin.csv"))
    with pytest.raises(InputError, match="no such file, allowed is a CSV with"):
        list(csv(tmp_path / "none.csv"))


def test_a_phantom_comes_with_patients_pathogens_and_masks(tmp_path):
    write(tmp_path / "p", images=40, size=64)
    found = list(phantom(tmp_path / "p"))
    assert len(found) == 40
    assert {row.columns["pathogen"] for row in found} == {"normal", "bacteria", "virus"}
    sick = next(row for row in found if row.label == "PNEUMONIA")
    with Image.open(tmp_path / "p" / sick.columns["mask"]) as mask:
        assert mask.size == (64, 64)
    shutil.rmtree(tmp_path / "p/masks")
    with pytest.raises(InputError, match=r"no phantom.csv in it, make one with: cxrkit data phantom"):
        list(phantom(tmp_path))
