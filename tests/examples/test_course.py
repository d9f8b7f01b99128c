"""The table of the course: everything of the assignment stands in it, and every command in it does what it says."""

import re
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import click
import pytest
import torch
import torchvision
from click.testing import CliRunner

from cxrkit.cli import cli
from cxrkit.data import phantom

PNEUMONIA = Path(__file__).parents[2] / "examples" / "pneumonia"
COURSE = (PNEUMONIA / "COURSE.md").read_text(encoding="utf-8")

ASKED_FOR = (
    "download_dataset.py", "train_from_scratch.py", "train_transfer_learning.py", "evaluate.py", "compare_models.py",
    "visualize_results.py", "--data_dir", "--epochs", "--batch_size", "--lr", "--device", "--output_dir",
    "--pretrained", "--use_class_weights", "--use_scheduler", "--model1", "--model2",
    "checkpoints/resnet18_from_scratch.pth", "checkpoints/resnet18_pretrained.pth", "results/task1_1_results.json",
    "results/task1_2_results.json",
    "comparison_report.txt", "--batch_size 16", "--lr 0.00005", "RandomResizedCrop(224)", "CenterCrop(224)",
    "training curves", "confusion matrices", "ROC", "class distribution", "sample images", "augmented images",
    "confidence thresholding", "ensemble", "radiologist confirmation", "rotation, zoom, elastic deformation",
    "ResNet-50", "ResNet-101", "Grad-CAM", "upsampling", "downsampling", "balanced sampling", "class weights",
    "test-time augmentation", "two-stage fine-tuning", "tune learning rates", "independent test set", "domain shift",
    "monitor the false positive rate", "continuous performance monitoring", "data directory not found",
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """A row of the table: what the course has, the command, and what its last cell names."""

    course: str
    command: str
    named: list[str]

    @property
    def words(self) -> list[str]:
        return shlex.split(self.command)[1:]

    @property
    def is_dry(self) -> bool:
        return "--dry-run" in self.words


def rows() -> list[Row]:
    found = []
    for line in COURSE.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        if len(cells) == 3 and cells[0] != "the course" and not cells[0].startswith("---"):
            command = re.match(r"`(cxrkit [^`]+)`", cells[1])
            assert command, f"no command in {line}"
            found.append(Row(cells[0], command[1], re.findall(r"`([^`]+)`", cells[2])))
    return found


ROWS = rows()


def test_the_table_has_everything_of_the_assignment():
    told = "\n".join(row.course for row in ROWS)
    assert [name for name in ASKED_FOR if name not in told] == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.command)
def test_every_command_and_option_exists(row):
    command, words = cli, list(row.words)
    with click.Context(cli) as context:
        while isinstance(command, click.Group):
            command = command.get_command(context, words.pop(0))
        command.make_context("cxrkit", words)  # an unknown option or a value out of range raises


# ── Every row for real ────────────────────────────────────────────────────────────────────────────────────────────────

SMALL = ["data.image_size=32", "run.workers=0", "evaluation.resamples=100", "explain.most=8", "explain.sample=0"]
SETS = [word for key in [*SMALL, "run.device=cpu"] for word in ("--set", key)]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The folder that the table begins in, Kaggle's library and ImageNet's weights replaced by what is made here."""
    phantom.write(tmp_path / "made" / "chest_xray", images=240, size=64, seed=1)
    shutil.rmtree(tmp_path / "made" / "chest_xray" / "masks", ignore_errors=True)
    shutil.make_archive(str(tmp_path / "archive"), "zip", tmp_path / "made")
    _another_hospital(tmp_path)
    library = SimpleNamespace(dataset_download=lambda _handle: str(tmp_path / "made"))
    monkeypatch.setitem(sys.modules, "kagglehub", library)
    weights = tmp_path / "hub" / "hub" / "checkpoints" / "resnet18-f37072fd.pth"
    weights.parent.mkdir(parents=True)
    torch.manual_seed(0)
    torch.save(torchvision.models.resnet18().state_dict(), weights)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))
    for name in ("tasks.toml", "best.toml"):
        shutil.copy(PNEUMONIA / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _another_hospital(place: Path) -> None:
    """Put images of other patients into ``data/elsewhere``, named as that hospital names them."""
    phantom.write(place / "other", images=120, size=64, seed=2)
    for number, image in enumerate(sorted((place / "other" / "test").rglob("*.jpeg"))):
        folder = place / "data" / "elsewhere" / image.parent.name
        folder.mkdir(parents=True, exist_ok=True)
        image.rename(folder / f"study-{number}.jpeg")


def quick(row: Row) -> list[str]:
    """The row's command, on small images and for one epoch where it trains; its own options count."""
    command, *words = row.words
    if row.is_dry:
        return row.words
    if command == "train":
        return [command, *words, *SETS, "--epochs", "1"]
    if command in ("run", "search"):
        return [command, words[0], *SETS, "--set", "defaults.epochs=1", *words[1:]]
    return row.words


def check(row: Row, place: Path) -> None:
    """The command ends well, and what the last cell names is there: files by their paths, keys in what is printed."""
    result = CliRunner().invoke(cli, quick(row))
    assert result.exit_code in ((0, 3) if row.words[0] == "monitor" else (0,)), f"{row.command}\n{result.output}"
    for name in row.named:
        if " = " in name:
            assert name in result.output, f"{row.command} prints no {name}\n{result.output}"
        elif ("/" in name and "<" not in name) or name.endswith((".txt", ".csv")):
            assert (place / name).exists(), f"{row.command} leaves no {name}\n{result.output}"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # figures of so few images are what the libraries warn of
def test_every_row_of_the_table_does_what_it_says_from_top_to_bottom(place):
    for row in ROWS:
        check(row, place)
