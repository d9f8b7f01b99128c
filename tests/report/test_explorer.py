"""What the page's explorer computes from, and what it shows where nothing is computed."""

import json
import re
from base64 import b64decode
from dataclasses import replace

import numpy as np
import pytest

from cxrkit.api import Threshold
from cxrkit.evaluation import operating
from cxrkit.one_line import one_line
from cxrkit.report.chapters.explorer import embedded, explorer
from cxrkit.report.compose import compose
from cxrkit.report.content import Explorer, Section, Text
from cxrkit.report.formats import html, text
from cxrkit.report.formats.paging import on_paper
from cxrkit.report.reading import read
from cxrkit.report.results import TaskResult

HOSTILE = '</script><!-- <script>alert("x")</script> & \u2028 ü'


@pytest.fixture(scope="module")
def results(finished_run):
    return read([finished_run])


@pytest.fixture(scope="module")
def report(results):
    return compose(results)


@pytest.fixture(scope="module")
def page(report):
    return html.render(report)


def data_of(page):
    found = re.findall(r'<script type="application/json">(.*?)</script>', page, re.DOTALL)
    return [json.loads(one) for one in found]


def scores_of(model):
    return np.frombuffer(b64decode(model["scores"]), "<f8")


def truth_of(model):
    bits = np.unpackbits(np.frombuffer(b64decode(model["truth"]), np.uint8), bitorder="little")
    return bits[: len(scores_of(model))].astype(bool)


def with_task(results, **changes):
    """Put the first task alone, changed."""
    return replace(results, tasks=(replace(results.tasks[0], **changes),))


def with_predictions(monkeypatch, found):
    monkeypatch.setattr(TaskResult, "predictions", lambda *_: found)


# ── What is embedded ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_page_holds_every_score_to_the_last_bit(page, results):
    (data,) = data_of(page)
    assert [model["name"] for model in data["models"]] == [task.name for task in results.tasks]
    for model, task in zip(data["models"], results.tasks, strict=True):
        found = task.predictions("test")
        order = np.argsort(-found.score, kind="stable")
        assert scores_of(model).tobytes() == found.score[order].tobytes()
        assert truth_of(model).tolist() == found.truth[order].tolist()
        assert model["threshold"] == task.info.threshold.value
        assert model["withoutResult"] == [0, 0]
    assert data["stated"] == 0.1
    assert data["own"] == results.tasks[0].figure("prevalence").value


def test_a_hundred_thousand_images_take_less_than_1_2_megabytes_a_model(results, monkeypatch):
    n = 100_000
    score = np.random.default_rng(0).random(n)
    found = replace(
        results.tasks[0].predictions("test"),
        labels=(score > 0.5).astype(np.int64),
        probabilities=np.stack([1 - score, score], axis=1),
    )
    with_predictions(monkeypatch, found)
    block = explorer(with_task(results), "test")
    assert len(json.dumps(embedded(block))) < 1_200_000


# ── What is shown at the recorded threshold ───────────────────────────────────────────────────────────────────────────


def test_figures_at_the_recorded_threshold_are_those_of_the_metrics(results):
    block = explorer(results, "test")
    for shown, task in zip(block.models, results.tasks, strict=True):
        for metric in ("sensitivity", "specificity"):
            assert shown.figures[metric].value == task.figure(metric).value
        for metric in ("ppv", "npv"):
            assert shown.figures[metric].value == task.at_prevalence(metric).value
        for name, metric in (("missed", "false_negatives_per_1000"), ("alarms", "false_positives_per_1000")):
            assert shown.figures[name].value == pytest.approx(task.at_prevalence(metric).value, rel=1e-12)
        (tn, fp), (fn, tp) = task.confusion("test").matrix
        counts = {"tp": tp, "fp": fp, "fn": fn, "tn": tn}
        assert {name: shown.figures[name].value for name in counts} == counts


def test_without_a_stated_prevalence_the_predictive_values_are_counted(results):
    records = [record for record in results.tasks[0].metrics.records if record.prevalence is None]
    changed = with_task(results, metrics=results.tasks[0].metrics.model_copy(update={"records": records}))
    block = explorer(changed, "test")
    task = changed.tasks[0]
    assert block.stated is None
    for metric in ("sensitivity", "specificity", "ppv", "npv"):
        assert block.models[0].figures[metric].value == task.figure(metric).value


def test_an_image_without_a_result_is_wrong_and_has_no_score(results, monkeypatch):
    found = results.tasks[0].predictions("test")
    lost = np.isin(np.arange(len(found.labels)), [0, 3, 8, 21])
    found = replace(
        found,
        status=np.where(lost, "unreadable", found.status),
        probabilities=np.where(lost[:, None], np.nan, found.probabilities),
    )
    with_predictions(monkeypatch, found)
    block = explorer(with_task(results), "test")
    (model,) = block.models
    value = results.tasks[0].info.threshold.value
    expected = {one.metric: one.value for one in operating.at(found, Threshold(value, "fixed"), 0.95)}
    assert {name: model.figures[name].value for name in ("sensitivity", "specificity")} == {
        name: expected[name] for name in ("sensitivity", "specificity")
    }
    assert sum(model.without_result) == 4
    assert len(model.scores) == 8 * (len(found.labels) - 4)
    assert any("without a result (4 " in note for note in block.notes)


def test_the_recorded_figures_stand_in_the_page_without_any_control(page, results):
    page = page[page.index('<div class="explorer"') : page.index('<script type="application/json">')]
    value = results.tasks[0].figure("sensitivity").value
    assert f'data-figure="sensitivity" data-value="{value!r}"' in page
    controls = re.findall(r'<div class="controls[^>]*>', page)
    assert len(controls) == 1 + len(results.tasks)
    assert all(tag.endswith(" hidden>") for tag in controls)
    outside = re.sub(r'<div class="controls[^>]*>.*?</div>', "", page, flags=re.DOTALL)
    assert "<input" not in outside
    assert '<figure class="roc" hidden>' in page
    assert page.count('<strong class="exploratory" hidden>exploratory: chosen on test</strong>') == len(results.tasks)
    assert "chosen on validation</span>" in page


# ── Where there is none ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("change", [{"scale": "decision"}, {"threshold": None}])
def test_a_model_that_ranks_nothing_or_has_no_threshold_is_left_out(results, change):
    task = results.tasks[0]
    assert explorer(with_task(results, info=task.info.model_copy(update=change)), "test") is None
    both = replace(results, tasks=(replace(task, info=task.info.model_copy(update=change)), results.tasks[1]))
    assert [one.task for one in explorer(both, "test").models] == [results.tasks[1].name]


def test_a_score_slides_over_its_own_range(results):
    task = results.tasks[0]
    block = explorer(with_task(results, info=task.info.model_copy(update={"scale": "score"})), "test")
    score = task.predictions("test").score
    assert (block.models[0].lowest, block.models[0].highest) == (score.min(), score.max())


def test_a_set_without_predictions_has_none(results):
    assert explorer(results, "elsewhere") is None


def test_paper_and_text_have_none_and_no_empty_chapter(report, results):
    block = explorer(results, "test")
    alone = Section("alone", "Nothing but sliders", (block,))
    beside = Section("beside", "Words beside sliders", (Text("Words."), block))
    whole = replace(report, sections=(*report.sections, alone, beside))
    assert [section.name for section in on_paper(whole).sections][-1] == "beside"
    assert not [one for section in on_paper(whole).sections for one in section.blocks if isinstance(one, Explorer)]
    for rendered in (text.render(whole), html.render(whole, printed=True)):
        assert "Nothing but sliders" not in rendered
        assert "Explore other thresholds" not in rendered
        assert "Words." in rendered


# ── Names ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_hostile_names_stay_text(report, results):
    block = explorer(results, "test")
    named = replace(block, positive=HOSTILE, set=HOSTILE, models=(replace(block.models[0], task=HOSTILE),))
    page = html.render(replace(report, sections=(Section("one", "One", (named,)),)))
    (data,) = data_of(page)
    assert data["models"][0]["name"] == one_line(HOSTILE)
    assert HOSTILE not in page
    assert "<script>alert" not in page


def test_anchors_and_fields_are_unique_over_sets(report, results):
    block = explorer(results, "test")
    sections = tuple(Section(f"s{n}", "S", (replace(block, name=f"explorer-{n}"),)) for n in range(2))
    page = html.render(replace(report, sections=sections))
    names = re.findall(r'\bid="([^"]+)"', page)
    assert len(names) == len(set(names))
    assert set(re.findall(r'<label for="([^"]+)"', page)) <= set(names)
