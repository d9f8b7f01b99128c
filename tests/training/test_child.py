import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors import safe_open

from cxrkit.evaluation.predictions import read
from cxrkit.plans import Chosen, DevicePlan, EpochRow, Failed, Finished, Stage
from cxrkit.records import ModelInfo, Timing

pytestmark = pytest.mark.slow
SMALL = Chosen(name="shufflenet_v2_x0_5")
DROPPING = Chosen(name="mobilenet_v3_small")  # draws while it trains
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
    trainer = Chosen(name="fabric", options=EVERY_STATE)
    values = {"model": DROPPING, "trainer": trainer, "epochs": 8, "checkpoint_steps": 99}
    undisturbed, _ = trained(run="undisturbed", **values)
    plan = make_plan(run="killed", **values)
    child(plan).kill_after("epoch-3")
    again = child(plan)
    status, events, errors = again.finish()
    assert status == 0, errors
    first = next(event.row["epoch"] for event in events if isinstance(event, EpochRow))
    assert first > 3
    for path in (undisturbed.history, undisturbed.predictions("test"), undisturbed.model):
        assert path.read_bytes() == (again.folder.root / path.relative_to(undisturbed.root)).read_bytes()


def test_a_trained_model_predicts_the_sets_that_have_gone_and_is_not_trained_again(make_plan, child, trained):
    folder, _ = trained()
    written = {path: path.read_bytes() for path in folder.root.rglob("*.*") if path != folder.log}
    times = {path: path.stat().st_mtime_ns for path in written}
    folder.predictions("test").unlink()
    folder.last.mkdir()  # killed before it was removed

    status, events, errors = child(make_plan()).finish()

    assert status == 0, errors
    assert [event.name for event in events if isinstance(event, Stage)] == ["loading", "predicting test"]
    assert {path: path.read_bytes() for path in written} == written
    changed = {path for path in written if path.stat().st_mtime_ns != times[path]}
    assert changed == {folder.plan, folder.predictions("test")}
    assert not folder.last.exists()


def test_worker_processes_change_nothing(trained):
    alone, _ = trained(run="alone", model=DROPPING, devices=DevicePlan(device="cpu", threads=1, workers=0))
    helped, _ = trained(run="helped", model=DROPPING, devices=DevicePlan(device="cpu", threads=1, workers=2))
    assert alone.history.read_bytes() == helped.history.read_bytes()
    assert alone.predictions("test").read_bytes() == helped.predictions("test").read_bytes()


@pytest.mark.skipif(sys.platform != "linux", reason="workers are found through /proc")
def test_a_loading_process_that_was_killed_is_told_as_such_and_not_as_the_trainers_fault(make_plan, child, tmp_path):
    running = child(make_plan(model=SMALL, epochs=500, devices=DevicePlan(device="cpu", threads=1, workers=1)))
    while not running.folder.history.is_file() and running.process.poll() is None:
        time.sleep(0.02)
    number = running.process.pid
    [worker] = Path(f"/proc/{number}/task/{number}/children").read_text().split()
    os.kill(int(worker), signal.SIGKILL)

    status, events, _ = running.finish()

    assert status == 1
    assert isinstance(events[-1], Failed)
    assert events[-1].message.startswith("a process that prepares training images ended (DataLoader worker (pid")
    assert events[-1].message.endswith("lower [run] workers (0 needs no shared memory) or batch_size")
    assert list(tmp_path.rglob("cxrkit-error-*")) == []


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


def test_two_processes_go_on_within_an_epoch(make_plan, child, trained):
    """Each with its own dropout, and with one moving average whose figures both have a part in."""
    devices = DevicePlan(device="cpu", devices=2, threads=1, precision="fp32", workers=0)
    trainer = Chosen(name="fabric", options=EVERY_STATE)
    values = {"model": DROPPING, "trainer": trainer, "devices": devices, "checkpoint_steps": 1, "batch_size": 6}
    undisturbed, _ = trained(run="undisturbed", **values)
    plan = make_plan(run="killed", **values)
    child(plan).kill_after("epoch-1-step-3")
    again = child(plan)
    status, _, errors = again.finish()
    assert status == 0, errors
    for path in (undisturbed.history, undisturbed.predictions("test"), undisturbed.model):
        assert path.read_bytes() == (again.folder.root / path.relative_to(undisturbed.root)).read_bytes()


def test_an_image_that_is_gone_since_the_manifest_was_made_stops_the_task_and_what_was_trained_stays(
    images, make_plan, child
):
    _, frame = images
    lost = frame.copy()
    lost.loc[lost.index[lost["split"] == "test"][0], "image"] = "test/NORMAL/gone.png"
    running = child(make_plan(frame=lost, model=SMALL, epochs=1))
    status, events, _ = running.finish()
    assert status == 1
    assert "gone.png: is not as it was when the manifest was made (missing file)" in events[-1].message
    assert not running.folder.predictions("test").exists()
    assert list(running.folder.last.iterdir())


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
        "    return {'endless': endless, 'raising': raising}\n"
        "from torch import nn\n"
        "class Net(nn.Module):\n"
        "    def __init__(net, error):\n        super().__init__()\n        net.error = error\n"
        "    def forward(net, images):\n        raise net.error\n"
        "def half(num_classes):\n    raise RuntimeError('caf\\udce9.png')\n"
        "@hookimpl\ndef cxrkit_register_models():\n"
        "    return {'half': half, 'interrupting': lambda num_classes: Net(KeyboardInterrupt()),\n"
        "            'grouping': lambda num_classes: Net(BaseExceptionGroup('two', [SystemExit(3)]))}\n",
        encoding="utf-8",
    )
    return {"PYTHONPATH": str(tmp_path / "site")}


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        ("endless", "epoch 1, step 1 of 3: the loss is"),
        (
            "raising",
            "(plugin \"strange\" of stranger 1.2, cxrkit_register_imbalance_strategies) failed (KeyError: 'weights')",
        ),
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
    kept = list(running.folder.root.parents[3].glob("cxrkit-error-*.txt"))
    assert [str(path) in failures[0].message for path in kept] == ([True] if strategy == "raising" else [])


@pytest.mark.parametrize(
    ("model", "what"),
    [
        ("half", r"failed (RuntimeError: caf\udce9.png)"),
        ("interrupting", "failed (KeyboardInterrupt)"),
        ("grouping", "failed (BaseExceptionGroup: two (1 sub-exception))"),
    ],
)
def test_whatever_a_model_raises_is_told_with_its_plugin(make_plan, child, strange_plugins, model, what):
    status, events, _ = child(make_plan(model=Chosen(name=model)), environment=strange_plugins).finish()
    assert status == 1
    named = f'model "{model}" (plugin "strange" of stranger 1.2, cxrkit_register_models) {what}; '
    assert named in events[-1].message


def test_wrong_input_is_told_as_such(make_plan, child):
    status, events, _ = child(make_plan(model=Chosen(name="resnet81"))).finish()
    assert status == 2
    assert events[-1].input_error
    assert 'did you mean "resnet18"?' in events[-1].message
    done = subprocess.run(
        [sys.executable, "-m", "cxrkit.training.child", "fly"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "allowed are train, explain, robustness, tta and checkpoint, each with a PLAN" in done.stdout
