"""The explorer of operating points reckons what metrics.json holds, and what scikit-learn finds at any threshold."""

import csv

import numpy as np
import pytest
from click.testing import CliRunner
from sklearn.metrics import confusion_matrix, precision_score, recall_score

from cxrkit.cli import cli
from cxrkit.records import Metrics, TaskInfo

STATED = 0.1  # of finished_run
MODELS = ("scratch", "transfer")
EXACT = 1e-12


@pytest.fixture
def page(show, report):
    return show(report)


def predicted(run, task):
    """Truth and score of each test image, from the file alone."""
    with run.task(task).predictions("test").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    positive = TaskInfo.read(run.task(task).info).positive
    return np.array([row["label"] == positive for row in rows]), np.array([float(row[f"p_{positive}"]) for row in rows])


def panel(page, task):
    return page.locator(f'.explorer[data-set="test"] section.model[data-model="{task}"]')


def figures(model) -> dict[str, float | None]:
    """What a model's panel shows, in full precision."""
    texts = model.locator("[data-figure]").evaluate_all(
        "all => all.map(one => [one.dataset.figure, one.dataset.value])"
    )
    return {name: float(text) if text else None for name, text in texts}


def recorded(run, task, metric, prevalence=None):
    """The one figure of metrics.json of the test images as they are."""
    found = [
        record.value
        for record in Metrics.read(run.task(task).metrics).records
        if (record.metric, record.set, record.prevalence) == (metric, "test", prevalence)
        and record.condition is record.subgroup is record.class_name is record.calibrated is None
        and record.unit == "image"
    ]
    assert len(found) == 1, (metric, prevalence, found)
    return found[0]


def set_threshold(model, value):
    model.locator("input.threshold-exact").fill(repr(float(value)))


@pytest.mark.parametrize("task", MODELS)
def test_at_the_recorded_threshold_the_figures_are_those_of_metrics_json(page, finished_run, task):
    model = panel(page, task)
    shown = figures(model)
    confusion = next(one for one in Metrics.read(finished_run.task(task).metrics).confusion if one.set == "test")
    assert [[shown["tn"], shown["fp"]], [shown["fn"], shown["tp"]]] == confusion.matrix
    assert shown["sensitivity"] == pytest.approx(recorded(finished_run, task, "sensitivity"), abs=EXACT)
    assert shown["specificity"] == pytest.approx(recorded(finished_run, task, "specificity"), abs=EXACT)
    assert shown["ppv"] == pytest.approx(recorded(finished_run, task, "ppv", STATED), abs=EXACT)
    assert shown["npv"] == pytest.approx(recorded(finished_run, task, "npv", STATED), abs=EXACT)
    assert shown["missed"] == pytest.approx(recorded(finished_run, task, "false_negatives_per_1000", STATED), abs=1e-9)
    assert shown["alarms"] == pytest.approx(recorded(finished_run, task, "false_positives_per_1000", STATED), abs=1e-9)


@pytest.mark.parametrize("task", MODELS)
def test_at_the_sets_own_prevalence_the_predictive_values_are_counted(page, finished_run, task):
    page.locator(".explorer button.own").click()
    shown = figures(panel(page, task))
    for metric in ("ppv", "npv"):
        assert shown[metric] == pytest.approx(recorded(finished_run, task, metric), abs=EXACT)
    truth, _ = predicted(finished_run, task)
    assert shown["missed"] == pytest.approx(1000 * shown["fn"] / len(truth), abs=1e-9)
    assert shown["alarms"] == pytest.approx(1000 * shown["fp"] / len(truth), abs=1e-9)


def ten_thresholds(score):
    """Thresholds that are scores of images, the ends among them, and ones between and beyond them."""
    ordered = np.unique(score)
    equal = ordered[[0, len(ordered) // 5, len(ordered) // 2, -3, -1]]
    between = (ordered[[3, len(ordered) // 3, -2]] + ordered[[4, len(ordered) // 3 + 1, -1]]) / 2
    return [*equal, *between, 0.0, 1.0]


@pytest.mark.parametrize("task", MODELS)
def test_at_ten_other_thresholds_the_figures_are_those_of_scikit_learn(page, finished_run, task):
    truth, score = predicted(finished_run, task)
    model = panel(page, task)
    page.locator(".explorer button.own").click()
    for threshold in ten_thresholds(score):
        set_threshold(model, threshold)
        called = score >= threshold
        shown = figures(model)
        (tn, fp), (fn, tp) = confusion_matrix(truth, called).tolist()
        assert [shown[name] for name in ("tn", "fp", "fn", "tp")] == [tn, fp, fn, tp], threshold
        assert shown["sensitivity"] == pytest.approx(recall_score(truth, called), abs=EXACT)
        assert shown["specificity"] == pytest.approx(recall_score(~truth, ~called), abs=EXACT)
        for name, value in (("ppv", precision(truth, called)), ("npv", precision(~truth, ~called))):
            assert shown[name] == (None if value is None else pytest.approx(value, abs=EXACT)), (name, threshold)


def precision(truth, called):
    """Precision, None where nothing is called."""
    return precision_score(truth, called) if called.any() else None


@pytest.mark.parametrize("percent", [0, 0.37, 25, 62.5, 100])
def test_another_prevalence_gives_the_predictive_values_of_bayes(page, finished_run, percent):
    model = panel(page, "transfer")
    truth, score = predicted(finished_run, "transfer")
    threshold = np.median(score)
    set_threshold(model, threshold)
    page.locator("input.prevalence").fill(str(percent))
    shown = figures(model)
    sensitivity, specificity = (score[truth] >= threshold).mean(), (score[~truth] < threshold).mean()
    with_it, without = percent / 100, 1 - percent / 100
    true_calls, all_calls = sensitivity * with_it, sensitivity * with_it + (1 - specificity) * without
    assert shown["ppv"] == pytest.approx(true_calls / all_calls, abs=EXACT)
    assert shown["npv"] == pytest.approx(specificity * without / (1 - all_calls), abs=EXACT)
    assert shown["missed"] == pytest.approx(1000 * with_it * (1 - sensitivity), abs=1e-9)
    assert shown["alarms"] == pytest.approx(1000 * without * (1 - specificity), abs=1e-9)


def test_away_from_the_recorded_threshold_a_model_alone_is_marked_as_exploratory(page, finished_run):
    moved, other = panel(page, "scratch"), panel(page, "transfer")
    before = figures(moved)
    assert not moved.locator(".exploratory").is_visible()
    moved.locator("input.threshold").focus()
    page.keyboard.press("ArrowRight")
    assert moved.locator(".exploratory").inner_text() == "exploratory: chosen on test"
    assert not other.locator(".exploratory").is_visible()
    moved.get_by_role("button", name="Back to the recorded threshold").click()
    assert not moved.locator(".exploratory").is_visible()
    assert figures(moved) == before


def test_the_neighbouring_threshold_moves_the_point_on_the_roc(page):
    model = panel(page, "scratch")
    mark = page.locator(".explorer .roc .of-model").first.locator(".mark").last
    before = mark.get_attribute("transform")
    for _ in range(12):
        model.get_by_role("button", name="Previous distinct score").click()
    assert mark.get_attribute("transform") != before


@pytest.mark.parametrize(("field", "wrong"), [("input.threshold-exact", ""), ("input.prevalence", "101")])
def test_what_is_no_threshold_or_prevalence_is_marked_and_changes_nothing(page, field, wrong):
    model = panel(page, "scratch")
    before = figures(model)
    box = page.locator(f".explorer {field}").first
    box.fill(wrong)
    assert box.get_attribute("aria-invalid") == "true"
    assert figures(model) == before


def test_images_without_a_result_are_wrong_at_every_threshold(show, tmp_path):
    rows = (
        "a,sick,ok,0.1,0.9",
        "b,sick,ok,0.6,0.4",
        "c,sick,lost,,",
        "d,well,ok,0.6,0.4",
        "e,well,ok,0.9,0.1",
        "f,well,lost,,",
    )
    file, folder = tmp_path / "vendor.csv", tmp_path / "out"
    file.write_text("\n".join(["image,label,status,p_well,p_sick", *rows]) + "\n", encoding="utf-8")
    arguments = ["report", str(file), "--positive", "sick", "--output", str(folder), "--format", "html"]
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 0, done.output
    model = panel(show(folder / "report.html"), "vendor")
    set_threshold(model, 0.4)
    shown = figures(model)
    assert [shown[name] for name in ("tp", "fn", "fp", "tn")] == [2, 0, 1, 1]
    assert shown["sensitivity"] == pytest.approx(2 / 3)
    assert shown["specificity"] == pytest.approx(1 / 3)
