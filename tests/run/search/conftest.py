import io
import json
import shutil
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from cxrkit.cli import cli
from cxrkit.data.phantom import write
from cxrkit.run import children

TASKS = """\
# Of the tests
[run]
output = "run"  # where to
device = "cpu"
workers = 0
threads = 1
[data]
root = "data"
dataset = "phantom"
image_size = 32
groups = "kermany"
validation = { from = "train", fraction = 0.4 }
[defaults]
epochs = 1  # short
[[task]]
name = "plain"
model = "squeezenet1_1"  # small
trainer = { use = "fabric", learning_rate = 1e-3 }  # usual
[search.space]
batch_size = [8, 16]
"""


@dataclass(frozen=True)
class Place:
    """A folder with data and a ``tasks.toml`` to search."""

    folder: Path

    @property
    def tasks(self) -> Path:
        return self.folder / "tasks.toml"

    @property
    def output(self) -> Path:
        return self.folder / "run-search" / "plain"

    def write(self, text: str) -> None:
        self.tasks.write_text(text, encoding="utf-8", newline="\n")

    def search(self, *arguments) -> SimpleNamespace:
        """Run ``cxrkit search`` in this process."""
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
            cli(["search", str(self.tasks), *map(str, arguments)])
        told = err.getvalue().replace(f"{self.tasks}", "tasks.toml")
        return SimpleNamespace(status=ended.value.code or 0, out=out.getvalue(), err=told)

    def json(self, folder: Path | None = None) -> dict:
        return json.loads(((folder or self.output) / "search.json").read_text(encoding="utf-8"))


@pytest.fixture
def here(monkeypatch, training):
    """Train in this process."""
    monkeypatch.setattr(children, "carry_out", training())


@pytest.fixture(scope="session")
def data(tmp_path_factory) -> Path:
    """Generated radiographs, which no test changes."""
    folder = tmp_path_factory.mktemp("phantom") / "data"
    write(folder, images=60, size=64, seed=3)
    return folder


@pytest.fixture
def place(tmp_path, data) -> Place:
    place = Place(tmp_path)
    place.write(TASKS.replace('root = "data"', f"root = '{data}'"))
    return place


@pytest.fixture(scope="module")
def searched(tmp_path_factory, data, training):
    """A grid of two trials that has been searched, with its data beside it; tests leave it as it is."""
    place = Place(tmp_path_factory.mktemp("searched"))
    shutil.copytree(data, place.folder / "data")
    place.write(TASKS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(children, "carry_out", training())
        result = place.search("--method", "grid")
    assert result.status == 0, result.err
    return place, result
