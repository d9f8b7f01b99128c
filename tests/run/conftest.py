import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from cxrkit.cli import cli
from cxrkit.data.phantom import write

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
