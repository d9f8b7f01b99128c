"""The chapters on probabilities and on use: calibration, prevalence, decision curves."""


def test_raw_scaled_and_corrected_probabilities_stand_side_by_side(full):
    rows = [row for row in full.rows if len(row) == 8 and row[0] == "scratch" and not row[1].isdigit()]
    assert [row[1] for row in rows] == ["as given", "temperature-scaled", "prior-corrected"]
    assert [row[2][:5] for row in rows] == ["0.412", "0.392", "0.372"]
    assert rows[1][6].startswith("0.107")  # the Brier score after scaling
    assert len([row for row in full.rows if len(row) == 8 and row[0] == "transfer" and not row[1].isdigit()]) == 2


def test_the_parts_of_the_brier_score_are_shown_with_their_formula(full):
    assert ["Reliability", "Resolution", "Uncertainty", "Within bins"] in [row[3:] for row in full.rows]
    assert "Brier score = reliability - resolution + uncertainty + within bins" in full.text


def test_distorted_probabilities_are_told_with_the_shares_that_training_saw(full):
    told = (
        "The probabilities of scratch are distorted: its handling of class imbalance (class-weights) made training see "
        "50.0% PNEUMONIA where the training images have 74.0%, so that they come out too low"
    )
    assert full.text.count(told) == 2  # on the first page, and where probabilities are shown
    assert "The probabilities of transfer are distorted" not in full.text


def test_the_temperature_is_told_with_what_it_was_fitted_on(full):
    told = (
        "Temperature, fitted on 80 validation images of 61 patients (Guo et al. 2017): scratch 1.37, transfer 0.87 and"
    )
    assert told in full.text


def test_a_fixed_threshold_is_shown_before_and_after_the_correction(full):
    row = next(row for row in full.rows if row[:2] == ["scratch", "prior-corrected"] and len(row) == 4)
    assert row[2:] == ["98.1%95.0 to 99.0", "60.4%51.0 to 69.0"]


def test_every_model_has_a_reliability_diagram_for_each_recalibration(full):
    drawing = full.page.rawdata_[full.page.rawdata_.index('id="calibration-0"') :]
    drawing = drawing[: drawing.index("</figure>")]
    for name in ("scratch", "transfer", "both", "as given", "temperature-scaled", "prior-corrected"):
        assert drawing.count(f">{name}<") == 3
    assert drawing.count("nothing to correct") == 2


def test_outcomes_of_a_thousand_are_given_at_the_own_and_the_stated_prevalence(full):
    for caption in (
        "59.6% have PNEUMONIA (as in the test set)",
        "10.0% have PNEUMONIA (as stated in the configuration)",
    ):
        assert f"Of 1,000 people of whom {caption}" in full.text
    rows = [row for row in full.rows if len(row) == 7 and row[0] == "scratch" and row[1] in {"596", "100"}]
    assert [row[2] for row in rows] == ["571550 to 590", "9188 to 94"]
    assert [row[3] for row in rows] == ["4930 to 70", "7.84.8 to 11"]


def test_outcomes_are_expected_from_sensitivity_and_specificity_where_a_run_lacks_them(imported):
    row = next(row for row in imported.rows if len(row) == 7 and row[0] == "vendor" and row[1] == "100")
    assert int(row[2]) + int(row[3]) == 100
    assert int(row[5]) + int(row[6]) == 900


def test_likelihood_ratios_and_net_benefit_are_shown(full):
    head = next(row for row in full.rows if "LR+" in row)
    assert head == ["Model", "LR+", "LR-", "PPV at 10.0%", "NPV at 10.0%"]
    row = next(row for row in full.rows if row[0] == "scratch" and row[1] == "6.44.2 to 9.8")
    assert row[2] == "0.0830.050 to 0.140"
    head = next(row for row in full.rows if row[:3] == ["Model", "Probabilities", "Model at 59.6%"])
    assert head[3] == "Treat all at 59.6%"
    row = next(row for row in full.rows if row[:3] == ["scratch", "as given", "0.4810.440 to 0.520"])
    assert row[3] == "0.4020.360 to 0.440"


def test_predictive_values_are_given_over_prevalence(full):
    head = next(row for row in full.rows if row[:2] == ["Model", ""] and row[-1] == "at 50.0%")
    row = next(row for row in full.rows if row[:2] == ["scratch", "PPV"])
    assert head.index("at 10.0%") == 4
    assert row[4].startswith("40.0%")  # .9 * .1 / (.9 * .1 + .15 * .9)


def test_net_benefit_is_set_against_treating_everyone(full):
    row = next(row for row in full.rows if row[0] == "treat everyone")
    assert row[3] == "0.000"  # at a threshold probability that is the prevalence
    assert ["scratch", "prior-corrected"] in [row[:2] for row in full.rows if len(row) == 7]
    assert "treating no one has a net benefit of 0" in full.text
