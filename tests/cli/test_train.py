"""``cxrkit train``: a TOML is written, and what ``cxrkit run`` makes of it is the same."""

import json
import shutil
import tomllib

import pytest
import torch
from click.testing import CliRunner
from cxrkit_plugins.schedules import Scheduler

from cxrkit import config, discovery
from cxrkit.cli import cli
from cxrkit.cli.train import SCHEDULERS
from cxrkit.config.writing import commented, inline
from cxrkit.data.phantom import write
from cxrkit.run import children
from cxrkit.run.one_model import EARLY_LAYERS, Request, prepare

SMALL = ["data.image_size=32", "run.workers=0", "evaluation.resamples=100", "explain.method=none"]
QUICK = [*(word for key in [*SMALL, 'report.formats=["txt"]'] for word in ("--set", key)), "--device", "cpu"]


@pytest.fixture(scope="session")
def phantom(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phantom")
    write(folder / "data", images=60, size=64, seed=3)
    return folder


@pytest.fixture
def place(phantom, tmp_path, monkeypatch):
    """A working folder with ``data/`` in it."""
    shutil.copytree(phantom / "data", tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def train(*arguments):
    return CliRunner().invoke(cli, ["train", "--data", "data", *map(str, arguments)])


def written(*arguments):
    """What the TOML would say, as the dry run shows it."""
    shown = train(*arguments, "--dry-run")
    assert shown.exit_code == 0, shown.output
    return tomllib.loads(shown.stdout.partition("would say:\n")[2].partition("\nRun directory:")[0])


# ── What is written ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_defaults_are_the_courses(place):
    found = written("--model", "resnet18")
    assert found["task"] == [
        {
            "name": "resnet18",
            "model": "resnet18",
            "imbalance": "none",
            "trainer": {"use": "fabric", "learning_rate": 1e-3, "optimizer": "adam", "scheduler": "none"},
            "epochs": 20,
            "batch_size": 32,
            "seeds": [0],
        }
    ]
    assert found["augmentation"] == {"random_resized_crop": {"scale": [0.08, 1.0]}, "horizontal_flip": 0.5}
    assert found["data"] == {
        "root": "../../data",
        "positive": "PNEUMONIA",
        "groups": {"rule": "kermany", "unmatched": "own"},
        "image_size": 224,
        "validation": {"from": "train", "fraction": 0.1},
    }
    assert not (place / "runs").exists()


def test_every_argument_of_the_course_and_more_is_in_the_file(place):
    options = "--epochs 3 --batch-size 8 --lr 5e-5 --device cpu --output out --class-weights --seed 1 --seed 2"
    more = "--positive NORMAL --groups image --set task.resnet18.trainer.weight_decay=0.1 --scheduler"
    found = written("--model", "resnet18", *options.split(), *more.split())
    (task,) = found["task"]
    assert (task["epochs"], task["batch_size"], task["seeds"]) == (3, 8, [1, 2])
    assert task["trainer"] == {
        "use": "fabric", "learning_rate": 5e-5, "optimizer": "adam", "scheduler": "cosine", "weight_decay": 0.1,
    }  # fmt: skip
    assert task["imbalance"] == "class-weights"
    assert found["run"]["device"] == "cpu"
    assert found["data"] | {"positive": "NORMAL", "groups": "image", "root": "../data"} == found["data"]
    assert written("--model", "resnet18", "--scheduler", "step")["task"][0]["trainer"]["scheduler"] == "step"
    assert Scheduler.__args__ == SCHEDULERS


@pytest.mark.parametrize(
    ("arguments", "name", "model", "rate"),
    [
        (["resnet18", "--pretrained"], "resnet18-pretrained", {"use": "resnet18-pretrained", "freeze": "layer2"}, 1e-4),
        (["resnet18-pretrained"], "resnet18-pretrained", {"use": "resnet18-pretrained", "freeze": "layer2"}, 1e-4),
        (["resnet18-pretrained", "--no-pretrained"], "resnet18-pretrained", {"use": "resnet18-pretrained",
                                                                            "weights": "none"}, 1e-3),
        (["resnet50", "--pretrained"], "resnet50-pretrained", {"use": "resnet50", "weights": "imagenet",
                                                               "freeze": "layer2"}, 1e-4),
        (["resnet50", "--pretrained", "--lr", "0.01"], "resnet50-pretrained", {"use": "resnet50",
                                                        "weights": "imagenet", "freeze": "layer2"}, 0.01),
        (["resnet101"], "resnet101", "resnet101", 1e-3),
        (["vgg11", "--pretrained"], "vgg11-pretrained", {"use": "vgg11", "weights": "imagenet"}, 1e-4),
    ],
)  # fmt: skip
def test_pretrained_begins_with_weights_at_a_lower_rate(place, arguments, name, model, rate):
    shown = train("--model", *arguments, "--dry-run")
    (task,) = tomllib.loads(shown.stdout.partition("say:\n")[2].partition("\nRun directory:")[0])["task"]
    assert (task["name"], task["model"], task["trainer"]["learning_rate"]) == (name, model, rate)
    unknown = 'the early layers of "vgg11" are not known'
    assert (unknown in shown.stderr) == (arguments[0] == "vgg11")


def test_a_file_of_weights_is_named_as_seen_from_the_output(place):
    torch.save({}, "weights.pth")
    (task,) = written("--model", "resnet18", "--weights", "weights.pth")["task"]
    assert task["model"] == {"use": "resnet18-pretrained", "freeze": "layer2", "weights": "../../weights.pth"}
    assert written("--model", "resnet18", "--weights", place / "weights.pth")["task"][0]["model"]["weights"] == str(
        place / "weights.pth"
    )


@pytest.mark.slow  # a network of each family is built
@pytest.mark.parametrize("family", EARLY_LAYERS)
def test_the_early_layers_are_layers(family):
    models = discovery.load("cxrkit.train").models
    name = next(one for one in models.names() if one.startswith(family) and one != "resnet18")
    network = models.get(name, "test").factory(2, freeze=EARLY_LAYERS[family])
    frozen = [parameter.requires_grad for parameter in network.parameters()].count(False)
    assert 0 < frozen < len(list(network.parameters()))


def test_classes_of_other_names_need_the_positive_one(place):
    for split in ("train", "test"):
        (place / "data" / split / "NORMAL").rename(place / "data" / split / "left")
        (place / "data" / split / "PNEUMONIA").rename(place / "data" / split / "right")
    shown = train("--model", "resnet18", "--dry-run")
    assert shown.exit_code == 2
    assert "--positive: missing, and not to be told from the classes; allowed are left, right" in shown.stderr
    assert written("--model", "resnet18", "--positive", "left")["data"]["positive"] == "left"


def test_patients_that_nothing_tells_are_noticed(place):
    shown = train("--model", "resnet18", "--dry-run", "--groups", "image")
    assert "patients are not told apart" not in shown.stderr
    for path in (place / "data").rglob("*.*"):
        if path.parent.name in ("NORMAL", "PNEUMONIA"):
            path.rename(path.with_name(f"{path.parent.name[0]}{path.name[::-1].replace('.', '')}{path.suffix}"))
    shown = train("--model", "resnet18", "--dry-run")
    assert "patients are not told apart, every image counts as one of its own; --groups tells how" in shown.stderr
    assert '# groups = "image"' in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "resnet19"], '--model: no model "resnet19", did you mean "resnet18"?'),
        (["--model", "resnet18", "--data", "nowhere"], "cxrkit data download --output nowhere"),
        (["--model", "resnet18", "--positive", "ILL"], '--positive: no class "ILL" in the data'),
        (["--model", "resnet18", "--groups", "names"], "--groups"),
        (["--model", "resnet18", "--weights", "none.pth"], "--weights: no file none.pth"),
        (["--model", "resnet18", "--set", "task.resnet18.epoch=3"], "did you mean"),
        (["--model", "resnet18", "--set", "task.resnet50.epochs=3"], "--set task.resnet50.epochs=3: unknown task"),
        (["--model", "resnet18", "--set", "colour=3"], "unknown key"),
        (["--model", "resnet18", "--device", "mps", "--epochs", "1"], "run.device"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_written(place, arguments, message):
    shown = train(*arguments)
    assert shown.exit_code == 2
    assert message in shown.stderr
    assert not (place / "runs").exists()


def test_weights_and_no_pretrained_exclude_each_other(place):
    shown = train("--model", "resnet18", "--weights", "w.pth", "--no-pretrained")
    assert (shown.exit_code, "leave one of them out" in shown.stderr) == (2, True)


# ── The output folder ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("output", ["data", "data/train", "data/test/NORMAL/run", "data/../data/Val"])
def test_an_output_among_the_images_is_refused_and_leaves_them_as_they_are(place, output):
    before = sorted(place.rglob("*"))
    shown = train("--model", "resnet18", "--output", output)
    assert (shown.exit_code, len(shown.stderr.splitlines())) == (2, 1)
    assert f"the images of {place / 'data'} lie there, choose another folder for the run's output" in shown.stderr
    assert sorted(place.rglob("*")) == before


def test_an_output_within_an_external_set_is_refused(place):
    shutil.copytree(place / "data" / "test", place / "elsewhere")
    external = ["--set", 'data.external.elsewhere="../../elsewhere"']
    shown = train("--model", "resnet18", *external, "--output", "elsewhere/run", "--dry-run")
    assert (shown.exit_code, f"the images of {place / 'elsewhere'} lie there" in shown.stderr) == (2, True)


def test_a_run_directory_is_no_folder_of_images(place):
    for name in ("images", "tasks"):
        (place / "done" / name).mkdir(parents=True)
    shutil.copy(next((place / "data" / "test").rglob("*.jpeg")), place / "done" / "images")
    (place / "done" / "run.json").write_text("{}", encoding="utf-8")
    shown = train("--model", "resnet18", "--data", "done")
    assert (shown.exit_code, len(shown.stderr.splitlines())) == (2, 1)
    assert "done: is a run directory, allowed is a folder of images or a CSV file" in shown.stderr


@pytest.mark.parametrize("output", ["data/runs", "data-runs/train", "runs/test"])
def test_an_output_beside_the_splits_is_taken(place, output):
    assert train("--model", "resnet18", "--output", output, "--dry-run").exit_code == 0


def asked(place, **changes):
    return prepare(Request(**({"data": place / "data", "model": "resnet18", "output": place / "out"} | changes)))


def test_another_configuration_is_refused_unless_it_is_to_begin_afresh(place):
    first = asked(place)
    first.write()
    path = place / "out" / "tasks.toml"
    path.write_text("# mine\n" + first.text, encoding="utf-8")
    asked(place).write()
    assert path.read_text(encoding="utf-8").startswith("# mine")  # the same but for a comment
    shown = train("--model", "resnet18", "--output", "out", "--lr", "0.01", "--epochs", "3")
    assert shown.exit_code == 2
    assert (
        "says otherwise (data.root, task.trainer.learning_rate, task.epochs), choose another --output" in shown.stderr
    )
    asked(place, epochs=3, fresh=True).write()
    assert tomllib.loads(path.read_text(encoding="utf-8"))["task"][0]["epochs"] == 3
    (moved,) = (place / "out" / "old").glob("*/tasks.toml")
    assert moved.read_text(encoding="utf-8").startswith("# mine")


@pytest.mark.parametrize(
    ("options", "goes_on"),
    [([], "the same command goes on"), (["--fresh", "--epochs", "3"], "the same command without --fresh goes on")],
)
def test_how_to_go_on_is_told_when_a_training_is_stopped(place, monkeypatch, options, goes_on):
    """Where --fresh has moved an earlier one aside, it would do so again; what it wrote is there without it."""

    def stop(*_, **__):
        raise KeyboardInterrupt("Stopped after epoch 1")

    monkeypatch.setattr(children, "carry_out", stop)
    chosen = ["--model", "resnet18", "--output", "out", *QUICK]
    train(*chosen)
    stopped = train(*chosen, *options)
    assert stopped.exit_code == 130
    assert stopped.stderr.splitlines()[-1] == f"Stopped after epoch 1: {goes_on} from there."
    assert bool(list(place.glob("out/old/*/resnet18"))) == bool(options)
    without_fresh = [*chosen, *(word for word in options if word != "--fresh"), "--dry-run"]
    assert train(*without_fresh).exit_code == 0


def test_the_run_directory_of_another_file_is_refused(place):
    (place / "out").mkdir()
    (place / "out" / "run.json").write_text("{}", encoding="utf-8")
    shown = train("--model", "resnet18", "--output", "out")
    assert (shown.exit_code, "is the run directory of another file" in shown.stderr) == (2, True)


def test_the_file_loads_as_what_was_run(place):
    shared = ['data.external={other = "../data"}', "data.allow_shared_patients=true"]
    one = asked(place, sets=['report.title="A \\"title\\" # of mine"', *shared])
    one.write()
    assert config.check_components(config.load(one.path), one.study.train, one.study.right) == one.study.written


@pytest.mark.parametrize(
    "value",
    [
        "plain",
        'a "quoted" \\ text\n\x7f',
        True,
        3,
        1e-5,
        1e22,
        float("inf"),
        [],
        [1, [2.5, "a"]],
        {"a b": {"c": []}},
        {},
    ],
)
def test_values_come_back_from_toml(value):
    assert tomllib.loads(f"value = {inline(value)}") == {"value": value}


def test_what_is_no_table_stands_before_the_tables():
    document = {
        "run": {"seed": 1},
        "task": [{"name": "a"}, {"name": "b"}],
        "ensemble": [{"name": "c", "members": ["a"]}],
    }
    assert tomllib.loads(commented("train.toml.j2", document)) == document
    assert tomllib.loads(commented("train.toml.j2", {"task": 3, "x": 1})) == {"task": 3, "x": 1}


# ── Training ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
def test_the_file_gives_the_same_bytes_by_run(place):
    shown = train("--model", "resnet18", "--epochs", "2", "--batch-size", "16", *QUICK)
    assert shown.exit_code == 0, shown.stderr
    folder = place / "runs" / "resnet18"
    assert shown.stdout.splitlines()[-1] == str(folder / "report" / "comparison_report.txt")
    assert "Hint: resnet18: validation has" in shown.stderr
    report = (folder / "report" / "comparison_report.txt").read_text(encoding="utf-8")
    assert "hints: what simple rules see" in report.lower()
    again = CliRunner().invoke(cli, ["run", str(folder / "tasks.toml"), "--output", "again", "--json"])
    assert again.exit_code == 0, again.stderr
    assert json.loads(again.stdout)["hints"]
    for name in ("val", "test"):
        found = [root / f"tasks/resnet18/predictions/{name}.csv" for root in (folder, place / "again")]
        assert found[0].read_bytes() == found[1].read_bytes()
    goes_on = train("--model", "resnet18", "--epochs", "2", "--batch-size", "16", *QUICK, "--quiet")
    assert (goes_on.exit_code, goes_on.stderr) == (0, "")


NARROW = """
    import torch
    from torch import nn
    from cxrkit import hookimpl

    class Narrow(nn.Module):
        def __init__(self, num_classes):
            super().__init__()
            self.body = nn.Sequential(nn.AvgPool2d(8), nn.Flatten(), nn.Linear(48, num_classes))

        def forward(self, images):
            if self.training and len(images) > 8:
                raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
            return self.body(images)

    @hookimpl
    def cxrkit_register_models():
        return {"narrow": lambda num_classes: Narrow(num_classes)}
"""


@pytest.mark.slow
def test_memory_that_runs_out_is_told_wherever_the_training_is(place, strangers, install, monkeypatch):
    install("narrow-models", NARROW, group="cxrkit.train")
    monkeypatch.setenv("PYTHONPATH", str(strangers))
    shown = train("--model", "narrow", "--epochs", "1", "--batch-size", "16", *QUICK)
    assert shown.exit_code == 0, shown.stderr
    told = "Memory ran out in epoch 1: from there on each batch of 16 images was computed in 2 parts of about 8"
    seed = place / "runs" / "narrow" / "tasks" / "narrow" / "seeds" / "0"
    assert f"Warning: {told}" in shown.stderr
    assert told in (seed / "log.txt").read_text(encoding="utf-8")
    assert json.loads((seed / "timing.json").read_text(encoding="utf-8"))["notes"][0].startswith(told)
    report = (place / "runs" / "narrow" / "report" / "comparison_report.txt").read_text(encoding="utf-8")
    assert "narrow, seed 0: Memory ran out in epoch 1" in report
    stopped = train(
        "--model", "narrow", "--output", "other", *QUICK, "--set", "task.narrow.trainer.on_out_of_memory=stop"
    )
    assert stopped.exit_code == 1
    assert "memory ran out, use a smaller batch_size or image_size" in stopped.stderr
