"""Disks that fill up, turn read-only or vanish, and images that change: one sentence, and the same command goes on.

The disks are real mounts and need root on Linux; where there is none, the injected errors of ``tests/test_files.py``
stand for them.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cxrkit.data.phantom import write

pytestmark = pytest.mark.faults

TASKS = """
[run]
output = "{output}"
device = "cpu"
workers = {workers}
[data]
root = "{data}"
dataset = "phantom"
image_size = 32
groups = "kermany"
validation = {{ from = "train", fraction = 0.3 }}
[defaults]
model = "resnet18"
epochs = {epochs}
[[task]]
name = "first"
[evaluation]
resamples = 100
[explain]
method = "none"
[report]
formats = ["txt"]
"""
SECOND = '[[task]]\nname = "second"\nseeds = [1]\n'


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images") / "data"
    write(folder, images=60, size=64, seed=3)
    return folder


@pytest.fixture
def data(images, tmp_path):
    return shutil.copytree(images, tmp_path / "data")


@pytest.fixture
def mount(tmp_path):
    """Mount something on a new folder; undone at the end."""
    places = []

    def mounted(*arguments):
        place = tmp_path / f"mount{len(places)}"
        place.mkdir()
        done = subprocess.run(["mount", *arguments, str(place)], capture_output=True, check=False)
        if done.returncode != 0:
            place.rmdir()
            pytest.skip("needs the right to mount")
        places.append(place)
        return place

    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("needs root on Linux")
    yield mounted
    for place in places:
        subprocess.run(["umount", "--lazy", str(place)], capture_output=True, check=False)


def command(folder):
    return [sys.executable, "-m", "cxrkit", "run", str(folder / "tasks.toml")]


def run(folder):
    return subprocess.run(command(folder), capture_output=True, text=True, check=False, timeout=240)


def tasks(folder, *, output="run", data="data", epochs=1, workers=0, more=""):
    (folder / "tasks.toml").write_text(TASKS.format(output=output, data=data, epochs=epochs, workers=workers) + more)


def started(folder, until):
    """Start a run and wait until a file is there."""
    process = subprocess.Popen(command(folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not until() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    return process


def one_sentence(stderr, *parts):
    """Check that nobody is shown a traceback, and what the last line says."""
    assert "Traceback" not in stderr
    assert "unexpected" not in stderr
    last = stderr.strip().splitlines()[-1]
    assert all(part in last for part in parts), last


def is_finished(folder, output="run"):
    info = json.loads((folder / output / "run.json").read_text())
    return set(info["tasks"].values()) == {"finished"} and (folder / output / "report/comparison_report.txt").is_file()


def partial_files(folder):
    return [path for path in folder.rglob("*.partial") if path.is_file()]


def test_a_disk_that_is_full_stops_the_task_and_the_same_command_goes_on(data, tmp_path, mount):
    disk = mount("-t", "tmpfs", "-o", "size=30m", "none")
    tasks(tmp_path, output="mount0/run")

    stopped = run(tmp_path)

    assert stopped.returncode == 1
    one_sentence(stopped.stderr, "cannot be written (No space left on device), free space on that disk")
    assert partial_files(disk) == []
    subprocess.run(["mount", "-o", "remount,size=900m", str(disk)], check=True)
    assert run(tmp_path).returncode == 0
    assert is_finished(tmp_path, "mount0/run")


def test_what_was_finished_before_the_disk_was_full_stays_and_is_not_made_again(data, tmp_path, mount):
    disk = mount("-t", "tmpfs", "-o", "size=900m", "none")
    tasks(tmp_path, output="mount0/run")
    assert run(tmp_path).returncode == 0
    kept = disk / "run/tasks/first/seeds/0/model.safetensors"
    before = kept.stat().st_mtime_ns
    used = sum(path.stat().st_size for path in disk.rglob("*") if path.is_file()) // 1_000_000
    subprocess.run(["mount", "-o", f"remount,size={used + 12}m", str(disk)], check=True)
    tasks(tmp_path, output="mount0/run", more=SECOND)

    stopped = run(tmp_path)

    assert stopped.returncode == 1
    assert "Traceback" not in stopped.stderr
    assert "No space left on device" in stopped.stderr
    assert kept.stat().st_mtime_ns == before
    subprocess.run(["mount", "-o", "remount,size=900m", str(disk)], check=True)
    assert run(tmp_path).returncode == 0
    assert is_finished(tmp_path, "mount0/run")
    assert kept.stat().st_mtime_ns == before


def test_a_disk_that_has_turned_read_only_is_told(data, tmp_path, mount):
    disk = mount("-t", "tmpfs", "-o", "size=900m", "none")
    tasks(tmp_path, output="mount0/run")
    assert run(tmp_path).returncode == 0
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)

    refused = run(tmp_path)

    assert refused.returncode == 1
    one_sentence(refused.stderr, f"{disk}/run: cannot be written (Read-only file system), it is mounted for reading")
    subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    assert run(tmp_path).returncode == 0


def test_a_folder_of_images_that_vanishes_stops_the_task_and_the_same_command_goes_on(data, tmp_path, mount):
    place = mount("--bind", str(data))
    tasks(tmp_path, data="mount0", epochs=6)
    first = tmp_path / "run/tasks/first/seeds/0/history.csv"
    process = started(tmp_path, first.is_file)
    subprocess.run(["umount", "--lazy", str(place)], check=True)

    stderr = process.communicate()[1]

    assert process.returncode == 1
    one_sentence(stderr, "is not as it was when the manifest was made (missing file)", "is its disk mounted?")
    subprocess.run(["mount", "--bind", str(data), str(place)], check=True)
    assert run(tmp_path).returncode == 0
    assert is_finished(tmp_path)


@pytest.mark.parametrize(("split", "workers"), [("train", 1), ("test", 0)])
def test_an_image_that_changes_under_way_enters_neither_training_nor_test(data, tmp_path, split, workers):
    tasks(tmp_path, epochs=2, workers=workers)
    image = next(path for path in (data / split).rglob("*") if path.is_file())
    before = image.read_bytes()
    process = started(tmp_path, (tmp_path / "run/tasks/first/seeds/0/plan.json").is_file)
    image.write_bytes(before + b"\0")

    stderr = process.communicate()[1]

    assert process.returncode == 1
    one_sentence(stderr, str(image), "is not as it was when the manifest was made (its SHA-256 is another)")
    image.write_bytes(before)
    assert run(tmp_path).returncode == 0
    assert is_finished(tmp_path)


def test_what_was_finished_stays_while_an_image_is_away(data, tmp_path):
    """The same command before the image is back would be a training on other images: it is refused."""
    tasks(tmp_path)
    text = (tmp_path / "tasks.toml").read_text()
    (tmp_path / "tasks.toml").write_text(text.replace('name = "first"', 'name = "first"\nseeds = [0, 1]'))
    seeds = tmp_path / "run/tasks/first/seeds"
    image = next(path for path in (data / "train").rglob("*") if path.is_file())
    process = started(tmp_path, (seeds / "1/plan.json").is_file)
    away = image.rename(tmp_path / image.name)
    one_sentence(process.communicate()[1], str(image), "put it back", "the same command goes on")
    before = {path: path.read_bytes() for path in (seeds / "0").rglob("*") if path.is_file()}
    assert seeds / "0/model.safetensors" in before

    refused = run(tmp_path)

    assert refused.returncode == 2
    one_sentence(refused.stderr, 'task "first": was trained with another training images', "--fresh")
    assert {path: path.read_bytes() for path in (seeds / "0").rglob("*") if path.is_file()} == before
    away.rename(image)
    assert run(tmp_path).returncode == 0
    assert is_finished(tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="children are found through /proc")
def test_a_run_waits_for_the_child_of_a_killed_one_and_then_goes_on(data, tmp_path):
    """The child is stopped, so that it cannot end when its parent does."""
    tasks(tmp_path, epochs=3)
    seed = tmp_path / "run/tasks/first/seeds/0"
    process = started(tmp_path, (seed / "history.csv").is_file)
    [child] = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(child), signal.SIGSTOP)
    process.kill()
    process.communicate()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*") if path.is_file()}

    second = subprocess.Popen(command(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    assert "waiting until the processes of a cxrkit run that was killed have ended" in second.stderr.readline()
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*") if path.is_file()} == before
    os.kill(int(child), signal.SIGCONT)
    second.communicate()
    assert second.returncode == 0
    assert is_finished(tmp_path)
