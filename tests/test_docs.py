"""The documentation's plugins are run as they are printed there."""

import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cxrkit import discovery, hookspecs
from cxrkit.testing import checks

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
HOOKS = [name for name, value in vars(hookspecs).items() if name.startswith("cxrkit_") and inspect.isfunction(value)]


def documented(hook):
    """The complete plugin that the page shows under a hook's heading."""
    section = re.search(rf"^## {hook}$(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert section is not None, f"docs/plugins.md has no section {hook}"
    (code,) = re.findall(r"^```python$(.*?)^```$", section[1], re.MULTILINE | re.DOTALL)
    return code


@pytest.mark.parametrize("hook", HOOKS)
def test_each_hook_has_a_docstring_that_says_when_it_is_called(hook):
    text = inspect.getdoc(getattr(hookspecs, hook))
    assert re.search(r"called once, when|Hear of a finished", text)


@pytest.mark.parametrize("hook", HOOKS)
def test_each_hook_is_implemented_by_the_plugin_on_its_page_and_by_a_test(hook):
    assert f"def {hook}(" in documented(hook)
    others = [
        path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py") if path != Path(__file__)
    ]
    assert any(hook in text for text in others), f"no test mentions {hook}"


@pytest.mark.slow
@pytest.mark.parametrize("hook", HOOKS)
def test_each_documented_plugin_keeps_its_promises(hook, install):
    install("doc-promises", f'"""Documented."""\n{documented(hook)}', group=discovery.HOOKS[hook])
    outcomes = {str(check): check.outcome() for check in checks("doc-promises")}
    broken = {promise: outcome.found for promise, outcome in outcomes.items() if outcome.state == "broken"}
    assert broken == {}


@pytest.mark.slow
def test_the_documented_plugins_carry_out_a_run_together(tmp_path, strangers, install):
    """Every hook's plugin as printed, in one study: data set, model, strategy, trainer, reporter, both events."""
    for hook in HOOKS:
        install(f"doc-{hook.replace('_', '-')}", documented(hook), group=discovery.HOOKS[hook])
    data = tmp_path / "data"
    subprocess.run([sys.executable, "-c", MAKE_DATA, str(data)], check=True)
    (tmp_path / "tasks.toml").write_text(TASKS, encoding="utf-8")
    finished = subprocess.run(
        [sys.executable, "-m", "cxrkit", "run", str(tmp_path / "tasks.toml")],
        env=os.environ | {"PYTHONPATH": str(strangers)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    assert "skipped" not in finished.stderr
    task = tmp_path / "run" / "tasks" / "mine"
    epochs = (task / "seeds" / "0" / "epochs.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["epoch"] for line in epochs] == [1, 2]
    records = json.loads((task / "metrics.json").read_text(encoding="utf-8"))["records"]
    assert {"near_threshold", "roc_auc"} <= {record["metric"] for record in records}
    page = (tmp_path / "run" / "report" / "report.html").read_text(encoding="utf-8")
    assert "images lie within 0.2 of the threshold" in page
    assert "errors of mine lie within 0.2 of its threshold." in page
    assert (tmp_path / "run" / "states.txt").read_text(encoding="utf-8") == "mine: finished\n"


MAKE_DATA = """
import sys
from pathlib import Path
import numpy as np
from PIL import Image
rng = np.random.default_rng(0)
for split, count in (("train", 60), ("test", 24)):
    folder = Path(sys.argv[1]) / split
    folder.mkdir(parents=True)
    for number in range(count):
        sick = number % 3 == 0
        pixels = rng.normal(150 if sick else 90, 30, (64, 64)).clip(0, 255).astype("uint8")
        Image.fromarray(pixels).save(folder / f"{split}{number}{'_ill' if sick else ''}.png")
"""

TASKS = """
[run]
output = "run"
device = "cpu"
[data]
root = "data"
dataset = { use = "suffixed", marker = "ill" }
positive = "SICK"
image_size = 32
validation = { from = "train", fraction = 0.3 }
[[task]]
name = "mine"
model = { use = "tiny", width = 4 }
imbalance = { use = "halve", label = 0 }
trainer = { use = "plain", learning_rate = 0.05 }
epochs = 2
[evaluation]
resamples = 100
reporters = ["classification", { use = "confidence", near = 0.2 }]
[explain]
most = 4
correct = 2
[report]
formats = ["html"]
sections = [{ use = "near-misses", within = 0.2 }]
"""


@pytest.mark.slow
def test_the_example_of_a_plugins_own_tests_runs(install, strangers, tmp_path):
    install("cxrkit-mine", documented("cxrkit_register_models"), group="cxrkit.train")
    (example,) = re.findall(r"^```python\n# tests/test_cxrkit_mine\.py\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    path = tmp_path / "test_cxrkit_mine.py"
    path.write_text(example, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", tmp_path, path]
    environment = os.environ | {"PYTHONPATH": str(strangers)}
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert re.search(r"\d+ passed", done.stdout), done.stdout
    assert done.returncode == 0
