"""The blocks of the results: goals, other thresholds, patients, seeds, comparisons, subgroups."""

import re

import pytest


@pytest.mark.parametrize(
    ("model", "verdict"), [("scratch", "✗ not met"), ("transfer", "? undecided"), ("both", "✓ met")]
)
def test_goals_are_met_not_met_or_undecided(full, model, verdict):
    row = next(row for row in full.rows if row[:2] == [f"{model}", "Sensitivity of at least 90.0%"])
    assert row[3] == verdict


def test_the_first_page_says_whether_the_goals_are_met_and_at_which_prevalence(full):
    goals = full.text[full.text.index("Are the stated goals met:") : full.text.index("At which threshold:")]
    sensitivity = goals[goals.index("Sensitivity of at least 90.0%") :]
    assert re.match(r".*: met by both \(.*\); undecided for transfer \(.*\); not met by scratch \(85.2%,", sensitivity)
    assert re.search(r"NPV at a prevalence of 10.0% of at least 98.0%: met by .*both \(99.3%, 98.5 to 99.7\)", goals)


def test_operating_points_tell_what_a_threshold_from_validation_turns_into(full):
    row = next(row for row in full.rows if row[:2] == ["scratch", "sensitivity 95.0%"])
    assert row[2] == "0.2100.150 to 0.290"
    assert row[3].startswith("91.5%")


def test_an_operating_point_beyond_the_validation_set_says_so(full):
    row = next(row for row in full.rows if row[0] == "scratch" and row[1].startswith("specificity 99.0%"))
    assert row[1].endswith("not estimable")
    note = "80 images cannot tell a specificity of 0.99, at least 300 negatives are needed"
    assert f"{note} (scratch, transfer and both)." in full.text


def test_the_uncertain_zone_tells_how_many_images_are_decided_and_referred(full):
    zone = {row[0]: row[1] for row in full.rows if len(row) == 4}
    assert zone["Lower threshold"] == "0.2200.160 to 0.300"
    assert zone["Images decided"].startswith("73.8%")
    assert zone["Sensitivity of the decided"].startswith("96.9%")
    assert zone["Referred of those without PNEUMONIA"].startswith("34.7%")


def test_patients_stand_beside_images_with_thresholds_of_their_own(full):
    rows = [row for row in full.rows if len(row) == 9 and row[0] == "scratch"]
    assert [row[1] for row in rows] == [
        "images",
        "patients, by their largest probability",
        "patients, by their mean probability",
    ]
    assert [row[2] for row in rows] == ["240", "180", "180"]
    assert rows[1][3].startswith("0.531")
    assert rows[1][4].startswith("0.923")


def test_seeds_have_mean_sd_and_range_and_each_its_own_row(full):
    row = next(row for row in full.rows if row[1:2] == ["3 seedsmean ± SD, range"])
    assert row[2:] == ["0.871 ± 0.0120.859 to 0.883", "88.4 ± 3.1%85.3 to 91.5", "0.133 ± 0.0040.129 to 0.137"]
    assert ["", "seed 2", "0.883", "91.5%", "0.137"] in full.rows
    assert "the intervals elsewhere in this report do not contain it" in full.text


def test_non_inferiority_tells_margin_and_verdict(full):
    row = next(row for row in full.rows if row[:3] == ["transfer", "scratch", "AUC"])
    assert row[3] == "0.050"
    assert row[5] == "✓ non-inferior"


def test_variants_of_a_comparison_are_labelled_and_apart(full):
    head = next(row for row in full.rows if "AUC (assuming independent images)" in row)
    assert head == ["Models", "AUC (assuming independent images)", "Sensitivity (complete cases)"]
    assert "is too sure of itself" in full.text


def test_pairs_that_cannot_be_compared_are_told(full):
    assert 'Tasks "both" and "other" on test: 3 images are in one alone' in full.text


def test_subgroups_of_few_patients_are_flagged_in_every_cell_and_explained(full):
    row = next(row for row in full.rows if row[:2] == ["pathogen: fungus", "scratch"])
    assert row[2] == "31†22 patients"
    assert row[3].startswith("0.871†")
    assert row[4].startswith("80.6%†")
    assert "† rests on fewer than 30 patients of a class: very uncertain." in full.text
    assert "its AUC is against all images of the other kind, since it has none of its own" in full.text


def test_heterogeneity_has_its_p_value_and_reaches_the_first_page_where_it_is_small(full):
    assert ["pathogen", "scratch", "Sensitivity", "7.13", "0.008"] in full.rows
    assert ["pathogen", "transfer", "Sensitivity", "8.13", "0.310"] in full.rows
    first_page = full.text[: full.text.index("SIDE BY SIDE ====")]
    told = "Figures differ between the groups of pathogen (exploratory tests of heterogeneity): sensitivity of scratch"
    assert told in first_page
    assert "sensitivity of transfer" not in first_page[first_page.index(told) :]


def test_the_forest_plot_names_every_group_and_model(full):
    drawing = full.page.rawdata_[full.page.rawdata_.index('id="subgroups-0"') :]
    drawing = drawing[: drawing.index("</figure>")]
    for label in ("All images, n = 240 images of", "pathogen: virus, n = ", "AUC against all others", "Sensitivity, %"):
        assert label in drawing
    groups = drawing.count("pathogen: ", drawing.index("<svg")) + 1
    assert groups > 2
    for name in ("scratch", "transfer", "both"):
        assert drawing.count(f">{name}<") == groups


def test_the_first_page_answers_in_a_sentence_and_tells_differences_as_better_minus_worse(full):
    first_page = full.text[: full.text.index("SIDE BY SIDE ====")]
    assert re.search(
        r"(\w+) has the highest AUC on the test set, 0\.\d{3} \(95% interval .*?\): better than", first_page
    )
    differences = first_page[
        first_page.index("Is the difference more than chance:") : first_page.index("Are the stated goals met:")
    ]
    assert re.search(r"is better than \w+ \(\+0\.\d{3}, \+0\.\d+ to \+0\.\d{3}; p", differences)
    assert "(\N{MINUS SIGN}" not in differences.split("no difference")[0]
