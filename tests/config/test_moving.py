import tomllib
from pathlib import Path

from cxrkit.config import load, located
from cxrkit.config.moving import move
from cxrkit.config.writing import inline

TEXT = """
run = { output = "runs/x" }
[data]
root = "data/chest"
dataset = { use = "special", table = "rows.csv", word = "rows" }
external = { b = "../b" }
[defaults]
model = { use = "resnet18-pretrained", weights = "weights.pth", freeze = "layer2" }
[[task]]
name = "a"
[[task]]
name = "v"
predictions = { test = "v.csv", val = "/abs/v.csv" }
[report]
templates = "house"
logo = "house/logo.svg"
pseudonym_key = "keys/shared.key"
sections = [{ use = "s", file = "rows.csv" }]
"""


def test_every_path_leads_where_it_led_and_nothing_else_changes(tmp_path):
    for name in ("rows.csv", "weights.pth", "layer2"):
        (tmp_path / name).write_text("x", encoding="utf-8")
    target = tmp_path / "runs" / "x-search"
    target.mkdir(parents=True)
    document = tomllib.loads(TEXT)
    move(document, tmp_path, target)
    assert document["data"]["dataset"] == {"use": "special", "table": "../../rows.csv", "word": "rows"}
    assert document["defaults"]["model"]["freeze"] == "layer2"
    assert document["run"]["output"] == "runs/x"
    before, after = loaded(tmp_path, TEXT), loaded(target, "\n".join(f"{k} = {inline(v)}" for k, v in document.items()))
    for key in ("data", "task", "report"):
        assert flat(getattr(after, key)) == flat(getattr(before, key))


def loaded(folder, text):
    path = folder / "tasks.toml"
    path.write_text(text, encoding="utf-8")
    return located(load(path), path)


def flat(value):
    """Every text of a part of the configuration, resolved where it is a path."""
    if hasattr(value, "model_dump"):
        value = value.model_dump()
    if isinstance(value, dict):
        return {key: flat(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [flat(one) for one in value]
    return str(Path(value).resolve()) if isinstance(value, str) and "/" in value else value
