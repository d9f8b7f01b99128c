"""The errors: who is wrong of which image, together with whom, and what is shown of each case."""

import csv
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from cxrkit.cli import cli
from cxrkit.files import write_text
from cxrkit.records import TaskInfo
from cxrkit.report.chapters import failures
from cxrkit.report.chapters.agreement import pairs
from cxrkit.report.chapters.judging import judge
from cxrkit.report.compose import compose
from cxrkit.report.content import Gallery, Heading, Table, Text
from cxrkit.report.formats import html
from cxrkit.report.reading import read
from cxrkit.rundir import RunDirectory

POSITIVE = "PNEUMONIA"
CLASSES = ("NORMAL", "TB", POSITIVE)


@pytest.fixture(scope="module")
def results(finished_run):
    return read([finished_run])


@pytest.fixture(scope="module")
def blocks(results):
    return failures.section(results).blocks


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """Give ``imported(name=rows)``: a run made of prediction files, each of rows image, label, probabilities."""

    def make(**files) -> RunDirectory:
        folder = tmp_path_factory.mktemp("imported")
        for name, rows in files.items():
            lines = [",".join([*map(str, row), "ok" if row[-1] != "" else "unreadable"]) for row in rows]
            head = f"image,label,{','.join(f'p_{one}' for one in CLASSES)},status"
            write_text(folder / f"{name}.csv", "\n".join([head, *lines]) + "\n")
        paths = [str(folder / f"{name}.csv") for name in files]
        done = CliRunner().invoke(cli, ["report", *paths, "--output", str(folder / "out"), "--format", "txt"])
        assert done.exit_code == 0, done.output
        return RunDirectory(folder / "out" / "run")

    return make


def wrong_by_hand(run, task):
    """Image → what it shows and whether the task is wrong of it, from the files alone."""
    info = TaskInfo.read(run.task(task).info)
    with run.task(task).predictions("test").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {
        row["image"]: (
            row["label"],
            (float(row[f"p_{POSITIVE}"]) >= info.threshold.value) != (row["label"] == POSITIVE),
        )
        for row in rows
    }


def galleries(blocks):
    return {block.title.split(":")[0]: block for block in blocks if isinstance(block, Gallery)}


def tables(blocks):
    return {block.caption.split(",")[0]: block for block in blocks if isinstance(block, Table)}


def texts(blocks):
    return " ".join(block.text for block in blocks if isinstance(block, Text))


def test_agreement_is_what_one_counts_by_hand(finished_run, results):
    scratch, transfer = (wrong_by_hand(finished_run, task) for task in ("scratch", "transfer"))
    expected = Counter((scratch[image][1], transfer[image][1]) for image in scratch)
    (pair,) = pairs(judge(results))
    assert (pair.first.name, pair.second.name, pair.n) == ("scratch", "transfer", 240)
    assert pair.both_right == expected[False, False]
    assert pair.first_wrong == expected[True, False]
    assert pair.second_wrong == expected[False, True]
    assert pair.both_wrong == expected[True, True] > 0


def test_agreement_is_shown_with_its_n_and_told_in_a_sentence(results, blocks):
    (pair,) = pairs(judge(results))
    (row,) = tables(blocks)["Who is wrong together with whom"].rows
    assert [cell.text for cell in row] == ["scratch", "transfer", *map(str, pair[2:]), "240"]
    assert row[5].detail == f"{100 * pair.both_wrong / 240:.1f}%"
    assert f"{pair.differing} are called rightly by one of the two alone, and {pair.both_wrong} by neither." in texts(
        blocks
    )


def test_of_several_pairs_those_with_fewest_and_most_shared_errors_are_named(make_run):
    run = make_run(skill={"weak": 0.8, "fair": 1.7, "good": 2.9}, cams=False)
    results = read([run])
    blocks = failures.section(results).blocks
    assert len(tables(blocks)["Who is wrong together with whom"].rows) == 3
    fewest = min(pairs(judge(results)), key=lambda pair: pair.both_wrong)
    told = f"Fewest shared errors: {fewest.first.name} and {fewest.second.name}, both wrong on {fewest.both_wrong} of"
    assert told in texts(blocks)


def test_every_case_says_its_outcome_who_was_wrong_and_its_subgroup(finished_run, blocks):
    known = {task: wrong_by_hand(finished_run, task) for task in ("scratch", "transfer")}
    shown = [case for block in blocks if isinstance(block, Gallery) for case in block.cases]
    assert len(shown) == 24
    for case in shown:
        truth = known["scratch"][case.image][0]
        wrong = {view.task for view in case.views if view.wrong}
        assert wrong == {task for task in known if known[task][case.image][1]}
        assert case.truth == truth
        assert case.outcome == ("correct" if not wrong else "false negative" if truth == POSITIVE else "false positive")
        assert [name for name, _ in case.subgroups] == ["pathogen"]
        assert case.patient.startswith("test-")
        assert case.picture is not None
        assert all(view.overlay for view in case.views)
        assert bool(wrong) == (case.certainty > 0)


def test_errors_of_most_models_come_first_then_the_surest(results, blocks):
    judgements = judge(results)
    rows = judgements.ordered_errors()
    keys = [(-int(judgements.errors[row]), -float(judgements.certainty[:, row].max())) for row in rows]
    assert keys == sorted(keys)
    assert {count for count, _ in keys} == {-1, -2}
    shown = [judgements.images.tolist().index(case.image) for case in galleries(blocks)["False negatives"].cases]
    assert shown == [row for row in rows if row in shown]
    assert len(shown) > 5


def test_the_rule_of_choice_is_stated_and_how_many_are_not_shown(finished_run, blocks):
    scratch, transfer = (wrong_by_hand(finished_run, task) for task in ("scratch", "transfer"))
    wrong = {image for image in scratch if scratch[image][1] or transfer[image][1]}
    missed = sum(scratch[image][0] == POSITIVE for image in wrong)
    told = f"Shown below: 18 of the {len(wrong)} images that at least one of 2 models got wrong (classes by turns"
    assert told in texts(blocks)
    gallery = galleries(blocks)["False negatives"]
    assert gallery.caption.startswith(f"{len(gallery.cases)} of {missed} images. p: probability of PNEUMONIA")
    assert len(tables(blocks)["Every error on the test set"].rows) == len(wrong)


def test_one_model_has_nobody_to_agree_with(make_run):
    run = make_run(skill={"scratch": 1.7})
    blocks = failures.section(read([run])).blocks
    count = sum(wrong for _, wrong in wrong_by_hand(run, "scratch").values())
    assert f"{count} images of 240 were called wrongly. " in texts(blocks) + " "
    assert [block.title for block in blocks if isinstance(block, Heading)] == ["Case by case", "All errors"]
    assert galleries(blocks)["False negatives"].cases[0].verdict == "Missed by scratch"


def test_without_pictures_the_errors_are_listed_alone(make_run):
    blocks = failures.section(read([make_run(cams=False)])).blocks
    assert not galleries(blocks)
    assert "Shown below" not in texts(blocks)
    assert tables(blocks)["Every error on the test set"].rows


def test_of_three_classes_each_kind_of_error_is_named(imported):
    first = [("a", "NORMAL", 0.1, 0.2, 0.7), ("b", "NORMAL", 0.2, 0.7, 0.1), ("c", POSITIVE, 0.7, 0.2, 0.1)]
    second = [("a", "NORMAL", 0.1, 0.8, 0.1), ("b", "NORMAL", 0.8, 0.1, 0.1), ("c", POSITIVE, "", "", "")]
    more = [(f"{name}-{number}", name, *np.eye(3)[place]) for number in range(4) for place, name in enumerate(CLASSES)]
    judgements = judge(read([imported(one=first + more, two=second + more)]))
    assert {judgements.image(row).image: judgements.outcome(row) for row in judgements.ordered_errors()} == {
        "a": "false positive",
        "b": "other error",
        "c": "false negative",
    }
    told = {judgements.images[row]: verdict(judgements, row) for row in range(len(judgements.images))}
    assert told["a"] == "False alarm of one; taken for another class by two"
    assert told["b"] == "Taken for another class by one"
    assert told["c"] == "Missed by one; no result of two"
    assert told["TB-0"] == "Called rightly by both models"
    assert judgements.count("correct") == 12


def verdict(judgements, row):
    return failures.verdict(judgements.image(row), POSITIVE)


def test_models_of_different_images_are_not_held_against_each_other(imported):
    of_one = [(f"x{number}", name, *np.eye(3)[place]) for number in range(4) for place, name in enumerate(CLASSES)]
    wrong = [(image, label, *np.roll(shares, 1)) for image, label, *shares in of_one]
    of_one = [(f"{image}-{label}", label, *shares) for image, label, *shares in of_one]
    of_other = [(f"other-{image}-{label}", label, *shares) for image, label, *shares in wrong]
    judgements = judge(read([imported(one=of_one), imported(two=of_other)]))
    assert judgements.images.shape == (24,)
    assert judgements.asked.sum(axis=1).tolist() == [12, 12]
    assert judgements.wrong.sum(axis=1).tolist() == [0, 12]
    assert pairs(judgements) == []
    assert len(judgements.image(0).opinions) == 1


def test_the_page_says_of_each_case_what_the_viewer_filters_by(results, blocks):
    report = compose(results)
    chapter = next(section for section in report.sections if section.name == "errors")
    page = html.render(replace(report, sections=(chapter,)))
    case = galleries(blocks)["False positives"].cases[0]
    wrong = " ".join(str(view.model) for view in case.views if view.wrong)
    assert f'data-image="{case.image}" data-patient="{case.patient}" data-outcome="false positive"' in page
    assert f'data-outcome="false positive" data-wrong="{wrong}"' in page
    assert '<div data-subgroup="pathogen"><dt>Pathogen</dt>' in page
    assert page.count('<dialog class="viewer"') == 1
    printed = html.render(replace(report, sections=(chapter,)), printed=True)
    assert printed.count('<article class="case') == 24
    assert "<dialog" not in printed
    assert "<script" not in printed


def test_a_picture_that_was_damaged_since_is_left_out_and_its_case_told(make_run):
    run = make_run()
    damaged = sorted((run.root / "images").glob("*.jpg"))
    damaged[0].write_bytes(damaged[0].read_bytes()[:200])
    damaged[1].write_bytes(b"no picture")
    galleries = [block for block in failures.section(read([run])).blocks if isinstance(block, Gallery)]
    cases = [case for gallery in galleries for case in gallery.cases]
    assert len(cases) == len(damaged)
    assert sum(case.picture is None for case in cases) == 2
