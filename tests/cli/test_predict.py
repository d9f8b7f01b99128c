"""``cxrkit predict`` with a model that was never trained, whose answers are computed here a second time."""

import csv
import json
import shutil
import signal
import threading
import time
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
import safetensors.torch
import torch
from click.testing import CliRunner
from cxrkit_plugins.models import cxrkit_register_models
from PIL import Image
from scipy.special import softmax

from cxrkit.cli import cli
from cxrkit.data.images import read_grey
from cxrkit.files import sha256
from cxrkit.records import ModelInfo, PredictedImages, ThresholdRecord, Zone
from cxrkit.run import arrivals
from cxrkit.training import answers
from cxrkit.training.images import evaluation_input, preprocessing

SECRET = "GEHEIM^X"
CLASSES = ["NORMAL", "PNEUMONIA"]
TEMPERATURE = 2.5


def predict(*arguments):
    return CliRunner().invoke(cli, ["predict", *map(str, arguments), "--device", "cpu"], env={"COLUMNS": "200"})


def picture(path, seed):
    path.parent.mkdir(exist_ok=True)
    grey = np.random.default_rng(seed).integers(0, 60 + 20 * seed, (40, 48)).astype(np.uint8)
    Image.fromarray(grey).save(path)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Eight images, one that is called like a formula, and one that is none."""
    folder = tmp_path_factory.mktemp("images") / "in"
    for seed in range(8):
        picture(folder / f"{seed}.png", seed)
    picture(folder / "=1+1.png", 8)
    (folder / "broken.jpeg").write_bytes(b"")
    (folder / "notes.txt").write_text("no image")
    return folder


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return cxrkit_register_models()["resnet18"](2, head="linear").eval()


@pytest.fixture(scope="module")
def raw(folder, network):
    """The softmax of the logits of each image, computed without cxrkit's own prediction."""
    prepared = preprocessing(32)
    with torch.no_grad():
        return {
            path.name: network(evaluation_input(read_grey(path), prepared)[None]).double().numpy()[0]
            for path in folder.glob("*.png")
        }


@pytest.fixture(scope="module")
def model(tmp_path_factory, network, raw):
    """A saved model, its threshold and zone between the images' probabilities."""
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    safetensors.torch.save_model(network, str(path))
    ordered = sorted(float(softmax(logits)[1]) for logits in raw.values())
    at = [(low + high) / 2 for low, high in pairwise(ordered)]
    thresholds = [ThresholdRecord(value=at[place], rule="youden", set="val", n=30) for place in (2, 4, 6)]
    ModelInfo(
        task="scratch",
        seed=3,
        model="resnet18",
        model_options={"head": "linear"},
        distribution="cxrkit",
        class_names=CLASSES,
        positive="PNEUMONIA",
        preprocessing=preprocessing(32),
        parameters=0,
        trainable=0,
        threshold=thresholds[1],
        zone=Zone(lower=thresholds[0], upper=thresholds[2]),
        temperature=TEMPERATURE,
    ).write(path.with_suffix(".json"))
    return path


def rows(output):
    with (output / "predictions.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_folder_is_predicted_as_the_model_was_fixed(folder, model, raw, tmp_path):
    output = tmp_path / "out"
    done = predict("--model", model, folder, "--output", output)
    assert done.exit_code == 0, done.output
    assert done.stdout.strip() == str(output / "predictions.csv")
    assert "1 of 10 files have no result: empty file." in done.stderr
    info = ModelInfo.read(model.with_suffix(".json"))
    found = {row["image"]: row for row in rows(output)}
    assert list(found) == [f"{folder}/{name}" for name in sorted([*raw, "broken.jpeg"])]
    for name, logits in raw.items():
        row, path = found[f"{folder}/{name}"], folder / name
        value = softmax(logits)[1]
        assert float(row["raw_probability"]) == pytest.approx(value, abs=1e-6)
        assert float(row["probability"]) == pytest.approx(softmax(logits / TEMPERATURE)[1], abs=1e-6)
        assert row["decision"] == ("PNEUMONIA" if value >= info.threshold.value else "NORMAL")
        between = "uncertain" if value >= info.zone.lower.value else "negative"
        assert row["zone"] == ("positive" if value >= info.zone.upper.value else between)
        assert (row["status"], row["sha256"]) == ("ok", sha256(path))
        with Image.open(output / row["overlay"]) as overlay:
            assert overlay.size == (48, 40)
    assert {row["zone"] for row in found.values()} == {"negative", "uncertain", "positive", ""}
    broken = found[f"{folder}/broken.jpeg"]
    assert (broken["status"], broken["probability"], broken["decision"]) == ("empty file", "", "")

    document = PredictedImages.read(output / "predictions.json")
    (one,) = document.models
    assert (one.name, one.task, one.seed, one.file) == ("scratch", "scratch", 3, "model.safetensors")
    assert (one.sha256, one.threshold, one.threshold_origin) == (sha256(model), info.threshold, "model.json")
    assert document.environment.packages["torch"]
    for image in document.images:
        for answer in image.answers.values():  # on the scaled probability the threshold decides alike
            assert (answer.probability >= one.threshold_on_probability) == (answer.decision == "PNEUMONIA")
            assert sum(answer.raw_probabilities.values()) == pytest.approx(1)


def test_a_name_that_a_spreadsheet_would_carry_out_is_made_harmless(folder, model, tmp_path, monkeypatch):
    monkeypatch.chdir(folder)
    done = predict("--model", model, "=1+1.png", "3.png", "./3.png", "--no-cam", "--output", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert [row["image"] for row in rows(tmp_path / "out")] == ["'=1+1.png", "3.png"]
    assert [path.name for path in (tmp_path / "out").iterdir() if path.is_dir()] == []
    assert "overlay" not in rows(tmp_path / "out")[0]
    assert "=1+1.png: " in done.stderr
    assert "threshold" in done.stderr


def test_only_where_no_file_can_be_read_the_status_is_1(folder, model, tmp_path):
    done = predict(
        "--model", model, folder / "broken.jpeg", folder / "notes.txt", "--no-cam", "--output", tmp_path / "out"
    )
    assert done.exit_code == 1
    assert [row["status"] for row in rows(tmp_path / "out")] == ["empty file", "no image by its content"]


def test_several_models_stand_beside_each_other(folder, model, raw, tmp_path):
    foreign = tmp_path / "theirs.pth"
    torch.save({"state_dict": safetensors.torch.load_file(model)}, foreign)
    options = ("--architecture", "resnet18", "--classes", "PNEUMONIA,NORMAL", "--image-size", "32", "--threshold", "1")
    output = tmp_path / "out"
    done = predict("--model", model, "--model", foreign, *options, folder, "--output", output, "--json", "--no-cam")
    assert done.exit_code == 0, done.output
    shown = json.loads(done.stdout)
    assert shown == json.loads((output / "predictions.json").read_text(encoding="utf-8"))
    assert [one["threshold_origin"] for one in shown["models"]] == ["model.json", "--threshold"]
    assert "theirs.pth came without a model.json; assumed are images of 32 pixels" in done.stderr
    ok = [row for row in rows(output) if row["status"] == "ok"]
    assert list(ok[0])[3:] == [
        *("probability_scratch", "raw_probability_scratch", "decision_scratch", "zone_scratch"),
        *("probability_theirs", "raw_probability_theirs", "decision_theirs"),
    ]
    for row in ok:
        swapped = 1 - float(row["raw_probability_scratch"])
        assert float(row["probability_theirs"]) == float(row["raw_probability_theirs"]) == pytest.approx(swapped)
        assert row["decision_theirs"] == "NORMAL"


def test_what_was_predicted_before_an_interruption_is_kept(folder, model, tmp_path, monkeypatch):
    monkeypatch.setattr(answers, "BATCH", 4)
    read = answers.read

    def interrupted(paths):
        if paths[0].name == "4.png":  # the second lot
            raise KeyboardInterrupt
        return read(paths)

    monkeypatch.setattr(answers, "read", interrupted)
    done = predict("--model", model, folder, "--no-cam", "--output", tmp_path / "out")
    assert done.exit_code == 130
    assert "has 4 of 10 images alone" in done.stderr
    assert len(rows(tmp_path / "out")) == len(PredictedImages.read(tmp_path / "out/predictions.json").images) == 4


# ── What a DICOM file tells of its patient ────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def radiographs(tmp_path):
    """DICOM files full of a secret: whole, with text in the pixels, and with a window that is none."""
    pydicom = pytest.importorskip("pydicom", reason='DICOM needs the extra: pip install "cxrkit[dicom]"')
    meta = pydicom.dataset.FileMetaDataset()
    meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.1.1", "1.2.3"
    meta.SourceApplicationEntityTitle = "GEHEIM"
    found = pydicom.dataset.FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    found.SOPClassUID, found.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    for name in ("PatientName", "PatientID", "AccessionNumber", "StudyDescription", "InstitutionName", "StationName"):
        setattr(found, name, SECRET)
    found.StudyDate = found.PatientBirthDate = "19450508"
    found.Rows, found.Columns, found.SamplesPerPixel, found.PixelRepresentation = 40, 48, 1, 0
    found.BitsAllocated, found.BitsStored, found.HighBit = 16, 12, 11
    found.PhotometricInterpretation = "MONOCHROME1"
    found.PixelData = np.random.default_rng(0).integers(0, 4095, (40, 48)).astype(np.uint16).tobytes()
    found["PixelData"].VR = "OW"
    folder = tmp_path / "geheim"
    folder.mkdir()
    found.save_as(folder / "IM0001", enforce_file_format=True)
    found.BurnedInAnnotation = "YES"
    found.save_as(folder / "GEHEIM_X.dcm", enforce_file_format=True)
    found.WindowCenter, found.WindowWidth, found.VOILUTFunction = 1, 9, "GEHEIM"
    found.save_as(folder / "bad.dcm", enforce_file_format=True)
    return folder


def test_nothing_that_a_dicom_file_tells_leaves_it(radiographs, model, tmp_path):
    output = tmp_path / "out"
    done = predict("--model", model, radiographs, "--output", output, "--anonymous-names")
    assert done.exit_code == 0, done.output
    burnt, whole, bad = rows(output)
    assert [row["image"] for row in (burnt, whole, bad)] == ["1", "2", "3"]
    assert (burnt["status"], burnt["overlay"]) == ("ok", "")  # its pixels hold text, by what it says
    assert bad["status"] == "DICOM with a window of a kind that is not read"
    assert (whole["status"], whole["overlay"]) == ("ok", "overlays/scratch/2.jpg")
    assert whole["sha256"] == sha256(radiographs / "IM0001")
    written = [path for path in output.rglob("*") if path.is_file()]
    assert len(written) == 3
    names = [path.name.encode() for path in written]
    for content in [*(path.read_bytes() for path in written), done.output.encode(), *names]:
        for text in (SECRET, "GEHEIM", "19450508", "geheim"):
            assert text.encode() not in content
            assert text.encode("utf-16-le") not in content


# ── Watching ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def wait_for(condition):
    end = time.monotonic() + 60
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)


def test_a_watched_folder_is_predicted_as_files_come_complete(folder, model, raw, tmp_path, monkeypatch):
    """A file that grows is waited for; the results inside the watched folder are not images; Ctrl-C ends it."""
    monkeypatch.setattr(arrivals, "watch", partial(arrivals.watch, interval=0.2))
    watched = tmp_path / "watched"
    output = watched / "out"
    shutil.copytree(folder, watched, ignore=shutil.ignore_patterns("[!0-1]*"))
    content = (folder / "2.png").read_bytes()
    counts = []

    def arrive():
        wait_for(lambda: (output / "predictions.csv").is_file() and len(rows(output)) == 2)
        with (watched / "2.png").open("wb") as file:
            for start in range(0, len(content), 1 + len(content) // 8):
                file.write(content[start : start + 1 + len(content) // 8])
                file.flush()
                counts.append(len(rows(output)))
                time.sleep(0.1)
        wait_for(lambda: len(rows(output)) == 3)
        signal.raise_signal(signal.SIGINT)

    arriving = threading.Thread(target=arrive)
    before = signal.getsignal(signal.SIGINT)
    arriving.start()
    done = predict("--model", model, watched, "--watch", "--no-cam", "--output", output)
    arriving.join()
    assert done.exit_code == 0, done.output
    assert set(counts) == {2}
    assert "ended after 3 images" in done.stderr
    assert signal.getsignal(signal.SIGINT) == before
    names = [row["image"].rpartition("/")[2] for row in rows(output)]
    assert names == ["0.png", "1.png", "2.png"]
    assert {row["status"] for row in rows(output)} == {"ok"}
    assert float(rows(output)[2]["raw_probability"]) == pytest.approx(softmax(raw["2.png"])[1], abs=1e-6)
    assert len(PredictedImages.read(output / "predictions.json").images) == 3


# ── What is refused, before anything is written ───────────────────────────────────────────────────────────────────────


def refused(tmp_path, *arguments):
    done = predict(*arguments, "--output", tmp_path / "out")
    assert done.exit_code == 2, done.output
    assert not (tmp_path / "out").exists()
    return [line.removeprefix("Error: ") for line in done.stderr.splitlines() if line.startswith("Error: ")]


def test_all_that_is_wrong_is_told_at_once(folder, model, tmp_path):
    foreign = tmp_path / "theirs.pth"
    torch.save(safetensors.torch.load_file(model), foreign)
    told = refused(tmp_path, "--model", foreign, "--cam", "GradCam", tmp_path / "gone", folder)
    assert told == [
        f"{tmp_path / 'gone'}: no such file or folder, allowed are images and folders",
        '--cam: no method "GradCam", did you mean "GradCAM"?',
        f"--architecture: missing, {foreign} has no model.json that tells it, give one such as resnet18",
        (
            f"--classes: missing, {foreign} has no model.json that tells them, give them in the order of its outputs, "
            "such as NORMAL,PNEUMONIA"
        ),
    ]


def test_no_image_and_a_file_to_be_watched_are_refused(folder, model, tmp_path):
    (tmp_path / "empty").mkdir()
    told = refused(tmp_path, "--model", model, tmp_path / "empty")
    assert told == [f"{tmp_path / 'empty'}: no image in it, allowed are JPEG, PNG, TIFF, BMP, WebP, DICOM"]
    told = refused(tmp_path, "--model", model, folder / "0.png", "--watch")
    assert told == [f"{folder / '0.png'}: is no folder, with --watch folders are watched"]
