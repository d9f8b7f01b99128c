import numpy as np

from cxrkit.api import Threshold
from cxrkit.evaluation import cases
from cxrkit.records import TaskInfo, ThresholdRecord


def with_thresholds(run, **values):
    for task, value in values.items():
        info = TaskInfo.read(run.task(task).info)
        info.model_copy(update={"threshold": ThresholdRecord(**vars(Threshold(value, "fixed")))}).write(
            run.task(task).info
        )
    return run


def names(*rows):
    return [f"test/{row:05d}.png" for row in rows]


def test_all_errors_are_chosen_and_right_examples_of_both_classes(run_of, make):
    truth = [1, 1, 1, 0, 0, 0, 1, 0]
    a = make(truth, [0.1, 0.9, 0.9, 0.9, 0.1, 0.1, 0.9, 0.1])
    b = make(truth, [0.3, 0.2, 0.9, 0.1, 0.1, 0.1, 0.9, 0.1], task="b")
    run = with_thresholds(run_of(a, b), a=0.5, b=0.5)
    chosen = cases.choose(run, most=20, correct=2)
    assert sorted(chosen.images[:3]) == names(0, 1, 3)
    assert chosen.images[1] == names(0)[0]  # shared by both tasks, the first of its class
    assert {truth[int(image[5:10])] for image in chosen.images[3:]} == {0, 1}
    told = "All 3 images that at least one of 2 models got wrong, and 2 that every model got right"
    assert chosen.rule.startswith(told)


def test_the_cap_keeps_both_kinds_of_errors_and_the_most_confident(run_of, make):
    truth = np.array([0] * 10 + [1] * 4)
    score = np.append(np.linspace(0.6, 0.99, 10), [0.45, 0.1, 0.9, 0.9])
    run = with_thresholds(run_of(make(truth, score)), a=0.5)
    chosen = cases.choose(run, most=5, correct=1)
    assert chosen.images[:4] == names(9, 11, 8, 10)
    assert len(chosen.images) == 5
    assert chosen.rule.startswith("4 of the 12 images that the model got wrong (classes by turns")
    assert chosen == cases.choose(run, most=5, correct=1)
    assert cases.choose(run, most=0, correct=0).images == []


def test_errors_keep_half_of_the_places_however_few_there_are(run_of, make):
    truth = np.array([0, 1] * 8)
    score = np.where(truth == 1, 0.8, 0.2)
    score[:6] = 1 - score[:6]
    run = with_thresholds(run_of(make(truth, score)), a=0.5)
    wrong = set(names(*range(6)))
    assert [len(wrong.intersection(cases.choose(run, most=most, correct=8).images)) for most in (1, 4, 12)] == [1, 2, 6]
    assert [len(cases.choose(run, most=most, correct=8).images) for most in (1, 4, 12)] == [1, 4, 12]


def test_tasks_on_other_images_and_images_without_result_are_left_out(run_of, make):
    a = make([1, 0, 1], [0.1, 0.2, 0.0], status=["ok", "ok", "failed"])
    b = make([1, 0], [0.1, 0.9], task="b")
    run = with_thresholds(run_of(a, b), a=0.5, b=0.5)
    chosen = cases.choose(run, most=9, correct=5)
    assert chosen.images == names(0, 1)
