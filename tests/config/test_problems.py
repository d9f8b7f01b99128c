import pytest


def test_all_problems_are_told_at_once(problems):
    text = """
    defalts = 1
    [run]
    seed = "3"
    outptu = "x"
    [data]
    root = "images"
    manifest = "images.csv"
    [augmentation]
    rotation = nan
    [[task]]
    name = "transfer"
    model = "resnet18"
    epochs = 0
    learning_rate = 1
    [[task]]
    model = 3
    [evaluation]
    reference = "transfr"
    """
    assert problems(text) == [
        'tasks.toml: evaluation.reference: unknown task "transfr", did you mean "transfer"?',
        'tasks.toml: run.seed: must be a whole number, got "3"',
        'tasks.toml: run.outptu: unknown key, did you mean "output"?',
        "tasks.toml: data: needs root or manifest, got both",
        "tasks.toml: augmentation.rotation: must be a finite number, got nan",
        'tasks.toml: task "transfer": epochs: must be at least 1, got 0',
        (
            'tasks.toml: task "transfer": learning_rate: unknown key, allowed are augmentation, batch_size, columns, '
            "epochs, imbalance, join, label_columns, labels, model, name, precision, predictions, represent, seeds, "
            "threshold, time_limit, trainer"
        ),
        "tasks.toml: task 2: name: is missing",
        "tasks.toml: task 2: model: must be a table, got 3",
        'tasks.toml: defalts: unknown key, did you mean "defaults"?',
    ]


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("run.workers", '"many"', 'must be a whole number or "auto", got "many"'),
        ("run.workers", "-1", 'must be at least 0 or "auto", got -1'),
        ("run.seed", "true", "must be a whole number, got true"),
        ("run.seed", "1.0", "must be a whole number, got 1.0"),
        ("run.device", '"gpu"', 'must be "auto", "cpu", "cuda" or "mps", got "gpu"'),
        ("run.output", "3", "must be text in quotes, got 3"),
        ("data.groups", '"kermani"', 'must be "kermany" or "image", got "kermani"'),
        ("data.groups", "3", 'must be "kermany", "image", { regex = "…" } or { column = "…" }, got 3'),
        ("data.groups", "{}", 'must be "kermany", "image", { regex = "…" } or { column = "…" }, got a table'),
        ("data.groups.regex", '"("', 'must be a regular expression, got "(" (missing ), unterminated subpattern at'),
        ("data.validation", '"val"', 'must be "folder" or a table such as { from = "train", fraction = 0.1 }'),
        ("data.validation.from", '"test"', 'must be "train", got "test"'),
        ("data.validation.source", '"train"', "unknown key, allowed are fraction, from"),
        ("data.external", '{ test = "x" }', 'must have names other than train, val and test, got "test"'),
        ("data.external", '{ "a@b" = "x" }', "must be 1 to 64 letters, digits"),
        ("augmentation.random_resized_crop", "true", "must be false or a table such as { scale = [0.7, 1.0] }"),
        ("augmentation.random_resized_crop.scale", "[0.7]", "is missing"),
        ("augmentation.random_resized_crop.scale", "[1, 0.5]", "must be [smallest, largest], got [1.0, 0.5]"),
        ("augmentation.random_resized_crop.scale", "[0.5, 1.5]", "must be at most 1, got 1.5"),
        ("augmentation.rotation", "inf", "must be a finite number, got inf"),
        ("threshold.rule", '"fixed"', 'needs value for rule "fixed", got none'),
        ("threshold.target", "0.9", 'needs no further key for rule "youden", got target'),
        ("evaluation.level", "1", "must be less than 1, got 1"),
        ("evaluation.reporters", "[]", "needs at least 1 item, got 0"),
        ("report.formats", '["html", "docx"]', '"txt", "json", "md", "latex" or "csv", got "docx"'),
        ("task.scratch.seeds", "[1, 1]", "must all differ, got [1, 1]"),
        ("task.scratch.seeds", "[-1]", "must be at least 0, got -1"),
        ("task.scratch.represent", "7", 'must be "ensemble" or one of the seeds [0], got 7'),
        ("task.scratch.represent", '"mean"', 'must be "ensemble" or a whole number, got "mean"'),
        ("task.scratch.name", '"a/b"', "must be 1 to 64 letters, digits, '-', '_' and '.'"),
        ("task.scratch.model", '""', 'must be text of at least 1 character, got ""'),
        ("task.scratch.time_limit", "0", "must be greater than 0, got 0"),
    ],
)
def test_a_wrong_value_gets_one_sentence(problems, small, key, value, problem):
    (told,) = problems(small, sets=[f"{key}={value}"])
    assert problem in told


def test_unions_accept_each_of_their_forms(load, small):
    def data(*sets):
        return load(small, sets=sets).data

    assert data('data.groups={ regex = "p(\\\\d+)" }').groups.regex == "p(\\d+)"
    assert data('data.groups={ column = "patient" }').groups.column == "patient"
    assert data('data.groups={ rule = "kermany", unmatched = "own" }').groups.unmatched == "own"
    assert data("data.groups=image").groups.rule == "image"
    assert data("data.validation=folder").validation == "folder"
    assert load(small, sets=["augmentation.random_resized_crop=false"]).augmentation.random_resized_crop is False
    assert load(small, sets=["run.workers=2"]).run.workers == 2


def test_an_unknown_key_is_compared_with_the_keys_of_its_own_table(problems, small):
    told = problems(small, sets=['data.groups={ regex = "x", unmatchd = "own" }', "data.validation.fractoin=0.2"])
    assert told == [
        '--set data.groups={ regex = "x", unmatchd = "own" }: unknown key, did you mean "unmatched"?',
        '--set data.validation.fractoin=0.2: unknown key, did you mean "fraction"?',
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[task]\nname = "a"\n', "tasks.toml: task: is one table, write [[task]] in place of [task]"),
        ("task = 3\n", "tasks.toml: task: must be an array of tables, each under [[task]], got 3"),
        ("task = [3]\n", "tasks.toml: task 1: must be a table, got 3"),
        ('[[task]]\nname = "a"\nmodel = "m"\n', "tasks.toml: data: is missing, a task with a model needs it"),
        ('[[task]]\nname = "a"\n', 'tasks.toml: task "a": needs model or predictions, got neither'),
        (
            '[[task]]\nname = "a"\npredictions = { val = "v.csv" }\n',
            'tasks.toml: task "a": predictions: needs a file for test, got val',
        ),
    ],
)
def test_what_a_file_lacks_is_said(problems, text, problem):
    assert problems(text) == [problem]


def test_task_names_differ_also_on_file_systems_without_case(problems, small):
    told = problems(f'{small}\n[[task]]\nname = "Scratch"\nmodel = "resnet18"\n')
    assert told == [
        'tasks.toml: task: names must differ, also by more than upper and lower case, got "scratch" and "Scratch"'
    ]


def test_predictions_without_validation_need_a_fixed_threshold(problems, load):
    task = '[[task]]\nname = "vendor"\npredictions = { test = "vendor.csv" }\n'
    assert problems(task) == [
        (
            'tasks.toml: task "vendor": threshold: rule "youden" chooses on validation, so it needs predictions for '
            'val, or threshold = { rule = "fixed", value = … }, or columns = { decision = "…" } for bare decisions'
        )
    ]
    assert load(f'{task}threshold = {{ rule = "fixed", value = 0.5 }}\n').task[0].threshold.value == 0.5
    assert load(f'{task}[threshold]\nrule = "fixed"\nvalue = 0.5\n').threshold.value == 0.5
    assert load(task.replace('{ test = "vendor.csv" }', '{ val = "v.csv", test = "t.csv" }')).task[0].predictions


def test_keys_that_mean_nothing_for_a_kind_of_task_are_refused(problems, small):
    vendor = '[[task]]\nname = "vendor"\npredictions = { test = "v.csv", val = "w.csv" }\nepochs = 3\n'
    told = problems(f'{small}columns = {{ image = "uid" }}\n{vendor}')
    assert told == [
        'tasks.toml: task "vendor": epochs: means nothing for a task of predictions, which trains nothing',
        'tasks.toml: task "scratch": columns: means nothing for a task without predictions',
    ]


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ("logo = 3", "report.logo: must be text in quotes, got 3"),
        ('templates = ""', 'report.templates: must be text of at least 1 character, got ""'),
        ('sections = "note"', 'report.sections: must be an array, got "note"'),
        ('intended = "x"', 'report.intended: unknown key, did you mean "intended_use"?'),
    ],
)
def test_keys_of_the_report_are_checked(problems, small, key, problem):
    assert problems(f"{small}\n[report]\n{key}\n") == [f"tasks.toml: {problem}"]
