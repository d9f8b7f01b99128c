import re
from typing import Literal

import pytest

from cxrkit import config
from cxrkit.discovery import Plugins
from cxrkit.errors import InputError
from cxrkit.registry import Registered


def net(num_classes, *, width: int = 8, weights: str = "none"):
    """A network."""


def plan(labels, num_classes, *, beta: float = 0.9):
    """A strategy."""


def fit(context, *, learning_rate: float = 1e-3, scheduler: Literal["none", "cosine"] = "none"):
    """A trainer."""


def index(root, *, depth: int = 1):
    """A data set."""


def report(predictions, settings, *, digits: int = 3):
    """A reporter."""


def note(study, *, words: tuple[str, ...] = ()):
    """A section."""


TEXT = """
[data]
root = "images"
dataset = "tree"
[defaults]
model = "stranger"
imbalance = "strange"
trainer = { use = "odd", learning_rate = 1e-4 }
[[task]]
name = "a"
[[task]]
name = "b"
model = { use = "stranger", width = 16 }
[[task]]
name = "vendor"
predictions = { test = "v.csv", val = "w.csv" }
[evaluation]
reporters = ["plain"]
"""


def add(registry, name, factory):
    registry.add(Registered(name, registry.kind, factory, "stranger", "1.0", ""))


@pytest.fixture
def plugins():
    train, right = Plugins(), Plugins()
    add(train.models, "stranger", net)
    add(train.imbalance_strategies, "strange", plan)
    add(train.trainers, "odd", fit)
    add(right.datasets, "tree", index)
    add(right.metric_reporters, "plain", report)
    add(right.report_sections, "note", note)
    return train, right


@pytest.fixture
def check(plugins, load):
    return lambda text, **options: config.check_components(load(text, **options), *plugins)


def test_options_are_filled_in(check):
    configuration = check(TEXT)
    a, b, vendor = configuration.task
    assert a.model.options == {"width": 8, "weights": "none"}
    assert b.model.options == {"width": 16, "weights": "none"}
    assert a.imbalance.options == {"beta": 0.9}
    assert a.trainer.options == {"learning_rate": 1e-4, "scheduler": "none"}
    assert vendor.trainer.options == {}
    assert configuration.data.dataset.options == {"depth": 1}
    assert configuration.evaluation.reporters[0].options == {"digits": 3}


def test_a_report_section_is_checked_like_any_component(check, tmp_path):
    text = TEXT + '[report]\nsections = ["note", { use = "note", words = ["a"] }]\n'
    assert [one.options for one in check(text).report.sections] == [{"words": ()}, {"words": ("a",)}]
    with pytest.raises(InputError) as error:
        check(text.replace('["note",', '["not",').replace("words =", "word ="))
    assert [problem.replace(str(tmp_path / "tasks.toml"), "tasks.toml") for problem in error.value.problems] == [
        'tasks.toml: report.sections[0]: no report section "not", did you mean "note"?',
        'tasks.toml: report.sections[1].word: unknown option, did you mean "words"?',
    ]


def test_every_problem_is_told_where_it_was_written(check, tmp_path):
    text = TEXT.replace("learning_rate = 1e-4", 'learning_rat = 1, scheduler = "linear"').replace(
        'dataset = "tree"', 'dataset = "tre"'
    )
    with pytest.raises(InputError) as error:
        check(text, sets=["task.b.model.width=wide", "task.a.imbalance=strang", "task.b.imbalance.bet=1"])
    path = str(tmp_path / "tasks.toml")
    told = [problem.replace(path, "tasks.toml") for problem in error.value.problems]
    assert [re.sub("(?<=must be ).*", "…", problem) for problem in told] == [
        '--set task.a.imbalance=strang: no imbalance strategy "strang", did you mean "strange"?',
        'tasks.toml: defaults: trainer.learning_rat: unknown option, did you mean "learning_rate"?',
        "tasks.toml: defaults: trainer.scheduler: must be …",
        "--set task.b.model.width=wide: must be …",
        '--set task.b.imbalance.bet=1: unknown option, did you mean "beta"?',
        'tasks.toml: data.dataset: no dataset "tre", did you mean "tree"?',
    ]


def test_training_plugins_are_not_needed_without_training(plugins, load):
    _, right = plugins
    configuration = config.check_components(load(TEXT), None, right)
    assert configuration.task[0].model.options == {}


def test_a_file_named_by_an_option_is_relative_to_the_toml(check, tmp_path):
    (tmp_path / "mine.pth").touch()
    (tmp_path / "none").touch()
    text = TEXT.replace("width = 16", 'weights = "mine.pth"')
    checked = check(text)
    located = config.located(checked, tmp_path / "tasks.toml")
    assert [task.model and task.model.options["weights"] for task in checked.task] == ["none", "mine.pth", None]
    assert [task.model and task.model.options["weights"] for task in located.task] == [
        "none",
        str(tmp_path / "mine.pth"),
        None,
    ]
