"""Intended use and limitations: the author's words, what the results support, what limits them."""

from dataclasses import replace

import pytest

from cxrkit.report.chapters import limits
from cxrkit.report.content import Bullets, Terms, Text
from cxrkit.report.reading import read


@pytest.fixture(scope="module")
def results(finished_run):
    return read([finished_run])


def parts(results):
    """The chapter's stated use, its uses by name, what is out of scope, and its limitations."""
    blocks = limits.section(results).blocks
    stated = [block.text for block in blocks if isinstance(block, Text)]
    uses = dict(next(block for block in blocks if isinstance(block, Terms)).entries)
    scope, limitations = (block.items for block in blocks if isinstance(block, Bullets))
    return stated, uses, scope, limitations


def test_the_author_s_intended_use_is_shown_in_the_author_s_words(results):
    source = results.sources[0]
    table = {"report": {"intended_use": "For paediatric  radiologists,\nas a second reader."}}
    info = source.info.model_copy(update={"configuration": source.info.configuration | table})
    stated, *_ = parts(replace(results, sources=(replace(source, info=info),)))
    assert stated == ["As the author states it: For paediatric radiologists, as a second reader."]


def test_an_intended_use_that_was_not_stated_is_asked_for(results):
    (text,), *_ = parts(results)
    assert text.startswith("No intended use was stated. The author has to say")


def test_nothing_is_claimed_that_was_not_evaluated(results):
    _, uses, *_ = parts(results)
    assert uses["Support for a reader"].startswith("Not evaluated.")
    assert uses["Deciding alone"].startswith("Not supported by an evaluation like this one.")
    assert "Deciding the clear cases" not in uses


def test_what_the_best_model_would_miss_alone_is_taken_from_its_figures(results):
    _, uses, *_ = parts(results)
    best = results.task("transfer")
    for metric in ("sensitivity", "specificity"):
        record = best.figure(metric)
        left = f"{100 * (1 - record.value):.1f} ({100 * (1 - record.high):.1f} to {100 * (1 - record.low):.1f})"
        assert left in uses["Deciding alone"]
    assert "transfer, the best by AUC, would have missed" in uses["Deciding alone"]


def test_an_uncertain_zone_and_external_sets_are_told(full_run, results):
    full = read([full_run])
    _, uses, *_ = parts(full)
    assert "Deciding the clear cases" in uses


def test_uses_that_the_data_cannot_speak_of_are_named(results):
    _, _, scope, _ = parts(results)
    told = " ".join(scope)
    for words in ("Any other finding than PNEUMONIA", "Adults", "portable or lateral", "not as frequent as here"):
        assert words in told
    source = results.sources[0]
    data = source.info.data.model_copy(update={"patient_rule": "column patient"})
    info = source.info.model_copy(update={"data": data})
    _, _, scope, limitations = parts(replace(results, sources=(replace(source, info=info),)))
    assert "age and sex are not available" in " ".join(scope)
    assert "Adults" not in " ".join(scope)
    assert "Kermany" not in " ".join(limitations)


def test_a_small_input_is_a_limitation(results):
    assert "pixels; small or faint" not in " ".join(parts(results)[3])  # 224 pixels
    tasks = []
    for task in results.tasks:
        seed = task.seeds[0]
        shape = seed.model.preprocessing.model_copy(update={"image_size": 112})
        model = seed.model.model_copy(update={"preprocessing": shape})
        tasks.append(replace(task, seeds=(replace(seed, model=model),)))
    told = " ".join(parts(replace(results, tasks=tuple(tasks)))[3])
    assert "scratch and transfer: the network sees 112 \N{MULTIPLICATION SIGN} 112 pixels" in told


def test_no_limitation_is_told_twice(results, full_run):
    for known in (results, read([full_run])):
        limitations = parts(known)[3]
        assert len(set(limitations)) == len(limitations)
        assert all(one[0].isupper() or one.split(":")[0].split(",")[0] for one in limitations)


def test_subgroups_and_thresholds_limit_only_where_it_holds(results, imported_run):
    assert "No subgroup was evaluated" not in " ".join(parts(results)[3])
    told = " ".join(parts(read([imported_run]))[3])
    assert "No subgroup was evaluated" in told
    assert "Thresholds were chosen on validation" not in told  # fixed beforehand
    assert "heart" not in told
