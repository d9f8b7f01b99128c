"""What the report tells of a model with test-time augmentation."""

import pytest

from cxrkit.records import TaskInfo, Timing, TtaRecord
from cxrkit.report.checklists import facts
from cxrkit.report.checklists.form import Evidence
from cxrkit.report.compose import compose
from cxrkit.report.content import Table
from cxrkit.report.formats import model_cards
from cxrkit.report.phrases import represented
from cxrkit.report.reading import read

AUGMENTATION = {"random_resized_crop": False, "horizontal_flip": 0.0, "rotation": 5.0, "zoom": 0.05}


@pytest.fixture(scope="module")
def results(make_run):
    """Two models; the second judges eight views by the networks of the first, of three trainings."""
    run = make_run(skill={"scratch": 1.7, "views": 2.0}, cams=False)
    info = TaskInfo.read(run.task("views").info)
    made = {"kind": "tta", "members": ["scratch"], "seeds": [0, 1, 2], "imbalance": None, "trainer": None}
    told = TtaRecord(views=8, augmentation=AUGMENTATION, seed=0)
    info.model_copy(update={**made, "options": {}, "tta": told}).write(run.task("views").info)
    seed = run.task("views").seed(0)
    for path in (seed.history, seed.timing, seed.model_info):
        path.unlink()
    Timing(seconds=75, images_per_second=12.5, device="cuda", precision="fp32").write(run.task("views").timing)
    return read([run])


@pytest.fixture(scope="module")
def report(results):
    return compose(results)


def tables(report):
    return [block for section in report.sections for block in section.blocks if isinstance(block, Table)]


def captions(report):
    return [table.caption for table in tables(report)]


def rows(report, caption):
    (found,) = [table for table in tables(report) if table.caption == caption]
    return [[cell.text for cell in row] for row in found.rows]


def test_it_is_told_of_what_it_is_made(results):
    assert represented(results) == (
        "views is scratch with test-time augmentation: the mean logit over 8 views of each image (the plain one and 7 "
        "augmented) and over its 3 trainings (seeds 0, 1 and 2)."
    )


def test_its_kind_views_and_augmentation_stand_with_the_models(report):
    kind = ("test-time augmentation", "resnet18-pretrained")
    assert rows(report, "How each model was made")[1] == ["views", *kind, *["\N{EN DASH}"] * 2, "views 8"]
    assert rows(report, "Test-time augmentation") == [["views", "scratch", "8", "rotation 5, zoom 0.05"]]
    assert "Ensembles and their members" not in captions(report)
    (glossary,) = [section for section in report.sections if section.name == "glossary"]
    assert "Test-time augmentation" in str(glossary.blocks)


def test_what_it_cost_stands_beside_the_trainings(report):
    assert [row[0] for row in rows(report, "What the trainings cost")] == ["scratch"]
    (row,) = rows(report, "What test-time augmentation cost")
    assert row[:3] == ["views", "8", "3"]
    assert row[4] == "12.5"


def test_its_card_says_that_its_weights_are_its_tasks(results, report):
    card = " ".join(model_cards.render(results, report)["views.md"].split())
    assert "**Kind:** test-time augmentation" in card
    assert "**Made of:** scratch with test-time augmentation: the mean logit over 8 views" in card
    assert "It has no weights of its own: they are those of scratch" in card


def test_checklists_take_it_as_no_model_of_unknown_making(results):
    evidence = Evidence(results, {"models": "Models"})
    assert (evidence.trained, evidence.given) == (True, [])
    assert facts.ensembles(evidence).status == "filled"
