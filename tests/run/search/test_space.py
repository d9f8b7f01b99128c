"""What ``cxrkit search`` refuses before anything is trained, and says of what it would do."""

import pytest

from cxrkit.run.search import points

LIST = "batch_size=[8,16]"


@pytest.mark.parametrize(
    ("over", "told"),
    [
        ("batchsize=[8,16]", '--over batchsize: unknown key, did you mean "batch_size"?'),
        ("trainr.learning_rate=[1e-3]", '--over trainr.learning_rate: unknown key, did you mean "trainer"?'),
        ("trainer.learning_rat=[1e-3]", '--over trainer.learning_rat: unknown option, did you mean "learning_rate"?'),
        ("batch_size=[8,0]", "--over batch_size: must be at least 1, got 0"),
        ("batch_size={low=0,high=8,points=2}", "--over batch_size: must be at least 1, got 0"),
        ('trainer.learning_rate=[1e-3,"fast"]', "--over trainer.learning_rate: "),
        ("trainer.learning_rate={low=-1.0,high=1.0,points=3}", "--over trainer.learning_rate: "),
        ("model.fitness=[1]", "--over model.fitness: unknown option, "),
        ("data.image_size=[8]", "--over data.image_size: must be at least 16, got 8"),
        ("augmentation.rotation=[0,200]", "--over augmentation.rotation: must be at most 180, got 200"),
        ("data.validation=['folder']", "--over data.validation: decides which images are validated on"),
        ("run.seed=[0,1]", "--over run.seed: decides which images are validated on"),
        ("seeds=[[0],[1]]", "--over seeds: is no hyper-parameter"),
        ("evaluation.level=[0.9]", "--over evaluation.level: changes no training, allowed are model, imbalance"),
        ("task.plain.epochs=[1,2]", '--over task.plain.epochs: is a key of its task, write "epochs"'),
        ("epochs=3", "--over epochs=3: must be an array of values, or a range such as"),
        ("epochs=[]", "needs at least 1 item, got 0"),
        ("epochs=[2,2]", 'must have each value once, got "epochs" with [2, 2]'),
        ("epochs={low=3,high=3}", "must have low below high, got low = 3 and high = 3"),
        ("epochs={low=0,high=3,log=true}", "must have low above 0 where log = true, got low = 0"),
        ("epochs={low=1,hihg=3}", 'unknown key, did you mean "high"?'),
        ("epochs={low=1,high=3}", "--over epochs: a grid needs to know how many values of a range"),
    ],
)
def test_a_wrong_key_value_or_range_is_told_before_anything_is_written(place, over, told):
    result = place.search("--method", "grid", "--over", over)
    assert result.status == 2, result.err
    assert told in result.err
    assert not place.output.exists()


def test_a_wrong_value_in_the_file_is_told_with_its_place_there_and_all_at_once(place):
    place.write(place.tasks.read_text(encoding="utf-8") + '"trainer.momentum" = [0.5, 2.0]\n"epochs" = [1, 0]\n')
    result = place.search("--method", "grid")
    assert "Error: tasks.toml: search.space.trainer.momentum: " in result.err
    assert "Error: tasks.toml: search.space.epochs: must be at least 1, got 0" in result.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--task", "plian"], 'Error: --task plian: no task with a model is named "plian", did you mean "plain"?'),
        (["--task", "vendor"], 'no task with a model is named "vendor"'),
        ([], "Error: tasks.toml: search.task: is missing, several tasks are trained: plain, other"),
        (["--task", "other", "--trials", "3"], "search.trials: got 3, the space has 2 points; ask for no more"),
        (["--task", "other", "--set", "search.metric=auc"], "--set search.metric=auc: must be"),
        (["--task", "other", "--set", "search.tirals=3"], 'unknown key, did you mean "trials"?'),
    ],
)
def test_the_rest_of_the_table_is_checked_too(place, arguments, told):
    others = (
        '[[task]]\nname = "other"\nmodel = "resnet18"\n[[task]]\nname = "vendor"\npredictions = { test = "v.csv" }\n'
    )
    text = place.tasks.read_text(encoding="utf-8") + others + '[threshold]\nrule = "fixed"\nvalue = 0.5\n'
    place.write(text)
    result = place.search("--set", "search.seed=1", *arguments)
    assert result.status == 2
    assert told in result.err


def test_an_empty_space_says_how_to_fill_it(place):
    place.write(place.tasks.read_text(encoding="utf-8").partition("[search.space]")[0])
    result = place.search()
    assert result.status == 2
    assert "search.space: is empty, give keys and values, e.g. batch_size = [16, 32]" in result.err


def test_a_model_that_cannot_be_built_is_told_before_anything_is_trained(place):
    result = place.search(
        "--method", "grid", "--over", 'model=["squeezenet1_1",{use="resnet18-pretrained",weights="w.pth"}]'
    )
    assert result.status == 2
    assert "w.pth" in result.err
    assert not place.output.exists()


def test_a_dry_run_tells_the_size_of_the_grid_and_what_holds_for_every_task(place):
    place.write(place.tasks.read_text(encoding="utf-8") + '[[task]]\nname = "other"\nmodel = "resnet18"\n')
    rates = "trainer.learning_rate={low=1e-4,high=1e-2,log=true,points=3}"
    result = place.search(
        *("--task", "plain", "--method", "grid", "--over", rates, "--over", "augmentation.rotation=[0,10]", "--dry-run")
    )
    assert result.status == 0, result.err
    assert '12 trials of task "plain", all points of the grid, chosen by the highest val_roc_auc' in result.out
    assert "task.plain.trainer.learning_rate: 0.0001 to 0.01, on the logarithmic scale, 3 points" in result.out
    assert "augmentation.rotation: 0, 10 (in best.toml it holds for every task)" in result.out
    assert not place.output.exists()


def test_a_task_with_an_augmentation_of_its_own_is_varied_there(place):
    result = place.search(
        *("--set", "task.plain.augmentation.rotation=5", "--method", "grid"),
        *("--over", "augmentation.rotation=[0,10]", "--dry-run"),
    )
    assert "task.plain.augmentation.rotation: 0, 10" in result.out


def test_run_takes_no_notice_of_the_table_but_checks_its_form(place):
    from cxrkit import config

    assert config.load(place.tasks).search.space == {"batch_size": (8, 16)}
    place.write(place.tasks.read_text(encoding="utf-8") + '"no.such.key" = [1]\n')
    assert config.load(place.tasks).search.space["no.such.key"] == (1,)


def test_optuna_that_is_not_installed_is_named_with_its_extra(place, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    result = place.search("--method", "optuna")
    assert result.status == 2
    assert 'search.method: "optuna" needs Optuna, pip install "cxrkit[search]"' in result.err
    assert points.is_falling("val_loss")
