import io
import json
import os
import subprocess
import sys
import threading
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from cxrkit.cli import cli
from cxrkit.data.phantom import write
from cxrkit.errors import RunError, StopTraining
from cxrkit.plans import EpochRow, TrainingPlan

TASKS = """
[run]
output = "run"
device = "cpu"
workers = 0
[data]
root = "data"
dataset = "phantom"
image_size = 32
groups = "kermany"
validation = { from = "train", fraction = 0.3 }
[defaults]
model = "resnet18"
epochs = 1
[[task]]
name = "plain"
[[task]]
name = "upsampled"
imbalance = "upsample"
[evaluation]
reference = "plain"
resamples = 100
subgroups = ["pathogen"]
[explain]
most = 6
correct = 2
[report]
formats = ["html", "txt"]
"""


class Told:
    """What a child process tells its parent with, in this process; asks to stop after an epoch."""

    def __init__(self, hear, stops_after=None):
        self.hear, self.stops_after, self.stop = hear, stops_after, threading.Event()
        self.silent = False

    def tell(self, event):
        self.hear(event)
        if isinstance(event, EpochRow) and event.row["epoch"] == self.stops_after:
            self.stop.set()

    def divert_descriptor(self):
        pass


def training(stops_after=None, fails=()):
    """Train in this process, which has torch already; everything else is as in the child.

    Args:
        stops_after: epoch after which it is stopped.
        fails: seeds that fail.
    """

    def train_here(work, plan, log, hear, *, time_limit=None):
        from cxrkit.training.train import train

        assert work == "train"
        read, told = TrainingPlan.read(plan), Told(hear, stops_after)
        if read.seed in fails:
            raise RunError("no luck")
        try:
            train(read, told, told.stop)
        except StopTraining as stopped:
            raise KeyboardInterrupt(str(stopped)) from None

    return train_here


@dataclass(frozen=True)
class Study:
    """A folder with data and a ``tasks.toml``, and the real command to run it."""

    folder: Path

    @property
    def run(self) -> Path:
        return self.folder / "run"

    def write(self, text: str) -> None:
        (self.folder / "tasks.toml").write_text(text, encoding="utf-8")

    def cxrkit_run(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "cxrkit", "run", str(self.folder / "tasks.toml"), *arguments],
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def cxrkit_run_here(self, *arguments: str) -> SimpleNamespace:
        """Run the command in this process, which has torch already: for what ends before anything is trained."""
        told = io.StringIO()
        with redirect_stderr(told), pytest.raises(SystemExit) as ended:
            cli(["run", str(self.folder / "tasks.toml"), *arguments])
        return SimpleNamespace(returncode=ended.value.code, stderr=told.getvalue())

    def json(self, name: str) -> dict:
        return json.loads((self.run / name).read_text(encoding="utf-8"))


def new_study(folder: Path, text: str = TASKS) -> Study:
    write(folder / "data", images=90, size=64, seed=3)
    study = Study(folder)
    study.write(text)
    return study


@pytest.fixture(scope="session", name="training")
def _training():
    """Give what stands in for a child process that trains."""
    return training


@pytest.fixture(scope="session")
def make_study():
    """Write the data and a given ``tasks.toml`` into a folder."""
    return new_study


@pytest.fixture
def study(tmp_path) -> Study:
    return new_study(tmp_path)


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Study:
    """A study that has been run once; tests may run it again but leave it finished."""
    study = new_study(tmp_path_factory.mktemp("finished"))
    result = study.cxrkit_run()
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == str(study.run / "report" / "report.html")
    return study
