"""No command asks the network whose purpose is not to fetch: each is run where every connection ends the process."""

import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.faults

CUT = """
import os, socket, sys

def refused(*arguments, **options):
    sys.stderr.write(f"NETWORK {arguments}\\n")
    sys.stderr.flush()
    os._exit(97)

def internet(connect):
    return lambda self, *arguments: connect(self, *arguments) if self.family == socket.AF_UNIX else refused(*arguments)

socket.socket.connect = internet(socket.socket.connect)
socket.socket.connect_ex = internet(socket.socket.connect_ex)
socket.socket.sendto = internet(socket.socket.sendto)
socket.getaddrinfo = socket.gethostbyname = socket.create_connection = refused
"""
TASKS = """
[run]
output = "run"
[data]
root = "images"
image_size = 32
validation = "folder"
[defaults]
epochs = 1
batch_size = 8
[[task]]
name = "a"
model = "resnet18"
[evaluation]
resamples = 100
[explain]
method = "none"
[report]
formats = ["txt"]
"""


@pytest.fixture(scope="module")
def cut(tmp_path_factory):
    """A folder of images and a tasks.toml, and ``call(…)`` in a process without network."""
    folder = tmp_path_factory.mktemp("cut")
    (folder / "site").mkdir()
    (folder / "site" / "sitecustomize.py").write_text(CUT, encoding="utf-8")
    rng = np.random.default_rng(0)
    for split, number in (("train", 8), ("val", 4), ("test", 6)):
        for label, grey in (("NORMAL", 60), ("PNEUMONIA", 160)):
            place = folder / "images" / split / label
            place.mkdir(parents=True)
            for image in range(number):
                noise = rng.integers(0, 60, (40, 40))
                Image.fromarray((grey + noise).astype(np.uint8)).save(place / f"{split}{label}{image}.png")
    (folder / "tasks.toml").write_text(TASKS, encoding="utf-8")
    paths = os.pathsep.join(filter(None, [str(folder / "site"), os.environ.get("PYTHONPATH")]))

    def call(*arguments):
        return subprocess.run(
            [sys.executable, *arguments], cwd=folder, env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
            capture_output=True, text=True, timeout=500, check=False,
        )  # fmt: skip

    return call


def test_a_connection_would_be_noticed(cut):
    done = cut("-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9')")
    assert done.returncode == 97
    assert "NETWORK" in done.stderr


ALL = """
import sys
from cxrkit.cli import cli

weights = "run/tasks/a/seeds/0/model.safetensors"
for line in f'''
run tasks.toml --quiet
report run --output out/report --format html --format pdf
compare run
plot run --output out/plots
evaluate --model {weights} --data images --output out/evaluated --format txt
predict images/test --model {weights} --output out/predicted
export {weights} --format pth --output out/model.pth
data check images
plugins list
'''.split("\\n")[1:-1]:
    try:
        cli.main(line.split(), prog_name="cxrkit")
    except SystemExit as end:
        if end.code:
            sys.exit(f"{line} ended with {end.code}")
"""


def test_what_needs_no_network_asks_for_none(cut):
    done = cut("-c", ALL)  # in one process, as most of the time is starting torch
    assert "NETWORK" not in done.stdout + done.stderr, done.stderr
    assert done.returncode == 0, done.stderr
