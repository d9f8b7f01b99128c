"""Real images, a real manifest and a real plan for trainings that take a second."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cxrkit.config.schema import AugmentationTable
from cxrkit.data.manifest import Manifest
from cxrkit.files import sha256
from cxrkit.plans import Chosen, DevicePlan, TrainingPlan, event_adapter
from cxrkit.rundir import RunDirectory, SeedDirectory

COUNTS = {"train": (6, 15), "val": (5, 7), "test": (4, 6)}
CLASSES = ("NORMAL", "PNEUMONIA")


def draw(path: Path, label: int, rng: np.random.Generator) -> None:
    """Draw an image whose class is its brightness, with noise."""
    grey = rng.normal(90 + 60 * label, 30, (40, 48)).clip(0, 255).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(grey).save(path)


def row(root: Path, split: str, label: int, number: int, rng: np.random.Generator) -> dict[str, object]:
    name = f"{split}/{CLASSES[label]}/{split}{number}.png"
    draw(root / name, label, rng)
    known = {"image": name, "split": split, "label": CLASSES[label], "patient": f"{split}-{number // 2}"}
    return known | {"sha256": sha256(root / name), "width": 48, "height": 40, "excluded": ""}


@pytest.fixture(scope="session")
def images(tmp_path_factory):
    """The folder of the images and the rows of their manifest."""
    root, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    rows = [
        row(root, split, label, 100 * label + number, rng)
        for split, counts in COUNTS.items()
        for label, count in enumerate(counts)
        for number in range(count)
    ]
    return root, pd.DataFrame(rows)


@pytest.fixture
def make_plan(tmp_path, images) -> Callable[..., TrainingPlan]:
    """Write a manifest and a plan; keyword arguments take the place of the plan's own values."""
    root, frame = images

    def make(run: str = "run", frame: pd.DataFrame = frame, **changes) -> TrainingPlan:
        roots = dict.fromkeys(COUNTS, root)
        Manifest(frame, roots).write(RunDirectory(tmp_path / run).manifest)
        values = {
            "run_directory": str(tmp_path / run),
            "roots": {name: str(folder) for name, folder in roots.items()},
            "task": "scratch",
            "seed": 0,
            "class_names": list(CLASSES),
            "positive": "PNEUMONIA",
            "image_size": 32,
            "model": Chosen(name="resnet18", options={"head": "linear"}),
            "imbalance": Chosen(name="none"),
            "trainer": Chosen(name="fabric"),
            "augmentation": AugmentationTable(),
            "epochs": 2,
            "batch_size": 8,
            "devices": DevicePlan(device="cpu", threads=1),
            "sets": ["val", "test"],
        }
        plan = TrainingPlan(**(values | changes))
        plan.write(seed_folder(plan).plan)
        return plan

    return make


def seed_folder(plan: TrainingPlan) -> SeedDirectory:
    return RunDirectory(Path(plan.run_directory)).task(plan.task).seed(plan.seed)


class Child:
    """A real training process."""

    def __init__(self, plan: TrainingPlan, work: str = "train", environment: dict[str, str] | None = None) -> None:
        self.folder = seed_folder(plan)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "cxrkit.training.child", work, str(self.folder.plan)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env=os.environ | (environment or {}),
            start_new_session=True,
        )

    def finish(self):
        """Wait for its end and return exit status, events and what else it printed."""
        output, errors = self.process.communicate(timeout=240)
        return self.process.returncode, [event_adapter.validate_json(line) for line in output.splitlines()], errors

    def kill_after(self, position: str) -> None:
        """Kill it as soon as the state there has been saved."""
        while not (self.folder.last / f"{position}.safetensors").exists():
            assert self.process.poll() is None, "it ended before it could be killed"
            time.sleep(0.005)
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()


@pytest.fixture
def child() -> type[Child]:
    return Child


@pytest.fixture
def trained(make_plan):
    """Train by a plan in a real process and return the folder and the events."""

    def train(**changes):
        running = Child(make_plan(**changes))
        status, events, errors = running.finish()
        assert status == 0, (events[-1:], errors)
        return running.folder, events

    return train
