"""What must fit together across tables: ensembles, labels, robustness, margins, fixed thresholds."""

import pytest

TWO = """
[data]
root = "images"
[[task]]
name = "scratch"
model = "resnet18"
[[task]]
name = "vendor"
predictions = { test = "vendor.csv" }
threshold = { rule = "fixed", value = 0.5 }
"""
BOTH = '[[ensemble]]\nname = "both"\nmembers = ["scratch", "vendor"]\n'
FIXED = 'threshold = { rule = "fixed", value = 0.5 }\n'


@pytest.mark.parametrize(
    ("added", "told"),
    [
        (
            f"{BOTH.replace('both', 'Vendor', 1)}{FIXED}",
            "task: names must differ, also by more than upper and lower case",
        ),
        (
            f"{BOTH.replace('vendor', 'vendr')}{FIXED}",
            'ensemble "both": members[1]: unknown task "vendr", did you mean',
        ),
        (BOTH, 'ensemble "both": threshold: rule "youden" chooses on validation, so it needs predictions for val'),
        (
            f'{BOTH}{FIXED}method = "validation-weighted"',
            'ensemble "both": method: weighs by validation, and "vendor" has no predictions for val',
        ),
        ('[[ensemble]]\nname = "one"\nmembers = ["scratch"]', 'ensemble "one": members: needs at least 2 items, got 1'),
        (
            '[[ensemble]]\nname = "one"\nmembers = ["scratch", "scratch"]',
            "ensemble \"one\": members: must all differ, got ['scratch', 'scratch']",
        ),
        (
            '[robustness]\ntasks = ["vendor"]',
            'robustness.tasks[0]: no task with a model is named "vendor", allowed are',
        ),
        ("[robustness]\nseverities = [6]", "robustness.severities[0]: must be at most 5, got 6"),
        ('[robustness]\ncorruptions = ["fog"]', 'robustness.corruptions[0]: must be "rotation", "blur"'),
        (
            "[evaluation]\nnon_inferiority = { roc_auc = 0.02 }",
            "evaluation.non_inferiority: is to a task, so it needs evaluation.reference",
        ),
        ("[evaluation]\nacceptance = { sensitivity = 95 }", "evaluation.acceptance.sensitivity: must be less than 1"),
        ('[threshold]\nrule = "fixed"\nvalue = 35', "threshold.value: must be a probability from 0 to 1, got 35"),
    ],
)
def test_what_does_not_fit_together_gets_one_sentence(problems, added, told):
    (found,) = problems(TWO + added)
    assert found.startswith(f"tasks.toml: {told}")


@pytest.mark.parametrize(
    "added",
    [
        f"{BOTH}{FIXED}",
        f'{BOTH}{FIXED}[evaluation]\nreference = "both"\nnon_inferiority = {{ roc_auc = 0.02 }}',
        "[robustness]",
        '[robustness]\ntasks = ["scratch"]\nmost = 20',
    ],
)
def test_what_fits_together_is_accepted(load, added):
    assert len(load(TWO + added).task) == 2


@pytest.mark.parametrize(
    ("added", "told"),
    [
        ('labels = { tset = "truth.csv" }', "labels.tset: has no predictions of its own, did you mean"),
        ('join = "study"', "join: means nothing for a task without labels"),
        (
            'threshold = { rule = "fixed", value = 3, refer = { sensitivity = 0.9, specificity = 0.9 } }',
            "threshold.refer",
        ),
    ],
)
def test_labels_and_zones_of_predictions_that_do_not_fit_are_told(problems, added, told):
    text = f'[[task]]\nname = "vendor"\npredictions = {{ test = "vendor.csv" }}\n{added}\n'
    text += "" if "threshold" in added else FIXED
    (found,) = problems(text)
    assert found.startswith(f'tasks.toml: task "vendor": {told}')


def test_a_bare_decision_needs_no_threshold_and_a_score_may_have_one_of_any_range(load):
    decision = '[[task]]\nname = "a"\npredictions = { test = "a.csv" }\ncolumns = { decision = "call" }\n'
    score = '[[task]]\nname = "b"\npredictions = { test = "b.csv" }\nthreshold = { rule = "fixed", value = -3.5 }\n'
    assert load(decision + score).task[1].threshold.value == -3.5
