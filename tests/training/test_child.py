import csv
import json

import pytest
from safetensors import safe_open

from cxrkit.evaluation.predictions import read
from cxrkit.plans import Chosen, DevicePlan, EpochRow, Failed, Finished
from cxrkit.records import ModelInfo, Timing


def history(folder) -> list[dict[str, str]]:
    with folder.history.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_child_writes_everything_of_a_seed_folder(trained):
    folder, events = trained()
    assert isinstance(events[-1], Finished)
    assert [row["epoch"] for row in history(folder)] == ["1", "2"]
    assert [event.row["epoch"] for event in events if isinstance(event, EpochRow)] == [1, 2]
    assert ModelInfo.read(folder.model_info).distribution == "cxrkit"
    assert Timing.read(folder.timing).peak_memory_bytes > 1 << 20
    found = read(folder.predictions("test"), task="scratch", set_name="test", class_names=["NORMAL", "PNEUMONIA"])
    assert len(found.images) == 10
    assert set(found.status) == {"ok"}
    with safe_open(folder.model, "pt") as weights:
        assert "fc.weight" in weights.keys()  # noqa: SIM118 - no mapping
    assert not folder.last.exists()
    assert list((folder.root / "tensorboard").iterdir())
