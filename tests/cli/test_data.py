import csv
import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from cxrkit.cli import cli
from cxrkit.data.phantom import write


def run(*arguments):
    return CliRunner().invoke(cli, ["data", *map(str, arguments)], env={"COLUMNS": "200"})


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli") / "phantom"
    write(folder, images=120, size=64)
    return folder


@pytest.fixture
def broken(source, tmp_path):
    """A phantom with a leak by file, an empty file, a renamed text and a child in two splits."""
    folder = tmp_path / "broken"
    shutil.copytree(source, folder)
    (folder / "phantom.csv").unlink()
    normal = sorted((folder / "train/NORMAL").iterdir())
    shutil.copyfile(normal[0], folder / "test/NORMAL/IM-9999-0001.jpeg")
    Image.fromarray(np.eye(64, dtype=np.uint8)).save(folder / "test/NORMAL" / normal[1].name)
    (folder / "test/NORMAL/IM-8888-0001.jpeg").touch()
    (folder / "test/NORMAL/.DS_Store").touch()
    return folder


def test_a_sound_folder_is_usable(source):
    result = run("check", source)
    assert result.exit_code == 0, result.output
    assert "121 files found, 120 usable images" in result.stdout
    assert 'Patients by rule "kermany" on file names' in result.stdout
    assert "No patients shared between splits." in result.stdout
    assert "By the number in the name alone" in result.stdout
    assert "No near duplicates" in result.stdout
    assert "No drift from val to test that is shown and large enough to matter." in result.stdout
    assert "All images have the same size." in result.stdout
    assert "Brightness and contrast alone" in result.stdout
    assert result.stdout.rstrip().endswith("Usable.")


def test_findings_are_told_plainly_and_are_no_failure_of_the_audit(broken):
    result = run("check", broken)
    assert result.exit_code == 0, result.output
    assert "train and test share 1 patient, e.g. IM-" in result.stdout
    assert "train and test share 1 identical file, e.g. train/NORMAL/" in result.stdout
    assert "empty file" in result.stdout
    assert "test/NORMAL/IM-8888-0001.jpeg" in result.stdout
    assert "system file, no image" in result.stdout
    assert "Not usable as it is:" in result.stdout
    assert 'split by patient with "cxrkit data split"' in " ".join(result.stdout.split())


def test_near_duplicates_conflicts_shortcuts_and_drift_are_told_in_sentences(source, tmp_path):
    folder = shutil.copytree(source, tmp_path / "odd", ignore=shutil.ignore_patterns("masks", "*.csv"))
    for path in sorted((folder / "test/PNEUMONIA").iterdir()):
        Image.open(path).resize((90, 90)).point(lambda grey: round(0.4 * grey)).save(path)
    original = min((folder / "train/NORMAL").iterdir())
    Image.open(original).save(folder / "train/PNEUMONIA/person999_virus_1.png")
    result = run("check", folder)
    assert result.exit_code == 0, result.output
    shown = " ".join(result.stdout.split())
    pair = f"train/NORMAL/{original.name} and train/PNEUMONIA/person999_virus_1.png"
    assert f"1 pair of near duplicates in train, 1 of different patients, e.g. {pair}." in shown
    assert f"Nearly one picture with two labels: {pair}." in shown
    assert "Drift from train to test: PNEUMONIA images are wider (90 against 64 pixels, D 1.00)" in shown
    assert "darker (" in shown
    narrow = CliRunner().invoke(cli, ["data", "check", str(folder)], env={"COLUMNS": "70"})
    assert not [line for line in narrow.stdout.splitlines() if len(line) > 70 and str(folder) not in line]
    assert "│ test PNEUMONIA  │    90 │     90 │" in narrow.stdout


def test_the_audit_as_json(broken):
    result = run("check", broken, "--json")
    found = json.loads(result.stdout)
    assert (found["found"], found["usable"]) == (124, 122)
    assert [pair["splits"] for pair in found["shared_patients"]] == [["train", "test"]]
    assert {exclusion["reason"]: exclusion["files"] for exclusion in found["excluded"]} == {
        "empty file": 1,
        "system file, no image": 1,
    }
    assert len(found["problems"]) == 2
    assert found["near_duplicates"]["searched"] == 121
    assert {(row["set"], row["class"]) for row in found["statistics"]} == {
        (split, label) for split in ("train", "val", "test") for label in ("NORMAL", "PNEUMONIA")
    }
    assert {baseline["name"] for baseline in found["baselines"]} == {"size", "brightness"}


def test_class_folders_without_splits_name_the_command_that_makes_them(source):
    result = run("check", source / "train")
    assert result.exit_code == 0
    assert "no train and test in it, make them with: cxrkit data split" in " ".join(result.stdout.split())


def test_patient_rules_can_be_given(source):
    by_column = run("check", source / "phantom.csv", "--groups", "column=pathogen")
    assert "train and test share 3 patients" in by_column.stdout
    by_pattern = run("check", source, "--groups", r"regex=(person\d+|IM-\d+)")
    assert "share" in by_pattern.stdout
    wrong = run("check", source, "--groups", "kermani")
    assert wrong.exit_code == 2
    assert '--groups: "kermani"' in wrong.stderr
    assert "Traceback" not in wrong.output


@pytest.mark.parametrize("command", [["check"], ["split", "--test", "0.2"]])
def test_nothing_to_look_at_is_an_error(command, tmp_path):
    target = [tmp_path / "new"] if command[0] == "split" else []
    missing = run(*command, tmp_path / "none", *target)
    assert missing.exit_code == 2
    assert "none: no such folder" in missing.stderr
    (tmp_path / "empty/a").mkdir(parents=True)
    (tmp_path / "empty/a/.DS_Store").touch()
    empty = run(*command, tmp_path / "empty", *target)
    assert empty.exit_code == 2
    assert "empty: no " in empty.stderr
    assert not (tmp_path / "new").exists()


def test_a_split_is_by_patient_and_copies_every_usable_image(broken, tmp_path):
    result = run("split", broken, tmp_path / "new", "--test", "0.25", "--validation", "0.2")
    assert result.exit_code == 0, result.output
    assert "not copied: 1 files: empty file" in result.stdout
    assert result.stdout.splitlines()[-1] == str(tmp_path / "new")
    for place in (tmp_path / "new", tmp_path / "new/manifest.csv"):
        found = json.loads(run("check", place, "--json").stdout)
        assert found["usable"] == 122
        assert found["problems"] == []
        assert found["shared_patients"] == found["identical_across_splits"] == []
        sizes = {name: sum(counts.values()) for name, counts in found["counts"].items()}
        assert sizes["test"] == pytest.approx(30, abs=3)
        assert sizes["val"] == pytest.approx(24, abs=3)
    assert (broken / "test/NORMAL/IM-8888-0001.jpeg").exists()


def test_two_images_of_one_name_are_both_kept(source, tmp_path):
    for folder, number in (("a/NORMAL", 1), ("b/NORMAL", 2), ("a/SICK", 3), ("b/SICK", 4)):
        (tmp_path / folder).mkdir(parents=True)
        Image.fromarray(np.full((9, 9), number, dtype=np.uint8)).save(tmp_path / folder / "x.png")
    rows = "".join(f"{folder}/{name}/x.png,{name}\n" for folder in "ab" for name in ("NORMAL", "SICK"))
    (tmp_path / "all.csv").write_text("image,label\n" + rows)
    result = run("split", tmp_path / "all.csv", tmp_path / "new", "--validation", "0", "--test", "0.4")
    assert result.exit_code == 0, result.output
    assert len(list((tmp_path / "new").rglob("*.png"))) == 4
    assert not (tmp_path / "new/val").exists()


def test_a_split_that_cannot_be_made_leaves_nothing(source, tmp_path):
    for folder in ("NORMAL", "SICK"):
        (tmp_path / "few" / folder).mkdir(parents=True)
        Image.fromarray(np.full((9, 9), len(folder), dtype=np.uint8)).save(tmp_path / "few" / folder / "x.png")
    result = run("split", tmp_path / "few", tmp_path / "new")
    assert result.exit_code == 2
    assert "no usable image in test" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["few"]
    too_much = run("split", source, tmp_path / "new", "--test", "0.6", "--validation", "0.4")
    assert too_much.exit_code == 2
    assert "must sum to less than 1, got 1" in too_much.stderr


def test_a_split_does_not_write_into_a_folder_in_use(source, tmp_path):
    (tmp_path / "new").mkdir()
    (tmp_path / "new/mine.txt").write_text("keep")
    result = run("split", source, tmp_path / "new")
    assert result.exit_code == 2
    assert "exists and is not empty" in result.stderr
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["mine.txt"]


def test_a_phantom_is_written_and_out_of_range_is_status_two(tmp_path):
    result = run("phantom", tmp_path / "p", "--images", "40", "--size", "64", "--seed", "3")
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == str(tmp_path / "p")
    assert len(list((tmp_path / "p/test").rglob("*.jpeg"))) == 10
    wrong = run("phantom", tmp_path / "q", "--size", "9")
    assert wrong.exit_code == 2
    assert "size: must be 64 to 1024 pixels, got 9" in wrong.stderr


PREVIEWED = """
[run]
output = "run"
[data]
root = "{root}"
groups = "kermany"
image_size = 32
[[task]]
name = "one"
model = "resnet18"
[[task]]
name = "two"
model = "resnet18"
augmentation = {{ random_resized_crop = false, horizontal_flip = 0.0, rotation = 90.0 }}
"""


def preview(*arguments):
    return run("preview", *arguments)


def captions(folder):
    with (folder / "figures.csv").open(encoding="utf-8", newline="") as file:
        return {row["figure"]: row for row in csv.DictReader(file)}


def test_a_configuration_is_previewed_before_anything_is_trained(source, tmp_path):
    path = tmp_path / "tasks.toml"
    path.write_text(PREVIEWED.format(root=source.as_posix()), encoding="utf-8")
    result = preview(path, "--output", tmp_path / "seen", "--set", "augmentation.contrast=0.25", "--dpi", "72")
    assert result.exit_code == 0, result.output
    names = ["data-samples", "classes", "training-augmentation", "training-augmentation-1"]
    assert result.stdout.splitlines() == [
        *(str(tmp_path / "seen" / f"{name}.png") for name in names),
        str(tmp_path / "seen" / "figures.csv"),
    ]
    rows = captions(tmp_path / "seen")
    assert "contrast up or down by up to 25%" in rows["training-augmentation"]["caption"]
    assert rows["training-augmentation-1"]["caption"].startswith("The augmentation of two: turned by up to 90°")
    assert "Validation, NORMAL: patient IM-" in rows["data-samples"]["alternative_text"]
    for name in names:
        with Image.open(tmp_path / "seen" / f"{name}.png") as image:
            assert np.asarray(image.convert("L")).std() > 10
    assert not (tmp_path / "run").exists()


def test_a_preview_names_nobody_whom_the_report_will_not_name(source, tmp_path):
    path, key = tmp_path / "tasks.toml", tmp_path / "shared.key"
    path.write_text(PREVIEWED.format(root=source.as_posix()), encoding="utf-8")
    key.write_text("0123456789abcdef", encoding="utf-8")
    told = []
    for place in ("first", "second"):
        wanted = ("--set", "report.pseudonyms=true", "--set", f'report.pseudonym_key="{key.as_posix()}"')
        result = preview(path, "--output", tmp_path / place, "--dpi", "72", *wanted)
        assert result.exit_code == 0, result.output
        told.append((tmp_path / place / "figures.csv").read_text(encoding="utf-8"))
    assert told[0] == told[1]
    assert "NORMAL: patient P-" in told[0]
    assert "IM-0" not in told[0]
    result = preview(path, "--output", tmp_path / "third", "--dpi", "72", "--set", "report.pseudonyms=true")
    assert result.exit_code == 0, result.output
    assert "patient P-" in (tmp_path / "third" / "figures.csv").read_text(encoding="utf-8")
    assert not (tmp_path / "run").exists()


def test_a_folder_is_previewed_as_it_is(source, tmp_path):
    result = preview(source / "test", "--output", tmp_path / "seen", "--dpi", "72")
    assert result.exit_code == 0, result.output
    rows = captions(tmp_path / "seen")
    assert rows["data-samples"]["alternative_text"].startswith("Chest X-rays by set and class. No split, NORMAL: ")
    assert "No split: NORMAL " in rows["classes"]["alternative_text"]
    assert "with it the heart to the other side" in rows["training-augmentation"]["caption"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere: no such folder"),
        (["tasks.toml"], "tasks.toml: "),
        (
            ["tasks.toml", "--groups", "image"],
            "--groups: is for a folder or CSV file, tasks.toml says it in its [data]",
        ),
        (["data", "--set", "a=1"], "--set: is for a TASKS.toml, got data"),
    ],
)
def test_what_cannot_be_previewed_is_one_sentence_and_status_2(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    result = preview(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert list(tmp_path.iterdir()) == []
