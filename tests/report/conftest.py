"""A finished run directory such as a real run leaves: two trained tasks, written through the real record models."""

import csv
import re
from collections.abc import Callable, Mapping
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from cxrkit.api import Predictions
from cxrkit.config.schema import EvaluationTable, ThresholdTable
from cxrkit.discovery import load
from cxrkit.evaluation import cases, evaluate, predictions
from cxrkit.evaluation.predictions import softmax
from cxrkit.files import digest, write_text
from cxrkit.records import (
    AugmentationPreview,
    AugmentationPreviews,
    CamEntry,
    CamIndex,
    DataSummary,
    Environment,
    LayerInfo,
    ModelInfo,
    Preprocessing,
    PreviewedImage,
    RunInfo,
    SampleImage,
    SampleImages,
    TaskInfo,
    Timing,
)
from cxrkit.rundir import RunDirectory, TaskDirectory, image_file_name

CLASSES = ("NORMAL", "PNEUMONIA")
SKILL = {"scratch": 1.7, "transfer": 2.6}
SIZES = {"val": 80, "test": 240}
MakeRun = Callable[..., RunDirectory]


@pytest.fixture(scope="session")
def make_run(tmp_path_factory: pytest.TempPathFactory) -> MakeRun:
    """Give ``make_run(skill=…, classes=…, failed=…, …) -> RunDirectory``."""

    def make(**options) -> RunDirectory:
        return build(tmp_path_factory.mktemp("run") / "pneumonia", **options)

    return make


@pytest.fixture(scope="session")
def show_images() -> Callable[..., None]:
    """Give ``show_images(run, horizontal_flip=…, rename=…)``: see :func:`write_shown`."""
    return write_shown


@pytest.fixture(scope="session")
def finished_run(make_run: MakeRun) -> RunDirectory:
    """A run that tests only read."""
    return make_run()


class Page(HTMLParser):
    """What a test asks of a page."""

    VOID = frozenset({"meta", "img", "br", "link", "input", "hr", "path", "use", "rect"})

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.texts, self.rows, self.unbalanced = [], [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"} and self.rows:
            self.rows[-1].append("")

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag in self.VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data):
        self.texts.append(data)
        if {"td", "th"} & set(self.open) and self.rows:
            self.rows[-1][-1] += data

    @property
    def text(self):
        return " ".join("".join(self.texts).split())

    def headings(self, tag):
        return [*self._inside(tag)]

    def _inside(self, tag):
        return [
            " ".join(match.split())
            for match in re.findall(rf"<{tag}(?: [^>]*)?>(.*?)</{tag}>", self.rawdata_, re.DOTALL)
        ]


def read_page(path):
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    page.rawdata_ = text
    return page


@pytest.fixture(scope="session")
def page_of() -> Callable[[Path], Page]:
    """Give ``page_of(path)``, which reads an HTML report."""
    return read_page


def build(
    root: Path,
    *,
    skill: Mapping[str, float] = SKILL,
    classes: tuple[str, str] = CLASSES,
    failed: Mapping[str, str] | None = None,
    trained: bool = True,
    cams: bool = True,
    report: Mapping[str, object] | None = None,
    rename: Callable[[str], str] = str,
    mark: Callable[[str], str] = str,
    prevalence: float | None = 0.1,
    seed: int = 0,
) -> RunDirectory:
    """Write a run directory: images by patient, predictions of each skill, everything that training would leave."""
    run = RunDirectory(root)
    rng = np.random.default_rng(seed)
    sets = {name: _images(rng, name, size, classes, rename, mark) for name, size in SIZES.items()}
    _write_manifest(run, sets, classes)
    for number, (task, ability) in enumerate(skill.items()):
        _write_task(run.task(task), number, ability, sets, classes, rng, trained=trained)
    _write_failed(run, failed or {})
    _write_info(run, sets, classes, [*skill], failed or {}, report or {})
    table = EvaluationTable(resamples=200, prevalence=prevalence, subgroups=("pathogen",) if trained else ())
    known = load("cxrkit").metric_reporters
    reporters = [(known.get(name, "test"), {}) for name in ("classification", "calibration", "utility")]
    evaluate(run, table, dict.fromkeys(skill, ThresholdTable()), reporters)
    if trained and cams:
        _write_pictures(run, sets["test"], [*skill], classes[1])
    return run


def _images(rng, split, size, classes, rename, mark):
    """Make rows of image, patient, label and pathogen: a third of the patients have several images."""
    rows = []
    patient = 0
    while len(rows) < size:
        patient += 1
        label = int(rng.random() < 0.62)
        pathogen = "normal" if label == 0 else ("bacteria" if rng.random() < 0.6 else "virus")
        key = f"IM-{patient:04d}" if label == 0 else f"{pathogen}-{patient}"
        for picture in range(int(rng.integers(1, 4)) if rng.random() < 0.3 else 1):
            stem = f"{key}-{picture:04d}" if label == 0 else f"person{patient}_{pathogen}_{picture}"
            image = f"{split}/{classes[label]}/{stem}.jpeg"
            rows.append((rename(image), mark(f"{split}-{key}"), label, mark(pathogen)))
    return rows[:size]


def _write_manifest(run, sets, classes):
    text = StringIO(newline="")
    table = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    table.writerow(("image", "split", "label", "patient", "pathogen", "sha256", "width", "height", "excluded"))
    for split, rows in sets.items():
        for image, patient, label, pathogen in rows:
            table.writerow((image, split, classes[label], patient, pathogen, digest(image), "1200", "900", ""))
    table.writerow(("test/NORMAL/broken.jpeg", "test", "NORMAL", "", "", "", "0", "0", "truncated file"))
    write_text(run.manifest, text.getvalue())


def _write_task(directory: TaskDirectory, number, ability, sets, classes, rng, *, trained):
    for split, rows in sets.items():
        labels = np.array([row[2] for row in rows])
        margin = ability * (2 * labels - 1) + rng.normal(0, 1.9, len(rows)) + (0.7 if split == "test" else 0)
        logits = np.stack([-margin / 2, margin / 2], axis=1)
        found = Predictions(
            task=directory.name,
            set=split,
            condition=None,
            class_names=classes,
            positive=classes[1],
            images=np.array([row[0] for row in rows]),
            patients=np.array([row[1] for row in rows]),
            labels=labels,
            status=np.full(len(rows), "ok"),
            probabilities=softmax(logits),
            logits=logits,
        )
        predictions.write(directory.predictions(split), found)
    info = TaskInfo(
        task=directory.name,
        kind="trained" if trained else "predictions",
        state="finished",
        class_names=list(classes),
        positive=classes[1],
        seeds=[0] if trained else [],
        represent="ensemble" if trained else None,
        sets=[*sets],
        model=("resnet18", "resnet18-pretrained")[number % 2] if trained else None,
        imbalance="class-weights" if trained else None,
        trainer="fabric" if trained else None,
        options=OPTIONS if trained else {},
    )
    info.write(directory.info)
    if trained:
        _write_seed(directory, number, classes)


OPTIONS = {
    "model": {"head": "course", "freeze": None},
    "imbalance": {},
    "trainer": {"learning_rate": 0.001, "optimizer": "adam", "scheduler": None},
    "epochs": 8,
    "batch_size": 32,
    "precision": "auto",
    "augmentation": {"random_resized_crop": {"scale": [0.7, 1.0], "ratio": [0.75, 1.33]}, "horizontal_flip": 0.5},
}


def _write_seed(directory: TaskDirectory, number, classes):
    seed = directory.seed(0)
    lines = ["epoch,train_loss,val_loss,val_roc_auc,val_accuracy,learning_rate,seconds"]
    for epoch in range(1, 9):
        fall = 1 / (1 + 0.5 * epoch * (1 + number))
        figures = (0.7 * fall, 0.5 * fall + 0.02 * epoch, 1 - 0.3 * fall, 0.98 - 0.4 * fall, 0.001, 11.5)
        lines.append(f"{epoch}," + ",".join(f"{figure:.6f}" for figure in figures))
    write_text(seed.history, "\n".join(lines) + "\n")
    Timing(
        seconds=93.4 / (1 + number),
        images_per_second=31.2 + number,
        peak_memory_bytes=1_400_000_000,
        device="cpu",
        precision="bf16",
    ).write(seed.timing)
    ModelInfo(
        task=directory.name,
        seed=0,
        model="resnet18",
        distribution="cxrkit",
        class_names=list(classes),
        positive=classes[1],
        preprocessing=Preprocessing(image_size=224, resize=256, mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]),
        parameters=11_308_354,
        trainable=11_308_354 - 83_000 * number,
        layers=[
            LayerInfo(name="conv1", kind="Conv2d", output_shape=[64, 112, 112], parameters=9_408, trainable=0),
            LayerInfo(
                name="layer4", kind="Sequential", output_shape=[512, 7, 7], parameters=8_393_728, trainable=8_393_728
            ),
            LayerInfo(name="fc", kind="Sequential", output_shape=[2], parameters=132_098, trainable=132_098),
        ],
        selected_epoch=6 + number % 3,
    ).write(seed.model_info)


def _write_failed(run, failed):
    for task, reason in failed.items():
        TaskInfo(task=task, kind="trained", state="failed", failure=reason).write(run.task(task).info)


def _write_info(run, sets, classes, tasks, failed, report):
    counts = {"train": {classes[0]: 300, classes[1]: 500}} | {
        split: {name: sum(row[2] == number for row in rows) for number, name in enumerate(classes)}
        for split, rows in sets.items()
    }
    RunInfo(
        configuration={"report": dict(report), "explain": {"most": 24, "correct": 6}, "data": {"positive": classes[1]}},
        environment=Environment(
            cxrkit="0.1.0",
            python="3.11.2",
            platform="Linux",
            processor="x86_64",
            cpu_count=2,
            memory_bytes=8 * 2**30,
            threads=2,
            packages={"torch": "2.4.0", "numpy": "1.26.4"},
        ),
        data=DataSummary(
            found=sum(sum(by_class.values()) for by_class in counts.values()) + 1,
            excluded={"truncated file": 1},
            counts=counts,
            patients={"train": 560} | {split: len({row[1] for row in rows}) for split, rows in sets.items()},
            notes=["By personN alone, 17 patients would be in train and test: bacterial and viral are numbered apart."],
            patient_rule='file names by rule "kermany"',
            manifest_sha256=digest("manifest"),
        ),
        class_names=list(classes),
        positive=classes[1],
        tasks=dict.fromkeys(tasks, "finished") | dict.fromkeys(failed, "failed"),
        started="2026-03-01T10:00:00+00:00",
        finished="2026-03-01T10:12:00+00:00",
    ).write(run.info)


def _write_pictures(run, rows, tasks, positive):
    chosen = cases.choose(run, most=24, correct=6)
    labels = {row[0]: row[2] for row in rows}
    for number, image in enumerate(chosen.images):
        path = run.thumbnail(digest(image))
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(_radiograph(number, labels[image])).save(path, quality=85)
    for task in tasks:
        _write_cams(run.task(task), chosen, positive)


def _write_cams(directory, chosen, positive):
    entries = []
    for number, image in enumerate(chosen.images):
        name = image_file_name(image)
        overlay = directory.cam / "overlays" / f"{name}.jpg"
        overlay.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(_overlay(number)).save(overlay, quality=85)
        entries.append(
            CamEntry(image=image, class_name=positive, overlay=f"overlays/{name}.jpg", raw=f"raw/{name}.png")
        )
    index = CamIndex(method="GradCAM", layer="layer4", seed=0, rule=chosen.rule, entries=entries)
    index.write(directory.cam / "index.json")


def _radiograph(number, label):
    """Draw something of a chest's proportions: uint8[240, 320]."""
    y, x = np.mgrid[0:240, 0:320]
    lungs = np.exp(-(((x - 105) / 42) ** 2 + ((y - 120) / 85) ** 2)) + np.exp(
        -(((x - 215) / 42) ** 2 + ((y - 120) / 85) ** 2)
    )
    grey = 190 - 140 * lungs + 8 * np.sin(y / 7) + 55 * label * np.exp(-(((x - 220) / 26) ** 2 + ((y - 150) / 22) ** 2))
    return np.clip(grey + np.random.default_rng(number).normal(0, 6, grey.shape), 0, 255).astype(np.uint8)


def write_shown(run, *, horizontal_flip=0.5, rename=str):
    """Write what a real run draws before it trains: two sample images of each set and class, and an augmentation."""
    labels = RunInfo.read(run.info).class_names
    images = [
        SampleImage(
            image=rename(f"{of}/{label}/s{number}.jpeg"),
            set=of,
            label=label,
            patient=rename(f"p{number}"),
            sha256=digest(f"{of}{label}{number}"),
        )
        for of in ("train", "test")
        for label in labels
        for number in range(2)
    ]
    for number, one in enumerate(images):
        _save(run.thumbnail(one.sha256), _radiograph(number, number % 2))
    SampleImages(seed=0, each=2, images=images).write(run.samples)
    preview = AugmentationPreview(
        tasks=[*RunInfo.read(run.info).tasks],
        settings={"random_resized_crop": {"scale": [0.7, 1.0]}, "horizontal_flip": horizontal_flip, "rotation": 10.0},
        seed=0,
        epochs=[1, 2],
        image_size=224,
        images=[PreviewedImage(image=one.image, label=one.label, patient=one.patient) for one in images[:2]],
    )
    for place in range(2):
        for epoch in (None, 1, 2):
            _save(run.view(0, place, epoch), _radiograph(place, 1)[:, : 40 if epoch is None else 60 : epoch or 1])
    AugmentationPreviews(made_of="0", previews=[preview]).write(run.previews)


def _save(path, grey):
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(grey).save(path, quality=85)


def _overlay(number):
    grey = _radiograph(number, 1).astype(float)
    y, x = np.mgrid[0:240, 0:320]
    heat = np.exp(-(((x - 215 + 3 * (number % 9)) / 40) ** 2 + ((y - 150) / 35) ** 2))
    return np.stack([grey * (1 - heat) + 255 * heat, grey * (1 - heat) + 120 * heat, grey * (1 - heat)], axis=2).astype(
        np.uint8
    )


HOSTILE = """<img src=x onerror=alert(1)> $\\alpha$ \\input{x} % "'& {{ 7*7 }}"""


@pytest.fixture(scope="session")
def hostile_run(make_run: MakeRun) -> SimpleNamespace:
    """A run whose names hold markup, commands and control characters, or are long; and these names."""
    ending = f"{HOSTILE}\n\t\x1b[31m\u202etxt\u2028."
    script = "</script><script>alert(2)</script>"
    names = {
        "task": f"{HOSTILE}\n\u202e",
        "second": "=1+1 | `rm -r` # [bold]x ^_~",
        "classes": (f"well {script}", f"sick {ending} {'x' * 80}"),
        "report": {"title": f"Title {ending}", "authors": [f"Author {ending}"], "institution": f"House {ending}"},
        "failed": {f"failed {HOSTILE}": f"Reason {ending}"},
    }

    def renamed(image: str) -> str:
        long = "long" * 75 if digest(image) < "2" else ""
        return image.replace(".jpeg", f" {HOSTILE}{long}\n.jpeg")

    run = make_run(
        skill={names["task"]: 1.7, names["second"]: 2.6},
        classes=names["classes"],
        report=names["report"] | {"intended_use": f"Use {ending}"},
        rename=renamed,
        mark=lambda name: f"{name} {ending}",
        failed=names["failed"],
    )
    write_shown(run, rename=lambda name: f"{name} {ending}")
    return SimpleNamespace(run=run, hostile=HOSTILE, **names)
