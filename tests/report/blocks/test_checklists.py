"""The checklist appendices: the published items, answered from the run at hand, and nothing filled that it lacks."""

import re
from dataclasses import replace

import pytest

from cxrkit.report.checklists.appendices import CHECKLISTS
from cxrkit.report.checklists.form import STATUSES, Evidence
from cxrkit.report.compose import compose
from cxrkit.report.reading import read

PUBLISHED = {"claim": (44, 44), "stard-ai": (40, 48), "tripod-ai": (27, 52)}
"""Items and entries, parts of an item counted apart: Tejani 2024, Sounderajah 2025, Collins 2024."""

ONLY_THE_AUTHOR = {
    "claim": "1 2 3 4 5 6 7 8 9 10 11 13 14 15 16 17 18 19 21 24 34 36 40 41 42 43 44",
    "stard-ai": (
        "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15d 16a 16b 16c 17a 17b 19 22 25 26a 27 28 32 33 34 35 36 37 38 39 40a 40b"
    ),
    "tripod-ai": (
        "1 2 3a 3b 3c 4 5a 5b 6a 6b 6c 7 8a 8b 8c 9b 10 12b 14 16 17 18a 18b 18c 18d 18e 18f 19 20b 20c 22 25 26 27a "
        "27b 27c"
    ),
}
"""Ethics, registration, funding, patients, reference standard, availability: no run can know these."""


@pytest.fixture(scope="module")
def trained(finished_run):
    return read([finished_run])


@pytest.fixture(scope="module")
def imported(make_run):
    return read([make_run(trained=False)])


@pytest.fixture(scope="module")
def predictions_alone(imported):
    """As ``cxrkit report FILE.csv`` has it: no description of the images."""
    sources = [replace(one, info=one.info.model_copy(update={"data": None})) for one in imported.sources]
    return replace(imported, sources=tuple(sources))


def answers(results, name):
    """The answers to a checklist by number."""
    report = compose(results)
    chapters = {section.name: section.title for section in report.sections}
    checklist = next(one for one in CHECKLISTS if one.name == name)
    return {item.number: item.answer(Evidence(results, chapters)) for item in checklist.items}


def status(results, name, number):
    return answers(results, name)[number].status


def without(results, **metrics):
    """The same results with lists of their metrics replaced."""
    tasks = [replace(task, metrics=task.metrics.model_copy(update=metrics)) for task in results.tasks]
    return replace(results, tasks=tuple(tasks))


def without_subgroups(results):
    tasks = []
    for task in results.tasks:
        kept = [record for record in task.metrics.records if not record.subgroup]
        tasks.append(replace(task, metrics=task.metrics.model_copy(update={"records": kept})))
    return replace(results, tasks=tuple(tasks))


@pytest.mark.parametrize("checklist", CHECKLISTS, ids=lambda one: one.name)
def test_items_are_numbered_as_published(checklist):
    numbers = [item.number for item in checklist.items]
    items, entries = PUBLISHED[checklist.name]
    assert len(numbers) == len(set(numbers)) == entries
    found = [re.fullmatch(r"(\d+)([a-z]?)", number).groups() for number in numbers]
    assert [*dict.fromkeys(int(number) for number, _ in found)] == list(range(1, items + 1))
    for number in {number for number, letter in found if letter}:
        letters = [letter for one, letter in found if one == number]
        assert letters == [chr(ord("a") + place) for place in range(len(letters))]
        assert len(letters) > 1
    assert "doi:10." in checklist.citation


@pytest.mark.parametrize("checklist", CHECKLISTS, ids=lambda one: one.name)
@pytest.mark.parametrize("results", ["trained", "imported", "predictions_alone"])
def test_what_only_the_author_knows_is_never_filled(checklist, results, request):
    found = answers(request.getfixturevalue(results), checklist.name)
    numbers = ONLY_THE_AUTHOR[checklist.name].split()
    assert set(numbers) <= set(found)
    assert [number for number in numbers if found[number].status == "filled"] == []
    bare = answers(without_subgroups(request.getfixturevalue(results)), checklist.name)
    assert [number for number in numbers if bare[number].status == "filled"] == []


@pytest.mark.parametrize("results", ["trained", "imported", "predictions_alone"])
def test_every_filled_item_leads_to_a_chapter_of_this_report(results, request):
    known = request.getfixturevalue(results)
    report = compose(known)
    chapters = {section.name: section.title for section in report.sections}
    for checklist in CHECKLISTS:
        for number, answer in answers(known, checklist.name).items():
            assert answer.status in STATUSES
            assert answer.text
            assert answer.chapter in chapters or (answer.chapter is None and answer.status != "filled"), number
    for section in report.sections[-3:]:
        table = section.blocks[-1]
        for row in table.rows:
            assert row[3].link is None or row[3].text == chapters[row[3].link]


def test_the_counts_of_a_checklist_are_those_of_its_table(trained):
    section = next(one for one in compose(trained).sections if one.name == "claim")
    told = [int(number) for number in re.findall(r"\d+", section.blocks[1].text)[:4]]
    cells = [row[2].text.replace("\N{NO-BREAK SPACE}", " ").split(" ", 1)[1] for row in section.blocks[-1].rows]
    assert told == [44, *(cells.count(one) for one in STATUSES)]
    assert told[1] >= 12


def test_training_is_asked_of_the_author_where_predictions_were_given(trained, imported):
    for number in ("22", "23", "25", "26", "32"):
        assert status(trained, "claim", number) == "filled"
        assert status(imported, "claim", number) == "needs the author"
    assert "scratch and transfer, not trained here" in answers(imported, "claim")["25"].text
    assert status(trained, "stard-ai", "15b") == "filled"
    assert status(imported, "stard-ai", "15b") == "needs the author"
    assert status(trained, "tripod-ai", "12c") == "filled"
    assert status(imported, "tripod-ai", "12c") == "not applicable"
    assert status(imported, "tripod-ai", "27a") == "not applicable"
    assert status(trained, "tripod-ai", "27a") == "needs the author"


def test_images_are_asked_of_the_author_where_predictions_alone_were_given(imported, predictions_alone):
    for number in ("12", "35"):
        assert status(imported, "claim", number) == "filled"
        assert status(predictions_alone, "claim", number) == "needs the author"


def test_subgroups_are_filled_only_where_they_were_evaluated(trained):
    bare = without_subgroups(trained)
    for name, number in (("claim", "37"), ("stard-ai", "21"), ("tripod-ai", "23a")):
        assert status(trained, name, number) == "filled"
        assert status(bare, name, number) == "needs the author"
    assert "by pathogen" in answers(trained, "claim")["37"].text


def test_fairness_needs_subgroups_of_people(trained):
    assert status(trained, "stard-ai", "23") == "needs the author"
    tasks = []
    for task in trained.tasks:
        records = [
            one.model_copy(update={"subgroup": one.subgroup and one.subgroup.replace("pathogen", "sex")})
            for one in task.metrics.records
        ]
        tasks.append(replace(task, metrics=task.metrics.model_copy(update={"records": records})))
    assert status(replace(trained, tasks=tuple(tasks)), "stard-ai", "23") == "filled"


def test_recalibration_is_no_item_where_there_was_none(full_run):
    full = read([full_run])
    assert status(full, "tripod-ai", "12f") == "filled"
    tasks = []
    for task in full.tasks:
        kept = [one for one in task.metrics.records if not one.calibrated]
        tasks.append(replace(task, metrics=task.metrics.model_copy(update={"records": kept})))
    assert status(replace(full, tasks=tuple(tasks)), "tripod-ai", "12f") == "not applicable"


def test_maps_robustness_and_external_sets_are_filled_only_where_there_are_any(full_run, trained):
    full = read([full_run])
    for number in ("27", "30", "31", "33"):
        assert status(full, "claim", number) == "filled"
    assert status(trained, "claim", "27") == "not applicable"
    assert status(trained, "claim", "30") == "needs the author"
    assert status(trained, "claim", "31") == "needs the author"  # maps are shown, and were not checked
    assert status(trained, "claim", "33") == "needs the author"
    bare = replace(trained, tasks=tuple(replace(task, cam=None) for task in trained.tasks))
    assert status(bare, "claim", "31") == "not applicable"
    assert status(without(full, changes=[]), "claim", "30") == "needs the author"
    assert status(without(full, changes=[]), "claim", "33") == "needs the author"


def test_a_threshold_is_asked_of_the_author_where_a_model_gives_bare_decisions(trained):
    assert status(trained, "stard-ai", "15c") == "filled"
    first, *rest = trained.tasks
    decides = replace(first, info=first.info.model_copy(update={"scale": "decision"}))
    answer = answers(replace(trained, tasks=(decides, *rest)), "stard-ai")["15c"]
    assert answer.status == "needs the author"
    assert "of scratch" in answer.text


def test_figures_without_an_interval_do_not_fill_precision(trained):
    tasks = []
    for task in trained.tasks:
        records = [one.model_copy(update={"low": None, "high": None}) for one in task.metrics.records]
        tasks.append(replace(task, metrics=task.metrics.model_copy(update={"records": records})))
    assert status(trained, "claim", "29") == "filled"
    assert status(replace(trained, tasks=tuple(tasks)), "claim", "29") == "needs the author"


def test_shared_patients_are_told_where_sets_are_asked_to_be_disjoint(trained):
    assert answers(trained, "claim")["20"].text.startswith("Disjoint by patient")
    source = trained.sources[0]
    data = {"allow_shared_patients": True}
    info = source.info.model_copy(update={"configuration": source.info.configuration | {"data": data}})
    shared = replace(trained, sources=(replace(source, info=info),))
    assert answers(shared, "claim")["20"].text.startswith("Not by patient")
