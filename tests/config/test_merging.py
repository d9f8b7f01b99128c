def test_defaults_are_merged_key_by_key(load):
    configuration = load("""
    [data]
    root = "images"
    [defaults]
    epochs = 3
    model = "resnet18"
    trainer = { use = "fabric", learning_rate = 1e-3, scheduler = "cosine" }
    [[task]]
    name = "as-it-is"
    [[task]]
    name = "one-option"
    trainer = { learning_rate = 1e-4 }
    [[task]]
    name = "same-by-name"
    trainer = "fabric"
    [[task]]
    name = "another"
    trainer = { use = "other", momentum = 0.9 }
    epochs = 5
    """)
    options = {task.name: (task.trainer.use, task.trainer.options) for task in configuration.task}
    assert options == {
        "as-it-is": ("fabric", {"learning_rate": 1e-3, "scheduler": "cosine"}),
        "one-option": ("fabric", {"learning_rate": 1e-4, "scheduler": "cosine"}),
        "same-by-name": ("fabric", {"learning_rate": 1e-3, "scheduler": "cosine"}),
        "another": ("other", {"momentum": 0.9}),
    }
    assert [task.epochs for task in configuration.task] == [3, 3, 3, 5]


def test_a_component_that_has_a_default_needs_no_use(load, small):
    task = load(f"{small}trainer = {{ learning_rate = 0.1 }}\nimbalance = {{ beta = 0.9 }}\n").task[0]
    assert (task.trainer.use, task.trainer.options) == ("fabric", {"learning_rate": 0.1})
    assert (task.imbalance.use, task.imbalance.options) == ("none", {"beta": 0.9})


def test_a_threshold_of_another_rule_takes_nothing_from_the_defaults(load):
    text = """
    [data]
    root = "images"
    [defaults]
    model = "resnet18"
    threshold = { rule = "fixed", value = 0.4 }
    [[task]]
    name = "a"
    [[task]]
    name = "b"
    threshold = { rule = "sensitivity", target = 0.95 }
    """
    first, second = load(text).task
    assert (first.threshold.rule, first.threshold.value) == ("fixed", 0.4)
    assert (second.threshold.rule, second.threshold.value) == ("sensitivity", None)


def test_a_task_of_predictions_inherits_no_training(load):
    text = """
    [data]
    root = "images"
    [defaults]
    model = "resnet18"
    epochs = 3
    threshold = { rule = "fixed", value = 0.4 }
    [[task]]
    name = "trained"
    [[task]]
    name = "vendor"
    predictions = { test = "vendor.csv" }
    """
    trained, vendor = load(text).task
    assert trained.model.use == "resnet18"
    assert vendor.model is None
    assert vendor.threshold.value == 0.4


def test_a_problem_of_the_defaults_is_told_once_and_there(problems):
    text = """
    [data]
    root = "images"
    [defaults]
    model = "resnet18"
    epochs = 0
    epocs = 3
    name = "x"
    seeds = [-1]
    threshold = { rule = "fixed" }
    [[task]]
    name = "a"
    [[task]]
    name = "b"
    [[task]]
    name = "c"
    epochs = -1
    """
    assert problems(text) == [
        'tasks.toml: defaults: epocs: unknown key, did you mean "epochs"?',
        (
            "tasks.toml: defaults: name: unknown key, allowed are augmentation, batch_size, columns, epochs, "
            "imbalance, join, label_columns, labels, model, precision, predictions, represent, seeds, threshold, "
            "time_limit, trainer"
        ),
        "tasks.toml: defaults: epochs: must be at least 1, got 0",
        "tasks.toml: defaults: seeds[0]: must be at least 0, got -1",
        'tasks.toml: defaults: threshold: needs value for rule "fixed", got none',
        'tasks.toml: task "c": epochs: must be at least 1, got -1',
    ]
    assert problems("defaults = 3\n")[0] == "tasks.toml: defaults: must be a table, got 3"
