import csv
import subprocess
import sys

import pytest
from safetensors import safe_open

from cxrkit.evaluation.predictions import read
from cxrkit.plans import Chosen, DevicePlan, EpochRow, Failed, Finished
from cxrkit.records import ModelInfo, Timing

pytestmark = pytest.mark.slow
SMALL = Chosen(name="shufflenet_v2_x0_5")
EVERY_STATE = {"optimizer": "sgd", "scheduler": "cosine", "ema": 0.9, "gradient_clip": 1.0, "learning_rate": 0.01}


def history(folder) -> list[dict[str, str]]:
    with folder.history.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def predicted(folder, name="test"):
    return read(folder.predictions(name), task="scratch", set_name=name, class_names=["NORMAL", "PNEUMONIA"])


def test_child_writes_everything_of_a_seed_folder(trained):
    folder, events = trained()
    assert isinstance(events[-1], Finished)
    assert [row["epoch"] for row in history(folder)] == ["1", "2"]
    assert [event.row["epoch"] for event in events if isinstance(event, EpochRow)] == [1, 2]
    info = ModelInfo.read(folder.model_info)
    assert info.distribution == "cxrkit"
    assert info.selected_epoch in (1, 2)
    assert info.class_shares == info.seen_shares == pytest.approx([6 / 21, 15 / 21])
    assert Timing.read(folder.timing).peak_memory_bytes > 1 << 20
    assert len(predicted(folder).images) == 10
    assert set(predicted(folder).status) == {"ok"}
    with safe_open(folder.model, "pt") as weights:
        assert "fc.weight" in weights.keys()  # noqa: SIM118 - no mapping
    assert not folder.last.exists()
    assert list((folder.root / "tensorboard").iterdir())


def test_a_killed_training_goes_on_and_ends_with_the_same_bytes(make_plan, child, trained):
    values = {"model": SMALL, "trainer": Chosen(name="fabric", options=EVERY_STATE), "epochs": 8}
    undisturbed, _ = trained(run="undisturbed", **values)
    plan = make_plan(run="killed", **values)
    child(plan).kill_after_epoch(3)
    again = child(plan)
    status, events, errors = again.finish()
    assert status == 0, errors
    first = next(event.row["epoch"] for event in events if isinstance(event, EpochRow))
    assert first > 3
    for path in (undisturbed.history, undisturbed.predictions("test"), undisturbed.model):
        assert path.read_bytes() == (again.folder.root / path.relative_to(undisturbed.root)).read_bytes()


def test_worker_processes_change_nothing(trained):
    alone, _ = trained(run="alone", model=SMALL, devices=DevicePlan(device="cpu", threads=1, workers=0))
    helped, _ = trained(run="helped", model=SMALL, devices=DevicePlan(device="cpu", threads=1, workers=2))
    assert alone.history.read_bytes() == helped.history.read_bytes()
    assert alone.predictions("test").read_bytes() == helped.predictions("test").read_bytes()


def test_two_processes_train_together(trained):
    devices = DevicePlan(device="cpu", devices=2, threads=1, precision="fp32")
    in_two_stages = Chosen(name="fabric", options={"head_epochs": 1})
    folder, events = trained(
        devices=devices, imbalance=Chosen(name="class-weights"), model=SMALL, trainer=in_two_stages
    )
    assert isinstance(events[-1], Finished)
    assert len(history(folder)) == 2
    assert set(predicted(folder).status) == {"ok"}
    assert ModelInfo.read(folder.model_info).seen_shares == pytest.approx([0.5, 0.5])


def test_an_image_that_became_unreadable_has_its_reason_as_status(images, trained):
    _, frame = images
    lost = frame.copy()
    test = lost.index[lost["split"] == "test"]
    lost.loc[test[0], "image"] = "test/NORMAL/gone.png"
    folder, _ = trained(frame=lost, model=SMALL, epochs=1)
    found = predicted(folder)
    assert found.status[found.images == "test/NORMAL/gone.png"] != "ok"
    assert (found.status == "ok").sum() == len(test) - 1


@pytest.fixture
def strange_plugins(tmp_path):
    """Install a distribution whose strategies do harm, and return the environment that finds it."""
    info = tmp_path / "site" / "stranger-1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 1.2\n", encoding="utf-8")
    (info / "entry_points.txt").write_text("[cxrkit.train]\nstrange = strange\n", encoding="utf-8")
    (tmp_path / "site" / "strange.py").write_text(
        "from cxrkit import hookimpl\nfrom cxrkit.api import Imbalance\n"
        "def endless(labels, num_classes):\n    return Imbalance(loss=lambda logits, labels: logits.sum() / 0)\n"
        "def raising(labels, num_classes):\n    print('to standard output')\n    raise KeyError('weights')\n"
        "@hookimpl\ndef cxrkit_register_imbalance_strategies():\n"
        "    return {'endless': endless, 'raising': raising}\n",
        encoding="utf-8",
    )
    return {"PYTHONPATH": str(tmp_path / "site")}


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        ("endless", "epoch 1, step 1 of 3: the loss is"),
        ("raising", "imbalance strategy \"raising\" of stranger 1.2 failed (KeyError: 'weights')"),
    ],
)
def test_a_failure_is_one_event_and_names_where_it_comes_from(make_plan, child, strange_plugins, strategy, message):
    running = child(make_plan(model=SMALL, imbalance=Chosen(name=strategy)), environment=strange_plugins)
    status, events, _ = running.finish()
    assert status == 1
    failures = [event for event in events if isinstance(event, Failed)]
    assert len(failures) == 1
    assert message in failures[0].message
    assert not running.folder.model.exists()


def test_wrong_input_is_told_as_such(make_plan, child):
    status, events, _ = child(make_plan(model=Chosen(name="resnet81"))).finish()
    assert status == 2
    assert events[-1].input_error
    assert 'did you mean "resnet18"?' in events[-1].message
    done = subprocess.run(
        [sys.executable, "-m", "cxrkit.training.child", "fly"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "allowed are train, explain, robustness and checkpoint, each with a PLAN" in done.stdout
