"""The columns that a prediction or label file's own are mapped to."""

import pytest

TASK = '[[task]]\nname = "vendor"\npredictions = { test = "vendor.csv" }\nthreshold = { rule = "fixed", value = 0.5 }\n'
LABELS = 'labels = { test = "truth.csv" }\njoin = "study"\n'


@pytest.mark.parametrize(
    ("added", "told"),
    [
        ('columns = { imgae = "uid" }', 'columns.imgae: unknown column, did you mean "image"?'),
        ('columns = { PNEUMONIA = "risk" }', "columns.PNEUMONIA: unknown column, allowed are decision, image"),
        ('columns = { p_ = "risk" }', "columns.p_: unknown column, allowed are"),
        (
            'columns = { score = "risk", decision = "call" }',
            "columns.decision: is one figure too many beside score, map what the model gives once",
        ),
        ('columns = { p_TB = "risk", score = "x" }', "columns.score: is one figure too many beside p_<CLASS>"),
        (f'{LABELS}label_columns = {{ truth = "x" }}', "label_columns.truth: unknown column, allowed are image, label"),
        (f'{LABELS}label_columns = {{ score = "x" }}', "label_columns.score: unknown column, allowed are image, label"),
    ],
)
def test_what_no_such_file_has_is_told_with_the_nearest(problems, added, told):
    (found,) = problems(TASK + added)
    assert found.startswith(f'tasks.toml: task "vendor": {told}')


def test_every_column_of_such_files_can_be_mapped(load):
    names = ("image", "study", "patient", "label", "status", "p_NORMAL", "p_TB", "logit_NORMAL", "logit_TB")
    mapped = ", ".join(f'{name} = "their {name}"' for name in names)
    known = 'label_columns = { image = "a", study = "b", label = "c", patient = "d" }'
    (task,) = load(f"{TASK}columns = {{ {mapped} }}\n{LABELS}{known}\n").task
    assert tuple(task.columns) == names
    assert tuple(task.label_columns) == ("image", "study", "label", "patient")


def test_without_a_threshold_the_way_of_bare_decisions_is_named(problems, load):
    bare = '[[task]]\nname = "vendor"\npredictions = { test = "vendor.csv" }\n'
    (found,) = problems(bare)
    assert found.endswith('or columns = { decision = "…" } for bare decisions')
    assert load(f'{bare}columns = {{ decision = "decision" }}\n').task[0].columns == {"decision": "decision"}


@pytest.mark.parametrize("column", ["score", "decision"])
def test_an_ensemble_of_what_is_no_probability_is_refused(problems, load, column):
    other = TASK.replace("vendor", "other")
    both = '[[ensemble]]\nname = "both"\nmembers = ["other", "vendor"]\nthreshold = { rule = "fixed", value = 0.5 }\n'
    (found,) = problems(f'{other}{TASK}columns = {{ {column} = "x" }}\n{both}')
    assert found == (
        f'tasks.toml: ensemble "both": members[1]: "vendor" gives a {column}, only probabilities can be put together'
    )
    assert len(load(f"{other}{TASK}{both}").ensemble) == 1
