"""``best.toml``: however the user writes TOML, the values stand at their places and everything else stays."""

from types import SimpleNamespace

import pytest

from cxrkit import config
from cxrkit.config.writing import inline
from cxrkit.records import TrialRecord
from cxrkit.run.search import best_file, space
from cxrkit.run.search.prepare import Request

HEAD = """# The whole
[data]
root = "data"   # images
image_size = 64
"""

TASKS = {
    "inline": '[[task]]\nname = "a.b"  # name\nmodel = { use = "resnet18", hidden = 8 }  # model\n'
    "trainer = { use = 'fabric', learning_rate = 1e-3 }  # rate\n",
    "shorthand": '[[task]]\nname = "a.b"\nmodel = "resnet18"  # model\ntrainer = "fabric"  # rate\n',
    "subtables": '[[task]]\nname = "a.b"\nepochs = 3 # few\n[task.model]\nuse = "resnet18" # model\n'
    "[task.trainer]\nlearning_rate = 1e-3 # rate\nuse = 'fabric'\n\n[[task]]\nname = \"c\"\nmodel = 'resnet18'\n",
    "dotted": '[[task]]\nname = "a.b"\nmodel.use = "resnet18" # model\ntrainer.learning_rate = 1e-3 # rate\n',
    "defaults": '[defaults]\nmodel = "resnet18" # model\n[defaults.trainer]\nuse = "fabric" # rate\n'
    'learning_rate = 1e-3\n[[task]]\nname = "a.b"\n[[task]]\nname = "c"\n',
    "windows": '[[task]]\r\nname = "a.b"\r\nmodel = "resnet18"  # model\r\ntrainer = "fabric" # rate\r\n',
}
VALUES = {
    "trainer.learning_rate": 0.0002,
    "model.hidden": 16,
    "batch_size": 8,
    "augmentation.random_resized_crop": {"scale": [0.7, 1.0]},
    "augmentation.rotation": 10.5,
    "data.image_size": 96,
}


@pytest.mark.parametrize("style", TASKS)
@pytest.mark.parametrize("tail", ["", "\n[augmentation] # own\nrotation = 5 # degrees\n\n[report]\ntitle = 'T'\n"])
def test_it_loads_as_the_file_with_the_values_set(tmp_path, style, tail):
    path = tmp_path / "tasks.toml"
    path.write_text(HEAD + TASKS[style] + tail, encoding="utf-8-sig", newline="")
    changes = [
        f"{space.key(key, SimpleNamespace(name='a.b', augmentation=None))}={inline(VALUES[key])}" for key in VALUES
    ]
    sets = ["task.a.b.precision=fp32", "evaluation.level=0.9"]
    search = SimpleNamespace(request=Request(path, sets), sets=lambda _values: changes)
    text = best_file.text(search, TrialRecord(number=1, values=VALUES, state="finished"), "Told.", tmp_path)
    assert text.startswith("# Told.\n\n# The whole")
    assert {"# images", "# model", "# rate"} <= {
        line[line.index("#") :].strip() for line in text.splitlines() if "#" in line
    }
    expected = config.load(path, sets=[*sets, *changes, "run.output=best"])
    assert config.load(path, text=text) == expected
