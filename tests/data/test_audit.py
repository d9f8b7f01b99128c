import shutil

import numpy as np
import pytest
from PIL import Image

from cxrkit import data
from cxrkit.config.schema import DataTable
from cxrkit.data.audit import audit, audit_of
from cxrkit.data.phantom import write
from cxrkit.records import DataAudit


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("audit") / "phantom"
    write(folder, images=120, size=128)
    shutil.rmtree(folder / "masks")
    return folder


@pytest.fixture
def root(source, tmp_path):
    return shutil.copytree(source, tmp_path / "set")


@pytest.fixture
def build(datasets, tmp_path):
    def built(**table):
        table = {"root": "set", "groups": "kermany"} | table
        return data.build(DataTable.model_validate(table), tmp_path, datasets, seed=0)

    return built


@pytest.fixture
def check(datasets, tmp_path):
    return lambda: audit(DataTable(root="set"), tmp_path, datasets)


def first(folder):
    return min(folder.iterdir())


def test_sound_data_have_no_findings(root, check):
    found = check()
    assert found.shared_patients == found.identical_across_splits == found.label_conflicts == found.problems == []
    assert found.near_duplicates.counts == []
    assert found.near_duplicates.searched == found.usable == 120
    assert not [drift for drift in found.drift if drift.named]
    assert not [baseline for baseline in found.baselines if baseline.shortcut]


def test_a_changed_copy_in_another_split_is_a_near_duplicate_of_another_patient(root, check):
    original = first(root / "train/NORMAL")
    Image.open(original).resize((200, 180)).save(root / "test/NORMAL/IM-9999-0001.jpeg", quality=60)
    found = check()
    assert found.identical_across_splits == []
    [count] = found.near_duplicates.counts
    assert count.splits == ("train", "test")
    assert (count.pairs, count.of_different_patients, count.of_different_labels) == (1, 1, 0)
    [pair] = found.near_duplicates.pairs
    assert pair.images == (f"train/NORMAL/{original.name}", "test/NORMAL/IM-9999-0001.jpeg")
    assert pair.labels == ("NORMAL", "NORMAL")
    assert not pair.same_patient
    assert pair.correlation > 0.985
    assert pair.distance <= 8
    assert "0.985" in found.near_duplicates.rule


def test_copies_with_two_labels_are_conflicts_identical_ones_first(root, check):
    one, other = sorted((root / "test/NORMAL").iterdir())[:2]
    Image.open(one).point(lambda grey: min(255, grey + 10)).save(root / "test/PNEUMONIA/person900_virus_1.jpeg")
    shutil.copyfile(other, root / "test/PNEUMONIA/person901_virus_1.jpeg")
    found = check()
    assert [conflict.identical for conflict in found.label_conflicts] == [True, False]
    identical, near = found.label_conflicts
    assert identical.images == [f"test/NORMAL/{other.name}", "test/PNEUMONIA/person901_virus_1.jpeg"]
    assert near.images == [f"test/NORMAL/{one.name}", "test/PNEUMONIA/person900_virus_1.jpeg"]
    assert identical.labels == near.labels == ["NORMAL", "PNEUMONIA"]
    assert found.near_duplicates.counts[0].of_different_labels == 1


def test_what_matters_most_is_listed_first(root, check):
    train = sorted((root / "train/NORMAL").iterdir())
    Image.open(train[0]).save(root / "train/NORMAL/IM-9000-0001.png")
    Image.open(train[1]).save(root / f"train/NORMAL/{train[1].stem.rpartition('-')[0]}-0099.png")
    Image.open(train[2]).save(root / "test/NORMAL/IM-9001-0001.png")
    pairs = check().near_duplicates.pairs
    assert [pair.splits for pair in pairs] == [("train", "test"), ("train", "train"), ("train", "train")]
    assert [pair.same_patient for pair in pairs] == [False, False, True]


def test_more_pairs_than_are_listed_are_counted(root, check):
    original = Image.open(first(root / "train/NORMAL"))
    for number in range(15):
        original.save(root / f"test/NORMAL/IM-{9000 + number}-0001.jpeg", quality=60 + number)
    near = check().near_duplicates
    assert {count.splits: count.pairs for count in near.counts} == {("train", "test"): 15, ("test", "test"): 105}
    assert len(near.pairs) == 50


def test_a_run_audits_its_own_validation_split_and_the_file_comes_back(root, build, tmp_path):
    found = audit_of(build(), where="set", positive="PNEUMONIA")
    assert list(found.counts) == ["train", "val", "test"]
    assert found.source == "set"
    assert found.patient_rule == 'rule "kermany" on file names'
    assert found.shared_patients_by_naive_key is not None
    assert {(drift.from_set, drift.to_set) for drift in found.drift} == {("val", "test"), ("train", "test")}
    assert [baseline.fitted_on for baseline in found.baselines] == [["train", "val"]] * len(found.baselines)
    assert sum(count for classes in found.modes.values() for count in classes["NORMAL"].values()) == sum(
        counts["NORMAL"] for counts in found.counts.values()
    )
    found.write(tmp_path / "audit.json")
    assert DataAudit.read(tmp_path / "audit.json") == found


def test_the_manifests_file_holds_no_more_than_before(root, build, tmp_path):
    manifest = build()
    manifest.write(tmp_path / "manifest.csv")
    header = (tmp_path / "manifest.csv").read_text(encoding="utf-8").splitlines()[0]
    assert header == "image,split,label,patient,pathogen,sha256,width,height,excluded"
    assert data.Manifest.read(tmp_path / "manifest.csv", manifest.roots).looks == {}
    assert set(manifest.usable["sha256"]) <= set(manifest.looks)


def test_another_departments_images_are_told_by_their_drift(root, build, tmp_path, source):
    """An external set that is larger and darker; and whose patients' numbers, as another hospital's, mean nothing."""
    for path in sorted((source / "test").rglob("*.jpeg")):
        target = tmp_path / "other" / path.relative_to(source / "test")
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.open(path).resize((160, 160)).point(lambda grey: round(0.5 * grey)).save(target)
    found = audit_of(build(external={"other": "other"}, groups=None), where="set", positive="PNEUMONIA")
    named = {(drift.to_set, drift.class_name, drift.statistic) for drift in found.drift if drift.named}
    assert {("other", label, "width") for label in ("NORMAL", "PNEUMONIA")} <= named
    assert {("other", label, "intensity") for label in ("NORMAL", "PNEUMONIA")} <= named
    assert {to_set for to_set, _, _ in named} == {"other"}
    assert found.shared_patients_by_naive_key is None
    assert {drift.from_set for drift in found.drift if drift.to_set == "other"} == {"test"}
    assert set(found.baselines[-1].auc) == {"test", "other"}


def test_an_external_patient_of_the_same_key_is_not_the_same_patient(datasets, root, tmp_path):
    rows = "image,label,split,patient\n"
    for path in sorted(root.rglob("*.jpeg")):
        rows += f"{path.relative_to(root).as_posix()},{path.parent.name},{path.parts[-3]},{path.stem}\n"
    (root / "main.csv").write_text(rows)
    original = first(root / "test/NORMAL")
    Image.open(original).save(root / "copy.png")
    (root / "b.csv").write_text(f"image,label,patient\ncopy.png,NORMAL,{original.stem}\n")
    table = DataTable.model_validate({"manifest": "set/main.csv", "external": {"b": "set/b.csv"}})
    found = audit_of(data.build(table, tmp_path, datasets, seed=0), where="set/main.csv")
    assert found.shared_patients == []
    [pair] = found.near_duplicates.pairs
    assert pair.splits == ("test", "b")
    assert not pair.same_patient


def test_sizes_that_differ_by_class_are_called_a_shortcut(root, check):
    for path in sorted(root.rglob("NORMAL/*.jpeg")):
        Image.open(path).resize((150, 140)).save(path)
    size = next(baseline for baseline in check().baselines if baseline.name == "size")
    assert size.shortcut
    assert size.cross_validated.value == 1
    assert size.cross_validated.low < 1
    assert size.sentence.startswith("Image size alone tells PNEUMONIA from NORMAL with an AUC of 1.00 (0.")


def test_without_a_positive_class_every_class_is_told_from_the_others(folders, check):
    folders({f"{split}/{name}": 12 for split in ("train", "test") for name in ("flu", "measles", "mumps")})
    found = check()
    assert {baseline.positive for baseline in found.baselines} == {"flu", "measles", "mumps"}
    assert all("the other classes" in baseline.sentence for baseline in found.baselines if baseline.name != "size")


def test_one_class_has_nothing_to_be_told_from(folders, check):
    folders({"train/A": 3, "test/A": 3})
    assert check().baselines == []


def test_images_without_splits_are_audited_as_one_set(folders, check):
    folders({"A": 12, "B": 12})
    found = check()
    assert found.drift == []
    assert found.counts == {"no split": {"A": 12, "B": 12}}
    brightness = next(baseline for baseline in found.baselines if baseline.name == "brightness")
    assert brightness.fitted_on == ["no split"]
    assert brightness.cross_validated is not None
    assert brightness.auc == {}


def test_files_of_which_none_can_be_read_are_counted_and_nothing_else(folders, check, tmp_path):
    root = folders({"train/A": 1, "train/B": 1})
    for path in root.rglob("*.png"):
        path.write_bytes(b"no image")
    found = check()
    assert (found.usable, found.statistics, found.drift, found.baselines) == (0, [], [], [])
    assert found.excluded[0].files == 2
    assert "no readable image" in found.problems[0]


def test_images_of_one_grey_are_no_near_duplicates(folders, check):
    root = folders({"train/A": 2, "train/B": 2, "test/A": 1, "test/B": 1})
    for number, path in enumerate(sorted(root.rglob("*.png"))):
        Image.fromarray(np.full((16, 16), 30 + number, dtype=np.uint8)).save(path)
    found = check()
    assert found.near_duplicates.counts == []
    assert {row.median for row in found.statistics if row.statistic == "contrast"} == {0}
