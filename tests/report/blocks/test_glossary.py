"""The glossary explains what the report shows, and nothing else."""

import pytest

from cxrkit.report import wording
from cxrkit.report.chapters.terms import TERMS
from cxrkit.report.compose import compose
from cxrkit.report.content import Table, Terms
from cxrkit.report.reading import read

SUFFIXES = tuple(f" ({told})" for told in wording.SUFFIXES.values())


def chapters(run):
    return compose(read([run])).sections


def explained(run):
    section = next(one for one in chapters(run) if one.name == "glossary")
    return dict(next(block for block in section.blocks if isinstance(block, Terms)).entries)


def shown_labels(run):
    """Every name of a figure that stands in the head, the first or second column of a table."""
    known = set(wording.LABELS.values())
    for section in chapters(run):
        for block in section.blocks:
            if isinstance(block, Table):
                texts = [column.title for column in block.columns]
                texts += [cell.text for row in block.rows for cell in row[:3]]
                for text in texts:
                    for suffix in SUFFIXES:
                        text = text.removesuffix(suffix)  # noqa: PLW2901 - the same figure in another way
                    yield from {text, text.split(" (")[0]} & known


@pytest.mark.parametrize("name", ["finished_run", "full_run", "imported_run"])
def test_every_figure_of_a_table_is_explained(name, request):
    run = request.getfixturevalue(name)
    labels = set(shown_labels(run))
    assert len(labels) > 5
    assert labels - {term.removesuffix(" (of the Brier score)") for term in explained(run)} == set()


def test_terms_are_in_the_order_of_the_alphabet(finished_run):
    terms = [*explained(finished_run)]
    assert terms == sorted(terms, key=str.casefold)


def test_only_terms_that_occur_are_explained(finished_run, full_run, imported_run):
    plain, full, imported = explained(finished_run), explained(full_run), explained(imported_run)
    assert {"ROC curve", "Confusion matrix", "Youden's index", "Epoch", "Paired", "Methods by name"} <= set(plain)
    assert not {"Robustness", "Uncertain zone", "External set", "Without a result", "Score, decision"} & set(plain)
    assert {"Robustness", "Uncertain zone", "External set", "Pointing game", "Temperature scaling"} <= set(full)
    assert {"Score, decision", "Without a result", "Complete cases"} <= set(imported)
    assert not {"Epoch", "Seed", "Loss", "Augmentation", "Youden's index", "Reliability diagram"} & set(imported)


def test_only_methods_that_were_used_are_named(finished_run):
    named = explained(finished_run)["Methods by name"]
    used = {record.method for task in read([finished_run]).tasks for record in task.metrics.records if record.method}
    assert "Wilson (intervals of shares, such as sensitivity)" in named
    assert ("Obuchowski" in named) == any("Obuchowski" in method for method in used)


def test_every_term_can_occur_in_some_report(finished_run, full_run, imported_run):
    seen = set(explained(finished_run)) | set(explained(full_run)) | set(explained(imported_run))
    assert set(TERMS) - seen <= {"Prior-corrected", "Drift", "Cross-validation", "Test-time augmentation"}


def test_the_examples_are_right():
    """The worked example of PPV and NPV, of the likelihood ratios and of F1."""
    people, diseased, sensitivity, specificity = 1000, 10, 0.9, 0.9
    found, alarms = sensitivity * diseased, (1 - specificity) * (people - diseased)
    assert (round(found), round(alarms), round(100 * found / (found + alarms))) == (9, 99, 8)
    assert (round(specificity * (people - diseased)), round(people - found - alarms)) == (891, 892)
    assert round(100 * (10 / 9) / (1 + 10 / 9)) == 53
    assert round(100 * (1 / 90) / (1 + 1 / 90)) == 1
    assert round(100 * 2 * 0.9 * 0.5 / 1.4) == 64
