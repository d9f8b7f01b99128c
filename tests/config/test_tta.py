"""``[[tta]]``: what a file may ask for, and what is refused with one sentence."""

import pytest

TWO = """
[data]
root = "images"
[[task]]
name = "scratch"
model = "resnet18"
threshold = { rule = "sensitivity", target = 0.9 }
[[task]]
name = "vendor"
predictions = { test = "vendor.csv" }
threshold = { rule = "fixed", value = 0.5 }
"""
VIEWS = '[[tta]]\nname = "views"\ntask = "scratch"\n'


@pytest.mark.parametrize(
    ("added", "told"),
    [
        (VIEWS.replace("scratch", "scrtch"), 'tta "views": task: unknown task "scrtch", did you mean "scratch"?'),
        (
            VIEWS.replace("scratch", "vendor"),
            'tta "views": task: "vendor" brings predictions, only a task with a model',
        ),
        (
            f"{VIEWS}{VIEWS.replace('views', 'two').replace('scratch', 'views')}",
            'tta "two": task: unknown task "views"',
        ),
        (VIEWS.replace("views", "Scratch"), "task: names must differ, also by more than upper and lower case, got"),
        (f"{VIEWS}{VIEWS}", 'task: names must differ, also by more than upper and lower case, got "views" and "views"'),
        (
            f'{VIEWS}[[ensemble]]\nname = "views"\nmembers = ["scratch", "views"]\n',
            'task: names must differ, also by more than upper and lower case, got "views" and "views"',
        ),
        (
            f'{VIEWS}[[ensemble]]\nname = "both"\nmembers = ["scratch", "vews"]\n',
            'ensemble "both": members[1]: unknown task "vews", did you mean "views"?',
        ),
        (VIEWS.replace('"views"', '"a/b"'), 'tta "a/b": name: must be 1 to 64 letters'),
        (f"{VIEWS}views = 1", 'tta "views": views: must be at least 2, got 1'),
        (f"{VIEWS}views = 65", 'tta "views": views: must be at most 64, got 65'),
        (f"{VIEWS}view = 4", 'tta "views": view: unknown key, did you mean "views"?'),
        (f"{VIEWS}augmentation = {{ rotation = 200 }}", 'tta "views": augmentation.rotation: must be at most 180'),
        (f"{VIEWS}augmentation = {{ zoom = 1 }}", 'tta "views": augmentation.zoom: must be less than 1, got 1'),
        (f"{VIEWS}augmentation = {{ rotate = 2 }}", 'tta "views": augmentation.rotate: unknown key, did you mean'),
        (
            f"{VIEWS}augmentation = {{ rotation = 0, zoom = 0, contrast = 0, brightness = 0 }}",
            'tta "views": augmentation: must change the image, got',
        ),
        (
            f'{VIEWS}threshold = {{ rule = "fixed", value = 35 }}',
            'tta "views": threshold.value: must be a probability from 0 to 1, got 35',
        ),
        ('[[tta]]\nname = "views"\n', 'tta "views": task: is missing'),
    ],
)
def test_what_cannot_be_is_told_in_one_sentence(problems, added, told):
    (found,) = problems(TWO + added)
    assert found.startswith(f"tasks.toml: {told}")


def test_small_changes_without_a_flip_are_the_default_and_keys_change_alone(load):
    (plain,) = load(TWO + VIEWS).tta
    (changed,) = load(f"{TWO}{VIEWS}views = 2\naugmentation = {{ rotation = 10, horizontal_flip = 0.5 }}").tta
    assert (plain.views, plain.augmentation.rotation, plain.augmentation.horizontal_flip) == (8, 5, 0)
    assert (changed.views, changed.augmentation.rotation, changed.augmentation.horizontal_flip) == (2, 10, 0.5)
    assert changed.augmentation.random_resized_crop is plain.augmentation.random_resized_crop is False
    assert changed.augmentation.contrast == plain.augmentation.contrast == 0.1


def test_the_threshold_is_chosen_as_its_tasks_unless_it_has_a_rule_of_its_own(load):
    own = VIEWS.replace("views", "other") + 'threshold = { rule = "youden" }\n'
    found = load(TWO + VIEWS + own).thresholds
    assert found["views"] == found["scratch"]
    assert [found["views"].target, found["other"].rule] == [0.9, "youden"]
    assert list(found) == ["scratch", "vendor", "views", "other"]


def test_it_may_be_a_member_of_an_ensemble_and_the_reference(load):
    both = '[[ensemble]]\nname = "both"\nmembers = ["scratch", "views"]\n[evaluation]\nreference = "views"\n'
    assert load(TWO + VIEWS + both).ensemble[0].members == ("scratch", "views")
