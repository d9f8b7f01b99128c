"""The two example plugins, installed by pip as a stranger's would be, and used in a run."""

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from cxrkit import discovery, options
from cxrkit.data import phantom
from cxrkit.errors import InputError

EXAMPLES = Path(__file__).parents[2] / "examples"
SOURCES = {"plugin_focal_loss": "cxrkit_focal_loss.py", "plugin_model": "cxrkit_small_cnn.py"}

TASKS = """
[run]
output = "run"
device = "cpu"

[data]
root = "phantom"
image_size = 64
groups = "kermany"

[[task]]
name = "small"
model = { use = "small-cnn", width = 4, blocks = 3 }
imbalance = { use = "focal", gamma = 1.5 }
epochs = 1
batch_size = 16

[explain]
most = 4
correct = 2

[evaluation]
resamples = 100

[report]
formats = ["html"]
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder that pip has installed both examples into."""
    folder = tmp_path_factory.mktemp("installed")
    copies = [shutil.copytree(EXAMPLES / name, folder / "sources" / name) for name in SOURCES]  # pip builds in place
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "--target", folder / "site", *copies], check=True)
    return folder / "site"


@pytest.fixture
def plugins(installed, monkeypatch):
    monkeypatch.syspath_prepend(str(installed))
    loaded = discovery.load("cxrkit.train")
    yield loaded
    for source in SOURCES.values():
        sys.modules.pop(Path(source).stem, None)


def cxrkit(*arguments, path, cwd):
    environment = os.environ | {"PYTHONPATH": str(path)}
    command = [sys.executable, "-m", "cxrkit", *map(str, arguments)]
    return subprocess.run(
        command, check=False, capture_output=True, text=True, encoding="utf-8", env=environment, cwd=cwd
    )


@pytest.mark.parametrize(("folder", "source"), SOURCES.items())
def test_the_plugin_is_under_thirty_lines_of_code(folder, source):
    text = (EXAMPLES / folder / source).read_text(encoding="utf-8")

    code = [line for line in ast.unparse(ast.parse(text)).splitlines() if line.strip()]
    written = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith(("#", '"""'))]
    assert len(code) < 30
    assert len(written) < 30


@pytest.mark.slow
def test_both_are_found_by_their_distributions(plugins):
    model = plugins.models.get("small-cnn", "model")
    strategy = plugins.imbalance_strategies.get("focal", "imbalance")

    assert (model.distribution, model.version) == ("cxrkit-small-cnn", "1.0")
    assert (strategy.distribution, strategy.version) == ("cxrkit-focal-loss", "1.0")


@pytest.mark.slow
def test_the_model_gives_logits_of_any_image_size(plugins):
    build = plugins.models.get("small-cnn", "model").factory

    assert build(3, width=4, blocks=2)(torch.zeros(2, 3, 40, 56)).shape == (2, 3)


@pytest.mark.slow
def test_options_are_checked_by_the_signature(plugins):
    with pytest.raises(InputError, match=r"model.blocks: must be greater than or equal to 1, got 0"):
        options.check(plugins.models.get("small-cnn", "model").factory, {"blocks": 0}, "model")
    with pytest.raises(InputError, match=r'imbalance.gama: unknown option, did you mean "gamma"'):
        options.check(plugins.imbalance_strategies.get("focal", "x").factory, {"gama": 2}, "imbalance")


@pytest.mark.slow
def test_focal_loss_of_gamma_0_is_the_cross_entropy(plugins):
    focal = plugins.imbalance_strategies.get("focal", "imbalance").factory
    logits, labels = torch.randn(8, 2), torch.tensor([0, 1] * 4)

    plan = focal(np.array([0, 0, 1]), 2, gamma=0.0, balanced=False)

    assert torch.allclose(plan.loss(logits, labels), functional.cross_entropy(logits, labels))


@pytest.mark.slow
def test_focal_loss_follows_the_paper(plugins):
    """Lin et al. (2017), equation 5, with alpha of inverse frequency."""
    focal = plugins.imbalance_strategies.get("focal", "imbalance").factory
    logits = torch.tensor([[2.0, -1.0], [0.5, 0.25]])
    probabilities = torch.softmax(logits, 1)[torch.arange(2), torch.tensor([0, 1])].numpy()

    plan = focal(np.array([0, 0, 0, 1]), 2, gamma=2.0)

    alpha = np.array([4 / 6, 4 / 2])
    expected = np.mean(-alpha * (1 - probabilities) ** 2 * np.log(probabilities))
    assert plan.loss(logits, torch.tensor([0, 1])).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
def test_a_certain_prediction_has_a_finite_gradient(plugins):
    focal = plugins.imbalance_strategies.get("focal", "imbalance").factory
    logits = torch.tensor([[200.0, -200.0]], requires_grad=True)

    focal(np.array([0, 1]), 2, gamma=0.5).loss(logits, torch.tensor([0])).backward()

    assert logits.grad.isfinite().all()


@pytest.mark.slow
def test_they_are_listed_with_their_options(installed, tmp_path):
    done = cxrkit("plugins", "list", "--options", path=installed, cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert "small-cnn" in done.stdout
    assert "focal" in done.stdout
    assert "gamma" in done.stdout


@pytest.mark.slow
def test_a_run_uses_both(installed, tmp_path):
    phantom.write(tmp_path / "phantom", images=120, size=64)
    (tmp_path / "tasks.toml").write_text(TASKS, encoding="utf-8")

    done = cxrkit("run", "tasks.toml", path=installed, cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    task = json.loads((tmp_path / "run" / "tasks" / "small" / "task.json").read_text(encoding="utf-8"))
    assert (task["model"], task["imbalance"]) == ("small-cnn", "focal")
    model = json.loads(
        (tmp_path / "run" / "tasks" / "small" / "seeds" / "0" / "model.json").read_text(encoding="utf-8")
    )
    assert model["distribution"] == "cxrkit-small-cnn"
    assert [layer["name"] for layer in model["layers"]] == ["features", "head"]
    cam = json.loads((tmp_path / "run" / "tasks" / "small" / "cam" / "index.json").read_text(encoding="utf-8"))
    assert cam["entries"]
    assert (tmp_path / "run" / "report" / "report.html").is_file()
