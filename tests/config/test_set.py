import pytest


@pytest.fixture
def two(small) -> str:
    return f"""{small}
    [[task]]
    name = "v1.5"
    model = "resnet18"
    trainer = "fabric"
    [defaults]
    batch_size = 8
    trainer = {{ use = "fabric", learning_rate = 1e-3 }}
    """


def test_values_are_toml_and_else_text(load, two):
    configuration = load(
        two,
        sets=[
            "run.seed=7",
            "run.output=runs/other",
            "report.title=2024-05-01",
            'report.institution="St. Mary\'s"',
            "task.scratch.seeds=[3, 4]",
            "data.groups.regex=p(\\d+)",
        ],
    )
    assert (configuration.run.seed, configuration.run.output) == (7, "runs/other")
    assert (configuration.report.title, configuration.report.institution) == ("2024-05-01", "St. Mary's")
    assert configuration.task[0].seeds == (3, 4)
    assert configuration.data.groups.regex == "p(\\d+)"


def test_an_option_of_a_component_is_set_whatever_its_form_in_the_file(load, two):
    configuration = load(
        two,
        sets=["task.scratch.trainer.learning_rate=1e-5", "task.v1.5.model.head=linear", 'task."v1.5".epochs=2'],
    )
    scratch, dotted = configuration.task
    assert scratch.trainer.options == {"learning_rate": 1e-5}
    assert (dotted.model.use, dotted.model.options, dotted.epochs) == ("resnet18", {"head": "linear"}, 2)
    assert dotted.trainer.options == {"learning_rate": 1e-3}


def test_defaults_can_be_set(load, two):
    assert [task.batch_size for task in load(two, sets=["defaults.batch_size=4"]).task] == [4, 4]


def test_the_last_of_two_sets_wins(load, two):
    assert load(two, sets=["run.seed=1", "run.seed=2"]).run.seed == 2


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("epochs", "has no key=value, write e.g. --set task.NAME.epochs=5"),
        ("=5", "has no key=value, write e.g. --set task.NAME.epochs=5"),
        ("run..seed=5", "has no key=value, write e.g. --set task.NAME.epochs=5"),
        ("task.scrach.epochs=5", 'unknown task "scrach", did you mean "scratch"?'),
        ("task.scratch=5", "names a task alone, write --set task.scratch.KEY=VALUE"),
        ("task.scratch.epochs.x=5", "must be a whole number, got a table"),
        ("task.scratch.epochs=0", "must be at least 1, got 0"),
        ("task.scratch.epocs=1", 'unknown key, did you mean "epochs"?'),
        ("defaults.batch_size=0", "must be at least 1, got 0"),
        ("rn.seed=1", 'unknown key, did you mean "run"?'),
        ("run.seed.x=1", "must be a whole number, got a table"),
        ("evaluation.reference=nobody", 'unknown task "nobody", allowed are scratch, v1.5'),
        ("robustness.most=3", "must be at least 10, got 3"),
    ],
)
def test_a_wrong_set_is_told_as_the_place(problems, two, text, problem):
    assert problems(two, sets=[text]) == [f"--set {text}: {problem}"]


def test_a_set_below_a_value_that_is_no_table_is_refused(problems, two):
    assert problems(two, sets=["data.root.x=1"]) == ["--set data.root.x=1: data.root is no table and has no keys"]


def test_wrong_sets_are_told_with_the_problems_of_the_file(problems, two):
    told = problems(two.replace('model = "resnet18"', "model = 3", 1), sets=["x", "run.seed=-1"])
    assert told == [
        "--set x: has no key=value, write e.g. --set task.NAME.epochs=5",
        "--set run.seed=-1: must be at least 0, got -1",
        'tasks.toml: task "scratch": model: must be a table, got 3',
    ]
